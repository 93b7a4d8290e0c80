#!/bin/bash
# Registries as people use them: Debian's docker-registry with passwords, images made and looked at by skopeo and umoci.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"

for program in umoci htpasswd getfattr setfattr; do
    command -v "$program" >/dev/null || fail "$program is not installed (packaging/packages.test)"
done

# Everything about a tree but what a file system decides by itself.
listing() {
    (
        cd "$1"
        find . -mindepth 1 \( -type d -o -type l \) -printf '%p %y %m %U:%G %T@ %l\n'
        find . -mindepth 1 ! -type d ! -type l -printf '%p %y %m %U:%G %T@ %s %n\n'
        find . -type f -exec sha256sum {} +
        find . \( -type c -o -type b \) -exec stat -c '%n %t:%T' {} +
        getfattr -R -h -d -m '^(user|security.capability)' . 2>/dev/null
    ) | sed 's/\.[0-9]*0000000000 / /; s/\.0000000000 / /' | LC_ALL=C sort
}

# Three layers with everything an image can hold.
make_layout() {
    local t=$W/tree
    mkdir -p "$t/one/bin" "$t/one/dir/sub" "$t/one/gone" "$t/two/dir"
    cp /bin/busybox "$t/one/bin/busybox"
    ln -s busybox "$t/one/bin/sh"
    ln -s busybox "$t/one/bin/cat"
    ln "$t/one/bin/busybox" "$t/one/bin/second-name"
    setcap cap_net_raw+ep "$t/one/bin/busybox" 2>/dev/null || true
    echo lower >"$t/one/dir/file"
    echo hidden >"$t/one/dir/sub/hidden"
    echo bye >"$t/one/gone/file"
    truncate -s 3M "$t/one/sparse"
    printf end >>"$t/one/sparse"
    setfattr -n user.note -v 'some text' "$t/one/dir/file"
    chmod 4755 "$t/one/bin/busybox"
    chmod 1777 "$t/one/dir"
    chown 1234:4321 "$t/one/dir/file"
    mknod "$t/one/null" c 1 3
    mkfifo "$t/one/fifo"
    local i
    for i in $(seq 300); do echo "$i" >"$t/one/dir/number-$i"; done
    head -c 3000000 /dev/urandom >"$t/one/random"
    find "$t/one" -exec touch -h -d '2024-02-03 04:05:06' {} +
    tar -C "$t/one" --xattrs --xattrs-include='*' --sparse --format=pax -cf "$t/1.tar" .
    mkdir -p "$t/two/dir/sub"
    touch "$t/two/.wh.gone" "$t/two/dir/sub/.wh..wh..opq"
    echo upper >"$t/two/dir/file"
    echo new >"$t/two/dir/sub/new"
    find "$t/two" -exec touch -h -d '2024-02-03 04:05:07' {} +
    tar -C "$t/two" -cf "$t/2.tar" .
    mkdir -p "$t/three/a/b/c"
    ln -s ../../etc "$t/three/a/link"
    find "$t/three" -exec touch -h -d '2024-02-03 04:05:08' {} +
    tar -C "$t/three" --format=gnu -cf "$t/3.tar" .
    umoci init --layout "$W/layout"
    umoci new --image "$W/layout:1"
    for i in 1 2 3; do umoci raw add-layer --image "$W/layout:1" "$t/$i.tar" >/dev/null; done
    umoci config --image "$W/layout:1" --config.cmd /bin/sh --config.cmd -c --config.cmd 'cat /dir/file'
}

P=$(free_port)
R=127.0.0.1:$P
serve registry "$P"
make_layout
copy "oci:$W/layout:1" "docker://$R/team/app:oci"
copy --format v2s2 "oci:$W/layout:1" "docker://$R/team/app:docker"
start_daemon

say "pull: the tree is the one that umoci unpacks"
gantry pull "$R/team/app:oci" 2>"$W/err" || fail "pull: $(cat "$W/err")"
contains "digest shown" "$(cat "$W/err")" "sha256:"
umoci unpack --image "$W/layout:1" "$W/bundle" >/dev/null
see_image "$R/team/app:oci"
listing "$W/tmpfs/all" >"$W/ours"
kinds() { layers_of "$1" | while read -r place; do if [ -e "$place/image" ]; then echo image; else echo directory; fi; done | paste -sd ' '; }
expect "what is large is one file" "$(kinds "$R/team/app:oci")" "image directory directory"
forget_image
listing "$W/bundle/rootfs" >"$W/theirs"
diff "$W/theirs" "$W/ours" >&2 || fail "the trees differ"
[ "$(wc -l <"$W/ours")" -gt 600 ] || fail "the listing is short"
large=$(layers_of "$R/team/app:oci" | head -n 1)/image
expect "sparse stays sparse" "$(($(stat -c %b "$large") * 512 < $(stat -c %s "$large") - 2500000))" 1
expect "runs" "$(gantry run --rm "$R/team/app:oci")" upper

say "the same layers in Docker's format are not fetched again"
gantry pull "$R/team/app:docker" 2>"$W/err"
contains "nothing received" "$(cat "$W/err")" "0 B received"
gantry pull "$R/team/app:docker" 2>"$W/err"
contains "nothing new" "$(cat "$W/err")" "up to date"

