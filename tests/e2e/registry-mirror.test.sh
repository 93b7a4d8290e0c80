#!/bin/bash
# The registry inside as a mirror of another one: Debian's docker-registry as the upstream, with a front that counts requests
# and can be made to fail; gantry, docker and skopeo as clients.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"
docker_client
command -v htpasswd >/dev/null || fail "htpasswd is not installed (packaging/packages.test)"

export DOCKER_HOST=unix://$W/run/docker.sock DOCKER_CONFIG=$W/docker
O=127.0.0.1:$(free_port) # the origin, where images are pushed
U=127.0.0.1:$(free_port) # its front, which the mirror asks
R=127.0.0.1:$(free_port) # the mirror
serve origin "${O#*:}"
mkdir -p "$W/front"
front() {
    python3 "$GANTRY_SOURCE/tests/e2e/python/upstream.py" "${U#*:}" "${O#*:}" "$W/front" >>"$W/front/log" 2>&1 &
    FRONT=$!
    SERVERS="$SERVERS $FRONT"
    eventually 10 curl -s -o /dev/null "http://$U/v2/"
}
front
wrong() { echo "$1" >"$W/front/mode"; }
forget() { : >"$W/front/requests"; }
# asked PATTERN: how many requests the upstream got since `forget`
asked() { grep -c -- "$1" "$W/front/requests" || true; }
# Both ways in: by the upstream's name, and for everything that is not ours.
mirror() { start_daemon --registry-listen "$R" --registry-proxy "hub.test=http://$U" --registry-proxy "*=http://$U" "$@"; }
ask() { # METHOD PATH [curl options]: the body in $W/body, the head in $W/head, prints the status
    local method=$1 path=$2
    shift 2
    if [ "$method" = HEAD ]; then set -- -I "$@"; else set -- -X "$method" "$@"; fi
    curl -s -o "$W/body" -D "$W/head" -w '%{http_code}' "$@" "http://$R$path"
}
header() { sed -n "s/^$1: //Ip" "$W/head" | tr -d '\r' | tail -n 1; }
code() { jq -r '.errors[0].code' "$W/body"; }
digest_of() { echo "sha256:$(sha256sum "$1" | cut -d ' ' -f 1)"; }
# blobs REPOSITORY:TAG: digests of what that image is made of at the origin, the layer of its own last
blobs() { curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$O/v2/${1%:*}/manifests/${1##*:}" | jq -r '.config.digest, .layers[].digest'; }
kept() { find "$W/data/registry/sha256" -type f -printf '%f\n' | sort; }
# As if what is mirrored under that tag had not been wanted, or confirmed, for so many seconds.
aged() {
    python3 - "$W/data/gantry.db" "$1" "$2" "$3" <<'PY'
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=10)
name, tag = sys.argv[2], sys.argv[3]
at = int(time.time()) - int(sys.argv[4])
db.execute("UPDATE distribution_manifests SET used=? WHERE repository=? AND digest="
           "(SELECT digest FROM distribution_tags WHERE repository=? AND name=?)", (at, name, name, tag))
db.execute("UPDATE distribution_tags SET checked=? WHERE repository=? AND name=?", (at, name, tag))
db.commit()
PY
}

make_image "$O/library/app:1" 3
make_image "$O/library/app:2" 3
make_image "$O/library/multi:1" 1 10 amd64 arm64
make_image "$O/team/large:1" 40
mirror
forget

say "a first pull brings it from the upstream, a second one asks for nothing"
gantry pull -q "$R/library/app:1" >/dev/null
expect "it runs" "$(gantry run --rm "$R/library/app:1" echo hello 2>/dev/null)" hello
expect "one document" "$(asked '^GET .*/manifests/')" 1
expect "each blob once" "$(asked '^GET .*/blobs/')" 3
expect "no more" "$(wc -l <"$W/front/requests")" 4
expect "what is kept is what the manifest names" "$(kept)" "$(blobs library/app:1 | sed 's/sha256://' | sort)"
for file in $(kept); do expect "kept as it is" "$(digest_of "$W/data/registry/sha256/$file")" "sha256:$file"; done
forget
gantry image rm -f "$R/library/app:1" >/dev/null
gantry pull -q "$R/library/app:1" >/dev/null
copy "docker://$R/library/app:1" "oci:$W/oci:app"
docker pull -q "$R/library/app:1" >/dev/null
expect "nothing asked" "$(wc -l <"$W/front/requests")" 0
copy --all "docker://$R/library/multi:1" "oci:$W/oci:multi"
expect "an index with what it lists" "$(jq '.manifests | length' "$W/oci/blobs/sha256/$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"]=="multi").digest' "$W/oci/index.json" | cut -d: -f2)")" 2

