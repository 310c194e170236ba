# The image from scratch: nothing but the binary, as nobody, read-only, without any capability, and without anything on its standard input.
source "$(dirname "$0")/podman.bash"
build_image

[ "$(podman inspect --format '{{.Config.User}}' localhost/sse-bridge)" = 65532:65532 ] || fail "not nobody's"
[ "$(podman inspect --format '{{len .RootFS.Layers}}' localhost/sse-bridge)" = 1 ] || fail "more than one layer"

# podman run without -i: there is no standard input, and nothing else to read.
code=0
podman run --rm "${bare[@]}" localhost/sse-bridge 2>"$place/said" || code=$?
{ [ "$code" = 2 ] && grep -q "nothing to read" "$place/said"; } || fail "code $code: $(cat "$place/said")"

podman run --detach --name bridge "${bare[@]}" localhost/sse-bridge late=/logs/late.log
eventually "a healthy daemon" podman healthcheck run bridge
pid=$(podman inspect --format '{{.State.Pid}}' bridge)
grep -qE '^Uid:\s+65532\s+65532' "/proc/$pid/status" || fail "not run by nobody"
grep -qE '^CapEff:\s+0+$' "/proc/$pid/status" || fail "it has capabilities"
podman exec bridge /sse-bridge healthcheck '/readyz?strict' || fail "not ready"
stop bridge

# What is wrong is seen: the variables of the daemon are those of the question.
podman run --detach --name elsewhere "${bare[@]}" --env SSE_BRIDGE_PORT=9000 localhost/sse-bridge late=/logs/late.log
eventually "a healthy daemon" podman healthcheck run elsewhere
if podman exec elsewhere /sse-bridge healthcheck :8080 2>"$place/said"; then fail "somebody serves on 8080"; fi
grep -q "connection refused" "$place/said" || fail "it says: $(cat "$place/said")"
stop elsewhere

# A Service called sse-bridge gives variables that are not ours.
podman run --detach --name linked "${bare[@]}" --env SSE_BRIDGE_PORT=tcp://10.0.0.7:80 --env SSE_BRIDGE_SERVICE_HOST=10.0.0.7 localhost/sse-bridge late=/logs/late.log
eventually "a healthy daemon" podman healthcheck run linked
stop linked
