# Sourced by the tests that drive Docker's own clients against docker.sock: what lib.sh does, and the clients.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

: "${GANTRY_CLIENTS:=$GANTRY_SOURCE/build/clients}"
for client in docker docker-compose; do
    [ -x "$GANTRY_CLIENTS/$client" ] || fail "there is no $client in $GANTRY_CLIENTS (fix: run 'scripts/fetch-clients build/clients')"
done
# The client's own settings are this test's, and its plugins those that were fetched.
export DOCKER_HOST=unix://$W/run/docker.sock DOCKER_CONFIG=$W/docker-config DOCKER_CLI_HINTS=false
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION COMPOSE_FILE COMPOSE_PROJECT_NAME
mkdir -p "$DOCKER_CONFIG/cli-plugins" "$W/clients"
echo '{}' >"$DOCKER_CONFIG/config.json"
ln -s "$GANTRY_CLIENTS/docker-compose" "$DOCKER_CONFIG/cli-plugins/docker-compose"
# Nothing a test asks for takes a minute: a client that hangs is killed, and shows as status 137.
printf '#!/bin/sh\nexec timeout --foreground -s KILL 60 "%s" "$@"\n' "$GANTRY_CLIENTS/docker" >"$W/clients/docker"
chmod +x "$W/clients/docker"
PATH=$W/clients:$PATH

# A tour goes on after a finding, so that one run shows all of them: these write it down, and finish counts.
finding() {
    local depth=0
    while [[ "${BASH_SOURCE[depth]}" == *lib.sh ]]; do depth=$((depth + 1)); done
    local kind=FAIL file=findings
    # What the engine says it cannot do yet is neither a pass nor a failure: the test counts as skipped, and says why.
    if [[ "$*" == *"is not supported yet"* || "$*" == *"no such route: /containers"* ]]; then kind="NOT YET" file=not-yet; fi
    echo "$kind (line ${BASH_LINENO[depth - 1]}): $*" >&2
    echo "$*" | tr '\n' ' ' >>"$W/$file"
    echo >>"$W/$file"
}
set +e
trap 'finding "failed ($?): $BASH_COMMAND"' ERR
expect() { [ "$2" = "$3" ] || finding "$1: got '$2', wanted '$3'"; }
contains() { case "$2" in *"$3"*) ;; *) finding "$1: '$3' is not in: $2" ;; esac; }
lacks() { case "$2" in *"$3"*) finding "$1: '$3' is in: $2" ;; esac; }
# matches DESCRIPTION TEXT EXTENDED_REGULAR_EXPRESSION (of the whole text)
matches() { [[ "$2" =~ ^$3$ ]] || finding "$1: '$2' does not match '$3'"; }
# refused DESCRIPTION WANTED_STATUS PART_OF_MESSAGE COMMAND...
refused() {
    local what=$1 code=$2 part=$3
    shift 3
    expect "$what: status" "$(status "$@")" "$code"
    contains "$what: message" "$(cat "$W/out")" "$part"
}
# in_time DESCRIPTION SECONDS COMMAND...: like eventually, but a finding
in_time() {
    local what=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { finding "$what: did not come true in time: $*"; return 0; }
        sleep 0.1
    done
}
# field CONTAINER TEMPLATE
field() { docker inspect --format "$2" "$1"; }
# raw METHOD PATH [curl options]: the API without a client; the body, then the status in a line of its own
raw() {
    local method=$1 path=$2
    shift 2
    curl -sS --max-time 20 --unix-socket "$W/run/docker.sock" -X "$method" -w '\n%{http_code}' "$@" "http://docker$path"
}
# made COMMAND...: for what must succeed and whose output nobody wants; its status, for what depends on it
made() {
    "$@" >"$W/out" 2>&1 </dev/null && return
    finding "failed ($?): $*: $(tail -n 5 "$W/out")"
    return 1
}
quietly() { made "$@" || true; }