say "by the upstream's name, and as clients say it that go through mirrors"
forget
gantry pull -q "$R/hub.test/library/app:1" >/dev/null
expect "another name for it is another repository" "$(asked '^GET .*/manifests/')" 1
expect "named by the client" "$(ask HEAD "/v2/library/app/manifests/1?ns=hub.test")" 200
expect "the same one" "$(asked manifests)" 1
gantry image rm -f "$R/library/app:1" "$R/hub.test/library/app:1" >/dev/null
expect "its tags are the upstream's" "$(gantry registry tags "$R/library/app" | paste -sd' ')" "1 2"
expect "no such tag" "$(ask GET /v2/library/app/manifests/none) $(code)" "404 MANIFEST_UNKNOWN"
expect "no such repository" "$(ask GET /v2/library/none/manifests/1) $(code)" "404 MANIFEST_UNKNOWN"
expect "no such blob" "$(ask GET "/v2/library/app/blobs/sha256:$(printf '%064d' 1)") $(code)" "404 BLOB_UNKNOWN"

say "a mirror for the daemon itself"
stop_daemon
make_image "$O/library/hub:1" 1
mirror --registry-mirror "http://$R"
expect "an image of docker.io" "$(gantry run --rm hub:1 echo through 2>/dev/null)" through
stop_daemon
mirror

say "nothing is pushed to it; other repositories are ours"
expect "an upload" "$(ask POST /v2/hub.test/library/app/blobs/uploads/) $(code)" "405 UNSUPPORTED"
contains "says why" "$(cat "$W/body")" "is a mirror of http://$U"
expect "a manifest" "$(ask PUT /v2/hub.test/x/manifests/1 -d '{}') $(code)" "405 UNSUPPORTED"
expect "skopeo" "$(status skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$W/oci:app" "docker://$R/library/mine:1")" 1
contains "is told" "$(cat "$W/out")" "mirror of"
stop_daemon
start_daemon --registry-listen "$R" --registry-proxy "hub.test=http://$U"
copy "oci:$W/oci:app" "docker://$R/own/app:1"
expect "mirrored and own" "$(gantry registry ls --format json | jq -c '[.[] | {name, mirrored}]')" '[{"name":"hub.test/library/app","mirrored":true},{"name":"own/app","mirrored":false}]'
contains "those of a proxy that is not given any more are forgotten" "$(cat "$W/gantryd.log")" "library/app is forgotten"

say "a tag that moves upstream is followed"
stop_daemon
mirror --registry-proxy-ttl 1s
old=$(ask HEAD /v2/hub.test/library/app/manifests/1 && header Docker-Content-Digest)
make_image "$O/library/app:1" 2
sleep 1.1
forget
new=$(ask HEAD /v2/hub.test/library/app/manifests/1 && header Docker-Content-Digest)
[ "$old" != "$new" ] || fail "still the old one"
expect "the upstream's" "$new" "200$(curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$O/v2/library/app/manifests/1" | sed -n 's/^docker-content-digest: //Ip' | tr -d '\r')"
expect "asked by HEAD first" "$(head -n 1 "$W/front/requests")" "HEAD /v2/library/app/manifests/1"
sleep 1.1
forget
ask HEAD /v2/hub.test/library/app/manifests/1 >/dev/null
expect "what has not moved is not fetched" "$(cat "$W/front/requests")" "HEAD /v2/library/app/manifests/1"

