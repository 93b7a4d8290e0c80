#!/bin/bash
# kill -9 of the daemon at random moments during pull, build, push and collection of garbage. After every round, the
# next daemon must find all images as they should be. GANTRY_IMAGE_KILL_ROUNDS sets how many (default 30).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"

rounds=${GANTRY_IMAGE_KILL_ROUNDS:-30}
seed=${GANTRY_IMAGE_KILL_SEED:-$RANDOM}
RANDOM=$seed
echo "rounds $rounds, seed $seed"
P=$(free_port)
R=127.0.0.1:$P
serve registry "$P"
for i in 1 2 3; do make_image "$R/app:$i" 3 300; done
start_daemon
gantry pull -q "$R/app:1" >/dev/null
mkdir "$W/ctx"
head -c 300000 /dev/urandom >"$W/ctx/blob"

COMMANDS=()
in_background() {
    "$@" >"$W/command.out" 2>&1 </dev/null &
    COMMANDS+=($!)
}
begin() {
    local number=$((1 + RANDOM % 3))
    case $1 in
        pull) in_background gantry pull -q "$R/app:$number" ;;
        build)
            printf 'FROM %s/app:1\nCOPY blob /blob-%s\nRUN seq %s > /numbers && mkdir -p /many && touch /many/a /many/b\nRUN rm -r /data\n' \
                "$R" "$RANDOM" $((RANDOM % 1000)) >"$W/ctx/Dockerfile"
            in_background gantry build -q -t "$R/built:$number" "$W/ctx"
            ;;
        push) in_background gantry push -q "$(gantry image ls --format json | jq -r '.[].references[]' | shuf -n 1)" ;;
        remove) in_background gantry image rm -f "$R/app:$number" "$R/built:$number" ;;
        prune) in_background gantry prune --all ;;
        run) in_background gantry run --rm "$R/app:$number" seq 10 ;;
    esac
}

for round in $(seq "$rounds"); do
    # Two at once, so that they also meet each other.
    for _ in 1 2; do
        what=$(printf '%s\n' pull pull build push remove prune run | shuf -n 1 --random-source=<(yes $RANDOM))
        begin "$what"
        doing="${doing:+$doing, }$what"
    done
    sleep "0.$(printf '%03d' $((RANDOM % 500)))"
    kill_daemon
    start_daemon
    for command in "${COMMANDS[@]}"; do wait "$command" 2>/dev/null || true; done
    COMMANDS=()
    gantry image verify -q >"$W/out" 2>&1 || { cat "$W/out"; fail "round $round ($doing)"; }
    expect "round $round ($doing): unfinished layers" "$(find "$W/data/layers/ingest" "$W/data/content/ingest" "$W/data/layers/old" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" 0
    if [ $((round % 10)) = 0 ]; then
        gantry pull -q "$R/app:2" >/dev/null || fail "round $round ($doing): pull"
        expect "round $round ($doing): it runs" "$(gantry run --rm "$R/app:2" sh -c 'ls /data | cat' | wc -l)" 300
        echo "round $round: clean"
    fi
    doing=
done
gantry ps -aq | while read -r id; do gantry rm -f "$id" >/dev/null; done
gantry image ls -q | sort -u | while read -r image; do gantry image rm -f "$image" >/dev/null; done
gantry prune --all >/dev/null
expect "nothing is left" "$(find "$W/data/layers" "$W/data/content" -mindepth 2 -maxdepth 2 | wc -l)" 0
