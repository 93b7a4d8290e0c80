#!/bin/bash
# Dockerfiles as projects have them, on a base bootstrapped from Debian's archive, built and run. A few by default; all
# ten, compilers and all, with GANTRY_BUILD_TOUR=all.
. "$(dirname "$0")/lib.sh"
start_daemon
gantry image bootstrap -q debian:bookworm >/dev/null
tour=$GANTRY_SOURCE/tests/e2e/tour

# built NAME [OPTIONS]: builds it twice; the second time comes from the cache and is the same image.
built() {
    local name=$1 first second begin=$SECONDS
    shift
    first=$(gantry build -q -t "tour/$name" "$@" "$tour/$name")
    say "$name: built in $((SECONDS - begin)) s"
    second=$(gantry build -q -t "tour/$name" "$@" "$tour/$name")
    expect "$name from the cache" "$second" "$first"
}
prints() { contains "$1" "$(gantry run --rm "tour/$1" "${@:2}" 2>&1)" "$wanted"; }

# page IMAGE PORT: what it serves.
page() {
    local port=$((20000 + RANDOM % 20000))
    gantry run -d --name site -p "127.0.0.1:$port:$2" "tour/$1" >/dev/null
    eventually 20 curl -fsS "http://127.0.0.1:$port/"
    curl -fsS "http://127.0.0.1:$port/"
    gantry rm -f site >/dev/null
}

tour_scratch() {
    built scratch
    expect "what is in it" "$(gantry build -q -o - "$tour/scratch" | tar t | grep -c '^./bin/.')" 1
    contains page "$(page scratch 8080)" scratch
}
tour_nginx() {
    built nginx --build-arg PORT=8081
    contains page "$(page nginx 8081)" static
}
tour_python() {
    built python
    wanted='python 3.11' prints python
    expect "tests stay out" "$(status gantry run --rm tour/python test -e app_test.py)" 1
}
tour_redis() {
    built redis --build-arg MEMORY=32mb
    wanted='maxmemory 32mb' prints redis cat /etc/redis/conf/EOF
    echo 'FROM tour/redis' >"$W/onbuild"
    status gantry build -q -f "$W/onbuild" "$tour/redis" >/dev/null
    contains "ONBUILD is remembered" "$(cat "$W/out")" redis.conf
}
tour_node() {
    built node
    wanted='node 1.2.3' prints node
}
tour_php() {
    built php
    wanted='php 64M' prints php php public/index.php
}
tour_cpp() {
    built cpp
    wanted='hello, world' prints cpp
    gantry build -q --target test "$tour/cpp" >/dev/null
}
tour_go() {
    built go --build-arg VERSION=7
    wanted='server 7' prints go
}
tour_java() {
    built java
    wanted='java 17' prints java
}
tour_postgres() {
    built postgres
    gantry run -d --name db tour/postgres >/dev/null
    eventually 30 gantry exec db psql -qtc 'select 1'
    contains answer "$(gantry exec db psql -qtc 'select 6 * 7')" 42
    gantry rm -f -v db >/dev/null
}

case ${GANTRY_BUILD_TOUR:-few} in
all) names="scratch nginx python redis node php cpp go java postgres" ;;
few) names="scratch python" ;;
*) names=$GANTRY_BUILD_TOUR ;;
esac
for name in $names; do "tour_$name"; done
