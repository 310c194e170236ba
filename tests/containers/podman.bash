# What the scripts beside this one share: podman with storage of its own, the image, and what it has to be cleaned of.
# bash SCRIPT PLACE BINARY REPOSITORY, in namespaces of its own: mounts, network, processes.
set -euo pipefail
place=$1 binary=$2 repository=$3

busybox ip link set lo up

# podman's locks and networks have fixed places: without these, podmans that run at the same time take each other's.
mount -t tmpfs none /dev/shm
mount -t tmpfs none /run

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

options=(--storage-driver vfs --root "$place/storage" --runroot "$place/run" --tmpdir "$place/tmp" --network-config-dir "$place/networks")
podman() { command podman "${options[@]}" "$@"; }
podman_words() { echo "$(type -P podman) ${options[*]}"; }

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

# Plays an example for Kubernetes.
play() {
    mkdir -p "$place/empty"
    cd "$place/empty" # an image that is called like a file would be built from it
    /usr/bin/python3 "$repository/tests/containers/plain.py" pod "$repository/examples/kubernetes/$1" >"$place/pod.yaml"
    podman kube play "$place/pod.yaml"
}

# The address of a pod.
address_of() {
    podman inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(podman pod inspect --format '{{.InfraContainerID}}' "$1")"
}

# Asks all that the probes of an example ask, as a kubelet does, by the pod's address: ask_as_kubelet FILE IP. Says how many there are.
ask_as_kubelet() {
    local port path
    probes=0
    while read -r port path; do
        curl --silent --fail --output "$place/answer" --header "Host: $2:$port" "http://$2:$port$path" || fail "the probe $path"
        probes=$((probes + 1))
    done < <(/usr/bin/python3 "$repository/tests/containers/plain.py" probes "$repository/examples/kubernetes/$1")
}

# The first lines of a channel, once they are there: first_lines HOST:PORT CHANNEL COUNT
first_lines() {
    eventually "$3 lines of $2" has_lines "$@" # into a file, so that nothing is cut between question and answer
    head -n "$3" "$place/lines"
}
has_lines() {
    curl --silent --fail --output "$place/lines" "http://$1/events/$2?tail=all&follow=0&format=text" && [ "$(wc -l <"$place/lines")" -ge "$3" ]
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
