#!/bin/bash
# The docker client's image commands and its classic builder against our socket, and skopeo in both directions.
. "$(dirname "$0")/lib.sh"
docker_client
trap finish EXIT
start_daemon
busybox_image
export DOCKER_HOST=unix://$W/run/docker.sock DOCKER_CONFIG=$W/docker-config DOCKER_BUILDKIT=0
mkdir -p "$DOCKER_CONFIG"

say "names"
docker tag busybox:latest team/app:1
docker tag busybox:latest registry.example:5000/team/app:2
expect "tags" "$(docker images --format '{{.Repository}}:{{.Tag}}' | sort | tr '\n' ' ')" \
    "busybox:latest registry.example:5000/team/app:2 team/app:1 "
expect "reference filter" "$(docker images -q --filter 'reference=team/*' | wc -l)" 1
expect "pattern" "$(docker images --format '{{.Repository}}' 'busy*')" busybox
expect "unknown image" "$(status docker image inspect gone)" 1
contains "unknown image" "$(cat "$W/out")" "No such image: gone"
expect "bad name" "$(status docker tag busybox UPPER)" 1
contains "bad name" "$(cat "$W/out")" "invalid reference format"
id=$(docker image inspect -f '{{.Id}}' busybox)
expect "inspect by short id" "$(docker image inspect -f '{{.Id}}' "${id:7:12}")" "$id"
expect "architecture" "$(docker image inspect -f '{{.Os}}/{{.Architecture}}' team/app:1)" "linux/amd64"

say "removal"
expect "by id, several repositories" "$(status docker rmi "$id")" 1
contains "by id" "$(cat "$W/out")" "(must be forced) - image is referenced in multiple repositories"
contains "by name" "$(docker rmi team/app:1)" "Untagged: team/app:1"
docker create --name user busybox true >/dev/null
docker rmi registry.example:5000/team/app:2 >/dev/null
expect "in use" "$(status docker rmi busybox)" 1
contains "in use" "$(cat "$W/out")" 'unable to remove repository reference "busybox" (must force) - container'
docker rm user >/dev/null

say "import"
contains "import" "$(docker import --change 'CMD ["/bin/sh"]' --change 'ENV A=b' --message hello "$W/rootfs.tar" imported:1)" sha256:
expect "changes" "$(docker image inspect -f '{{.Config.Cmd}} {{.Config.Env}} {{.Comment}}' imported:1)" "[/bin/sh] [A=b] hello"
expect "history" "$(docker history --format '{{.Comment}}' imported:1)" hello
expect "bad change" "$(status docker import --change 'RUN x' "$W/rootfs.tar")" 1
contains "bad change" "$(cat "$W/out")" "not a valid change command"

say "build"
mkdir "$W/context"
echo content >"$W/context/file"
cat >"$W/context/Dockerfile" <<'DOCKERFILE'
# syntax=docker/dockerfile:1
ARG BASE=busybox
FROM $BASE AS first
ARG WHO=nobody
RUN --mount=type=cache,target=/cache --mount=target=/src echo "$WHO" >/who && cat /src/file >/copied
COPY <<TEXT /text
hello $WHO
TEXT
FROM first
LABEL a=b
COPY --chown=1:2 --chmod=0600 file /owned
CMD ["cat", "/who"]
DOCKERFILE
docker build -t built:1 -t built:2 --build-arg WHO=me --label c=d "$W/context" >"$W/out" 2>/dev/null
contains "build" "$(cat "$W/out")" "Step 2/8 : ARG WHO=nobody"
contains "build" "$(cat "$W/out")" "Successfully tagged built:2"
expect "the image named last is there" "$(docker image inspect -f '{{slice .Id 7 19}}' built:1)" \
    "$(sed -n 's/^Successfully built //p' "$W/out")"
