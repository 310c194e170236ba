# An application that writes to a volume, and a sidecar that serves it, in one pod.
source "$(dirname "$0")/podman.bash"
build_image
build_application

podman pod create --name demo --publish 127.0.0.1::8080
podman run --detach --pod demo --name app --user 65532:65532 --volume logs:/logs:U docker.io/library/busybox \
    sh -c 'n=0; while :; do n=$((n + 1)); echo "line $n" >>/logs/app.log; sleep 0.05; done'
podman run --detach --pod demo --name bridge --read-only --cap-drop all --security-opt no-new-privileges \
    --volume logs:/logs:ro localhost/sse-bridge app=/logs/app.log

address=$(podman port "$(podman pod inspect --format '{{.InfraContainerID}}' demo)" 8080/tcp)
eventually "readiness" curl --silent --fail "http://$address/readyz"

# Lines come in order, from the first on, and go on.
curl --silent --no-buffer --max-time 10 "http://$address/events/app?tail=all&format=text" | head -n 40 >"$place/seen" || true
for n in $(seq 40); do echo "line $n"; done | diff - "$place/seen" || fail "other lines"

# A kubelet asks by the pod's IP; what reads data by another name is refused.
ip=$(podman inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(podman pod inspect --format '{{.InfraContainerID}}' demo)")
status() { curl --silent --output /dev/null --write-out '%{http_code}' --header "Host: $1" "http://$address$2"; }
[ -n "$ip" ] || fail "the pod has no IP"
for path in /readyz /healthz '/readyz?strict' /metrics; do
    [ "$(status "$ip:8080" "$path")" = 200 ] || fail "$path by the pod's IP: $(status "$ip:8080" "$path")"
done
[ "$(status evil.example /readyz)" = 200 ] || fail "a probe is asked for its Host"
[ "$(status evil.example /metrics)" = 421 ] || fail "data is given to any Host"

# The application reaches it on its own loopback.
podman exec app wget -q -O - http://127.0.0.1:8080/metrics | grep -q '^sse_bridge_source_channels{source="app",state="open"} 1' || fail "no metrics for the application"
stop bridge
