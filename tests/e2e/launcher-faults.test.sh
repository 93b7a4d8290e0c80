#!/bin/bash
# Every system call that sets a container up fails once, each in a start of its own. Such a start either says that it
# failed, or its container is isolated exactly as one that was not disturbed; and nothing is left behind.
# In a mount namespace of its own: when somebody else mounts something, the processes that stand by are made anew, and
# those that are watched here would not be those that start.
[ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare --mount "$0" "$@"
. "$(dirname "$0")/lib.sh"
[ -x /usr/bin/strace ] || fail "strace is missing (fix: run 'apt-get install strace')"
start_daemon
busybox_image

# What a program sees of its isolation, without what differs from start to start.
look='exec 2>&1
grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)" /proc/self/status
awk "{ print \$1, \$3 }" /proc/self/uid_map /proc/self/gid_map
cut -d" " -f4- /proc/self/mountinfo | sed -E "s/(lowerdir|upperdir|workdir)[^ ]*//; s/gantry-[^ ]*//; s/=[0-9]{8,}/=N/g; s/ (shared|master):[0-9]+//" | sort
ls -ln /dev /proc/self/ns | awk "{ print \$1, \$3, \$4 }"
hostname | tr -d "0-9a-f" | wc -c
for limit in -n -u -c; do ulimit $limit; done
ls /sys/class/net
ls -A /proc/acpi /sys/firmware
(echo x >/proc/sys/kernel/domainname)
cat /proc/kcore | wc -c
cat /proc/self/oom_score_adj
ls -l /proc/self/fd | grep -vc /proc/'
run() { timeout 20 "$GANTRY_BIN/gantry" run --rm --init --tmpfs /scratch -v kept:/data --sysctl net.ipv4.ip_forward=1 --ulimit nofile=1000 busybox sh -c "$look"; }
run >"$W/undisturbed" 2>&1 || fail "an undisturbed start: $(cat "$W/undisturbed")"
run >"$W/again" 2>&1 || fail "an undisturbed start: $(cat "$W/again")"
cmp "$W/undisturbed" "$W/again" || fail "two undisturbed starts differ: $(diff "$W/undisturbed" "$W/again")"

# The processes that stand by to become containers: each shim, and the child that will be the container's first process.
standbys() { for shim in $(pgrep -P "$DAEMON" -x gantry-standby); do echo "$shim" && pgrep -P "$shim"; done; }
stand_by() { [ "$(standbys | wc -l)" -ge 2 ]; }
traced() { [ "$(awk '/^TracerPid/ { print $2 }' "/proc/$1/status" 2>/dev/null)" = "$2" ]; }
end_tracer() { kill -TERM "$1" 2>/dev/null && wait "$1" 2>/dev/null || true; }
lives() { kill -0 "$1" 2>/dev/null; }
watched() { # TRACER PIDS: those that have not ended are all traced, or the tracer has given up because one had ended
    local pid
    for pid in $2; do ! lives "$1" || ! lives "$pid" || traced "$pid" "$1" || return 1; done
}
# observe STRACE_OPTIONS...: one start under strace, which follows those who stand by and not what the program starts.
# Sets `code`, and $W/seen to what came out.
observe() {
    local tracer pids
    while :; do
        eventually 10 stand_by
        pids=$(standbys)
        # shellcheck disable=SC2046
        strace -qq -o "$W/trace" "$@" $(for pid in $pids; do echo "-p $pid"; done) 2>"$W/strace" &
        tracer=$!
        eventually 20 watched "$tracer" "$pids"
        # Those who stood by a moment ago may have been the last start's, which was ending.
        if lives "$tracer" && [ "$(standbys)" = "$pids" ]; then break; fi
        end_tracer "$tracer"
    done
    code=0
    run >"$W/seen" 2>&1 || code=$?
    end_tracer "$tracer"
    lives "$DAEMON" || fail "$*: the daemon has ended"
}

rounds=0 refused=0 unharmed=0
# disturbed CALL N: one start, in which the Nth CALL of each process of the launcher fails.
disturbed() {
    observe -e "trace=$1" -e "inject=$1:error=EIO:when=$2"
    grep -q INJECTED "$W/trace" || return 0
    rounds=$((rounds + 1))
    [ "$code" != 124 ] || fail "$1 $2: the start hangs"
    if [ "$code" = 0 ] && cmp -s "$W/undisturbed" "$W/seen"; then
        unharmed=$((unharmed + 1))
        unharmed_by="$unharmed_by $1:$2"
    elif [ "$code" = 0 ]; then
        fail "$1 $2 failed, and the container is not what it should be: $(diff "$W/undisturbed" "$W/seen")"
    else
        [ "$code" -ge 125 ] || fail "$1 $2: exit status $code: $(cat "$W/seen")"
        grep -q . "$W/seen" || fail "$1 $2: nothing is said"
        refused=$((refused + 1))
    fi
    expect "$1 $2: nothing is left of it" "$(gantry ps -aq)" ""
}

say "the calls of an undisturbed start"
observe -f
expect "exit status under strace" "$code" 0
# How often each call is made by one process, up to where the container's program takes over. Not: what cannot fail, and
# what carries the words of the daemon and the program's own output, which are lost when it fails.
awk '{ process = $1; call = $2; sub(/\(.*/, "", call) }
     call !~ /^[a-z0-9_]+$/ || over[process] { next }
     { made[process " " call]++ }
     call == "execve" { over[process] = 1 }
     END { for (key in made) { split(key, part, " "); if (made[key] > most[part[2]]) most[part[2]] = made[key] }
           for (call in most) print call, most[call] }' "$W/trace" |
    grep -Ev '^(read|write|recvmsg|sendmsg|accept4|close|brk|mmap|munmap|mprotect|futex|exit|exit_group|rt_sig.*|get.?.?[ug]id|getp.*|epoll_.*|wait4|restart_syscall|set_robust_list|set_tid_address|rseq|arch_prctl|kill) ' | sort >"$W/calls"
for call in openat2 move_mount mount_setattr capset seccomp setresuid chroot; do grep -q "^$call " "$W/calls" || fail "$call is not among the calls: $(cat "$W/calls")"; done
echo "    $(paste -sd ' ' "$W/calls")"

say "each of them fails once"
unharmed_by=
while read -r call times; do
    # Of the many that follow each other in a loop, some.
    for n in $(seq "$times" | awk 'NR <= 10 || NR % 4 == 0'); do disturbed "$call" "$n"; done
done <"$W/calls"
echo "    $rounds starts were disturbed: $refused refused, $unharmed unharmed ($unharmed_by )"
[ "$refused" -ge 60 ] || fail "only $refused starts were refused: the calls were not those of the launcher"
run >"$W/seen" 2>&1 || fail "after all that: $(cat "$W/seen")"
cmp "$W/undisturbed" "$W/seen" || fail "after all that a container is another: $(diff "$W/undisturbed" "$W/seen")"
