#!/bin/bash
# Docker's SDK for Python, and a reaper as Testcontainers has one, against docker.sock.
. "$(dirname "$0")/docker-lib.sh"
# Debian's interpreter: the SDK is a package of the distribution.
/usr/bin/python3 -c 'import docker' 2>/dev/null || fail "there is no SDK for Python (fix: run 'scripts/install-packages test')"
start_daemon
busybox_image
say "the SDK"
/usr/bin/python3 -W ignore "$GANTRY_SOURCE/tests/e2e/python/sdk.py" -v "$@" 2>&1 | tee "$W/sdk.log" | grep -E '^(test_|FAIL|ERROR|Ran|OK|[A-Za-z]*Error|    |docker)' || true
expect "the SDK's tests" "$(tail -n 1 "$W/sdk.log" | cut -d ' ' -f 1)" OK
skipped=$(grep ' skipped ' "$W/sdk.log" || true)
[ -z "$skipped" ] || finding "$skipped"
expect "nothing is left" "$(docker ps -aq | wc -l)" 0
