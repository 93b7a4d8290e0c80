#!/bin/bash
# The build cache within its budget: what was not used for the longest goes first, layers and directories of cache mounts
# alike; never what a build has, nor layers of images. `gantry prune` takes all but what a build has.
. "$(dirname "$0")/lib.sh"

start_daemon --cache-budget none
busybox_image base:1
mkdir "$W/empty"
# build NAME: a stage of 4 MB that is in no image, and an image with the sum of it
build() {
    printf 'FROM base:1 AS made\nRUN head -c 4000000 /dev/urandom >/data && echo %s\nRUN md5sum </data >/sum\nFROM base:1\nCOPY --from=made /sum /\n' "$1" >"$W/Dockerfile"
    gantry build -q -t "made:$1" -f "$W/Dockerfile" "$W/empty" >/dev/null
}
# sum NAME: the same again only when its steps came from the cache
sum() {
    build "$1"
    gantry run --rm "made:$1" cat /sum
}
fill() { # ID: a cache mount with 4 MB
    printf 'FROM base:1\nRUN --mount=type=cache,id=%s,target=/c head -c 4000000 /dev/urandom >/c/data\n' "$1" >"$W/Dockerfile"
    gantry build -q -f "$W/Dockerfile" "$W/empty" >/dev/null
}
mount_of() { echo "$W/data/build/mounts/$(printf %s "$1" | sha256sum | cut -d ' ' -f 1)"; }
cache_bytes() { gantry disk --format json | jq '.shares[] | select(.kind == "build cache") | .bytes'; }
steps() { python3 -c 'import sqlite3, sys; print(*sorted(row[0] for row in sqlite3.connect(sys.argv[1]).execute("SELECT key FROM build_cache")), sep="\n")' "$W/data/gantry.db"; }
# old NAME HOURS: as if its steps had last been used so long ago
old() {
    python3 - "$W/data/gantry.db" "$2" ${keys[$1]} <<'PY'
import datetime, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=int(sys.argv[2]))
for key in sys.argv[3:]:
    assert db.execute("UPDATE build_cache SET used=? WHERE key=?", (at.strftime("%Y-%m-%dT%H:%M:%S.000000000Z"), key)).rowcount == 1
db.commit()
PY
}

declare -A keys before
for name in one two three four; do
    steps >"$W/steps"
    before[$name]=$(sum "$name")
    keys[$name]=$(steps | comm -13 "$W/steps" -)
done
printf 'FROM base:1\nRUN head -c 4000000 /dev/urandom >/data\n' >"$W/Dockerfile"
gantry build -q -t kept -f "$W/Dockerfile" "$W/empty" >/dev/null
kept=$(gantry run --rm kept md5sum /data)
for id in busy idle; do fill "$id"; done
[ -e "$(mount_of idle)/data" ] || fail "the cache mount is not where this test looks for it"

say "without a budget all of it stays"
bytes=$(cache_bytes)
[ "$bytes" -ge 24000000 ] && [ "$bytes" -lt 28000000 ] || fail "the cache takes $bytes"
for name in one four; do expect "$name" "$(sum "$name")" "${before[$name]}"; done

say "beyond the budget the longest unused goes, down to nine tenths of it"
stop_daemon
old one 9
touch -d '8 hours ago' "$(mount_of busy)"
old two 7
touch -d '6 hours ago' "$(mount_of idle)"
old three 5
start_daemon --cache-budget 14M
printf 'FROM base:1\nRUN --mount=type=cache,id=busy,target=/c echo holds >/c/now && sleep 15 && cat /c/data >/dev/null\n' >"$W/holds"
gantry build -q -f "$W/holds" "$W/empty" >"$W/holds.out" 2>&1 &
holder=$!
eventually 10 test -e "$(mount_of busy)/now"
touch -d '8 hours ago' "$(mount_of busy)"
# A layer that comes is what begins a round.
printf 'FROM base:1\nRUN echo now >/now\n' >"$W/Dockerfile"
gantry build -q -f "$W/Dockerfile" "$W/empty" >/dev/null
eventually 15 sh -c "! test -e '$(mount_of idle)'"
sleep 0.5
[ -e "$(mount_of busy)/data" ] || fail "the cache mount of a build that runs is gone"
bytes=$(cache_bytes)
[ "$bytes" -le 12600000 ] && [ "$bytes" -ge 10000000 ] || fail "the cache takes $bytes"
for name in three four; do expect "$name, used lately" "$(sum "$name")" "${before[$name]}"; done
for name in one two; do [ "$(sum "$name")" != "${before[$name]}" ] || fail "$name is still there"; done
gantry events --since 10m --no-follow --format json >"$W/events"
contains "said" "$(jq -r 'select(.type == "builder") | .action' "$W/events")" prune
gantry prune >/dev/null
[ -e "$(mount_of busy)/data" ] || fail "'gantry prune' took the cache mount of a build that runs"
wait "$holder" || fail "the build that held it failed: $(cat "$W/holds.out")"

say "layers of images are no cache"
expect "kept" "$(gantry run --rm kept md5sum /data)" "$kept"
gantry image verify -q
gantry prune >/dev/null
expect "nothing of it is left" "$(cache_bytes)" 0
