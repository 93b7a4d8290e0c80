#!/bin/bash
# The docker client's own commands for networks and volumes.
. "$(dirname "$0")/lib.sh"
docker_client
began=$(date +%s)
start_daemon
busybox_image
export DOCKER_HOST=unix://$W/run/docker.sock DOCKER_CONFIG=$W/docker
refused() { # refused WORDS COMMAND...: it fails, and says so
    local words=$1
    shift
    [ "$(status "$@")" != 0 ] || fail "was not refused: $*"
    contains "$*" "$(cat "$W/out")" "$words"
}
field() { docker network inspect "$1" --format "$2"; }

say "networks that are there from the start"
expect "predefined" "$(docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}}' | sort | tr '\n' ',')" "bridge bridge local,host host local,none null local,"
expect "builtin" "$(docker network ls -q --filter type=builtin | wc -l)" 3
expect "custom" "$(docker network ls -q --filter type=custom | wc -l)" 0
contains "a gateway" "$(field bridge '{{(index .IPAM.Config 0).Gateway}}')" .
refused "is a pre-defined network and cannot be removed" docker network rm bridge
refused "operation is not permitted on predefined bridge network" docker network create bridge
refused "only one instance of \"host\" network is allowed" docker network create -d host again

say "create, inspect, list"
id=$(docker network create --label tier=back --subnet 10.201.40.0/24 --gateway 10.201.40.9 --ip-range 10.201.40.128/25 \
    --aux-address nas=10.201.40.130 --ipv6 --subnet fd00:c9:40::/64 -o com.docker.network.driver.mtu=1400 back)
expect "its id" "${#id}" 64
expect "its subnet" "$(field back '{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{end}}')" "10.201.40.0/24 10.201.40.9 fd00:c9:40::/64 fd00:c9:40::1 "
expect "its range" "$(field back '{{(index .IPAM.Config 0).IPRange}} {{index (index .IPAM.Config 0).AuxiliaryAddresses "nas"}}')" "10.201.40.128/25 10.201.40.130"
expect "flags" "$(field back '{{.EnableIPv6}} {{.Internal}} {{index .Options "com.docker.network.driver.mtu"}}')" "true false 1400"
docker network create front >/dev/null
expect "IPv6 only when asked for" "$(field front '{{.EnableIPv6}} {{len .IPAM.Config}}')" "false 1"
expect "by label" "$(docker network ls -q --no-trunc --filter label=tier=back)" "$id"
expect "by part of its name" "$(docker network ls --format '{{.Name}}' --filter name=fro)" front
expect "by the beginning of its id" "$(docker network inspect "${id:0:8}" --format '{{.Name}}')" back
expect "dangling" "$(docker network ls -q --filter dangling=true | wc -l)" 2
refused "network with name back already exists" docker network create back
refused "Pool overlaps with other one on this address space" docker network create --subnet 10.201.40.0/25 other
refused "bridge driver doesn't support multiple subnets" docker network create --subnet 10.201.50.0/24 --subnet 10.201.51.0/24 other
refused "not found" docker network create -d weave other
refused "invalid filter" docker network ls --filter colour=red
refused "network nowhere not found" docker network inspect nowhere

say "connect and disconnect while it runs"
docker run -d --name web --network front busybox sleep 1000 >/dev/null
docker run -d --name db --network back --ip 10.201.40.20 --mac-address 02:42:0a:c9:28:14 busybox sleep 1000 >/dev/null
expect "its own address" "$(docker inspect db --format '{{.NetworkSettings.Networks.back.IPAddress}} {{.NetworkSettings.Networks.back.MacAddress}}')" "10.201.40.20 02:42:0a:c9:28:14"
docker network connect --alias shop --gw-priority 7 back web
docker exec web ping -c1 -W2 db >/dev/null || fail "web does not reach db"
docker exec db ping -c1 -W2 shop >/dev/null || fail "db does not reach web by its alias"
expect "the way out" "$(docker exec web ip route | awk '/^default/ { print $3 }')" 10.201.40.9
expect "both networks" "$(docker inspect web --format '{{range $name, $n := .NetworkSettings.Networks}}{{$name}} {{end}}')" "back front "
expect "who is there" "$(field back '{{range .Containers}}{{.Name}} {{end}}' | tr ' ' '\n' | sort | tr '\n' ' ')" " db web "
expect "the same endpoint" "$(field back '{{range .Containers}}{{if eq .Name "web"}}{{.EndpointID}}{{end}}{{end}}')" "$(docker inspect web --format '{{.NetworkSettings.Networks.back.EndpointID}}')"
refused "endpoint with name web already exists in network back" docker network connect back web
refused "Address already in use" docker run --rm --network back --ip 10.201.40.20 busybox true
refused "no configured subnet contains IP address" docker run --rm --network back --ip 10.9.9.9 busybox true
refused "error while removing network: network back id $id has active endpoints" docker network rm back
kill_daemon
start_daemon
docker exec web ping -c1 -W2 db >/dev/null || fail "not after a restart of the daemon"
docker network disconnect back web
expect "its link is gone" "$(docker exec web ls /sys/class/net | tr '\n' ' ')" "eth0 lo "
refused "is not connected to network back" docker network disconnect back web
refused "host network" docker network connect host web
docker create --name alone --network none busybox true >/dev/null
refused "private (none) mode" docker network connect back alone

say "events"
events=$(docker events --since "$began" --until "$(($(date +%s) + 1))" --filter type=network --format '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}')
for line in "create back bridge" "connect front bridge" "connect back bridge" "disconnect back bridge"; do contains "events" "$events" "$line"; done

say "remove and prune"
docker rm -f web db alone >/dev/null
docker network rm front >/dev/null
expect "until" "$(docker network prune -f --filter until=1h)" ""
contains "prune" "$(docker network prune -f --filter label!=keep)" back
expect "what is left" "$(docker network ls -q | wc -l)" 3

say "volumes"
expect "create" "$(docker volume create --label kind=test data)" data
anonymous=$(docker volume create)
expect "a made-up name" "${#anonymous}" 64
expect "inspect" "$(docker volume inspect data --format '{{.Driver}} {{.Scope}} {{.Labels.kind}} {{.Options}}')" "local local test map[]"
docker run -d --name keeper -v data:/data busybox sh -c 'echo kept > /data/file; sleep 1000' >/dev/null
container=$(docker inspect keeper --format '{{.Id}}')
expect "not dangling" "$(docker volume ls -q --filter dangling=false)" data
expect "dangling" "$(docker volume ls -q --filter dangling=true)" "$anonymous"
expect "by label and name" "$(docker volume ls -q --filter label=kind=test --filter name=dat)" data
refused "remove data: volume is in use - [$container]" docker volume rm data
refused "get nothing: no such volume" docker volume inspect nothing
expect "forced, of nothing" "$(status docker volume rm -f nothing)" 0
refused "missing required option" docker volume create -o type=nfs broken
refused "plugin \"flocker\" not found" docker volume create -d flocker broken
docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m scratch >/dev/null
docker run --rm -v scratch:/scratch busybox df /scratch | grep -q 1024 || fail "no tmpfs of a megabyte"
docker rm -f keeper >/dev/null
contains "prune" "$(docker volume prune -f)" "$anonymous"
expect "named ones stay" "$(docker volume ls -q | tr '\n' ' ')" "data scratch "
contains "prune of all" "$(docker volume prune -af)" data
expect "none left" "$(docker volume ls -q)" ""
