# examples/compose.yaml as it stands, by podman-compose.
source "$(dirname "$0")/podman.bash"
build_image
build_application

# podman-compose calls podman by its name.
mkdir "$place/programs"
printf '#!/bin/sh\nexec %s "$@"\n' "$(podman_words)" >"$place/programs/podman"
chmod 755 "$place/programs/podman"
export PATH=$place/programs:$PATH
compose() { podman-compose --file "$repository/examples/compose.yaml" --project-name example "$@"; }

compose up --no-build --detach
eventually "readiness" curl --silent --fail "http://127.0.0.1:8080/readyz"
first_lines 127.0.0.1:8080 app 2 >"$place/seen"
[ "$(wc -l <"$place/seen")" = 2 ] || fail "no lines: $(cat "$place/seen")"
bridge=$(podman ps --quiet --filter name=sse-bridge)
[ "$(podman inspect --format '{{.HostConfig.ReadonlyRootfs}}' "$bridge")" = true ] || fail "its root can be written"
pid=$(podman inspect --format '{{.State.Pid}}' "$bridge")
grep -qE '^CapEff:\s+0+$' "/proc/$pid/status" || fail "it has capabilities"
podman stop --time 20 "$bridge"
[ "$(podman inspect --format '{{.State.ExitCode}}' "$bridge")" = 0 ] || fail "it had to be killed"
compose down --timeout 1 # the application's shell does not hear a signal
