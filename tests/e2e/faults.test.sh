#!/bin/bash
# Bad input: a clear error that names what to do, and nothing left behind.
. "$(dirname "$0")/lib.sh"

say "no daemon"
expect "status" "$(status gantry ps)" 125
contains "message" "$(cat "$W/out")" "cannot connect to gantryd"
contains "fix" "$(cat "$W/out")" "fix:"

start_daemon
busybox_image

say "what does not exist"
expect "image" "$(status gantry run --rm nosuch:1 true)" 125
contains "image" "$(cat "$W/out")" "nosuch:1"
contains "image fix" "$(cat "$W/out")" "fix:"
expect "container" "$(status gantry stop nosuch)" 1
contains "container" "$(cat "$W/out")" "nosuch"
expect "bind source" "$(status gantry run --rm --mount type=bind,source=/no/such/path,target=/x busybox true)" 125
contains "bind source" "$(cat "$W/out")" "/no/such/path"

say "a port in use"
python3 -c "
import socket,sys,time
s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(60)" >"$W/port" &
holder=$!
eventually 5 test -s "$W/port"
port=$(cat "$W/port")
expect "status" "$(status gantry run --rm -p "$port:80" busybox true)" 125
contains "message" "$(cat "$W/out")" "$port"
kill "$holder"
expect "nothing is left of it" "$(gantry ps -aq | wc -l)" 0

say "a name taken"
gantry run -d --name one busybox sleep 100 >/dev/null
expect "status" "$(status gantry run -d --name one busybox true)" 125
contains "message" "$(cat "$W/out")" "one"
gantry rm -f one >/dev/null

say "every mistake of a compose file at once, each with its place"
mkdir "$W/bad"
cat >"$W/bad/compose.yaml" <<'YAML'
services:
  web:
    imagee: busybox
    ports: ["eighty:80"]
    depends_on: [nosuch]
  gpu:
    image: busybox
    gpus: all
YAML
expect "status" "$(cd "$W/bad" && status gantry up)" 2
out=$(cat "$W/out")
contains "unknown key with the nearest" "$out" "compose.yaml:3:5"
contains "nearest key" "$out" "'image'"
contains "port" "$out" "compose.yaml:4"
contains "dependency" "$out" "nosuch"
contains "known but unsupported" "$out" "gpus"
expect "no stack" "$(gantry stack ls -q | wc -l)" 0

say "every mistake of a Dockerfile at once"
mkdir "$W/ctx"
printf 'FROM busybox\nRUNN true\nCOPY --from=nosuch a b\nEXPOSE x\n' >"$W/ctx/Dockerfile"
[ "$(status gantry build -t x "$W/ctx")" != 0 ] || fail "a bad Dockerfile built"
out=$(cat "$W/out")
contains "unknown instruction" "$out" "Dockerfile:2"
contains "nearest instruction" "$out" "RUN"
contains "bad port" "$out" "Dockerfile:4"

say "a failing step names itself"
printf 'FROM busybox\nRUN echo before; exit 4\n' >"$W/ctx/Dockerfile"
[ "$(status gantry build -t x "$W/ctx")" != 0 ] || fail "a failing step built"
contains "exit code" "$(cat "$W/out")" "4"

say "usage errors"
expect "unknown command" "$(status gantry psx)" 2
contains "nearest" "$(cat "$W/out")" "ps"
expect "unknown flag" "$(status gantry ps --nosuch)" 2
