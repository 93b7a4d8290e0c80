#!/bin/bash
# Older versions of the Docker Engine API: what came and went with a version is there and away in its answers, and what a
# version did not know yet is not heeded in its requests. The version history of the API is what this is compared with.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"
# get VERSION PATH FILTER: what jq makes of the answer
get() { curl -sS --max-time 20 --unix-socket "$W/run/docker.sock" "http://docker/v$1$2" | jq -c "$3"; }
json=(-H 'Content-Type: application/json')
# create VERSION BODY: the id of a new container
create() {
    local answer
    answer=$(curl -sS --max-time 20 --unix-socket "$W/run/docker.sock" "${json[@]}" -d "$2" "http://docker/v$1/containers/create")
    echo "$answer" | jq -er .Id || finding "create at $1: $answer"
}
gone() { docker rm -f "$1" >/dev/null; }
has() { get "$1" "$2" "has(\"$3\")"; }

say "every version answers"
for minor in $(seq 24 51); do
    expect "1.$minor: ping" "$(raw GET "/v1.$minor/_ping")" "$(printf 'OK\n200')"
    expect "1.$minor: version" "$(get "1.$minor" /version .ApiVersion)" '"1.51"'
    expect "1.$minor: a life" "$(id=$(create "1.$minor" '{"Image":"busybox","Cmd":["true"]}'); raw POST "/v1.$minor/containers/$id/start" | xargs; raw POST "/v1.$minor/containers/$id/wait" | head -n 1 | jq -c .StatusCode; raw DELETE "/v1.$minor/containers/$id" | tail -n 1)" "$(printf '204\n0\n204')"
done
for minor in 25 30 38 41 44 47 51; do
    expect "docker at 1.$minor" "$(DOCKER_API_VERSION=1.$minor docker run --rm busybox echo "at $minor" 2>&1)" "at $minor"
    expect "docker ps, images, info at 1.$minor" "$(for verb in "ps -a" images info "network ls" "volume ls" "system df"; do DOCKER_API_VERSION=1.$minor docker $verb >/dev/null 2>&1 || echo "$verb failed"; done)" ""
done
expect "headers" "$(curl -sSI --unix-socket "$W/run/docker.sock" http://docker/_ping | tr -d '\r' | grep -iE '^(api-version|builder-version|docker-experimental|ostype|swarm|cache-control):' | tr '[:upper:]' '[:lower:]' | sort | xargs)" \
    "api-version: 1.51 builder-version: 1 cache-control: no-cache, no-store, must-revalidate docker-experimental: false ostype: linux swarm: inactive"

say "what answers have"
expect "info: CDISpecDirs since 1.44" "$(has 1.43 /info CDISpecDirs) $(has 1.44 /info CDISpecDirs)" "false true"
expect "info: FirewallBackend since 1.49" "$(has 1.48 /info FirewallBackend) $(has 1.49 /info FirewallBackend)" "false true"
expect "info: BridgeNfIptables until 1.49" "$(has 1.49 /info BridgeNfIptables) $(has 1.50 /info BridgeNfIptables)" "true false"
expect "info: KernelMemory until 1.41" "$(has 1.41 /info KernelMemory) $(has 1.42 /info KernelMemory)" "true false"
expect "info: Expected of commits until 1.48" "$(get 1.48 /info '.RuncCommit|has("Expected")') $(get 1.49 /info '.RuncCommit|has("Expected")')" "true false"
expect "info: security options by name since 1.25" "$(get 1.24 /info '.SecurityOptions|index("userns")|type') $(get 1.25 /info '.SecurityOptions|index("name=userns")|type')" '"number" "number"'
expect "images: VirtualSize until 1.43" "$(get 1.43 /images/json '.[0]|has("VirtualSize")') $(get 1.44 /images/json '.[0]|has("VirtualSize")')" "true false"
expect "images: users counted since 1.51" "$(get 1.50 /images/json '.[0].Containers') $(get 1.51 /images/json '.[0].Containers')" "-1 0"
expect "image: Container until 1.44" "$(has 1.44 /images/busybox/json ContainerConfig) $(has 1.45 /images/busybox/json ContainerConfig)" "true false"
expect "image: a container's members until 1.49" "$(get 1.49 /images/busybox/json '.Config|has("AttachStdin")') $(get 1.50 /images/busybox/json '.Config|has("AttachStdin")')" "true false"
expect "images: the parameter filter until 1.40" "$(get 1.40 '/images/json?filter=nosuch' length) $(get 1.41 '/images/json?filter=nosuch' length)" "0 1"
quietly docker network create versions
id=$(create 1.51 '{"Image":"busybox","Cmd":["sleep","100"],"HostConfig":{"NetworkMode":"versions","Annotations":{"a":"b"}}}')
short=${id:0:12}
expect "container: the short id among the aliases until 1.44" "$(get 1.44 "/containers/$id/json" ".NetworkSettings.Networks.versions.Aliases|index(\"$short\")|type") $(get 1.45 "/containers/$id/json" '.NetworkSettings.Networks.versions.Aliases')" '"number" null'
expect "container: KernelMemory until 1.41" "$(get 1.41 "/containers/$id/json" '.HostConfig|has("KernelMemory")') $(get 1.42 "/containers/$id/json" '.HostConfig|has("KernelMemory")')" "true false"
expect "container: MacAddress until 1.43" "$(get 1.43 "/containers/$id/json" '.Config|has("MacAddress")') $(get 1.44 "/containers/$id/json" '.Config|has("MacAddress")')" "true false"
expect "containers: annotations since 1.46" "$(get 1.45 '/containers/json?all=1' '.[0].HostConfig.Annotations') $(get 1.46 '/containers/json?all=1' '.[0].HostConfig.Annotations.a')" 'null "b"'
expect "containers: GwPriority since 1.48" "$(get 1.47 '/containers/json?all=1' '.[0].NetworkSettings.Networks.versions|has("GwPriority")') $(get 1.48 '/containers/json?all=1' '.[0].NetworkSettings.Networks.versions|has("GwPriority")')" "false true"
gone "$id"
expect "network: EnableIPv4 since 1.48" "$(has 1.47 /networks/versions EnableIPv4) $(has 1.48 /networks/versions EnableIPv4)" "false true"
expect "networks: containers in the list until 1.27" "$(id=$(docker run -d --network versions busybox sleep 100); get 1.27 /networks '[.[]|select(.Name=="versions")|.Containers|length]'; get 1.28 /networks '[.[]|select(.Name=="versions")|.Containers|length]'; docker rm -f "$id" >/dev/null)" "$(printf '[1]\n[0]')"
quietly docker network rm versions
expect "df: BuilderSize until 1.41" "$(has 1.41 /system/df BuilderSize) $(has 1.42 /system/df BuilderSize)" "true false"
for version in 1.24 1.47 1.51; do expect "events at $version have the old members" "$(docker run --rm busybox true; curl -sS --unix-socket "$W/run/docker.sock" "http://docker/v$version/events?since=1&until=$(date +%s.%N)" | jq -c 'select(.Type=="container") | [has("status"), has("id"), has("Type"), has("timeNano")]' | sort -u)" "[true,true,true,true]"; done
expect "logs: their type since 1.42" "$(id=$(docker run -d busybox echo x); docker wait "$id" >/dev/null; for version in 1.41 1.42; do curl -sS -o /dev/null -w '%{content_type} ' --unix-socket "$W/run/docker.sock" "http://docker/v$version/containers/$id/logs?stdout=1"; done; docker rm "$id" >/dev/null)" "application/vnd.docker.raw-stream application/vnd.docker.multiplexed-stream "

