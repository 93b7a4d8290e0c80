#!/bin/bash
# `gantry image verify`: damage done behind the daemon's back is found and named, and repaired from where images came,
# also under running containers.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"

P=$(free_port)
R=127.0.0.1:$P
serve registry "$P"
make_image "$R/app:1" 0.5 20
make_image "$R/large:1" 3 20
start_daemon
gantry pull -q "$R/app:1" >/dev/null
top() { echo "$(layers_of "$1" | tail -n 1)/fs"; }
layer=$(top "$R/app:1")
blob_of() { echo "$W/data/content/sha256/$(gantry image inspect "$R/app:1" | jq -r ".[0].$1" | cut -d: -f2)"; }
# Other bytes, but the same length and time.
spoil() {
    local when
    when=$(stat -c %y "$1")
    printf XXXX | dd of="$1" bs=1 seek=100 conv=notrunc status=none
    touch -d "$when" "$1"
}

say "clean"
gantry image verify >"$W/out" 2>"$W/err" || fail "clean images: $(cat "$W/out" "$W/err")"
contains "says so" "$(cat "$W/out")" "as they should be"
contains "progress" "$(cat "$W/err")" "checked"

say "a changed, a missing and a foreign file are named, with status 1"
good=$(sha256sum <"$layer/data/3")
spoil "$layer/data/3"
rm "$layer/data/4"
touch "$layer/data/foreign"
chmod 600 "$layer/data/5"
expect "damaged" "$(status gantry image verify -q "$R/app:1")" 1
for said in "/data/3 has other content" "/data/4 is missing" "/data/foreign is there" "/data/5 has the mode 0600, not 0644" "$R/app:1" "verify --repair"; do
    contains "named" "$(cat "$W/out")" "$said"
done
expect "json" "$(gantry image verify --format json "$R/app:1" 2>/dev/null | jq -r '.damages[0].files | length')" 5
gantry events --since 10m --no-follow >"$W/events"
grep -q damaged "$W/events" || fail "no event"

say "it is replaced under a running container, which keeps what it has"
gantry run -d --name keeps "$R/app:1" sh -c 'while true; do sleep 1; done' >/dev/null
gantry image verify --repair -q >"$W/out" || fail "repair: $(cat "$W/out")"
contains "repaired" "$(cat "$W/out")" "repaired layer"
expect "good again" "$(sha256sum <"$(top "$R/app:1")/data/3")" "$good"
gantry exec keeps ls /data/foreign >/dev/null || fail "the running container lost its files"
gantry exec keeps sh -c 'cat /data/* >/dev/null' || fail "the running container cannot read"
expect "a new container has the new ones" "$(gantry run --rm "$R/app:1" sh -c 'test ! -e /data/foreign && ls /data | cat' | wc -l)" 20
kill_daemon
start_daemon
gantry exec keeps ls /data/foreign >/dev/null || fail "the running container lost its files with the daemon"
expect "kept" "$(ls "$W/data/layers/old" | wc -l)" 1
gantry rm -f keeps >/dev/null
gantry image verify -q
expect "dropped" "$(ls "$W/data/layers/old" | wc -l)" 0

say "the same of a layer that is one file-system image"
gantry pull -q "$R/large:1" >/dev/null
gantry run --rm "$R/large:1" cat /data/3 >"$W/three"
# Other bytes in the middle of what /data/3 has in the image.
spoil_image() {
    python3 - "$1" "$W/three" <<'END'
import sys
content = open(sys.argv[2], "rb").read()
with open(sys.argv[1], "r+b") as image:
    at = image.read().index(content[:4096])
    image.seek(at + 100)
    image.write(b"XXXX")
END
}
image=$(layers_of "$R/large:1" | tail -n 1)/image
spoil_image "$image"
gantry run -d --name keeps "$R/large:1" sh -c 'while true; do sleep 1; done' >/dev/null
expect "damaged" "$(status gantry image verify -q "$R/large:1")" 1
contains "named" "$(cat "$W/out")" "/data/3 has other content"
gantry image verify --repair -q >"$W/out" || fail "repair: $(cat "$W/out")"
contains "repaired" "$(cat "$W/out")" "repaired layer"
gantry run --rm "$R/large:1" cat /data/3 | cmp - "$W/three" || fail "not repaired"
gantry exec keeps sh -c 'cat /data/* >/dev/null' || fail "the running container cannot read"
expect "kept" "$(ls "$W/data/layers/old" | wc -l)" 1
gantry rm -f keeps >/dev/null
gantry image verify -q
expect "dropped" "$(ls "$W/data/layers/old" | wc -l)" 0
for size in 100000 2000 0; do
    truncate -s "$size" "$image"
    expect "cut off at $size" "$(status gantry image verify -q "$R/large:1")" 1
    gantry image verify --repair -q >"$W/out" || fail "repair of what was cut off at $size: $(cat "$W/out")"
    gantry run --rm "$R/large:1" cat /data/3 | cmp - "$W/three" || fail "not repaired after $size"