say "two clients at once are one fetch"
wrong slow
forget
large=$(blobs team/large:1 | tail -n 1)
ask HEAD /v2/hub.test/team/large/manifests/1 >/dev/null
pids=
for n in 1 2 3; do
    curl -s -o "$W/large$n" "http://$R/v2/hub.test/team/large/blobs/$large" &
    pids="$pids $!"
done
wait $pids
for n in 1 2 3; do expect "what client $n got" "$(digest_of "$W/large$n")" "$large"; done
# A large blob comes in pieces, side by side.
expect "each piece once" "$(grep -- "GET .*/blobs/$large" "$W/front/requests" | sort | uniq -d)" ""
expect "all of it once" "$(asked "GET .*/blobs/$large")" 5
expect "and a part of it" "$(ask GET "/v2/hub.test/team/large/blobs/$large" -H 'Range: bytes=100-199')" 206
cmp "$W/body" <(tail -c +101 "$W/large1" | head -c 100) || fail "another part"
wrong ""

say "an upstream that is not well"
sleep 1.1
for answer in 429 500; do
    wrong "$answer"
    expect "what is here is served ($answer)" "$(ask GET /v2/hub.test/library/app/manifests/1)" 200
    contains "with a warning" "$(header Warning)" '299 - "hub.test/library/app:1 is served as it was'
done
contains "in the log, too" "$(cat "$W/gantryd.log")" "is served as it was"
wrong 429
expect "what is not here" "$(ask GET /v2/hub.test/library/app/manifests/2) $(code)" "429 TOOMANYREQUESTS"
wrong 500
expect "nor then" "$(ask GET /v2/hub.test/library/app/manifests/2)" 503
wrong lie
rm -rf "$W/lied"
expect "a lie is not passed on" "$(status skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$R/hub.test/library/app:2" "oci:$W/lied:1")" 1
layer=$(blobs library/app:2 | tail -n 1)
expect "a client sees that it is not complete" "$(status curl -sf -o "$W/lie" "http://$R/v2/hub.test/library/app/blobs/$layer")" 18
[ ! -e "$W/data/registry/sha256/${layer#*:}" ] || fail "the lie is kept"
expect "nothing is left of it" "$(find "$W/data/registry/arriving" -type f | wc -l)" 0
wrong ""
copy "docker://$R/hub.test/library/app:2" "oci:$W/truth:1"
say "an upstream that is gone"
copy "docker://$R/hub.test/library/app:1" "oci:$W/before:1"
end_server "$FRONT"
sleep 1.1
copy "docker://$R/hub.test/library/app:1" "oci:$W/gone:1"
gantry pull -q "$R/hub.test/library/app:1" >/dev/null
expect "it runs" "$(gantry run --rm "$R/hub.test/library/app:1" echo alone 2>/dev/null)" alone
expect "what is not here" "$(ask GET /v2/hub.test/team/other/manifests/1)" 503
front

say "killed in the middle of a pull through it"
make_image "$O/team/killed:1" 30
wrong slow
for round in 1 2 3; do
    curl -s -o /dev/null "http://$R/v2/hub.test/team/killed/manifests/1"
    killed=$(blobs team/killed:1 | tail -n 1)
    curl -s -o /dev/null "http://$R/v2/hub.test/team/killed/blobs/$killed" &
    client=$!
    (gantry pull -q "$R/hub.test/team/killed:1" >/dev/null 2>&1 || true) &
    puller=$!
    eventually 10 sh -c "find '$W/data/registry/arriving' -type f -size +1M | grep ."
    sleep "0.$round"
    kill_daemon
    wait "$client" || true
    wait "$puller" || true
    mirror --registry-proxy-ttl 1s
    expect "nothing half is left" "$(find "$W/data/registry/arriving" "$W/data/registry/ingest" -type f | wc -l)" 0
    for file in $(kept); do expect "what is there is whole" "$(digest_of "$W/data/registry/sha256/$file")" "sha256:$file"; done
    gantry image verify -q
