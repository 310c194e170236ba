# examples/kubernetes/second-container.yaml as it stands.
source "$(dirname "$0")/podman.bash"
build_image
build_application

example=$repository/examples/kubernetes/second-container.yaml
mkdir "$place/empty"
cd "$place/empty" # an image that is called like a file would be built from it
podman kube play "$example"
eventually "readiness" curl --silent --fail "http://127.0.0.1:8080/readyz"
first_lines 127.0.0.1:8080 app 2
curl --silent --fail "http://127.0.0.1:8080/events/app?tail=all&follow=0" >"$place/seen"
grep -qE '^id: [0-9]+-[0-9]+/app$' "$place/seen" || fail "no events: $(cat "$place/seen")"
podman stop --time 20 app-sse-bridge # a signal of our own would have it started again
[ "$(podman inspect --format '{{.State.ExitCode}}' app-sse-bridge)" = 0 ] || fail "it had to be killed"
podman kill app-app # its shell does not hear the signal that comes first
podman kube down "$example"