say "what is missing is pulled by run, create and up"
gantry image rm "$R/team/app:oci" "$R/team/app:docker" >/dev/null
expect "never" "$(status gantry run --rm --pull never "$R/team/app:oci")" 125
expect "run pulls" "$(gantry run --rm -q "$R/team/app:oci")" upper
gantry image rm "$R/team/app:oci" >/dev/null
mkdir "$W/shop"
printf 'services:\n  web:\n    image: %s/team/app:oci\n    command: [/bin/busybox, sleep, "1000"]\n' "$R" >"$W/shop/compose.yaml"
(cd "$W/shop" && gantry up -q) || fail "up"
expect "up pulled" "$(gantry ps -q | wc -l)" 1
(cd "$W/shop" && gantry down -q -t 0s)

say "errors say what is wrong"
expect "no such tag" "$(status gantry pull "$R/team/app:none")" 1
contains "no such tag" "$(cat "$W/out")" "404"
expect "no such platform" "$(status gantry pull --platform linux/s390x "$R/team/app:oci")" 1
contains "no such platform" "$(cat "$W/out")" "linux/s390x"
expect "nobody there" "$(status timeout 10 gantry pull 127.0.0.1:1/x)" 125
contains "nobody there" "$(cat "$W/out")" "cannot connect"

say "push: the digests are the same where it came from, beside it, and at another registry"
original=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$R/team/app:oci")
gantry tag "$R/team/app:oci" "$R/team/app:again"
expect "same repository" "$(gantry push -q "$R/team/app:again")" "$original"
gantry tag "$R/team/app:oci" "$R/other/name:1"
expect "another repository" "$(gantry push -q "$R/other/name:1")" "$original"
P2=$(free_port)
R2=127.0.0.1:$P2
mkdir -p "$W/locked"
htpasswd -Bbn ann s3cret-word >"$W/locked/htpasswd" 2>/dev/null
serve locked "$P2"
export DOCKER_CONFIG=$W/docker
gantry tag "$R/team/app:oci" "$R2/team/app:1"
expect "not signed in" "$(status gantry push "$R2/team/app:1")" 1
contains "fix" "$(cat "$W/out")" "gantry login $R2"
expect "wrong password" "$(echo wrong | status gantry login -u ann -p wrong "$R2")" 1
[ ! -e "$W/docker/config.json" ] || fail "a wrong password was kept"
echo s3cret-word | gantry login -u ann --password-stdin "$R2" 2>/dev/null
expect "mode" "$(stat -c %a "$W/docker/config.json")" 600
expect "another registry" "$(gantry push -q "$R2/team/app:1")" "$original"
expect "skopeo reads it" "$(skopeo inspect --tls-verify=false --creds ann:s3cret-word --format '{{.Digest}}' "docker://$R2/team/app:1")" "$original"
expect "tags" "$(gantry registry tags "$R2/team/app")" 1
! grep -rqa 's3cret-word\|YW5uOnMzY3JldC13b3Jk' "$W/gantryd.log" "$W/data/gantry.db"* || fail "the password is in a log or the database"

say "a private image: the one who signs out is out"
gantry image rm "$R2/team/app:1" >/dev/null
gantry pull -q "$R2/team/app:1" >/dev/null
gantry logout "$R2" 2>/dev/null
gantry image rm "$R2/team/app:1" >/dev/null
expect "signed out" "$(status gantry pull "$R2/team/app:1")" 1

say "a credential helper of docker's kind is asked"
mkdir -p "$W/helpers"
cat >"$W/helpers/docker-credential-test" <<EOF
#!/bin/sh
read -r server
[ "\$1" = get ] && [ "\$server" = "$R2" ] || { echo "credentials not found in native keychain"; exit 1; }
echo '{"ServerURL":"$R2","Username":"ann","Secret":"s3cret-word"}'
EOF
chmod +x "$W/helpers/docker-credential-test"
printf '{"credHelpers":{"%s":"test"}}' "$R2" >"$W/docker/config.json"
PATH=$W/helpers:$PATH gantry pull -q "$R2/team/app:1" >/dev/null || fail "pull with a helper"

say "where the origin is gone, layers are packed again and it is said"
end_server "$SERVER"
P3=$(free_port)
R3=127.0.0.1:$P3
serve third "$P3"
busybox_image local/built:1
gantry tag local/built:1 "$R3/built:1"
pushed=$(gantry push -q "$R3/built:1")
expect "pushed twice, one digest" "$(gantry push -q "$R3/built:1")" "$pushed"
id=$(gantry image inspect local/built:1 | jq -r '.[0].id')
expect "the image id" "$(skopeo inspect --tls-verify=false --raw "docker://$R3/built:1" | jq -r .config.digest)" "$id"
gantry image rm "$R3/built:1" local/built:1 >/dev/null
gantry pull -q "$R3/built:1" >/dev/null
expect "it comes back as itself" "$(gantry image inspect "$R3/built:1" | jq -r '.[0].id')" "$id"

say "a daemon that is killed while it pulls leaves nothing, and goes on where it can"
copy "oci:$W/layout:1" "docker://$R3/app:1"
gantry image ls -q | sort -u | while read -r image; do gantry image rm -f "$image" >/dev/null; done
for delay in 0.01 0.03 0.06 0.1 0.2; do
    gantry pull -q "$R3/app:1" >/dev/null 2>&1 &
    sleep "$delay"
    kill_daemon
    wait $! || true
    start_daemon
    expect "nothing unfinished" "$(ls "$W/data/layers/ingest" | wc -l)" 0
    if [ -n "$(gantry image ls -q)" ]; then
        expect "complete or not there" "$(gantry run --rm "$R3/app:1")" upper
        gantry image rm "$R3/app:1" >/dev/null
    fi
done
gantry pull -q "$R3/app:1" >/dev/null
expect "in the end" "$(gantry run --rm "$R3/app:1")" upper
