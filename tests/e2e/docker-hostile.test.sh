#!/bin/bash
# Archives that mean harm, wherever one is taken in: docker cp, load, import and build. Nothing leaves its directory, nothing
# crashes, and what is refused says so. Links in containers that point out of them lead nowhere.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"
export DOCKER_BUILDKIT=0
mkdir outside && echo secret >outside/secret
alive() { kill -0 "$DAEMON" 2>/dev/null || { finding "$1: the daemon is gone"; start_daemon; }; }
contained() {
    [ -z "$(find "$W/outside" -name 'escaped*')" ] || finding "$1: something was written outside"
    [ ! -e "$W/escaped" ] && [ ! -e /escaped ] || finding "$1: something was written outside"
    expect "$1: what is outside is as it was" "$(cat outside/secret)" secret
    alive "$1"
}
kinds="dots absolute symlink symlinks hardlink devices names twice huge sparse cut noise empty bomb"
quietly docker run -d --name box busybox sleep 1000
quietly docker create --name still busybox true
for kind in $kinds; do
    say "$kind"
    /usr/bin/python3 "$GANTRY_SOURCE/tests/e2e/python/tars.py" "$W/$kind.tar" "$kind" "$W/outside" || finding "tars.py $kind"
    for container in box still; do
        timeout 20 docker cp - "$container:/tmp" <"$kind.tar" >cp.out 2>&1 || true
        contained "cp into $container, $kind"
    done
    expect "$kind: what a link stole is not the host's" "$(docker exec box sh -c 'cat /tmp/stolen /tmp/stolen2 2>/dev/null')" ""
    timeout 20 docker load -i "$kind.tar" >load.out 2>&1 && finding "$kind: loaded as an image: $(cat load.out)"
    contained "load, $kind"
    timeout 20 docker import "$kind.tar" "hostile-$kind" >import.out 2>&1 || true
    contained "import, $kind"
    timeout 60 docker build -q - <"$kind.tar" >build.out 2>&1 || true
    contained "build, $kind"
    # A root file system made of it must not lead out either.
    if docker image inspect "hostile-$kind" >/dev/null 2>&1; then
        id=$(docker create "hostile-$kind" /none) || continue
        docker cp "$id:/way/secret" - >/dev/null 2>cp.out && finding "$kind: the host's file was read through a link"
        docker cp "$id:/up$W/outside/secret" - >/dev/null 2>cp.out && finding "$kind: the host's file was read through links"
        echo over | docker cp - "$id:/way" >/dev/null 2>&1 || true
        contained "cp through a link, $kind"
        docker rm "$id" >/dev/null
        docker rmi "hostile-$kind" >/dev/null
    fi
done
for kind in cut noise huge; do
    refused "cp of $kind says so" 1 "" docker cp - box:/tmp <"$kind.tar"
    refused "import of $kind says so" 1 "" docker import "$kind.tar"
done
refused "load of noise says so" 1 "" docker load -i noise.tar

say "links that a running program changes"
quietly docker exec -d box sh -c "while :; do ln -sfn $W/outside /tmp/turn; ln -sfn / /tmp/turn; done"
for i in $(seq 30); do
    tar -C "$W" -c escaped-$i 2>/dev/null || { echo x >escaped-$i; }
    tar -C "$W" -c "escaped-$i" | docker cp - box:/tmp/turn >/dev/null 2>&1 || true
    rm -f "escaped-$i"
    docker cp "box:/tmp/turn$W/outside/secret" - >read.out 2>/dev/null && finding "the host's file was read: $(head -c 100 read.out)"
done
contained "a link that turns"
docker rm -f box still >/dev/null

say "a context that cannot be read"
mkdir context && printf 'FROM busybox\nCOPY ../outside/secret /\n' >context/Dockerfile
refused "COPY from above the context" 1 "" docker build -q context
printf 'FROM busybox\nCOPY way /\n' >context/Dockerfile
ln -s "$W/outside/secret" context/way
docker build -q -t linked context >/dev/null 2>&1 && expect "COPY of a link that leads out" "$(docker run --rm linked cat /way 2>/dev/null)" ""
docker rmi linked >/dev/null 2>&1 || true
expect "and it goes on" "$(docker run --rm busybox echo on)" on
expect "memory" "$([ "$(awk '/^VmRSS/ { print $2 }' /proc/$DAEMON/status)" -lt 200000 ] && echo bounded)" bounded
