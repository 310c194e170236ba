# The daemon as the first process of a container: it takes in orphans, and needs no standard input at all.
source "$(dirname "$0")/podman.bash"
build_application
with_binary=("${bare[@]}" --user 65532:65532 --volume "$binary:/sse-bridge:ro" docker.io/library/busybox)

podman run --detach --name init "${with_binary[@]}" /sse-bridge 'orphans=exec:for n in 1 2 3 4 5; do (setsid sh -c "sleep 0.2; echo gone" >/dev/null 2>&1 &); done; echo begun; sleep 600'
eventually "a healthy daemon" podman exec init /sse-bridge healthcheck
no_children() { ! podman exec init sh -c "grep -l '^PPid:.1$' /proc/[0-9]*/status | while read f; do grep -q '^State:.Z' \$f && echo \$f; done" | grep .; }
orphans() { [ "$(podman exec init sh -c "cat /proc/[0-9]*/status 2>/dev/null" | grep -c '^Name:.sleep')" = 1 ]; }
eventually "the orphans to end" orphans
eventually "nobody left unburied" no_children
stop init

podman run --detach --name closed "${with_binary[@]}" sh -c 'exec /sse-bridge late=/tmp/late.log <&-'
eventually "a healthy daemon" podman exec closed /sse-bridge healthcheck
stop closed