done
rm "$image"
expect "gone" "$(status gantry image verify -q "$R/large:1")" 1
contains "says so" "$(cat "$W/out")" "its files are gone"
gantry image verify --repair -q >/dev/null || fail "repair of one that was gone"
gantry run --rm "$R/large:1" cat /data/3 | cmp - "$W/three" || fail "not repaired when it was gone"
gantry image rm "$R/large:1" >/dev/null
expect "unmounted" "$(grep -c "$W/run/layers/" /proc/self/mountinfo || true)" "$(layers_of "$R/app:1" | while read -r place; do if [ -e "$place/image" ]; then echo "$place"; fi; done | wc -l)"

say "configuration and manifest"
printf '{}' >"$(blob_of id)"
expect "list" "$(status gantry image ls)" 0
expect "damaged" "$(status gantry image verify -q)" 1
contains "configuration" "$(cat "$W/out")" "damaged configuration"
gantry image verify --repair -q >/dev/null || fail "repair of the configuration"
rm "$(blob_of digest)"
gantry image verify --repair -q >/dev/null || fail "repair of the manifest"
gantry image verify -q
expect "runs" "$(gantry run --rm "$R/app:1" echo fine)" fine

say "a layer whose files are gone; a pull makes it good as well"
rm -rf "$(dirname "$layer")"
expect "damaged" "$(status gantry image verify -q)" 1
gantry image rm "$R/app:1" >/dev/null
gantry pull -q "$R/app:1" >/dev/null
gantry image verify -q

say "where the registry is gone it says what to do"
spoil "$layer/data/7"
end_server "$SERVER"
expect "not repaired" "$(status gantry image verify --repair -q)" 1
contains "why" "$(cat "$W/out")" "could not be had again"
serve registry "$P"
gantry image verify --repair -q >/dev/null || fail "repair when it is back"

say "what was imported or built here is told from what was pulled, and replaced when it comes again"
busybox_image local/box:1
printf 'FROM local/box:1\nRUN echo one > /one && echo two > /two\n' >"$W/Dockerfile"
# The same bytes whenever it is built: what comes again is then the very layer that was damaged.
built() { gantry build -q --build-arg SOURCE_DATE_EPOCH=1700000000 -t local/built:1 -f "$W/Dockerfile" "$W/rootfs" >/dev/null; }
built
printf XXXX | dd of="$(layers_of local/box:1)/image" bs=1 seek=1000000 conv=notrunc status=none  # in the middle of busybox
expect "damaged" "$(status gantry image verify -q --repair local/box:1)" 1
contains "load it" "$(cat "$W/out")" "load or import the image again"
gantry image import "$W/rootfs.tar" local/box:1 >/dev/null
gantry image verify -q
echo ONE >"$(top local/built:1)/one"
expect "damaged" "$(status gantry image verify -q)" 1
contains "build it" "$(cat "$W/out")" "build the image again"
contains "suspect" "$(cat "$W/out")" "/one was changed after the layer was made"
built
gantry image verify -q
expect "built anew" "$(gantry run --rm local/built:1 cat /one)" one
gantry image ls -q | sort -u | while read -r image; do gantry image rm -f "$image" >/dev/null; done
