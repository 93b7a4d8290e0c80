#!/bin/bash
# kill -9 of daemon, shims and containers at random moments during up and down. After every round, one more up (or down)
# must reach the wanted state; at the end nothing may be left behind. GANTRY_KILL_ROUNDS sets how many (default 200).
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image
rounds=${GANTRY_KILL_ROUNDS:-200}
seed=${GANTRY_KILL_SEED:-$RANDOM}
RANDOM=$seed
echo "rounds $rounds, seed $seed"
mkdir "$W/st"
cd "$W/st"
cat >compose.yaml <<'YAML'
name: st
services:
  a: { image: busybox, command: ["sleep", "1000"], init: true, restart: always, volumes: ["data:/data"], stop_grace_period: 1s }
  b: { image: busybox, command: ["sleep", "1000"], init: true, restart: always, depends_on: [a], deploy: { replicas: 2 }, stop_grace_period: 1s }
  c: { image: busybox, command: ["sleep", "1000"], init: true, depends_on: [a], stop_grace_period: 1s }
volumes: { data: {} }
YAML

# Processes that belong to no container: not the daemon, nor what stands by for the next start.
strays() {
    own_pids | sort -u | while read -r pid; do
        [ "$pid" = "$DAEMON" ] || grep -qsx gantry-standby "/proc/$pid/comm" || [ ! -e "/proc/$pid" ] || echo "$pid"
    done
}

running() { gantry ps --stack st --format json | jq '[.[] | select(.state == "running")] | length'; }
random_pid() { own_pids | sort -u | grep -vx "${DAEMON:-0}" | shuf -n 1 --random-source=<(yes $RANDOM); }

for round in $(seq "$rounds"); do
    wanted=$([ $((round % 2)) = 1 ] && echo up || echo down)
    if [ "$wanted" = up ]; then gantry up >"$W/out" 2>&1 & else gantry down -t 1s >"$W/out" 2>&1 & fi
    command=$!
    for _ in $(seq $((1 + RANDOM % 3))); do
        sleep "0.$(printf '%03d' $((RANDOM % 250)))"
        case $((RANDOM % 3)) in
            0) kill_daemon ;;
            *) pid=$(random_pid || true); [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true ;;
        esac
        [ -n "$DAEMON" ] || start_daemon
    done
    wait "$command" 2>/dev/null || true
    if [ "$wanted" = up ]; then
        # A kill may hit between up's look at a container and its own end; one without a restart policy then stays
        # down until the next up, the others come back by themselves. Up means: all of them, and still so a moment later.
        up=
        for _ in 1 2 3; do
            # It also says so when a container that was hit ends while it looks.
            gantry up >"$W/out" 2>&1 || grep -q 'exited with code 137' "$W/out" || { cat "$W/out"; fail "round $round: up"; }
            for _ in $(seq 100); do
                [ "$(running)" = 4 ] && sleep 0.1 && [ "$(running)" = 4 ] && up=yes && break 2
                sleep 0.05
            done
        done
        [ "$up" = yes ] || { gantry ps -a; cat "$W/out"; fail "round $round: not up after three tries"; }
    else
        gantry down -t 1s >"$W/out" 2>&1 || grep -q 'no stack' "$W/out" || { cat "$W/out"; fail "round $round: down"; }
        expect "round $round: containers left" "$(gantry ps -aq | wc -l)" 0
        stray=$(strays)
        [ -z "$stray" ] || { sleep 1; stray=$(strays); }
        expect "round $round: processes left" "$stray" ""
    fi
    [ $((round % 20)) != 0 ] || echo "round $round"
done
