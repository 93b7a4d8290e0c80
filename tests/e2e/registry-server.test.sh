#!/bin/bash
# The registry inside gantryd, as its clients use it: gantry, docker, skopeo and plain HTTP; kills, and what is refused.
. "$(dirname "$0")/lib.sh"
docker_client
for program in skopeo htpasswd openssl; do
    command -v "$program" >/dev/null || fail "$program is not installed (packaging/packages.test)"
done

PORT=$(free_port)
R=127.0.0.1:$PORT
export DOCKER_HOST=unix://$W/run/docker.sock DOCKER_CONFIG=$W/docker
serve() { start_daemon --registry-listen "$R" --registry-immutable 'team/*:v*' "$@"; }
serve
busybox_image bb:1

# ask METHOD PATH [curl options]: the body in $W/body, the head in $W/head, prints the status
ask() {
    local method=$1 path=$2
    shift 2
    if [ "$method" = HEAD ]; then set -- -I "$@"; else set -- -X "$method" "$@"; fi
    curl -s -o "$W/body" -D "$W/head" -w '%{http_code}' "$@" "http://$R$path"
}
header() { sed -n "s/^$1: //Ip" "$W/head" | tr -d '\r' | tail -n 1; }
code() { jq -r '.errors[0].code' "$W/body"; }
digest_of() { echo "sha256:$(sha256sum "$1" | cut -d ' ' -f 1)"; }
copy() { skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false "$@"; }
begin() { # REPOSITORY: path of a new upload
    expect "begin an upload" "$(ask POST "/v2/$1/blobs/uploads/")" 202
    header Location
}

say "pushed and pulled by gantry, docker and skopeo"
gantry tag bb:1 "$R/team/bb:1"
gantry push -q "$R/team/bb:1" >/dev/null
id=$(gantry image inspect bb:1 | jq -r '.[0].id')
expect "nothing of the layer is kept twice" "$(find "$W/data/registry/sha256" -type f -size +100k | wc -l)" 0
contains "it is shared" "$(curl -s "http://$R/metrics")" "gantry_registry_shared_bytes $(wc -c <"$W/rootfs.tar")"
layer=$(gantry image inspect bb:1 | jq -r '.[0].layers[0]')
expect "its repository shows it" "$(ask HEAD "/v2/team/bb/blobs/$layer")" 200
expect "no other one does" "$(ask HEAD "/v2/other/bb/blobs/$layer") $(ask GET "/v2/other/bb/blobs/$layer")" "404 404"
expect "nor is it mounted from nowhere" "$(ask POST "/v2/other/bb/blobs/uploads/?mount=$layer")" 202
expect "that upload is not needed" "$(ask DELETE "$(header Location)")" 204
copy "docker://$R/team/bb:1" "oci:$W/oci:1"
copy "oci:$W/oci:1" "docker://$R/deep/er/name:2"
copy "docker://$R/deep/er/name:2" "docker://$R/copied:3"
copy "docker://$R/copied:3" "docker-archive:$W/archive.tar:x:1"
docker pull -q "$R/copied:3" >/dev/null
docker tag "$R/copied:3" "$R/from/docker:4"
docker push -q "$R/from/docker:4" >/dev/null
expect "the image is the same" "$(docker image inspect -f '{{.Id}}' "$R/from/docker:4")" "$id"
gantry image ls --format json | jq -r '.[].references[]' | xargs gantry image rm -f >/dev/null
expect "it runs from there" "$(gantry run --rm "$R/from/docker:4" echo hello 2>/dev/null)" hello
expect "repositories" "$(gantry registry ls --format json | jq -r '[.[].name] | join(" ")')" "copied deep/er/name from/docker team/bb"
expect "tags" "$(gantry registry tags "$R/team/bb")" 1
expect "one copy of each blob" "$(find "$W/data/registry/sha256" -type f | wc -l)" "$(find "$W/data/registry/sha256" -type f -printf "%f\n" | sort -u | wc -l)"
expect "the layer of the engine stays as long as it is needed here" "$(gantry run --rm "$R/team/bb:1" echo still 2>/dev/null)" still

