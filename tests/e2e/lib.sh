# Sourced by every end-to-end test. Gives each a gantryd of its own under $W, and afterwards, also on failure, ends what
# the test started and checks that nothing of it is left on the machine.
set -euo pipefail

: "${GANTRY_BIN:?directory of the built programs}" "${GANTRY_SOURCE:?the checkout}"
PATH=$GANTRY_BIN:$PATH
W=$(mktemp -d /tmp/gantry-e2e-XXXXXX)
export GANTRY_HOST=unix://$W/run/gantry.sock
export NO_COLOR=1
DAEMON=

say() { echo "--- $*"; }
fail() {
    echo "FAIL: $*" >&2
    tail -n 40 "$W/gantryd.log" >&2 2>/dev/null || true
    exit 1
}
# expect DESCRIPTION ACTUAL WANTED
expect() { [ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"; }
# contains DESCRIPTION TEXT PART
contains() { case "$2" in *"$3"*) ;; *) fail "$1: '$3' is not in: $2" ;; esac; }
# status COMMAND...: prints the exit status, output goes to $W/out
status() {
    local code=0
    "$@" >"$W/out" 2>&1 </dev/null || code=$?
    echo "$code"
}
# eventually SECONDS COMMAND...: tries until it succeeds
eventually() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "did not come true in time: $*"
        sleep 0.1
    done
}

# A TCP port of the loopback address that nobody has at the moment.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

ready() { curl -fsS --max-time 2 --unix-socket "$W/run/gantry.sock" http://gantry/v1/ping >/dev/null 2>&1; }

# docker_client: the `docker` that was fetched for the tests comes first in PATH; without it the test fails.
docker_client() {
    : "${GANTRY_CLIENTS:=$GANTRY_SOURCE/build/clients}"
    [ -x "$GANTRY_CLIENTS/docker" ] || fail "there is no docker in $GANTRY_CLIENTS (fix: run 'scripts/fetch-clients build/clients')"
    PATH=$GANTRY_CLIENTS:$PATH
}

# start_daemon [gantryd options]: returns when it answers
start_daemon() {
    "$GANTRY_BIN/gantryd" --data-dir "$W/data" --run-dir "$W/run" --log-level debug "$@" >>"$W/gantryd.log" 2>&1 </dev/null &
    DAEMON=$!
    for _ in $(seq 600); do
        ready && return
        kill -0 "$DAEMON" 2>/dev/null || fail "gantryd ended while it started"
        sleep 0.05
    done
    fail "gantryd did not answer in time"
}
stop_daemon() {
    [ -n "$DAEMON" ] || return 0
    kill -TERM "$DAEMON" 2>/dev/null || true
    wait "$DAEMON" 2>/dev/null || true
    DAEMON=
}
kill_daemon() {
    kill -KILL "$DAEMON" 2>/dev/null || true
    wait "$DAEMON" 2>/dev/null || true
    DAEMON=
}

# Process ids that belong to this test: their command line names our directory (shims), or their cgroup our instance.
own_pids() {
    local pid
    for pid in $(pgrep -f -- "$W/run" || true); do [ "$pid" = $$ ] || echo "$pid"; done
    local dir
    for dir in $(own_cgroups); do cat "$dir/cgroup.procs" 2>/dev/null || true; done
}
own_cgroups() { find /sys/fs/cgroup -maxdepth 4 -type d -name "gantry-$(instance)" 2>/dev/null | xargs -r -I{} find {} -depth -type d; }
instance() { cat "$W/data/instance" 2>/dev/null || echo none; }

# What of this test is left on the machine; empty when nothing is.
leftovers() {
    local id
    id=$(instance)
    own_pids | sort -u | while read -r pid; do echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"; done
    grep -F " $W/" /proc/self/mountinfo | grep -v " $W/tmpfs" | sed 's/^/mount: /' || true
    ip -o link show | grep -o "gt$id[^:@ ]*" | sed 's/^/link: /' || true
    nft list tables 2>/dev/null | grep "gantry_$id" || true
    own_cgroups | sed 's/^/cgroup: /'
}

# A root file system of one static program, imported as an image.
busybox_image() {
    local name=${1:-busybox:latest}
    mkdir -p "$W/rootfs"/{bin,etc,tmp,root,dev,proc,sys,var,www}
    cp /bin/busybox "$W/rootfs/bin/busybox"
    local applet
    for applet in $(/bin/busybox --list); do [ -e "$W/rootfs/bin/$applet" ] || ln -s busybox "$W/rootfs/bin/$applet"; done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$W/rootfs/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$W/rootfs/etc/group"
    chmod 1777 "$W/rootfs/tmp"
    tar -C "$W/rootfs" --owner=0 --group=0 -cf "$W/rootfs.tar" .
    gantry image import "$W/rootfs.tar" "$name" >/dev/null
}

# layers_of REFERENCE: where its layers are kept, one a line, the top one last
layers_of() { gantry image inspect "$1" | jq -r '.[0].layers[]' | sed "s|sha256:|$W/data/layers/|"; }

finish() {
    local code=$?
    trap - EXIT
    set +e
    local waiting=0
    [ ! -s "$W/not-yet" ] || waiting=$(wc -l <"$W/not-yet")
    if [ -s "$W/findings" ]; then
        echo "FAIL: $(wc -l <"$W/findings") findings" >&2
        code=1
    fi
    if [ "$code" = 0 ]; then
        # The tidy way: everything down, the daemon ended, and then nothing may be left.
        ready || start_daemon
        gantry stack ls -q 2>/dev/null | while read -r stack; do gantry down -v -t 0s -p "$stack" >/dev/null 2>&1 || gantry down -v -p "$stack" >/dev/null; done
        gantry ps -aq | while read -r id; do gantry rm -f "$id" >/dev/null; done
        stop_daemon
        local left
        for _ in $(seq 50); do
            left=$(leftovers)
            [ -z "$left" ] && break
            sleep 0.1
        done
        if [ -n "$left" ]; then
            echo "FAIL: left behind:" >&2
            echo "$left" >&2
            tail -n 40 "$W/gantryd.log" >&2
            code=1
        fi
    fi
    # The rough way, for whatever a failed test left.
    [ -n "$DAEMON" ] && kill -KILL "$DAEMON" 2>/dev/null
    for _ in 1 2 3; do
        own_pids | sort -u | xargs -r kill -KILL 2>/dev/null
        sleep 0.1
    done
    own_cgroups | xargs -r rmdir 2>/dev/null
    local id
    id=$(instance)
    ip -o link show | grep -o "gt$id[^:@ ]*" | while read -r link; do ip link delete "$link" 2>/dev/null; done
    nft list tables 2>/dev/null | grep "gantry_$id" | while read -r table; do nft delete "$table"; done
    local place
    for place in "$W/tmpfs" "$W/run/layers"; do if mountpoint -q "$place" 2>/dev/null; then umount -R -l "$place"; fi; done
    rm -rf "$W"
    if [ "$code" = 0 ] && [ "$waiting" != 0 ]; then
        echo "SKIP: $waiting steps wait for what the engine does not support yet"
        exit 77
    fi
    [ "$code" = 0 ] && echo PASS
    exit "$code"
}

# Other servers of a test: "$!" of each, with a space before it. They end with the test.
SERVERS=
end_servers() {
    local code=$? pid
    set +e
    for pid in $SERVERS; do
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    (exit "$code")
    finish
}
# end_server PID: now
end_server() {
    SERVERS=${SERVERS/ $1/}
    kill -KILL "$1"
    wait "$1" 2>/dev/null || true
}
trap end_servers EXIT
