#!/bin/bash
# `gantry image cp` from registry to registry, and `gantry image diff`.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"

P=$(free_port)
P2=$(free_port)
R=127.0.0.1:$P
R2=127.0.0.1:$P2
serve registry "$P"
serve other "$P2"
make_image "$R/app:1" 1 5
make_image "$R/app:many" 1 5 amd64 arm64 s390x
digest() { skopeo inspect --tls-verify=false --raw "docker://$1" | sha256sum | cut -d' ' -f1; }
start_daemon

say "one image, with the same digest there; nothing stays here"
expect "digest" "$(gantry image cp -q "$R/app:1" "$R2/copy/app:one")" "sha256:$(digest "$R/app:1")"
expect "the same" "$(digest "$R2/copy/app:one")" "$(digest "$R/app:1")"
skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$R2/copy/app:one" "dir:$W/dir" || fail "skopeo cannot read it"
expect "nothing here" "$(gantry image ls -q | wc -l)" 0

say "what is there is not sent again, and taken over from a neighbour"
gantry image cp "docker://$R/app:1" "docker://$R2/copy/app:two" >/dev/null 2>"$W/err"
contains "nothing sent" "$(cat "$W/err")" "3 blobs, 0 B sent"
gantry image cp "$R2/copy/app:one" "$R2/neighbour:1" >/dev/null 2>"$W/err"
contains "mounted" "$(cat "$W/err")" "3 blobs, 0 B sent"
contains "mounted" "$(cat "$W/err")" "taken over"

say "an index: the image for this machine, another one, or all"
gantry image cp -q "$R/app:many" "$R2/here:1" >/dev/null
expect "ours" "$(skopeo inspect --tls-verify=false --config --raw "docker://$R2/here:1" | jq -r .architecture)" "$(dpkg --print-architecture)"
gantry image cp -q --platform linux/s390x "$R/app:many" "$R2/there:1" >/dev/null
expect "another" "$(skopeo inspect --tls-verify=false --config --raw "docker://$R2/there:1" | jq -r .architecture)" s390x
expect "all" "$(gantry image cp -q --all --format json "$R/app:many" "$R2/all:1" | jq -r .manifests)" 3
expect "the same" "$(digest "$R2/all:1")" "$(digest "$R/app:many")"
skopeo --insecure-policy copy -q --all --src-tls-verify=false "docker://$R2/all:1" "oci:$W/layout:1" || fail "skopeo cannot read all"

say "what is wrong is said"
expect "not there" "$(status gantry image cp "$R/none:1" "$R2/x:1")" 1
contains "not there" "$(cat "$W/out")" "404"
[ "$(status gantry image cp "$R/app:1" "$R2/x@sha256:$(digest "$R/app:1")")" != 0 ] || fail "a digest as target"
file=$(grep -rl . "$W/registry/data/docker/registry/v2/blobs/sha256" | xargs ls -S | head -n 1)
printf XXXX | dd of="$file" bs=1 seek=50000 conv=notrunc status=none
skopeo delete --tls-verify=false "docker://$R2/neighbour:1" 2>/dev/null || true
P3=$(free_port)
serve third "$P3"
bad=0
for tag in 1 many; do gantry image cp -q --all "$R/app:$tag" "127.0.0.1:$P3/bad:$tag" >/dev/null 2>"$W/err" || bad=1; done
expect "damaged at the source" "$bad" 1
contains "damaged at the source" "$(cat "$W/err")$(cat "$W/third/log")" "sha256"

say "the difference of two images"
busybox_image local/box:1
printf 'FROM local/box:1\nRUN echo new > /new && rm /etc/group && echo more >> /etc/passwd && chmod 700 /tmp && mkdir /d && echo x > /d/x && ln -sf x /bin/vi\n' >"$W/Dockerfile"
mkdir "$W/empty"
gantry build -q -t local/box:2 -f "$W/Dockerfile" "$W/empty" >/dev/null
gantry image diff local/box:1 local/box:2 >"$W/out"
expect "diff" "$(cat "$W/out" | paste -sd' ')" "C /bin/vi A /d A /d/x D /etc/group C /etc/passwd A /new C /tmp"
expect "what" "$(gantry image diff --format json local/box:1 local/box:2 | jq -r '.[] | select(.path=="/tmp") | .what[]')" mode
expect "back" "$(gantry image diff local/box:2 local/box:1 | grep -c '^D')" 2
expect "the same" "$(gantry image diff local/box:1 local/box:1)" ""
gantry image ls -q | sort -u | while read -r image; do gantry image rm -f "$image" >/dev/null; done