say "plain HTTP: pages, ranges, chunks, mounts, referrers"
expect "the catalog, a page" "$(ask GET '/v2/_catalog?n=2')" 200
expect "its names" "$(jq -c .repositories "$W/body")" '["copied","deep/er/name"]'
contains "the next page" "$(header Link)" 'last=deep'
head -c 3000000 /dev/urandom >"$W/blob"
blob=$(digest_of "$W/blob")
upload=$(begin raw)
head -c 1000000 "$W/blob" >"$W/part1"
tail -c +1000001 "$W/blob" >"$W/part2"
expect "a chunk" "$(ask PATCH "$upload" --data-binary "@$W/part1" -H 'Content-Range: 0-999999')" 202
expect "where it stands" "$(header Range)" 0-999999
expect "a chunk out of order" "$(ask PATCH "$upload" --data-binary "@$W/part1" -H 'Content-Range: 5-1000004')" 416
kill_daemon
serve
expect "after a kill" "$(ask GET "$upload")" 204
expect "it stands where it stood" "$(header Range)" 0-999999
expect "the rest" "$(ask PATCH "$upload" --data-binary "@$W/part2" -H 'Content-Range: 1000000-2999999')" 202
expect "its end" "$(ask PUT "$upload?digest=$blob")" 201
expect "the digest" "$(header Docker-Content-Digest)" "$blob"
expect "the whole" "$(ask GET "/v2/raw/blobs/$blob")" 200
cmp "$W/body" "$W/blob" || fail "the blob came back otherwise"
expect "a part" "$(ask GET "/v2/raw/blobs/$blob" -H 'Range: bytes=10-19')" 206
expect "the part's bytes" "$(digest_of "$W/body")" "$(tail -c +11 "$W/blob" | head -c 10 >"$W/ten"; digest_of "$W/ten")"
expect "behind its end" "$(ask GET "/v2/raw/blobs/$blob" -H 'Range: bytes=9000000-')" 416
expect "its length" "$(ask HEAD "/v2/raw/blobs/$blob"; header Content-Length)" 2003000000
expect "mounted elsewhere" "$(ask POST "/v2/other/raw/blobs/uploads/?mount=$blob&from=raw")" 201
expect "in one request" "$(ask POST "/v2/raw/blobs/uploads/?digest=$(digest_of "$W/ten")" --data-binary "@$W/ten" -H 'Content-Type: application/octet-stream')" 201
printf '{}' >"$W/empty"
empty=$(digest_of "$W/empty")
ask POST "/v2/raw/blobs/uploads/?digest=$empty" --data-binary "@$W/empty" >/dev/null
layers=$(jq -nc --arg d "$blob" '[{mediaType:"application/octet-stream",digest:$d,size:3000000}]')
config=$(jq -nc --arg d "$empty" '{mediaType:"application/vnd.oci.empty.v1+json",digest:$d,size:2}')
jq -nc --argjson l "$layers" --argjson c "$config" '{schemaVersion:2,mediaType:"application/vnd.oci.image.manifest.v1+json",config:$c,layers:$l}' >"$W/m"
put() { ask PUT "/v2/raw/manifests/$1" --data-binary "@$2" -H 'Content-Type: application/vnd.oci.image.manifest.v1+json'; }
expect "a manifest" "$(put one "$W/m")" 201
m=$(header Docker-Content-Digest)
jq -c --arg d "$m" --argjson s "$(wc -c <"$W/m")" '.artifactType="test/sum" | .annotations={a:"b"} | .subject={mediaType:.mediaType,digest:$d,size:$s}' "$W/m" >"$W/about"
expect "one about it" "$(put "$(digest_of "$W/about")" "$W/about")" 201
expect "said so" "$(header OCI-Subject)" "$m"
expect "its referrers" "$(ask GET "/v2/raw/referrers/$m?artifactType=test/sum")" 200
expect "the referrer" "$(jq -r '.manifests[0] | .digest + .artifactType + .annotations.a' "$W/body")" "$(digest_of "$W/about")test/sumb"
ask GET "/v2/raw/referrers/$m?artifactType=other" >/dev/null
expect "none of another kind" "$(jq '.manifests | length' "$W/body")" 0

