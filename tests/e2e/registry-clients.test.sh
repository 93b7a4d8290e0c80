#!/bin/bash
# Clients of the registry inside gantryd that it was not written beside: cosign (both ways to keep a signature) and podman,
# also with TLS and sign-in. What they say is believed only when the same command says no to something else.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cosign-lib.sh"
for client in podman conmon; do
    [ -x "$GANTRY_CLIENTS/$client" ] || fail "there is no $client in $GANTRY_CLIENTS (fix: run 'scripts/fetch-clients build/clients')"
done
for program in skopeo htpasswd openssl; do
    command -v "$program" >/dev/null || fail "$program is not installed (packaging/packages.test)"
done
podman() {
    LD_LIBRARY_PATH=$GANTRY_CLIENTS timeout -s KILL 60 "$GANTRY_CLIENTS/podman" --conmon "$GANTRY_CLIENTS/conmon" \
        --root "$W/podman/root" --runroot "$W/podman/run" --tmpdir "$W/podman/tmp" --storage-driver vfs \
        --cgroup-manager cgroupfs --events-backend none "$@"
}
digest() { digest_at "$R/$1:$2"; }
tags() { gantry registry tags "$R/$1" | sort | paste -sd' '; }
# referrers REPOSITORY DIGEST: their kinds
referrers() { curl -fsS "http://$R/v2/$1/referrers/$2" | jq -r '.manifests[].artifactType' | sort | paste -sd' '; }

R=127.0.0.1:$(free_port)
start_daemon --registry-listen "$R"
busybox_image bb:1
printf 'FROM bb:1\nRUN echo two >/two\n' >"$W/Dockerfile"
mkdir "$W/empty"
gantry build -q -t "$R/team/bb:2" -f "$W/Dockerfile" "$W/empty" >/dev/null
gantry tag bb:1 "$R/team/bb:1"
for tag in 1 2; do gantry push -q "$R/team/bb:$tag" >/dev/null; done
D=$(digest team/bb 1)

say "cosign: a signature as referrer"
refused "not signed yet" verify "$R/team/bb:1"
made sign "$R/team/bb@$D"
made verify "$R/team/bb:1"
contains "what was signed" "$(cat "$W/out")" "$D"
expect "a referrer" "$(referrers team/bb "$D")" application/vnd.dev.sigstore.bundle.v0.3+json
expect "no tag" "$(tags team/bb)" "1 2"
refused "another image" verify "$R/team/bb:2"
KEY=bob refused "another key" verify "$R/team/bb:1"
made attest "$R/team/bb@$D"
attested() { "$1" verify-attestation "$PLAIN" --key "$W/$2.pub" --insecure-ignore-tlog=true --type custom "$R/team/bb:1"; }
made attested cosign ann
contains "the predicate" "$(grep '^{' "$W/out" | jq -r .payload | base64 -d | jq -r .predicate.Data)" "$(cat "$W/predicate")"
refused "an attestation of another" attested cosign bob
expect "two referrers" "$(referrers team/bb "$D" | wc -w)" 2