say "what requests mean"
id=$(create 1.39 '{"Image":"busybox","Cmd":["true"]}')
expect "ipc: shareable until 1.39" "$(field "$id" '{{.HostConfig.IpcMode}}')" shareable
gone "$id"
id=$(create 1.40 '{"Image":"busybox","Cmd":["true"]}')
expect "ipc: private since 1.40" "$(field "$id" '{{.HostConfig.IpcMode}}')" private
gone "$id"
id=$(create 1.24 '{"Image":"busybox","Cmd":["true"],"HostConfig":{"AutoRemove":true}}')
expect "AutoRemove means nothing in 1.24" "$(field "$id" '{{.HostConfig.AutoRemove}}')" false
gone "$id"
id=$(create 1.42 '{"Image":"busybox","Cmd":["true"],"HostConfig":{"Annotations":{"a":"b"}}}')
expect "Annotations mean nothing until 1.42" "$(field "$id" '{{.HostConfig.Annotations}}')" "map[]"
gone "$id"
id=$(create 1.41 "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"$W\",\"Target\":\"/b\",\"ReadOnly\":true}]}}")
expect "the id of one with mounts" "${#id}" 64
gone "$id"
refused "CreateMountpoint means nothing until 1.41" 22 "" curl -fsS --unix-socket "$W/run/docker.sock" "${json[@]}" -d "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"$W/none\",\"Target\":\"/b\",\"BindOptions\":{\"CreateMountpoint\":true}}]}}" http://docker/v1.41/containers/create
expect "a warning for a container-wide hardware address since 1.44" "$(for version in 1.43 1.44; do curl -sS --unix-socket "$W/run/docker.sock" "${json[@]}" -d '{"Image":"busybox","Cmd":["true"],"MacAddress":"02:42:ac:11:00:05"}' "http://docker/v$version/containers/create" | jq -c '.Warnings|length'; done; docker container prune -f >/dev/null)" "$(printf '0\n1')"
expect "another platform" "$(raw POST '/v1.51/containers/create?platform=linux/s390x' "${json[@]}" -d '{"Image":"busybox","Cmd":["true"]}' | tail -n 1)" 404
quietly docker run -d --name stubborn busybox sh -c 'trap "echo usr1; exit 3" USR1; trap "" TERM; echo ready; while :; do sleep 0.1; done'
in_time "ready" 5 sh -c 'docker logs stubborn | grep -q ready'
expect "stop with a signal since 1.42" "$(raw POST '/v1.42/containers/stubborn/stop?signal=USR1&t=5' | tail -n 1) $(docker logs stubborn | tail -n 1) $(field stubborn '{{.State.ExitCode}}')" "204 usr1 3"
quietly docker start stubborn
sleep 0.5
expect "restart with a signal since 1.42" "$(docker restart -s USR1 -t 5 stubborn) $(docker logs stubborn | grep -c usr1)" "stubborn 2"
quietly docker rm -f stubborn
expect "the size of a terminal at its start since 1.42" "$(id=$(create 1.42 '{"Image":"busybox","Tty":true,"Cmd":["stty","size"],"HostConfig":{"ConsoleSize":[33,77]}}'); docker start -a "$id" </dev/null | tr -d '\r'; docker rm "$id" >/dev/null)" "33 77"
