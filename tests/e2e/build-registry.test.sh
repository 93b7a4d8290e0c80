#!/bin/bash
# `gantry build --push`, and build caches in registries: Debian's docker-registry, also with sign-in, and the one inside
# gantryd. That a step came from there is seen by random numbers that are the same again after the daemon forgot its own cache.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/registry-lib.sh"
command -v htpasswd >/dev/null || fail "htpasswd is not installed (packaging/packages.test)"

P=$(free_port)
serve open "$P"
mkdir "$W/closed"
htpasswd -Bbc "$W/closed/htpasswd" ann secret 2>/dev/null
P2=$(free_port)
serve closed "$P2"
OPEN=127.0.0.1:$P CLOSED=127.0.0.1:$P2 OWN=127.0.0.1:$(free_port)
export DOCKER_CONFIG=$W/docker
serve_own() { start_daemon --registry-listen "$OWN"; }
serve_own
busybox_image base:1
mkdir "$W/empty"
inside() { gantry run --rm "$@" 2>/dev/null; }
# forget: the daemon has no image but the base and knows no step any more. Layers that its registry needs stay.
forget() {
    gantry image ls --format json | jq -r '.[].references[]' | { grep -v '^base:1$' || true; } | xargs -r gantry image rm -f >/dev/null
    gantry prune >/dev/null
    stop_daemon
    python3 -c 'import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute("DELETE FROM build_cache"); db.commit()' "$W/data/gantry.db"
    serve_own
}
cat >"$W/Dockerfile" <<'EOF'
FROM base:1 AS made
RUN head -c 16 /dev/urandom | md5sum >/random
FROM base:1
ARG end=1
COPY --from=made /random /
RUN cat /random >/again
RUN echo $end >/end
EOF
build() { gantry build -q -f "$W/Dockerfile" "$@" "$W/empty"; }

say "--push"
for at in "$OPEN" "$OWN"; do
    id=$(build --push -t "$at/app:1" -t "$at/other/app:2")
    random=$(inside "$at/app:1" cat /random)
    for name in app:1 other/app:2; do
        expect "$name" "$(skopeo inspect --tls-verify=false --config --raw "docker://$at/$name" | sha256sum | cut -d ' ' -f 1)" "${id#sha256:}"
    done
    forget
    expect "pulled again" "$(inside "$at/app:1" cat /random)" "$random"
done
expect "without a name" "$(status build --push)" 2
contains "why" "$(cat "$W/out")" "--tag"
P3=$(free_port)
[ "$(status build --push -t "127.0.0.1:$P3/app:1")" != 0 ] || fail "pushed to nobody"
contains "why" "$(cat "$W/out")" "127.0.0.1:$P3"
expect "what was built is kept" "$(inside "127.0.0.1:$P3/app:1" cat /end)" 1
forget

say "--cache-to and --cache-from"
for at in "$OPEN" "$OWN"; do
    build -t app:1 --cache-to "type=registry,ref=$at/app:cache,mode=max" >/dev/null
    random=$(inside app:1 cat /random)
    forget
    build -t app:2 --build-arg end=2 --cache-from "type=registry,ref=$at/app:cache" >/dev/null
    expect "the same random number, from $at" "$(inside app:2 cat /again)" "$random"
    expect "and another end" "$(inside app:2 cat /end)" 2
    forget
    build -t app:3 >/dev/null
    [ "$(inside app:3 cat /random)" != "$random" ] || fail "without --cache-from it is the same number: this test shows nothing"
    forget
    # What is in the image itself are the steps of its last stage.
    printf 'FROM base:1\nRUN head -c 16 /dev/urandom | md5sum >/random\n' >"$W/single"
    gantry build -q -f "$W/single" -t "$at/app:inline" --push --cache-to type=inline "$W/empty" >/dev/null
    random=$(inside "$at/app:inline" cat /random)
    forget
    gantry build -q -f "$W/single" -t app:4 --cache-from "$at/app:inline" "$W/empty" >/dev/null
    expect "from the image itself, $at" "$(inside app:4 cat /random)" "$random"
    forget
done
build -t app:5 --cache-from "$OPEN/none:1" >"$W/out" 2>&1 || fail "a cache that is not there yet is no error: $(cat "$W/out")"
random=$(inside app:5 cat /random)
skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false "docker://$OPEN/app:cache" "docker://$OWN/moved:cache"
first=$(skopeo inspect --tls-verify=false --raw "docker://$OPEN/app:cache" | jq -r '.layers | length')
[ "$first" -gt 3 ] || fail "the cache has $first layers"

say "where one has to sign in"
forget
[ "$(status build --push -t "$CLOSED/app:1")" != 0 ] || fail "pushed without signing in"
contains "what to do" "$(cat "$W/out")" "gantry login"
echo secret | gantry login -u ann --password-stdin "$CLOSED" >/dev/null 2>&1
build --push -t "$CLOSED/app:1" --cache-to "$CLOSED/app:cache" >/dev/null
random=$(inside "$CLOSED/app:1" cat /random)
forget
build -t app:6 --cache-from "$CLOSED/app:cache" >/dev/null
expect "from there" "$(inside app:6 cat /random)" "$random"
forget
printf 'FROM %s/app:1\nRUN cp /random /copied\n' "$CLOSED" >"$W/based"
gantry build -q -f "$W/based" -t app:7 "$W/empty" >/dev/null || fail "a base image where one has to sign in"
expect "based on it" "$(inside app:7 cat /copied)" "$random"
gantry logout "$CLOSED" >/dev/null
forget
[ "$(status gantry build -q -f "$W/based" -t app:7 "$W/empty")" != 0 ] || fail "built without signing in"
gantry image ls -q | sort -u | while read -r image; do gantry image rm -f "$image" >/dev/null; done