say "what is refused, and how"
expect "a wrong digest" "$(ask POST "/v2/raw/blobs/uploads/?digest=$blob" --data-binary "@$W/ten") $(code)" "400 DIGEST_INVALID"
expect "no digest" "$(ask PUT "$(begin raw)" --data-binary "@$W/ten") $(code)" "400 DIGEST_INVALID"
expect "an unknown blob" "$(ask GET "/v2/raw/blobs/sha256:$(printf '%064d' 1)") $(code)" "404 BLOB_UNKNOWN"
expect "an unknown upload" "$(ask PATCH /v2/raw/blobs/uploads/../../x --path-as-is --data-binary x)" 404
expect "an unknown manifest" "$(ask GET /v2/raw/manifests/none) $(code)" "404 MANIFEST_UNKNOWN"
expect "an unknown repository" "$(ask GET /v2/nothing/tags/list) $(code)" "404 NAME_UNKNOWN"
expect "a bad name" "$(ask GET /v2/UPPER/tags/list) $(code)" "400 NAME_INVALID"
jq -c '.layers[0].digest = "sha256:" + "0" * 64' "$W/m" >"$W/lost"
expect "a manifest without its blobs" "$(put lost "$W/lost") $(code)" "404 MANIFEST_BLOB_UNKNOWN"
echo 'no json' >"$W/bad"
expect "no manifest" "$(put bad "$W/bad") $(code)" "400 MANIFEST_INVALID"
head -c 5000000 /dev/zero >"$W/huge"
expect "a manifest without end" "$(put huge "$W/huge") $(code)" "413 SIZE_INVALID"
copy "docker://$R/team/bb:1" "docker://$R/team/bb:v1"
expect "another image under an immutable tag" "$(status skopeo --insecure-policy copy -q --dest-tls-verify=false --src-tls-verify=false "docker://$R/raw:one" "docker://$R/team/bb:v1")" 1
expect "the immutable tag is not removed" "$(ask DELETE /v2/team/bb/manifests/v1) $(code)" "403 DENIED"
expect "a blob in use" "$(ask DELETE "/v2/raw/blobs/$blob") $(code)" "403 DENIED"

say "deleted and collected while it is used"
expect "the tag" "$(ask DELETE /v2/raw/manifests/one)" 202
expect "the manifest" "$(ask DELETE "/v2/raw/manifests/$m")" 202
expect "what was about it" "$(ask DELETE "/v2/raw/manifests/$(digest_of "$W/about")")" 202
open=$(begin raw)
gantry registry gc >/dev/null
expect "an upload that is going on" "$(ask PATCH "$open" --data-binary "@$W/ten")" 202
given=$(gantry registry gc --now --format json | jq .blobs)
expect "the blob of another repository stays no longer than its link" "$given" 3
expect "gone" "$(ask HEAD "/v2/raw/blobs/$blob")" 404
expect "--now means the upload, too" "$(ask GET "$open") $(code)" "404 BLOB_UPLOAD_UNKNOWN"
expect "one that is cancelled" "$(ask DELETE "$(begin raw)")" 204
expect "what is tagged stays" "$(gantry registry tags "$R/deep/er/name")" 2
contains "counted" "$(curl -s "http://$R/metrics")" 'gantry_registry_repositories 4'

say "killed while many push"
for round in 1 2 3 4 5; do
    pids=
    for n in 1 2 3; do
        head -c 20000000 /dev/urandom >"$W/rootfs/var/$n"
        curl -s -o /dev/null -X POST --data-binary "@$W/rootfs/var/$n" "http://$R/v2/kill/$n/blobs/uploads/?digest=$(digest_of "$W/rootfs/var/$n")" &
        pids="$pids $!"
    done
    sleep "0.0$round"
    kill_daemon
    wait $pids || true
    serve
done
rm -f "$W"/rootfs/var/[123]
gantry registry gc --now >/dev/null
expect "nothing of it is left" "$(find "$W/data/registry" -type f -size +10M | wc -l) $(find "$W/data/registry/uploads" -type f | wc -l)" "0 0"
gantry image rm -f "$R/from/docker:4" >/dev/null
expect "and what was there is whole" "$(gantry run --rm "$R/team/bb:1" echo whole 2>/dev/null)" whole

say "sign-in and TLS; never open by accident"
stop_daemon
htpasswd -Bbc -C 5 "$W/users" ann secret 2>/dev/null
contains "open to everybody" "$(gantryd --data-dir "$W/data" --run-dir "$W/run" --registry-listen 0.0.0.0:0 2>&1 || true)" "registry-insecure"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$W/key.pem" -out "$W/cert.pem" -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null
serve --registry-htpasswd "$W/users" --registry-tls-cert "$W/cert.pem" --registry-tls-key "$W/key.pem"
tls() { curl -s -o "$W/body" -D "$W/head" -w '%{http_code}' --cacert "$W/cert.pem" "$@"; }
expect "nobody" "$(tls "https://$R/v2/") $(code)" "401 UNAUTHORIZED"
contains "asked to sign in" "$(header WWW-Authenticate)" Basic
expect "a wrong password" "$(tls -u ann:wrong "https://$R/v2/")" 401
expect "the right one" "$(tls -u ann:secret "https://$R/v2/")" 200
copy --src-creds ann:secret "docker://$R/team/bb:1" "oci:$W/signed:1"
expect "without" "$(status skopeo --insecure-policy copy -q --src-tls-verify=false "docker://$R/team/bb:1" "oci:$W/unsigned:1")" 1
