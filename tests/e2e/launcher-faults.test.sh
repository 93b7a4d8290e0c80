#!/bin/bash
# Every system call that sets a container up fails once, each in a start of its own. Such a start either says that it
# failed, or its container is isolated exactly as one that was not disturbed; and nothing is left behind.
. "$(dirname "$0")/lib.sh"
[ -x /usr/bin/strace ] || fail "strace is missing (fix: run 'apt-get install strace')"
start_daemon
busybox_image

# What a program sees of its isolation, without what differs from start to start.
look='grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)" /proc/self/status
awk "{ print \$1, \$3 }" /proc/self/uid_map /proc/self/gid_map
cut -d" " -f4- /proc/self/mountinfo | sed -E "s/(lowerdir|upperdir|workdir)[^ ]*//; s/gantry-[^ ]*//; s/ (shared|master):[0-9]+//" | sort
ls -ln /dev /proc/self/ns | awk "{ print \$1, \$3, \$4 }"
hostname | tr -d "0-9a-f" | wc -c
for limit in -n -u -c; do ulimit $limit; done
ls /sys/class/net
ls -A /proc/acpi /sys/firmware 2>&1
(echo x >/proc/sys/kernel/domainname) 2>&1
cat /proc/kcore | wc -c
cat /proc/self/oom_score_adj
ls -l /proc/self/fd | grep -vc /proc/'
run() { timeout 20 "$GANTRY_BIN/gantry" run --rm --init --tmpfs /scratch -v kept:/data --sysctl net.ipv4.ip_forward=1 --ulimit nofile=1000 busybox sh -c "$look"; }
run >"$W/undisturbed" 2>&1 || fail "an undisturbed start: $(cat "$W/undisturbed")"
run >"$W/again" 2>&1 || fail "an undisturbed start: $(cat "$W/again")"
cmp "$W/undisturbed" "$W/again" || fail "two undisturbed starts differ: $(diff "$W/undisturbed" "$W/again")"

standbys() { pgrep -P "$DAEMON" -f gantry-shim | paste -sd ' '; }
eventually 10 sh -c "[ \$(pgrep -c -P $DAEMON -f gantry-shim) -ge 1 ]"
traced() { [ "$(awk '/^TracerPid/ { print $2 }' "/proc/$1/status" 2>/dev/null)" = "$2" ]; }

rounds=0 refused=0 unharmed=0
# disturbed CALL N: one start, in which the Nth CALL of each of its threads fails. False when there was no Nth.
disturbed() {
    local call=$1 n=$2 pids pid tracer code=0
    eventually 10 sh -c "[ \$(pgrep -c -P $DAEMON -f gantry-shim) -ge 1 ]"
    pids=$(standbys)
    # shellcheck disable=SC2046
    strace -f -qq -o "$W/trace" -e "trace=$call" -e "inject=$call:error=EIO:when=$n" $(for pid in $pids; do echo "-p $pid"; done) 2>"$W/strace" &
    tracer=$!
    for pid in $pids; do
        for _ in $(seq 100); do
            traced "$pid" "$tracer" && break
            [ -d "/proc/$pid" ] || break
            sleep 0.01
        done
    done
    run >"$W/seen" 2>&1 || code=$?
    kill -TERM "$tracer" 2>/dev/null || true
    wait "$tracer" 2>/dev/null || true
    kill -0 "$DAEMON" 2>/dev/null || fail "$call $n: the daemon has ended"
    grep -q INJECTED "$W/trace" || return 1
    rounds=$((rounds + 1))
    [ "$code" != 124 ] || fail "$call $n: the start hangs"
    if [ "$code" = 0 ] && cmp -s "$W/undisturbed" "$W/seen"; then
        unharmed=$((unharmed + 1))
    elif [ "$code" = 0 ]; then
        fail "$call $n failed, and the container is not what it should be: $(diff "$W/undisturbed" "$W/seen")"
    else
        [ "$code" -ge 125 ] || fail "$call $n: exit status $code: $(cat "$W/seen")"
        grep -q . "$W/seen" || fail "$call $n: nothing is said"
        refused=$((refused + 1))
    fi
    expect "$call $n: nothing is left of it" "$(gantry ps -aq)" ""
}

say "each call that sets a container up fails once"
for call in clone3 clone unshare setns mount umount2 pivot_root fsopen fsconfig fsmount move_mount open_tree mount_setattr \
    openat2 mkdirat mknodat symlinkat unlinkat fchownat fchown fchmodat fchmod sethostname setdomainname setresuid setresgid setgroups \
    capset prctl seccomp prlimit64 keyctl setsid chdir fchdir dup3 execve execveat close_range mmap; do
    before=$rounds
    n=1
    while [ $n -le 60 ] && disturbed $call $n; do n=$((n + 1)); done
    echo "    $call: $((rounds - before))"
done
echo "    $rounds starts were disturbed: $refused refused, $unharmed unharmed"
[ "$refused" -ge 20 ] || fail "only $refused starts were refused: the calls were not those of the launcher"
run >"$W/seen" 2>&1 || fail "after all that: $(cat "$W/seen")"
cmp "$W/undisturbed" "$W/seen" || fail "after all that a container is another"
