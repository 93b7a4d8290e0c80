#!/bin/sh
# nginx does not read /etc/resolv.conf by itself.
set -eu
servers=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf | tr '\n' ' ')
echo "resolver $servers valid=2s;" > /etc/nginx/conf.d/resolver.conf
exec "$@"