say "cosign: signatures, attestations and lists of parts under tags"
hex=${D#sha256:}
refused "not signed in this way" verify2 "$R/team/bb:1"
made sign2 "$R/team/bb@$D"
expect "the tag" "$(tags team/bb)" "1 2 sha256-$hex.sig"
expect "where cosign says it is" "$(cosign2 triangulate "$PLAIN" "$R/team/bb:1")" "$R/team/bb:sha256-$hex.sig"
made verify2 "$R/team/bb:1"
refused "another image" verify2 "$R/team/bb:2"
KEY=bob refused "another key" verify2 "$R/team/bb:1"
made cosign2 attest -y "$PLAIN" --key "$W/ann.key" --tlog-upload=false --type custom --predicate "$W/predicate" "$R/team/bb@$D"
made attested cosign2 ann
made cosign2 attach sbom "$PLAIN" --sbom "$W/predicate" --type spdx "$R/team/bb@$D"
expect "it comes back" "$(cosign2 download sbom "$PLAIN" "$R/team/bb:1" 2>/dev/null)" "$(cat "$W/predicate")"
# The second signature goes under the same tag: manifests with that tag are read, added to and pushed again.
before=$(digest team/bb "sha256-$hex.sig")
made cosign2 sign -y "$PLAIN" --key "$W/bob.key" --tlog-upload=false "$R/team/bb@$D"
[ "$(digest team/bb "sha256-$hex.sig")" != "$before" ] || fail "the second signature is not there"
made verify2 "$R/team/bb:1"
KEY=bob made verify2 "$R/team/bb:1"
expect "its tags" "$(tags team/bb)" "1 2 sha256-$hex.att sha256-$hex.sbom sha256-$hex.sig"

say "cosign: signatures outlive collection, and end with what they are about"
D2=$(digest team/bb 2)
COSIGN_EXPERIMENTAL=1 made sign2 --registry-referrers-mode=oci-1-1 "$R/team/bb@$D2"
expect "its referrer" "$(referrers team/bb "$D2")" application/vnd.dev.cosign.artifact.sig.v1+json
gantry registry gc --untagged --now >/dev/null
made verify "$R/team/bb:1"
made verify2 "$R/team/bb:1"
COSIGN_EXPERIMENTAL=1 made verify2 --experimental-oci11 "$R/team/bb:2"
curl -fsS -X DELETE "http://$R/v2/team/bb/manifests/$D2"
expect "it waits for what it is about" "$(referrers team/bb "$D2" | wc -w)" 1
gantry registry gc --untagged --now >/dev/null
expect "nothing is about what is gone" "$(referrers team/bb "$D2")" ""
made verify "$R/team/bb:1"
made cosign2 clean -f "$PLAIN" "$R/team/bb:1"
expect "cosign clean" "$(tags team/bb)" 1
refused "no signature any more" verify2 "$R/team/bb:1"

say "podman: pulled, pushed in each form, looked at"
made podman pull --tls-verify=false "$R/team/bb:1"
expect "the same image" "$(podman image inspect -f '{{.Id}}' "$R/team/bb:1")" "$(gantry image inspect bb:1 | jq -r '.[0].id' | cut -d: -f2)"
expect "the same digest" "$(podman image inspect -f '{{.Digest}}' "$R/team/bb:1")" "$D"
id=$(podman image inspect -f '{{.Id}}' "$R/team/bb:1")
made podman tag "$R/team/bb:1" "$R/from/podman:1"
made podman push --tls-verify=false --remove-signatures "$R/from/podman:1"
for form in oci v2s2; do
    made podman push --tls-verify=false --format "$form" "$R/from/podman:1" "docker://$R/from/podman:$form"
    skopeo inspect --tls-verify=false --raw "docker://$R/from/podman:$form" | jq -r .mediaType >>"$W/types"
done
expect "forms" "$(paste -sd' ' "$W/types")" "application/vnd.oci.image.manifest.v1+json application/vnd.docker.distribution.manifest.v2+json"
for kind in gzip zstd; do
    # A layer that nobody has yet is sent packed.
    seq 100000 >"$W/rootfs/$kind"
    tar -C "$W/rootfs" -cf "$W/own.tar" "$kind" bin
    made podman import "$W/own.tar" "$R/packed/$kind:1"
    made podman push --tls-verify=false --format oci --compression-format "$kind" "$R/packed/$kind:1"
    expect "$kind" "$(skopeo inspect --tls-verify=false --raw "docker://$R/packed/$kind:1" | jq -r '.layers[0].mediaType')" "application/vnd.oci.image.layer.v1.tar+$kind"
    expect "it runs" "$(gantry run --rm "$R/packed/$kind:1" tail -n 1 "/$kind" 2>/dev/null)" 100000
done
made podman manifest create many
made podman manifest add --tls-verify=false many "docker://$R/from/podman:oci"
made podman manifest push --all --tls-verify=false many "docker://$R/from/podman:many"
expect "tags" "$(podman search --list-tags --tls-verify=false "$R/from/podman" | awk 'NR > 1 { print $2 }' | sort | paste -sd' ')" "1 many oci v2s2"
made podman rmi -af
for name in from/podman:oci from/podman:v2s2 from/podman:many; do
    made podman pull --tls-verify=false "$R/$name"
    expect "$name" "$(podman image inspect -f '{{.Id}}' "$R/$name")" "$id"
    made podman rmi -f "$R/$name"
done
gantry image ls --format json | jq -r '.[].references[]' | xargs gantry image rm -f >/dev/null
gantry run --rm "$R/from/podman:many" true 2>/dev/null || fail "what podman pushed does not run here"

say "TLS and sign-in"
stop_daemon
htpasswd -Bbc -C 5 "$W/users" ann secret 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$W/key.pem" -out "$W/cert.pem" -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>/dev/null
mkdir "$W/certs"
cp "$W/cert.pem" "$W/certs/ca.crt"
start_daemon --registry-listen "$R" --registry-htpasswd "$W/users" --registry-tls-cert "$W/cert.pem" --registry-tls-key "$W/key.pem"
refused "podman, not signed in" podman pull --cert-dir "$W/certs" "$R/team/bb:1"
refused "podman, a wrong password" podman login --cert-dir "$W/certs" -u ann -p wrong "$R"
made podman login --cert-dir "$W/certs" -u ann -p secret "$R"
made podman pull --cert-dir "$W/certs" "$R/team/bb:1"
refused "podman, a certificate it does not know" podman pull "$R/team/bb:1"
contains "why" "$(cat "$W/out")" x509
made podman push --cert-dir "$W/certs" "$R/team/bb:1" "docker://$R/secret/bb:1"
# cosign would take the sign-in of podman.
made podman logout "$R"
export SSL_CERT_FILE=$W/cert.pem
PLAIN=--verbose=false
refused "cosign, not signed in" verify "$R/team/bb:1"
contains "why" "$(cat "$W/out")" UNAUTHORIZED
made cosign login "$R" -u ann -p secret
made sign "$R/secret/bb@$D"
made verify "$R/secret/bb:1"
made podman rmi -af
gantry image rm -f "$R/from/podman:many" >/dev/null
