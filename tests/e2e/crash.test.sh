#!/bin/bash
# kill -9 of the daemon loses nothing; a reboot leads back to the wanted state.
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image
state() { gantry inspect "$1" --format json | jq -r 'if type == "array" then .[0] else . end | "\(.state) \(.exit_code)"'; }

say "containers go on running and logging without the daemon"
gantry run -d --name ticker busybox sh -c 'i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done' >/dev/null
gantry run -d --name soon busybox sh -c 'sleep 1; exit 42' >/dev/null
gantry run -d --name again --restart always busybox sh -c 'echo begin; sleep 1; exit 1' >/dev/null
pid=$(gantry inspect ticker --format json | jq 'if type == "array" then .[0] else . end | .pid')
kill_daemon
sleep 2.5
kill -0 "$pid" || fail "the container died with the daemon"
start_daemon
expect "still the same process" "$(gantry inspect ticker --format json | jq 'if type == "array" then .[0] else . end | .pid')" "$pid"
expect "exited meanwhile, with its true status" "$(state soon)" "exited 42"
eventually 5 sh -c "[ \$(gantry logs again | grep -c begin) -ge 2 ]"
ticks=$(gantry logs ticker | grep -c tick)
[ "$ticks" -ge 20 ] || fail "ticks were lost: $ticks"
expect "no tick is missing" "$(gantry logs ticker | awk '{ if ($2 != NR - 1) { print "gap at " NR; exit } }')" ""
gantry exec ticker true
gantry stop -t 0 ticker >/dev/null
gantry rm -f ticker soon again >/dev/null

say "a shim that is killed takes its container with it, and the policy decides"
gantry run -d --name guarded --restart always busybox sleep 1000 >/dev/null
old=$(gantry inspect guarded --format json | jq 'if type == "array" then .[0] else . end | .pid')
shim=$(awk '/^PPid/ { print $2 }' "/proc/$old/status")
kill -KILL "$shim"
eventually 10 sh -c "! kill -0 $old"
eventually 10 sh -c "gantry inspect guarded --format json | jq -e 'if type == \"array\" then .[0] else . end | .state == \"running\" and .pid != $old'"
gantry rm -f guarded >/dev/null

say "a step of a build that goes on writing is ended, and its files go"
mkdir "$W/ctx"
cat >"$W/ctx/Dockerfile" <<'EOF'
FROM busybox
RUN mkdir /before && touch /before/file
RUN echo begun; while :; do mkdir -p /w/a/b; touch /w/a/b/c; rm -r /w; done
EOF
for round in 1 2 3 4 5; do
    gantry build --progress plain "$W/ctx" >"$W/build.out" 2>&1 </dev/null &
    build=$!
    eventually 15 grep -q 'begun$' "$W/build.out"
    kill_daemon
    start_daemon
    ! wait "$build" || fail "a build without a daemon succeeded"
    expect "files of the build, round $round" "$(find "$W/data/build" -mindepth 1 -maxdepth 1 ! -name mounts | wc -l)" 0
done

say "a reboot: every process gone, the run directory lost"
mkdir "$W/st"
cat >"$W/st/compose.yaml" <<'YAML'
name: st
services:
  web: { image: busybox, command: ["sleep", "1000"], init: true }
  job: { image: busybox, command: ["true"], depends_on: [web] }
YAML
(cd "$W/st" && gantry up >/dev/null)
gantry run -d --name always --restart always busybox sleep 1000 >/dev/null
gantry run -d --name stopped --restart unless-stopped busybox sleep 1000 >/dev/null
gantry stop -t 0 stopped >/dev/null
eventually 5 sh -c "[ \"\$(gantry inspect st-job-1 --format json | jq -r 'if type == \"array\" then .[0] else . end | .state')\" = exited ]"
kill_daemon
own_pids | sort -u | xargs -r kill -KILL 2>/dev/null || true
sleep 0.3
own_cgroups | xargs -r rmdir 2>/dev/null || true
id=$(instance)
ip -o link show | grep -o "gt$id[^:@ ]*" | while read -r link; do ip link delete "$link" 2>/dev/null || true; done
nft delete table inet "gantry_$id"
umount -R "$W/run/layers" # as a reboot does
rm -rf "$W/run"
start_daemon
eventually 10 sh -c "gantry inspect always --format json | jq -e 'if type == \"array\" then .[0] else . end | .state == \"running\"'"
eventually 10 sh -c "gantry inspect st-web-1 --format json | jq -e 'if type == \"array\" then .[0] else . end | .state == \"running\"'"
expect "stopped by hand stays stopped" "$(state stopped | cut -d' ' -f1)" exited
expect "a finished job stays finished" "$(state st-job-1)" "exited 0"
