# Sourced after lib.sh by tests that sign: cosign 3, which keeps signatures as referrers, cosign 2, which keeps them under
# tags, keys of ann and bob in $W, and a predicate to attest. No transparency log is asked: there is none here.
: "${GANTRY_CLIENTS:=$GANTRY_SOURCE/build/clients}"
for client in cosign cosign-2; do
    [ -x "$GANTRY_CLIENTS/$client" ] || fail "there is no $client in $GANTRY_CLIENTS (fix: run 'scripts/fetch-clients build/clients')"
done

# Settings and sign-ins are this test's.
export HOME=$W/home COSIGN_PASSWORD=secret XDG_RUNTIME_DIR=$W/home/run DOCKER_CONFIG=$W/home/.docker
unset REGISTRY_AUTH_FILE
mkdir -p "$HOME/run" "$DOCKER_CONFIG"
echo "{}" >"$DOCKER_CONFIG/config.json"

made() { "$@" >"$W/out" 2>&1 </dev/null || fail "failed: $*: $(cat "$W/out")"; }
# refused DESCRIPTION COMMAND...: it says no by itself; one that hung was killed, and shows
refused() {
    local what=$1 code
    shift
    code=$(status "$@")
    [ "$code" != 0 ] && [ "$code" -lt 126 ] || fail "$what: status $code: $(cat "$W/out")"
}

cosign() { timeout -s KILL 60 "$GANTRY_CLIENTS/cosign" "$@"; }
cosign2() { timeout -s KILL 60 "$GANTRY_CLIENTS/cosign-2" "$@"; }
PLAIN=--allow-http-registry
NO_LOG="--tlog-upload=false --use-signing-config=false"
sign() { cosign sign -y "$PLAIN" --key "$W/ann.key" $NO_LOG "$@"; }
sign2() { cosign2 sign -y "$PLAIN" --key "$W/ann.key" --tlog-upload=false "$@"; }
# KEY=bob verify IMAGE: with another key than ann's
verify() { cosign verify "$PLAIN" --key "$W/${KEY:-ann}.pub" --insecure-ignore-tlog=true "$@"; }
verify2() { cosign2 verify "$PLAIN" --key "$W/${KEY:-ann}.pub" --insecure-ignore-tlog=true "$@"; }
attest() { cosign attest -y "$PLAIN" --key "$W/ann.key" $NO_LOG --type custom --predicate "$W/predicate" "$@"; }
digest_at() { echo "sha256:$(skopeo inspect --tls-verify=false --raw "docker://$1" | sha256sum | cut -d ' ' -f 1)"; }

echo '{"built":"here"}' >"$W/predicate"
for name in ann bob; do (cd "$W" && made cosign generate-key-pair --output-key-prefix "$name"); done
