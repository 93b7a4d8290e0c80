#!/bin/bash
# What is done to containers that are there: files, pauses, names, limits, numbers.
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image
mkdir -p "$W/here/tree/sub"
echo one >"$W/here/one"
echo two >"$W/here/tree/sub/two"
ln -s two "$W/here/tree/sub/link"
cd "$W/here"

say "files, in both directions, running and stopped"
for state in running stopped; do
    if [ $state = running ]; then gantry run -d --name box busybox sleep 1000 >/dev/null; else gantry create --name box busybox true >/dev/null; fi
    gantry cp one box:/tmp
    gantry cp one box:/tmp/named
    gantry cp tree box:/tmp
    gantry cp tree/. box:/tmp/fresh
    gantry cp box:/tmp/named back-file
    expect "$state: a file comes back" "$(cat back-file)" one
    gantry cp box:/tmp/tree back
    expect "$state: a tree comes back" "$(cat back/sub/link)" two
    expect "$state: a link comes back as a link" "$(readlink back/sub/link)" two
    mkdir there && gantry cp box:/tmp/tree there && gantry cp box:/tmp/tree/. there
    expect "$state: into a directory, and its content" "$(ls there | sort | xargs)" "sub tree"
    expect "$state: the content of a directory becomes a new one" "$(gantry cp box:/tmp/fresh - | tar -t | sort | xargs)" "fresh/ fresh/sub/ fresh/sub/link fresh/sub/two"
    expect "$state: a stream" "$(gantry cp box:/tmp/one - | tar -xO)" one
    tar -c one | gantry cp - box:/tmp/fresh
    expect "$state: an archive from a stream" "$(gantry cp box:/tmp/fresh/one - | tar -xO)" one
    expect "$state: files of root" "$(gantry cp box:/tmp/one - | tar -tv --numeric-owner | awk '{print $2}')" 0/0
    expect "$state: what is not there" "$(status gantry cp box:/no/such .)" 1
    expect "$state: onto a file" "$(status gantry cp tree box:/tmp/one)" 2
    contains "$state: the whole tree" "$(gantry export box | tar -t)" "./tmp/named"
    rm -rf back back-file there
    gantry rm -f box >/dev/null
done

say "a pause halts everything, a rename changes only the name"
gantry run -d --name box busybox sh -c 'while true; do date +%s%N >/tmp/now; sleep 0.05; done' >/dev/null
eventually 5 gantry cp box:/tmp/now -
gantry pause box
contains "paused" "$(gantry ps)" "(Paused)"
before=$(gantry cp box:/tmp/now - | tar -xO)
sleep 0.3
expect "nothing moves" "$(gantry cp box:/tmp/now - | tar -xO)" "$before"
expect "exec in a paused container" "$(status gantry exec box true)" 1
kill_daemon
start_daemon
contains "still paused" "$(gantry ps)" "(Paused)"
gantry unpause box
gantry rename box crate
expect "exec under the new name" "$(gantry exec crate echo here)" here
expect "the old name" "$(status gantry inspect box)" 1
gantry rm -f crate >/dev/null
cd /

say "what a container has changed becomes an image"
gantry run -d --name box -e COLOUR=blue busybox sh -c 'echo kept >/srv-file; sleep 1000' >/dev/null
eventually 5 sh -c "gantry diff box | grep -q 'A /srv-file'"
expect "nothing else has changed" "$(gantry diff box)" "A /srv-file"
gantry commit -c 'CMD ["cat", "/srv-file"]' -m "with a file" box boxed >/dev/null
expect "the image runs" "$(gantry run --rm boxed)" kept
expect "with the container's environment" "$(gantry run --rm boxed sh -c 'echo $COLOUR')" blue
expect "a wrong instruction" "$(status gantry commit -c 'RUN true' box)" 2
gantry rm -f box >/dev/null

say "what it uses, its processes, its limits"
gantry run -d --name box -m 64m busybox sh -c 'sleep 1234 & while true; do :; done' >/dev/null
contains "stats" "$(gantry stats --no-stream)" "67.1 MB"
expect "a busy container shows" "$(gantry stats --no-stream --format json | jq '.[0].cpu_percent > 10')" true
contains "top" "$(gantry top box)" "sleep 1234"
gantry update -m 32m --pids-limit 30 --restart always box >/dev/null
expect "the limit holds at once" "$(gantry stats --format json box | jq '.[0].memory_limit, .[0].pids_limit' | xargs)" "33554432 30"
expect "and is remembered" "$(gantry inspect box | jq -r 'if type == "array" then .[0] else . end | .spec.restart.mode')" always
expect "what the kernel refuses" "$(status gantry update --cpuset-cpus 4000 box)" 2
gantry rm -f box >/dev/null

say "log drivers"
expect "none keeps nothing" "$(gantry run -d --name quiet --log-driver none busybox echo hello >/dev/null; gantry wait quiet >/dev/null; status gantry logs quiet)" 2
contains "and says so" "$(cat "$W/out")" "does not support reading"
gantry rm -f quiet >/dev/null
expect "an unknown driver" "$(status gantry run --rm --log-driver splunk busybox true)" 125
mkdir "$W/received"
timeout 60 python3 "$GANTRY_SOURCE/tests/e2e/python/receivers.py" "$W/received" >"$W/addresses" &
receiver=$!
eventually 10 grep -q ready "$W/addresses"
gantry run -d --name talker --log-driver syslog --log-opt "syslog-address=tcp://127.0.0.1:$(sed -n 's/^syslog-tcp //p' "$W/addresses")" --log-opt tag={{.Name}} busybox sh -c 'echo to the log; sleep 1000' >/dev/null
eventually 10 grep -q 'talker.*to the log' "$W/received/syslog-tcp"
contains "and is readable here" "$(gantry logs talker)" "to the log"
gantry rm -f talker >/dev/null
kill $receiver 2>/dev/null || true
wait $receiver 2>/dev/null || true