expect "run" "$(docker run --rm built:1)" me
expect "files" "$(docker run --rm built:1 sh -c 'cat /text; stat -c %u:%g:%a /owned; cat /copied')" $'hello me\n1:2:600\ncontent'
expect "labels" "$(docker image inspect -f '{{.Config.Labels.a}}{{.Config.Labels.c}}' built:1)" bd
docker build --build-arg WHO=me --label c=d "$W/context" >"$W/out" 2>/dev/null
contains "cache" "$(cat "$W/out")" " ---> Using cache"
expect "quiet" "$(docker build -q --build-arg WHO=me --label c=d "$W/context" 2>/dev/null | cut -c1-7)" sha256:
expect "target" "$(docker build -q --target first "$W/context" 2>/dev/null | cut -c1-7)" sha256:
printf 'FROM busybox\nRUN { ulimit -Sn; ulimit -Hn; df -m /dev/shm | awk "NR == 2 { print \\$2 }"; } >/limits\n' >"$W/context/Limits"
docker build -q -t limits -f "$W/context/Limits" --shm-size 48m --ulimit nofile=200:300 "$W/context" >"$W/out" 2>&1
expect "limits of the steps" "$(docker run --rm limits cat /limits)" $'200\n300\n48'
docker rmi limits >/dev/null
printf 'FROM busybox\nRUN exit 7\n' >"$W/context/Failing"
expect "a failing step" "$(status docker build -f "$W/context/Failing" "$W/context")" 7
contains "a failing step" "$(cat "$W/out")" "The command '/bin/sh -c exit 7' returned a non-zero code: 7"
expect "from standard input" "$(printf 'FROM busybox\nENV X=y\n' | docker build -q - 2>/dev/null | cut -c1-7)" sha256:
printf 'FROM busybox\nFORM x\n' >"$W/context/Wrong"
expect "a mistake" "$(status docker build -f "$W/context/Wrong" "$W/context")" 1
contains "a mistake" "$(cat "$W/out")" 'unknown instruction "FORM"'

say "save and load"
docker save -o "$W/built.tar" built:1 busybox
id=$(docker image inspect -f '{{.Id}}' built:1)
docker rmi -f built:1 built:2 >/dev/null
contains "load" "$(docker load -i "$W/built.tar")" "Loaded image: built:1"
expect "the same id" "$(docker image inspect -f '{{.Id}}' built:1)" "$id"
expect "save of nothing" "$(status docker save -o "$W/none.tar" nothing)" 1
contains "save of nothing" "$(cat "$W/out")" "No such image: nothing"
expect "load of nonsense" "$(echo nonsense | status docker load)" 1

if command -v skopeo >/dev/null; then
    say "skopeo"
    skopeo copy -q "docker-archive:$W/built.tar:built:1" "oci:$W/layout:built"
    skopeo copy -q "docker-daemon:built:1" "docker-archive:$W/skopeo.tar:fromskopeo:1" --src-daemon-host "unix://$W/run/docker.sock"
    docker load -q -i "$W/skopeo.tar" >/dev/null
    expect "through skopeo" "$(docker image inspect -f '{{.Id}}' fromskopeo:1)" "$id"
    skopeo copy -q "docker-archive:$W/built.tar:built:1" docker-daemon:byskopeo:1 --dest-daemon-host "unix://$W/run/docker.sock"
    expect "by skopeo" "$(docker run --rm byskopeo:1)" me
fi

say "disk usage and prune"
contains "df" "$(docker system df --format '{{.Type}} {{.TotalCount}}')" "Images"
docker system df -v >/dev/null
docker build -q --build-arg WHO=dangling "$W/context" >/dev/null 2>&1
contains "prune" "$(docker image prune -f)" "Total reclaimed space"
expect "nothing dangles" "$(docker images -q --filter dangling=true | wc -l)" 0
contains "builder prune" "$(docker builder prune -f 2>&1)" "Total"
contains "prune all" "$(docker image prune -a -f)" "untagged: built:1"
expect "nothing is left" "$(docker images -q | wc -l)" 0
