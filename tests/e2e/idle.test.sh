#!/bin/bash
# While nothing happens, the daemon and the shims do nothing: no thread of theirs is woken even once.
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image
for n in 1 2 3; do gantry run -d --name "idle$n" busybox sleep 1000 >/dev/null; done
gantry run -d --name open -p 127.0.0.1::80 --restart always busybox sleep 1000 >/dev/null

ours() { echo "$DAEMON"; pgrep -P "$DAEMON"; }
# The times a thread gave up the processor or lost it, and how long it ran.
woken() {
    local pid
    for pid in $(ours); do
        for task in /proc/"$pid"/task/*; do
            echo "$(cat "$task/comm") $task $(awk '/ctxt_switches/ { print $2 }' "$task/status" | paste -sd ' ')"
        done
    done 2>/dev/null
}
[ "$(ours | wc -l)" -ge 5 ] || fail "the shims are not seen: $(ours)"
# What a start leaves to be done later (warm networks, standbys, a checkpoint of the database) takes its time.
still=
for _ in $(seq 12); do
    woken >"$W/before"
    sleep 10
    woken >"$W/after"
    if cmp -s "$W/before" "$W/after"; then
        still=yes
        break
    fi
done
[ -n "$still" ] || fail "in no ten seconds of two minutes was all still: $(diff "$W/before" "$W/after")"
