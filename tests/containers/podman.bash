# What the scripts beside this one share: podman with storage of its own, the image, and what it has to be cleaned of.
# bash SCRIPT PLACE BINARY REPOSITORY, in namespaces of its own: mounts, network, processes.
set -euo pipefail
place=$1 binary=$2 repository=$3

busybox ip link set lo up

# crun takes a machine with both versions of cgroups for one that it does not know.
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
cat >"$place/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=20000:20000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF=$place/containers.conf
export DISABLE_HC_SYSTEMD=true # the test asks for health, not a timer

podman() {
    command podman --storage-driver vfs --root "$place/storage" --runroot "$place/run" --tmpdir "$place/tmp" \
        --network-config-dir "$place/networks" "$@"
}

clean_up() {
    local code=$?
    podman pod rm --force --all --time 0 >/dev/null 2>&1 || true
    podman rm --force --all --time 0 >/dev/null 2>&1 || true
    podman rmi --force --all >/dev/null 2>&1 || true
    exit "$code"
}
trap clean_up EXIT

fail() {
    echo "FAILED: $*" >&2
    podman ps --all >&2 || true
    for id in $(podman ps --all --quiet); do podman logs "$id" >&2 2>&1 || true; done
    exit 1
}

# Waits until a command succeeds: eventually WHAT COMMAND...
eventually() {
    local what=$1 end=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "waited for: $what"
        sleep 0.05
    done
}

# The image as it is shipped.
build_image() {
    local context=$place/context
    mkdir -p "$context/target/x86_64-unknown-linux-gnu/static"
    cp "$binary" "$context/target/x86_64-unknown-linux-gnu/static/sse-bridge"
    cp "$repository/Containerfile" "$repository/.containerignore" "$context"
    podman build --quiet --isolation chroot --format docker --tag localhost/sse-bridge "$context"
}

# An image with a shell, under the name that the examples have for it.
build_application() {
    local context=$place/application
    mkdir -p "$context/bin"
    cp "$(command -v busybox)" "$context/bin/busybox"
    local name
    for name in sh date sleep cat grep setsid wget; do ln -s busybox "$context/bin/$name"; done
    printf 'FROM scratch\nCOPY bin /bin\nENV PATH=/bin\nCMD ["sh"]\n' >"$context/Containerfile"
    podman build --quiet --isolation chroot --format docker --tag docker.io/library/busybox "$context"
}

# All that a container can be without.
bare=(--read-only --cap-drop all --security-opt no-new-privileges --network none)

# Stops the first process of a container, and says after how many milliseconds it had ended, with which code.
stop() {
    local name=$1 pid began
    pid=$(podman inspect --format '{{.State.Pid}}' "$name")
    began=$(date +%s%3N)
    kill -TERM "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
    local took=$(($(date +%s%3N) - began))
    [ "$took" -lt 1000 ] || fail "$name took $took ms to stop"
    [ "$(podman wait "$name")" = 0 ] || fail "$name ended with $(podman wait "$name")"
}
