#!/bin/bash
# A full disk during a build: a clear error, the store intact, the space given back.
. "$(dirname "$0")/lib.sh"
mkdir -p "$W/tmpfs" "$W/data"
mount -t tmpfs -o size=160m,mode=755 gantry-e2e "$W/tmpfs"
rmdir "$W/data"
ln -s "$W/tmpfs/data" "$W/data"
mkdir "$W/tmpfs/data"
start_daemon
busybox_image
used() { df --output=used -k "$W/tmpfs" | tail -n1 | tr -d ' '; }
before=$(used)
mkdir "$W/ctx"
printf 'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=400\n' >"$W/ctx/Dockerfile"
[ "$(status gantry build -t big "$W/ctx")" != 0 ] || fail "the build succeeded on a full disk"
grep -qi 'space' "$W/out" || fail "the error does not speak of space: $(cat "$W/out")"
eventually 10 sh -c "[ \$(df --output=used -k $W/tmpfs | tail -n1) -le $((before + 4096)) ]"
head -c 180000000 /dev/urandom >"$W/ctx/blob"
printf 'FROM busybox\nCOPY blob /blob\n' >"$W/ctx/Dockerfile"
[ "$(status gantry build -t big "$W/ctx")" != 0 ] || fail "the copy succeeded on a full disk"
grep -qi 'space' "$W/out" || fail "the error does not speak of space: $(cat "$W/out")"
eventually 10 sh -c "[ \$(df --output=used -k $W/tmpfs | tail -n1) -le $((before + 4096)) ]"
expect "the image is intact" "$(gantry run --rm busybox echo fine)" fine
kill_daemon
start_daemon
expect "the store is intact" "$(gantry image ls --format json | jq -r '.[].references[]')" busybox:latest
gantry image rm busybox >/dev/null
