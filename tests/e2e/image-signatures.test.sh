#!/bin/bash
# `gantry image cp --referrers`: signatures and attestations go along, from and to registries that know referrers (ours) and
# such that do not (docker-registry 2, where they are under tags). cosign is asked at the other end.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"
. "$(dirname "$0")/cosign-lib.sh"

P=$(free_port)
OLD=127.0.0.1:$P
serve old "$P"
OWN=127.0.0.1:$(free_port)
start_daemon --registry-listen "$OWN"
make_image "$OWN/app:1" 1 5
make_image "$OWN/app:many" 1 5 amd64 arm64
D=$(digest_at "$OWN/app:1")
MANY=$(digest_at "$OWN/app:many")
made sign "$OWN/app@$D"
made attest "$OWN/app@$D"
made sign2 "$OWN/app@$D"
made sign "$OWN/app@$MANY"
count() { jq -r ".$1" "$W/copied"; }
cp_json() { gantry image cp -q --format json "$@" >"$W/copied"; }

say "without --referrers they stay behind"
cp_json "$OWN/app:1" "$OLD/bare:1"
expect "the digest" "$(count digest)" "$D"
expect "referrers" "$(count referrers)" 0
refused "not signed there" verify "$OLD/bare:1"
refused "not signed there" verify2 "$OLD/bare:1"

say "to a registry that does not know referrers"
cp_json --referrers "$OWN/app:1" "$OLD/app:1"
expect "the digest" "$(count digest)" "$D"
expect "a signature, an attestation, and a signature under its tag" "$(count referrers)" 3
made verify "$OLD/app:1"
made verify2 "$OLD/app:1"
KEY=bob refused "another key" verify "$OLD/app:1"
expect "listed under the tag for it" "$(skopeo inspect --tls-verify=false --raw "docker://$OLD/app:sha256-${D#sha256:}" | jq -r '.manifests[].artifactType' | sort -u)" application/vnd.dev.sigstore.bundle.v0.3+json
before=$(digest_at "$OLD/app:sha256-${D#sha256:}")
gantry image cp --referrers "$OWN/app:1" "$OLD/app:1" >/dev/null 2>"$W/err"
contains "a second time nothing is sent" "$(cat "$W/err")" "3 referrers, 8 blobs, 0 B sent"
expect "and nothing listed twice" "$(digest_at "$OLD/app:sha256-${D#sha256:}")" "$before"

say "from there back to one that does"
cp_json -r "$OLD/app:1" "$OWN/back/app:1"
expect "referrers" "$(count referrers)" 3
made verify "$OWN/back/app:1"
made verify2 "$OWN/back/app:1"
expect "two referrers" "$(curl -fsS "http://$OWN/v2/back/app/referrers/$D" | jq '.manifests | length')" 2
expect "no tag for them" "$(gantry registry tags "$OWN/back/app" | sort | paste -sd' ')" "1 sha256-${D#sha256:}.sig"
made cosign verify-attestation "$PLAIN" --key "$W/ann.pub" --insecure-ignore-tlog=true --type custom "$OWN/back/app:1"

say "an index, what it lists, and what is about what is about it"
inner=$(skopeo inspect --tls-verify=false --raw "docker://$OWN/app:many" | jq -r '.manifests[1].digest')
made sign "$OWN/app@$inner"
signature=$(curl -fsS "http://$OWN/v2/app/referrers/$MANY" | jq -r '.manifests[0].digest')
made attest "$OWN/app@$signature"
for target in "$OLD" "$OWN"; do
    cp_json --all -r "$OWN/app:many" "$target/all/app:many"
    expect "three" "$(count referrers)" 3
    made verify "$target/all/app:many"
    made verify "$target/all/app@$inner"
    made cosign verify-attestation "$PLAIN" --key "$W/ann.pub" --insecure-ignore-tlog=true --type custom "$target/all/app@$signature"
done
