#!/bin/bash
# Who owns the bytes, and budgets: unused images go by last use, never what a container has; logs and volumes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"

P=$(free_port)
R=127.0.0.1:$P
serve registry "$P"
for i in 1 2 3 4; do make_image "$R/app:$i" 4 10; done
# used NAME HOURS: as if it had been used so long ago
used() {
    python3 - "$W/data/gantry.db" "$1" "$2" <<'PY'
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
at = int(time.time()) - int(float(sys.argv[3]) * 3600)
image = db.execute("SELECT image FROM image_names WHERE name=?", (sys.argv[2],)).fetchone()[0]
db.execute("UPDATE images SET used=? WHERE id=?", (at, image))
db.execute("UPDATE image_names SET named=? WHERE image=?", (at, image))
db.commit()
PY
}
here() { gantry image ls --format json | jq -r '.[].references[]' | sort | sed 's/.*://' | paste -sd' '; }

say "who owns the bytes"
start_daemon
gantry pull -q "$R/app:1" >/dev/null
gantry pull -q "$R/app:2" >/dev/null
gantry create --name one "$R/app:1" >/dev/null
gantry run --rm -v data:/d "$R/app:2" sh -c 'dd if=/dev/zero of=/d/x bs=1M count=3 2>/dev/null'
gantry run --name writes "$R/app:2" sh -c 'dd if=/dev/zero of=/x bs=1M count=2 2>/dev/null; seq 20000'  >/dev/null
gantry disk >"$W/out"
for word in images "build cache" containers logs volumes "$R/app:1" writes data BUDGET; do contains "disk" "$(cat "$W/out")" "$word"; done
gantry disk --format json >"$W/disk.json"
share() { jq -r ".shares[] | select(.kind==\"$1\") | .$2" "$W/disk.json"; }
expect "images" "$(share images count)" 2
expect "in use" "$(share images used)" 2
[ "$(share images bytes)" -gt 8000000 ] && [ "$(share images bytes)" -lt 16000000 ] || fail "images: $(share images bytes)"
[ "$(share containers bytes)" -ge 2000000 ] || fail "containers: $(share containers bytes)"
[ "$(share volumes bytes)" -ge 3000000 ] || fail "volumes: $(share volumes bytes)"
[ "$(share logs bytes)" -ge 100000 ] || fail "logs: $(share logs bytes)"
expect "unused volumes can be given back" "$(share volumes reclaimable)" "$(share volumes bytes)"
shared=$(jq -r '.images[0].shared' "$W/disk.json")
[ "$shared" -gt 0 ] && [ "$shared" -lt 3000000 ] || fail "shared: $shared"
expect "all images" "$(jq -r '.total' "$W/disk.json")" "$(jq '[.shares[].bytes] | add' "$W/disk.json")"
gantry rm writes >/dev/null
stop_daemon

say "beyond the budget unused images go, the longest unused first; what a container has stays"
used "$R/app:1" 9
used "$R/app:2" 5
start_daemon --image-budget 12M
gantry pull -q "$R/app:3" >/dev/null
eventually 15 sh -c "[ \"\$(gantry image ls --format json | jq -r '.[].references[]' | grep -c 'app:2')\" = 0 ]"
expect "here" "$(here)" "1 3"
gantry events --since 10m --no-follow --format json >"$W/events"
grep -q '"reason":"budget"' "$W/events" || fail "no event"
gantry image verify -q

say "what was just used stays, and what was made here too"
stop_daemon
used "$R/app:3" 5
start_daemon --image-budget none
tar -C / -cf "$W/own.tar" bin/busybox
gantry image import "$W/own.tar" local/own:5 >/dev/null
stop_daemon
used "docker.io/local/own:5" 100
start_daemon --image-budget 6M
gantry pull -q "$R/app:4" >/dev/null
eventually 15 sh -c "[ \"\$(gantry image ls --format json | jq -r '.[].references[]' | grep -c 'app:3')\" = 0 ]"
sleep 2
expect "here" "$(here)" "1 4 5"

say "volumes: watched, and no new ones beyond the budget"
stop_daemon
start_daemon --volume-budget 1M --log-budget 200K
gantry disk >"$W/out"
contains "exceeded" "$(cat "$W/out")" "exceeded"
[ "$(status gantry volume create more)" != 0 ] || fail "a new volume beyond the budget"
contains "why" "$(cat "$W/out")" "more than their budget"
expect "those there are work" "$(gantry run --rm -v data:/d "$R/app:1" ls /d)" x
gantry run --rm -v /anonymous "$R/app:1" true || fail "an anonymous one"

say "logs: rotated files go, the present one stays"
id=$(gantry run -d --name talks --log-opt max-size=100k --log-opt max-file=8 "$R/app:1" sh -c 'seq 40000; sleep 1000')
state=$W/data/containers/$id/state
eventually 15 test -e "$state/log.3"
eventually 40 sh -c "[ \$(du -ck $state/log* | tail -n 1 | cut -f1) -le 200 ]"
[ -s "$state/log" ] || fail "the present file is gone"
expect "the end of the log" "$(gantry logs --tail 1 talks)" 40000
gantry rm -f talks >/dev/null
gantry volume rm data >/dev/null
gantry volume create more >/dev/null || fail "there is room again"
gantry doctor --format json >"$W/doctor.json" || true

say "gantry prune"
printf 'FROM %s/app:4\nRUN seq 100000 > /cached\n' "$R" >"$W/Dockerfile"
mkdir -p "$W/empty"
gantry build -q -t local/b:1 -f "$W/Dockerfile" "$W/empty" >/dev/null
gantry image rm local/b:1 >/dev/null
gantry prune --all >"$W/out"
contains "given back" "$(cat "$W/out")" "given back"
expect "used images stay" "$(here)" "1"
