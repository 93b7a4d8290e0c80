#!/bin/bash
# The build cache within its budget: what was not used for the longest goes first, layers and directories of cache mounts
# alike; never what a build has, nor layers of images. `gantry prune` takes all but what a build has.
. "$(dirname "$0")/lib.sh"

start_daemon --cache-budget none
busybox_image base:1
mkdir "$W/empty"
# build NAME: an image with a layer of 4 MB that no other has
build() {
    printf 'FROM base:1\nRUN head -c 4000000 /dev/urandom >/data && echo %s\n' "$1" >"$W/Dockerfile"
    gantry build -q -t "made:$1" -f "$W/Dockerfile" "$W/empty" >/dev/null
}
# sum NAME: of its random bytes; the same again only when its step came from the cache
sum() {
    build "$1"
    gantry run --rm "made:$1" md5sum /data | cut -d ' ' -f 1
    gantry image rm -f "made:$1" >/dev/null
}
fill() { # ID: a cache mount with 4 MB
    printf 'FROM base:1\nRUN --mount=type=cache,id=%s,target=/c head -c 4000000 /dev/urandom >/c/data\n' "$1" >"$W/Dockerfile"
    gantry build -q -f "$W/Dockerfile" "$W/empty" >/dev/null
}
mount_of() { echo "$W/data/build/mounts/$(printf %s "$1" | sha256sum | cut -d ' ' -f 1)"; }
cache_bytes() { gantry disk --format json | jq '.shares[] | select(.kind == "build cache") | .bytes'; }
# old DIGEST HOURS: as if a step had last given that layer so long ago
old() {
    python3 - "$W/data/gantry.db" "$1" "$2" <<'PY'
import datetime, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=int(sys.argv[3]))
changed = db.execute("UPDATE build_cache SET used=? WHERE diff_id=?", (at.strftime("%Y-%m-%dT%H:%M:%S.000000000Z"), sys.argv[2]))
assert changed.rowcount == 1, changed.rowcount
db.commit()
PY
}

declare -A layer before
for name in one two three four kept; do
    build "$name"
    layer[$name]=$(gantry image inspect "made:$name" | jq -r '.[0].layers[-1]')
    before[$name]=$(gantry run --rm "made:$name" md5sum /data | cut -d ' ' -f 1)
    [ "$name" = kept ] || gantry image rm -f "made:$name" >/dev/null
done
for id in busy idle; do fill "$id"; done
[ -e "$(mount_of idle)/data" ] || fail "the cache mount is not where this test looks for it"

say "without a budget all of it stays"
bytes=$(cache_bytes)
[ "$bytes" -ge 24000000 ] && [ "$bytes" -lt 28000000 ] || fail "the cache takes $bytes"
for name in one four; do expect "$name" "$(sum "$name")" "${before[$name]}"; done

say "beyond the budget the longest unused goes, down to nine tenths of it"
stop_daemon
old "${layer[one]}" 9
touch -d '8 hours ago' "$(mount_of busy)"
old "${layer[kept]}" 8
old "${layer[two]}" 7
touch -d '6 hours ago' "$(mount_of idle)"
old "${layer[three]}" 5
start_daemon --cache-budget 14M
printf 'FROM base:1\nRUN --mount=type=cache,id=busy,target=/c echo holds >/c/now && sleep 15 && cat /c/data >/dev/null\n' >"$W/holds"
gantry build -q -f "$W/holds" "$W/empty" >"$W/holds.out" 2>&1 &
holder=$!
eventually 10 test -e "$(mount_of busy)/now"
touch -d '8 hours ago' "$(mount_of busy)"
# A layer that comes is what begins a round.
build next
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
expect "kept" "$(gantry run --rm made:kept md5sum /data | cut -d ' ' -f 1)" "${before[kept]}"
gantry image verify -q
for name in kept next; do gantry image rm -f "made:$name" >/dev/null; done
gantry prune >/dev/null
expect "nothing of it is left" "$(cache_bytes)" 0
