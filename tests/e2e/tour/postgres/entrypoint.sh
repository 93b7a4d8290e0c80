#!/bin/sh
set -e
[ -s "$PGDATA/PG_VERSION" ] || initdb --auth=trust --no-sync >/dev/null
exec "$@"
