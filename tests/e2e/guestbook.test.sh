#!/bin/bash
# The example, for real: base image from Debian's archive, four images built, everything healthy, a page that has passed
# through every service.
. "$(dirname "$0")/lib.sh"
start_daemon
export GUESTBOOK_PORT=$((20000 + RANDOM % 20000))
cd "$GANTRY_SOURCE/examples/guestbook"
gantry image bootstrap debian:bookworm
expect "package versions are recorded" "$(gantry image inspect debian:bookworm | jq -r 'if type == "array" then .[0] else . end | .config.config.Labels["gantry.packages"]' | cut -d: -f1)" sha256
gantry up
page=$(curl -fsS "http://127.0.0.1:$GUESTBOOK_PORT/")
contains "database" "$page" "PostgreSQL 15"
contains "cache" "$page" "Redis 7"
contains "an entry from the database" "$page" "Welcome to Gantry"
curl -fsS -o /dev/null -d text=from-the-test "http://127.0.0.1:$GUESTBOOK_PORT/entries"
contains "a new entry" "$(curl -fsS "http://127.0.0.1:$GUESTBOOK_PORT/")" from-the-test

say "both replicas answer"
for _ in $(seq 20); do curl -fsS "http://127.0.0.1:$GUESTBOOK_PORT/" | grep -o 'application ([^)]*)'; done | sort -u >"$W/hosts"
expect "replicas seen" "$(wc -l <"$W/hosts")" 2

say "the database is out of reach from outside its network"
expect "internal network has no way out" "$(status gantry exec guestbook-db-1 bash -c 'timeout 2 bash -c "</dev/tcp/192.0.2.2/80"')" 1 || true

say "entries survive down and up, from the build cache"
gantry down
start=$SECONDS
gantry up
[ $((SECONDS - start)) -lt 60 ] || fail "the second up took $((SECONDS - start)) s"
contains "the entry is still there" "$(curl -fsS "http://127.0.0.1:$GUESTBOOK_PORT/")" from-the-test
gantry down -v
