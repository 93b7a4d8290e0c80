#!/bin/sh
# Makes the database on the first start, then runs the server. A start that was cut off is started over.
set -eu
if [ ! -e "$PGDATA/.initialised" ]; then
    find "$PGDATA" -mindepth 1 -delete
    password=$(mktemp)
    printf '%s' "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}" > "$password"
    initdb -U guestbook --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --no-sync
    rm -f "$password"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    pg_ctl start -w -o "-c listen_addresses='' -c fsync=off"
    createdb -U guestbook guestbook
    psql -U guestbook -v ON_ERROR_STOP=1 -q -f /usr/local/share/guestbook/schema.sql guestbook
    pg_ctl stop -w -m fast
    sync
    touch "$PGDATA/.initialised"
fi
exec "$@"
