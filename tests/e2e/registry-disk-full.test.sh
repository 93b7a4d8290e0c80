#!/bin/bash
# A full disk under the registry inside: who pushes is told, nothing that was there suffers, what cannot go on gives its bytes
# back, and an upload in chunks goes on where it stood when there is room again.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"

mkdir -p "$W/tmpfs"
mount -t tmpfs -o size=260m,mode=755 gantry-e2e "$W/tmpfs"
mkdir "$W/tmpfs/data"
ln -s "$W/tmpfs/data" "$W/data"
P=$(free_port)
serve elsewhere "$P"
R=127.0.0.1:$(free_port)
start_daemon --registry-listen "$R"
busybox_image bb:1
gantry tag bb:1 "$R/bb:1"
gantry push -q "$R/bb:1" >/dev/null
make_image "$R/small:1" 2 3
used() { df --output=used -k "$W/tmpfs" | tail -n 1 | tr -d ' '; }
given_back() { eventually 10 sh -c "[ \$(df --output=used -k '$W/tmpfs' | tail -n 1) -le $((before + 3000)) ]"; }
# 96 MB are always kept free for the store and containers: with this some 50 MB are left for uploads.
fallocate -l 100M "$W/tmpfs/filler"
before=$(used)
head -c 120000000 /dev/urandom >"$W/blob"
blob=sha256:$(sha256sum "$W/blob" | cut -d ' ' -f 1)
ask() { # METHOD PATH [curl options]: prints the status
    local method=$1 path=$2
    shift 2
    curl -s -o "$W/body" -D "$W/head" -w '%{http_code}' -X "$method" "$@" "http://$R$path"
}
code() { jq -r '.errors[0].code' "$W/body"; }
header() { sed -n "s/^$1: //Ip" "$W/head" | tr -d '\r' | tail -n 1; }
begin() {
    expect "begin an upload" "$(ask POST /v2/raw/blobs/uploads/)" 202
    header Location
}

say "clients are told, and nothing of theirs stays"
make_image "127.0.0.1:$P/large:1" 110 3
expect "skopeo fails" "$(status skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false "docker://127.0.0.1:$P/large:1" "docker://$R/large:1")" 1
contains "skopeo is told" "$(cat "$W/out")" "Insufficient Storage"
given_back
expect "gantry fails" "$(status gantry image cp -q "127.0.0.1:$P/large:1" "$R/large:1")" 125
contains "gantry is told" "$(cat "$W/out")" "disk is full"
given_back
expect "in one request" "$(ask POST "/v2/raw/blobs/uploads/?digest=$blob" --data-binary "@$W/blob") $(code)" "507 UNKNOWN"
contains "what to do" "$(jq -r '.errors[0].message' "$W/body")" "gantry registry gc"
given_back
upload=$(begin)
expect "as a stream" "$(ask PATCH "$upload" --data-binary "@$W/blob") $(code)" "507 UNKNOWN"
given_back
expect "it has ended" "$(ask GET "$upload") $(code)" "404 BLOB_UPLOAD_UNKNOWN"

say "an upload in chunks stands where it stood"
upload=$(begin)
at=0
for chunk in 0 1 2 3 4 5; do
    dd if="$W/blob" of="$W/chunk" bs=1M iflag=skip_bytes,count_bytes skip=$((chunk * 20000000)) count=20000000 status=none
    answer=$(ask PATCH "$upload" --data-binary "@$W/chunk" -H "Content-Range: $((chunk * 20000000))-$((chunk * 20000000 + 19999999))")
    [ "$answer" = 202 ] || break
done
expect "full in the middle" "$answer $(code)" "507 UNKNOWN"
[ "$chunk" -ge 2 ] || fail "full at the chunk $chunk"
expect "asked" "$(ask GET "$upload")" 204
at=$(($(header Range | cut -d - -f 2) + 1))
[ "$at" -ge $((chunk * 20000000)) ] && [ "$at" -lt 120000000 ] || fail "it stands at $at"
expect "still full" "$(ask PATCH "$upload" --data-binary "@$W/chunk" -H "Content-Range: $at-$((at + 19999999))")" 507
kill_daemon
start_daemon --registry-listen "$R" # uploads leave enough for that
rm "$W/tmpfs/filler"
expect "after a kill it stands there, or later" "$(ask GET "$upload")" 204
at=$(($(header Range | cut -d - -f 2) + 1))
tail -c +$((at + 1)) "$W/blob" >"$W/rest"
expect "the rest" "$(ask PATCH "$upload" --data-binary "@$W/rest" -H "Content-Range: $at-119999999")" 202
expect "its end" "$(ask PUT "$upload?digest=$blob")" 201
expect "it comes back" "$(ask GET "/v2/raw/blobs/$blob")" 200
cmp "$W/body" "$W/blob" || fail "it came back otherwise"
expect "deleted" "$(ask DELETE "/v2/raw/blobs/$blob")" 202

say "what was there is whole, and there is room again"
skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$R/small:1" "dir:$W/small" || fail "the image cannot be pulled"
expect "the engine's layer" "$(gantry run --rm "$R/bb:1" echo fine 2>/dev/null)" fine
gantry image verify -q
copy "docker://127.0.0.1:$P/large:1" "docker://$R/large:1"
expect "tags" "$(gantry registry ls --format json | jq -r '[.[].name] | join(" ")')" "bb large small"
expect "no upload is left" "$(find "$W/tmpfs/data/registry/uploads" -type f | wc -l)" 0
gantry image ls -q | sort -u | while read -r image; do gantry image rm -f "$image" >/dev/null; done
