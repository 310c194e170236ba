# examples/kubernetes/sidecar.yaml: a native sidecar beside an application, with nothing but an emptyDir between them. To podman 4.3 a native sidecar is
# an init container, for whose end it waits for ever; so what plays is the same Pod with the sidecar as an ordinary container, started first.
source "$(dirname "$0")/podman.bash"
build_image
build_application
play sidecar.yaml

ip=$(address_of app)
eventually "readiness" curl --silent --fail "http://$ip:8080/readyz"
ask_as_kubelet sidecar.yaml "$ip"
[ "$probes" = 3 ] || fail "the sidecar has $probes probes"
first_lines "$ip:8080" app 3 >"$place/seen"
podman exec app-app cat /logs/app.log | head -n 3 | diff - "$place/seen" || fail "other lines than in the file"

# It starts before the application, which is why it waits for the file; and it stops after it, when there is nothing more to come.
podman stop --time 1 app-app # its shell does not hear a signal
podman exec app-sse-bridge /sse-bridge healthcheck || fail "it does not outlive the application"
podman inspect --format '{{range .Mounts}}{{.Destination}} {{.RW}}{{println}}{{end}}' app-sse-bridge | grep -v '^$' >"$place/mounts"
[ "$(cat "$place/mounts")" = "/logs false" ] || fail "more than the emptyDir: $(cat "$place/mounts")"
podman stop --time 20 app-sse-bridge
[ "$(podman inspect --format '{{.State.ExitCode}}' app-sse-bridge)" = 0 ] || fail "it had to be killed"