done
wrong ""
gantry pull -q "$R/hub.test/team/killed:1" >/dev/null
expect "it runs after all" "$(gantry run --rm "$R/hub.test/team/killed:1" echo whole 2>/dev/null)" whole
gantry image verify -q

say "beyond its budget what was longest not used goes, but not what this host's images came as"
gantry image rm -f "$R/hub.test/team/killed:1" >/dev/null
copy "docker://$R/hub.test/team/large:1" "oci:$W/large:1"
copy "docker://$R/hub.test/library/app:2" "oci:$W/app2:1"
gantry disk --format json >"$W/disk.json"
share() { jq -r ".shares[] | select(.kind==\"$1\") | .$2" "$W/disk.json"; }
[ "$(share 'registry mirror' bytes)" -gt 70000000 ] || fail "registry mirror: $(share 'registry mirror' bytes)"
[ "$(share 'registry' bytes)" -gt 0 ] || fail "registry: $(share registry bytes)"
[ "$(share 'registry mirror' budget)" -gt 0 ] || fail "no budget by default"
contains "people see it" "$(gantry disk)" "registry mirror"
stop_daemon
aged hub.test/team/killed 1 9000
aged hub.test/team/large 1 5000
aged hub.test/library/app 1 9900
aged hub.test/library/app 2 1000
mirror --registry-proxy-budget 60M
eventually 40 sh -c "[ ! -e '$W/data/registry/sha256/${killed#*:}' ]"
[ -e "$W/data/registry/sha256/${large#*:}" ] || fail "more went than had to"
used=$(blobs library/app:1 | tail -n 1)
[ -e "$W/data/registry/sha256/${used#*:}" ] || fail "what an image of this host came as is gone"
expect "and it can be had again" "$(ask GET "/v2/hub.test/team/killed/blobs/$killed")" 200
expect "own repositories are untouched" "$(ask HEAD /v2/own/app/manifests/1)" 200
gantry events --since 10m --no-follow --format json >"$W/events"
contains "an event" "$(cat "$W/events")" "registry mirror"

say "sign-in at the upstream"
stop_daemon
S=127.0.0.1:$(free_port)
mkdir -p "$W/secret" "$W/logins"
htpasswd -Bbc -C 5 "$W/secret/htpasswd" ann secret 2>/dev/null
serve secret "${S#*:}"
copy --dest-creds ann:secret "oci:$W/oci:app" "docker://$S/team/app:1"
private() { start_daemon --registry-listen "$R" --registry-proxy "secret.test=http://$S" "$@"; }
private
expect "without" "$(ask GET /v2/secret.test/team/app/manifests/1) $(code)" "403 DENIED"
contains "says what is missing" "$(cat "$W/body")" "--registry-proxy-config"
stop_daemon
echo '{"auths":{"'"$S"'":{"auth":"'"$(printf 'ann:wrong' | base64)"'"}}}' >"$W/logins/config.json"
private --registry-proxy-config "$W/logins/config.json"
expect "with a wrong password" "$(ask GET /v2/secret.test/team/app/manifests/1) $(code)" "403 DENIED"
sleep 0.1
echo '{"auths":{"'"$S"'":{"auth":"'"$(printf 'ann:secret' | base64)"'"}}}' >"$W/logins/config.json"
expect "with the right one, read again" "$(ask GET /v2/secret.test/team/app/manifests/1)" 200
copy "docker://$R/secret.test/team/app:1" "oci:$W/signed-in:1"
stop_daemon
echo '{"auths":{},"credsStore":"desktop"}' >"$W/logins/config.json"
refused() { "$GANTRY_BIN/gantryd" --data-dir "$W/data" --run-dir "$W/run" --registry-listen "$R" "$@" 2>&1 || true; }
contains "a file without a sign-in for it" "$(refused --registry-proxy "x=http://$S" --registry-proxy-config "$W/logins/config.json")" "credsStore"
contains "a mirror of itself" "$(refused --registry-proxy "x=http://$R")" "itself"
contains "a name that is none" "$(refused --registry-proxy "X:5=http://$S")" "NAME=URL"
