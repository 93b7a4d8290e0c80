#!/bin/bash
# `docker events`: their order, what they carry, every filter; and with `docker stats`, while fifty containers come and go.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"
moment() { date +%s.%N; }
told() { docker events --since "$since" --until "$until" --format '{{.Action}}' "$@" | xargs; }
lines() { docker events --since "$since" --until "$until" "$@"; }

say "the order of a life"
quietly docker network create net
since=$(moment)
quietly docker run --rm --name life --network net -v data:/data -v /anonymous busybox true
sleep 0.2
until=$(moment)
expect "run --rm: containers, networks and volumes" "$(docker events --since "$since" --until "$until" --format '{{.Type}}:{{.Action}}' | xargs)" \
    "container:create volume:create volume:create container:attach network:connect volume:mount volume:mount container:start container:die network:disconnect volume:unmount volume:unmount container:destroy volume:destroy"
since=$(moment)
id=$(docker create --name life -l colour=blue busybox sh -c 'trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done')
quietly docker start life
in_time "ready" 5 sh -c 'docker logs life | grep -q ready'
quietly docker exec life true
quietly docker cp life:/etc/passwd .
quietly docker cp passwd life:/tmp
quietly docker top life
quietly docker update --cpu-shares 512 life
quietly docker pause life
quietly docker unpause life
quietly docker rename life afterlife
quietly docker restart -t 5 afterlife
in_time "ready again" 5 sh -c '[ $(docker logs afterlife | grep -c ready) = 2 ]'
quietly docker kill -s CONT afterlife
quietly docker stop -t 5 afterlife
quietly docker commit afterlife made:1
quietly docker export -o tree.tar afterlife
quietly docker rm afterlife
sleep 0.2
until=$(moment)
expect "everything that can happen to one" "$(told --filter type=container)" \
    "create start exec_create: true exec_start: true exec_die archive-path extract-to-dir top update pause unpause rename kill die stop start restart kill kill die stop commit export destroy"

say "what they carry"
format() { lines --format "$@"; }
expect "die" "$(format '{{.Actor.Attributes.exitCode}} {{.Actor.Attributes.execDuration}} {{.Actor.Attributes.image}} {{.Actor.Attributes.name}} {{.Actor.Attributes.colour}}' --filter event=die | tail -n 1 | sed 's/ [0-9]* / N /')" "0 N busybox afterlife blue"
expect "kill: numbers of signals" "$(format '{{.Actor.Attributes.signal}}' --filter event=kill | xargs)" "15 18 15"
expect "rename" "$(format '{{.Actor.Attributes.oldName}} {{.Actor.Attributes.name}}' --filter event=rename)" "life afterlife"
matches "exec" "$(format '{{.Actor.Attributes.execID}} {{.Actor.Attributes.exitCode}}' --filter event=exec_die)" "[0-9a-f]{64} 0"
expect "the older members" "$(curl -sS --unix-socket "$W/run/docker.sock" "http://docker/v1.51/events?since=$since&until=$until" | jq -sc 'map(select(.Action=="start"))[0] | [.status, .id, .from, .scope, (.timeNano/1000000000|floor) == .time]')" "[\"start\",\"$id\",\"busybox\",\"local\",true]"
matches "network" "$(docker events --since 1h --until 0s --filter event=connect --filter network=net --format '{{.Type}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}} {{.Actor.Attributes.container}}')" "network net bridge [0-9a-f]{64}"
expect "volume" "$(docker events --since 1h --until 0s --filter type=volume --filter event=mount --filter volume=data --format '{{.Actor.ID}} {{.Actor.Attributes.destination}} {{.Actor.Attributes.driver}} {{index .Actor.Attributes "read/write"}}')" "data /data local true"

say "filters"
expect "container by name" "$(told --filter container=life | cut -d ' ' -f 1-2)" "create start"
expect "container by id" "$(told --filter "container=$id" --filter event=create --filter event=destroy)" "create destroy"
expect "label" "$(told --filter label=colour --filter event=start)" "start start"
expect "label with a value" "$(told --filter label=colour=red)" ""
expect "image" "$(told --filter image=busybox --filter event=create)" create
expect "image with its tag" "$(told --filter image=made:1 --filter type=image)" "tag"
expect "type" "$(docker events --since 1h --until 0s --filter type=network --format '{{.Type}}' | sort -u)" network
expect "scope" "$(told --filter scope=local --filter event=pause)$(told --filter scope=swarm)" pause
expect "event with what is behind its colon" "$(told --filter 'event=exec_create: true')" "exec_create: true"
expect "event without" "$(told --filter event=exec_create)" "exec_create: true"
for kind in daemon plugin config node secret service; do expect "$kind" "$(told --filter "$kind=nosuch")" ""; done
refused "an unknown one" 1 "invalid filter" docker events --until 0s --filter nosuch=1
quietly docker run -d --name health --health-cmd true --health-interval 100ms busybox sleep 100
in_time "healthy" 5 sh -c '[ "$(docker inspect -f "{{.State.Health.Status}}" health)" = healthy ]'
quietly docker rm -f health
until=$(moment)
expect "health_status" "$(told --filter event=health_status) $(told --filter 'event=health_status: healthy') $(told --filter 'event=health_status: unhealthy')" "health_status: healthy health_status: healthy "

say "prunes, and images"
since=$(moment)
quietly docker create --name unused busybox true
quietly docker system prune -f --volumes
quietly docker image rm made:1
quietly docker save -o saved.tar busybox
quietly docker load -i saved.tar
quietly docker import "$W/rootfs.tar" imported:1
printf 'FROM busybox\nLABEL built=here\n' | DOCKER_BUILDKIT=0 docker build -q -t built:1 - >/dev/null 2>&1
quietly docker rmi imported:1 built:1
sleep 0.2
until=$(moment)
expect "prunes with what they gave back" "$(lines --filter event=prune --format '{{.Type}} {{.Actor.Attributes.reclaimed}}' | sed 's/[0-9][0-9]*/N/' | sort | xargs)" "builder N container N image N network N volume N"
images=$(told --filter type=image)
for action in untag delete save load import tag; do contains "image events" " $images " " $action "; done
quietly docker volume rm -f data
docker network rm net >/dev/null 2>&1 || true

say "while fifty containers come and go"
since=$(moment)
docker events --filter type=container --format '{{.Action}} {{.Actor.Attributes.name}}' >seen 2>&1 &
listener=$!
timeout -s KILL 60 "$GANTRY_CLIENTS/docker" stats --format '{{.Name}}' >watched 2>&1 </dev/null &
watcher=$!
for batch in 1 2 3 4 5; do
    clients=()
    for i in $(seq 10); do
        docker run --rm --name "guest$batch-$i" busybox sleep 0.3 >/dev/null 2>&1 &
        clients+=($!)
    done
    wait "${clients[@]}"
done
in_time "all are told" 20 sh -c '[ "$(grep -c ^destroy seen)" = 50 ]'
kill -0 $watcher 2>/dev/null || finding "docker stats has ended: $(tail -n 3 watched)"
quietly docker run -d --name last busybox sleep 100
in_time "docker stats sees who comes" 10 grep -q last watched
kill -KILL $listener $watcher
wait $listener $watcher 2>/dev/null || true
expect "each in order" "$(for i in $(seq 10); do grep " guest3-$i\$" seen | cut -d ' ' -f 1 | xargs; done | sort -u)" "create attach start die destroy"
quietly docker rm -f last
expect "nothing is left" "$(docker ps -aq | wc -l)" 0
