# The commands of README.md, as they stand, on a clean Debian on which nothing but the package is installed: quick_start.bash PLACE DEB ROOT README
# In namespaces of its own: mounts, network, processes.
set -euo pipefail
place=$1 deb=$2 clean=$3 readme=$4
root=$place/root

mkdir "$place/layer" "$root"
mount -t tmpfs none "$place/layer"
mkdir "$place/layer/upper" "$place/layer/work"
mount -t overlay overlay -o "lowerdir=$clean,upperdir=$place/layer/upper,workdir=$place/layer/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"

fail() {
    echo "FAILED: $*" >&2
    cat "$place"/said* >&2 || true
    exit 1
}

# The only command of README.md that begins so, without the remark behind it.
of_readme() {
    local found
    found=$(grep -F -- "$1" "$readme" | grep -v '^[-|#]' | sed 's/ *# .*//')
    [ "$(wc -l <<<"$found")" = 1 ] && [ "${found#"$1"}" != "$found" ] || fail "README.md has not one command '$1': $found"
    echo "$found"
}

inside() { chroot "$root" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C bash -c "cd /root && $1"; }
inside "ip link set lo up"

eventually() { # WHAT COMMAND...
    local what=$1 end=$((SECONDS + 30))
    shift
    until "$@" >"$place/answer" 2>/dev/null; do
        [ "$SECONDS" -lt "$end" ] || fail "waited for: $what; there was: $(head -c 2000 "$place/answer")"
        sleep 0.05
    done
}
page() { inside "curl --silent --fail http://127.0.0.1:8080/" | grep -q '<title>'; }
lines() { inside "curl --silent --fail 'http://127.0.0.1:8080/$1?tail=all&follow=0&format=text'" | grep -E "$2"; }

# Runs a command as long as what follows needs it: begin COMMAND; end
begin() {
    [ -n "$1" ] || exit 1 # it has been said why
    echo "$1"
    inside "$1" </dev/null >"$place/said" 2>&1 &
    job=$!
    eventually "the page of: $1" page
}
end() {
    inside "pkill --exact -TERM sse-bridge"
    inside "pkill --exact sleep" || true # what `make` has become
    wait "$job" || fail "it ended with code $?"
}

# Programs that a person has there, and what they write.
program() { cat >"$root/usr/local/bin/$1" && chmod 755 "$root/usr/local/bin/$1"; }
program sudo <<<'#!/bin/sh
exec "$@"'
program make <<<'#!/bin/sh
echo "made with: $*"; echo "a warning" >&2; exec sleep 600'
program cargo <<<'#!/bin/sh
[ "$1 $2 $3" = "run --release --" ] || exit 9
shift 3; exec sse-bridge "$@"'
mkdir -p "$root/root/packaging" "$root/root/target/packages" "$root/var/log/nginx"
printf '#!/bin/sh\n[ "$*" = deb ]\n' >"$root/root/packaging/build"
chmod 755 "$root/root/packaging/build"
cp "$deb" "$root/root/target/packages"
echo "GET / 200" >"$root/var/log/nginx/access.log"

# Installing it.
install=$(of_readme 'packaging/build deb && ')
inside "$install" </dev/null >"$place/said" 2>&1 || fail "$install"
inside 'sse-bridge --version'
[ -z "$(find "$root/etc/systemd/system" -name 'sse-bridge*')" ] || fail "it is enabled by itself"

# A pipe.
begin "$(of_readme 'make 2>&1 | sse-bridge')"
eventually "both streams of make" lines events '^a warning$'
end
begin "$(of_readme 'while date; do sleep 1; done | ')"
eventually "the time" lines events '[0-9]:[0-9][0-9]:[0-9][0-9]'
end

# A command.
begin "$(of_readme 'sse-bridge run --pty -- make -j8')"
eventually "what make writes" lines events/make '^made with: -j8$'
end

# Files, and the same stream in a shell.
begin "$(of_readme "sse-bridge 'web=/var/log/nginx/*.log'")"
eventually "a line of nginx" lines events/web/access.log '^GET / 200$'
shell=$(of_readme 'sse-bridge cat :8080 | grep -i error')
inside "$shell" >"$place/found" 2>"$place/said-shell" &
reader=$!
eventually "a reader" inside "curl --silent --fail http://127.0.0.1:8080/metrics | grep -x 'sse_bridge_clients 1'"
echo "an Error" >>"$root/var/log/nginx/error.log"
eventually "the error" lines events/web/error.log '^an Error$'
# grep writes to a file at its end; the reader is ended once it has all that there was.
inside "pkill --full -TERM --exact 'sse-bridge cat :8080'"
wait "$reader" || fail "no error was found by: $shell"
grep -qx 'an Error' "$place/found" || fail "it found: $(cat "$place/found")"
end

# Files with a history on disk.
begin "$(of_readme "sse-bridge --state-dir /var/lib/logs '/var/log/nginx/*.log'")"
eventually "a line of nginx" lines events/var/log/nginx/access.log '^GET / 200$'
end
grep -q '^data: GET / 200$' "$root"/var/lib/logs/var/log/nginx/access.log/*.sse || fail "the files are not the stream"

# The service: what README.md and the file that is shipped say, and then what the unit would run. There is no systemd here; tests/systemd boots one.
inside "systemctl enable sse-bridge" 2>"$place/said" || fail "systemctl enable"
[ -L "$root/etc/systemd/system/multi-user.target.wants/sse-bridge.service" ] || fail "it is not enabled"
grep -qF 'systemctl enable --now sse-bridge' "$readme" || fail "README.md says something else"
sed -i '0,/^#\[\[source\]\]/{s/^#\(\[\[source\]\]\)/\1/}; s|^#\(read = "/var/log/nginx/\*.log"\)|\1|; s|^#\(name = "web"\)|\1|' "$root/etc/sse-bridge/sse-bridge.toml"
inside "$(sed -n 's/^# *\(sse-bridge --check .*\)/\1/p' "$root/etc/sse-bridge/sse-bridge.toml")"
begin "$(sed -n 's/^ExecStart=//p' "$root/usr/lib/systemd/system/sse-bridge.service")"
eventually "a line of nginx" lines events/web/access.log '^GET / 200$'
end
