#!/bin/bash
# Volumes without a name stay with a replica that is made anew, and go when somebody says so.
. "$(dirname "$0")/lib.sh"
start_daemon
busybox_image
mkdir "$W/shop"
cd "$W/shop"
write() {
    cat >compose.yaml <<YAML
name: shop
services:
  db:
    image: busybox
    init: true
    environment: { ROUND: "$1" }
    command: ["sleep", "1000"]
    volumes: ["/data"]
YAML
}
content() { gantry exec shop-db-1 sh -c 'cat /data/file 2>/dev/null || echo nothing'; }

write one
gantry up >/dev/null
gantry exec shop-db-1 sh -c 'echo kept > /data/file'
before=$(gantry ps -q)

say "a changed container takes its predecessor's volume over"
write two
gantry up >/dev/null
[ "$(gantry ps -q)" != "$before" ] || fail "the container was not made anew"
expect "its content" "$(content)" kept
expect "volumes" "$(gantry volume ls -q | wc -l)" 1

say "also when the daemon dies between the two"
write three
gantry up >"$W/up" 2>&1 &
up=$!
eventually 20 sh -c '[ "$(gantry events --since 60s --until 0s 2>/dev/null | grep -c destroy)" -ge 2 ] || ! gantry ps -q | grep -q .'
kill_daemon
wait "$up" || true
start_daemon
eventually 20 gantry exec shop-db-1 true
expect "its content" "$(content)" kept

say "unless it is told to begin anew"
write four
gantry up --renew-anon-volumes >/dev/null
expect "its content" "$(content)" nothing
expect "volumes" "$(gantry volume ls -q | wc -l)" 1
gantry down >/dev/null
gantry volume prune >/dev/null
expect "volumes" "$(gantry volume ls -q | wc -l)" 0
