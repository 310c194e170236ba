# examples/kubernetes/daemonset.yaml over a node's /var/log/pods as a kubelet leaves it: lines by CRI, parts of lines, a rotation, and a second start.
source "$(dirname "$0")/podman.bash"
build_image

# The node's directories, for this namespace of mounts alone.
mount -t tmpfs -o mode=755 none /var/log
mount -t tmpfs -o mode=755 none /var/lib
log=/var/log/pods/shop_web-0_9a0d/nginx
mkdir -p -m 700 /var/log/pods
mkdir -p "$log"
write() { printf '2026-11-20T10:00:00.000000000Z %s\n' "$@" >>"$log/0.log"; }
write 'stdout F one' 'stderr P tw' 'stderr F o' 'stdout F three'
chmod 600 "$log/0.log"

play daemonset.yaml
ip=$(address_of sse-bridge-node)
channel=pods/shop_web-0_9a0d/nginx/0.log
eventually "readiness" curl --silent --fail "http://$ip:8080/readyz"
ask_as_kubelet daemonset.yaml "$ip"
[ "$probes" = 2 ] || fail "it has $probes probes"
first_lines "$ip:8080" "$channel" 3 | diff <(printf '%s\n' one two three) - || fail "other lines"

# As the kubelet rotates: away with a date, and a new file.
write 'stdout F four'
mv "$log/0.log" "$log/0.log.20261120-100001"
write 'stdout F five'
first_lines "$ip:8080" "$channel" 5 | diff <(printf '%s\n' one two three four five) - || fail "other lines after a rotation"

pid=$(podman inspect --format '{{.State.Pid}}' sse-bridge-node-sse-bridge)
grep -qE '^CapEff:\s+0000000000000004$' "/proc/$pid/status" || fail "other capabilities: $(grep Cap "/proc/$pid/status")"

# What comes while it is away is there afterwards, once.
podman stop --time 20 sse-bridge-node-sse-bridge
write 'stdout F six'
podman start sse-bridge-node-sse-bridge
ip=$(address_of sse-bridge-node) # podman has made the pod anew with its only container
eventually "readiness" curl --silent --fail "http://$ip:8080/readyz"
first_lines "$ip:8080" "$channel" 6 | diff <(printf '%s\n' one two three four five six) - || fail "other lines after a restart"
