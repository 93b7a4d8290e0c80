#!/bin/bash
# One container's life as a person sees it.
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image

say "exit statuses are passed through"
expect "true" "$(status gantry run --rm busybox true)" 0
expect "exit 7" "$(status gantry run --rm busybox sh -c 'exit 7')" 7
expect "killed" "$(status gantry run --rm --init busybox sh -c 'kill -TERM $$; sleep 5')" 143
expect "missing command" "$(status gantry run --rm busybox /no/such)" 127
contains "missing command" "$(cat "$W/out")" "/no/such"

say "streams"
expect "standard output" "$(gantry run --rm busybox echo hello)" hello
expect "standard input" "$(printf 'one\ntwo\n' | gantry run --rm -i busybox wc -l | tr -d ' ')" 2
expect "standard error is kept apart" "$(gantry run --rm busybox sh -c 'echo out; echo err >&2' 2>/dev/null)" out
expect "a large output loses nothing" "$(gantry run --rm busybox sh -c 'head -c 3000000 /dev/zero' | wc -c)" 3000000

say "isolation"
contains "uid map" "$(gantry run --rm busybox cat /proc/self/uid_map)" "0 "
[ "$(gantry run --rm busybox cat /proc/self/uid_map | awk '{print $2}')" -ge 1879048192 ] || fail "no user namespace of its own"
expect "no new privileges" "$(gantry run --rm busybox grep NoNewPrivs /proc/self/status | tr -dc 0-9)" 1
expect "seccomp" "$(gantry run --rm busybox grep '^Seccomp:' /proc/self/status | tr -dc 0-9)" 2
expect "mount is refused" "$(status gantry run --rm busybox mount -t tmpfs x /mnt)" 1
expect "opting out shows" "$(gantry run -d --name loose --userns host --cap-add NET_ADMIN busybox sleep 100 >/dev/null && gantry ps --format json | jq -r '.[] | select(.spec.name == "loose") | .isolation_off | sort | join(" ")')" "cap_add=NET_ADMIN userns=host"
gantry rm -f loose >/dev/null

say "detached: logs, exec, stop, start, restart"
gantry run -d --name web --init -e COLOUR=blue --memory 64m --pids-limit 40 busybox sh -c 'echo started as $COLOUR; exec sleep 1000' >/dev/null
eventually 5 sh -c "gantry logs web | grep -q 'started as blue'"
expect "exec" "$(gantry exec web cat /proc/1/comm)" init
expect "exec status" "$(status gantry exec web sh -c 'exit 9')" 9
expect "memory limit" "$(gantry inspect web | jq '.[0].spec.resources.memory // .spec.resources.memory')" 67108864
expect "state" "$(gantry inspect web --format json | jq -r 'if type == "array" then .[0].state else .state end')" running
api() { curl -s --unix-socket "${GANTRY_HOST#unix://}" "http://localhost/v1/containers?all&$1"; }
expect "the summary is a part of the full list" "$(jq -n --argjson full "$(api view=full)" --argjson short "$(api view=summary)" \
    '[$full, $short] | transpose | all(.[0] * .[1] == .[0]) and ($short | length) == 1')" true
contains "a view that is none is refused" "$(api view=other)" "full, summary"
gantry stop -t 2 web >/dev/null
expect "stopped" "$(gantry inspect web --format json | jq -r 'if type == "array" then .[0].state else .state end')" exited
gantry start web >/dev/null
gantry restart -t 1 web >/dev/null
expect "logs of all three starts" "$(gantry logs web | grep -c 'started as blue')" 3
expect "removing a running one is refused" "$(status gantry rm web)" 1
gantry rm -f web >/dev/null
expect "gone" "$(gantry ps -aq | wc -l)" 0

say "volumes keep data, anonymous ones go with --rm"
gantry run --rm -v keep:/data busybox sh -c 'echo precious > /data/file'
expect "named volume" "$(gantry run --rm -v keep:/data busybox cat /data/file)" precious
expect "owner on disk" "$(stat -c %u "$W/data/volumes/keep/data/file")" 0
gantry run --rm -v /scratch busybox touch /scratch/x
expect "volumes" "$(gantry volume ls --format json | jq -r '.[].name')" keep
gantry volume rm keep >/dev/null

say "bind mounts and tmpfs"
mkdir "$W/bind"
gantry run --rm -v "$W/bind:/b" busybox sh -c 'echo x > /b/f'
expect "owner of a bind-mounted file" "$(stat -c %u "$W/bind/f")" 0
expect "read-only bind" "$(status gantry run --rm -v "$W/bind:/b:ro" busybox touch /b/g)" 1
expect "read-only root" "$(status gantry run --rm --read-only --tmpfs /tmp busybox sh -c 'touch /tmp/x && ! touch /x')" 0

say "a terminal"
expect "tty" "$(sleep 3 | script -qec "gantry run --rm -it busybox tty" /dev/null | grep -o '/dev/pts/[0-9]*')" "/dev/pts/0"

say "restart policy with a count"
gantry run -d --name flaky --restart on-failure:2 busybox sh -c 'echo try; exit 3' >/dev/null
eventually 10 sh -c "[ \$(gantry logs flaky | grep -c try) = 3 ]"
sleep 0.5
expect "three tries" "$(gantry logs flaky | grep -c try)" 3
gantry rm flaky >/dev/null

say "an unhealthy container is restarted"
gantry run -d --name sick --restart always --health-cmd 'test -e /ok' --health-interval 200ms --health-retries 2 --health-timeout 2s busybox sh -c 'sleep 1000' >/dev/null
eventually 15 sh -c "[ \$(gantry inspect sick | jq 'if type == \"array\" then .[0] else . end | .restart_count') -ge 1 ]"
gantry rm -f sick >/dev/null

say "events tell the story"
contains "events" "$(gantry events --since 1h --format json --until 0s 2>/dev/null || gantry events --since 1h --no-follow --format json)" '"action":"die"'
