#!/bin/bash
# What the `docker` client tells of the engine and of containers, and what it moves between them and the machine:
# version, info, events, top, stats, update, cp, diff, export, commit, system df and prune.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"

say "version and info"
expect "versions" "$(docker version --format '{{.Server.APIVersion}} {{.Server.MinAPIVersion}} {{.Server.Os}} {{.Client.APIVersion}}')" "1.51 1.24 linux 1.51"
expect "it is Gantry" "$(docker version --format '{{.Server.Platform.Name}}') $(docker version --format json | jq -r .Server.Version)" "Gantry $(gantry version --format json | jq -r '.daemon.version // .server.version // .version')"
quietly docker create --name one busybox true
expect "info" "$(docker info --format '{{.Containers}} {{.ContainersRunning}} {{.ContainersStopped}} {{.Images}} {{.OSType}} {{.NCPU}} {{.Swarm.LocalNodeState}} {{.LiveRestoreEnabled}}')" "1 0 1 1 linux $(nproc) inactive true"
expect "the user namespace is said" "$(docker info --format '{{json .SecurityOptions}}' | jq -c 'map(select(. == "name=userns")) | length')" 1
expect "a message for a swarm" "$(status docker node ls) $(grep -c 'not a swarm manager' "$W/out")" "1 1"
expect "no plugins" "$(docker plugin ls -q)" ""
quietly docker rm one

say "events"
since=$(date +%s.%N)
sleep 0.1
id=$(docker create --name told -l colour=blue busybox sh -c 'exit 3')
quietly docker start told
expect "wait" "$(docker wait told)" 3
quietly docker rename told renamed
quietly docker run -d --name long busybox sleep 1000
quietly docker exec long true
quietly docker pause long
quietly docker unpause long
quietly docker kill -s USR1 long
quietly docker stop -t 0 long
quietly docker rm renamed long
sleep 0.1
until=$(date +%s.%N)
told() { docker events --since "$since" --until "$until" "$@"; }
actions() { told --format '{{.Action}}' --filter type=container "$@" | xargs; }
expect "a life" "$(actions --filter "container=$id")" "create start die rename destroy"
expect "a name is that of the moment" "$(actions --filter container=renamed)" "rename destroy"
expect "by label" "$(actions --filter label=colour=blue)" "create start die rename destroy"
expect "by event" "$(actions --filter event=die --filter event=destroy)" "die die destroy destroy"
contains "exec, pause, kill, stop in their order" "$(actions --filter container=long)" "create start exec_create: true exec_start: true"
contains "and" "$(actions --filter container=long)" "pause unpause kill"
contains "kill and then die" "$(actions --filter container=long)" "kill die"
expect "attributes" "$(told --filter event=die --filter label=colour=blue --format '{{.Type}} {{.Actor.Attributes.image}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.colour}} {{.Scope}}')" "container busybox 3 blue local"
expect "by image" "$(told --filter image=busybox --filter event=create --format '{{.Action}}' | xargs)" "create create"
expect "other types" "$(told --filter type=volume --format '{{.Type}}')" ""
matches "a line" "$(told --filter event=rename)" '20[0-9T:.+-]+ ?.* container rename [0-9a-f]{64} \(.*image=busybox.*name=renamed.*\)'
refused "from after the end" 1 "cannot be after" docker events --since "$until" --until "$since"
refused "an unknown filter" 1 "invalid filter 'nosuch'" docker events --filter nosuch=1 --until 1s

say "top, stats, update"
quietly docker run -d --name busy --init --memory 64m --pids-limit 50 busybox sh -c 'sleep 1000 & exec sleep 2000'
contains "top: titles" "$(docker top busy 2>&1 | head -n 1)" PID
expect "top: what runs" "$(docker top busy 2>&1 | grep -cE '[0-9] +sleep [12]000$')" "$(docker top busy 2>&1 | grep -q 'not supported' && echo 0 || echo 2)"
contains "top: with columns of one's own" "$(docker top busy -o pid,comm 2>&1)" sleep
expect "stats" "$(docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' busy 2>&1 | sed 's# .* / # / #')" "busy / 64MiB"
expect "stats: processes" "$(docker stats --no-stream --format '{{.PIDs}}' busy 2>&1)" 3
matches "stats: the rest" "$(docker stats --no-stream --format '{{.CPUPerc}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}}' busy 2>&1)" '[0-9.]+% [0-9.]+% [0-9.]+k?B / [0-9.]+k?B [0-9.]+[kM]?B / [0-9.]+[kM]?B'
expect "stats: all that run" "$(docker stats --no-stream --format '{{.Name}}' 2>&1)" busy
if made docker update --memory 96m --memory-swap 96m --cpus 0.5 --pids-limit 60 --restart on-failure:4 busy; then
    expect "update: it reads back" "$(field busy '{{with .HostConfig}}{{.Memory}} {{.NanoCpus}} {{.PidsLimit}} {{.RestartPolicy.Name}} {{.RestartPolicy.MaximumRetryCount}}{{end}}')" "100663296 500000000 60 on-failure 4"
    expect "update: it holds" "$(docker stats --no-stream --format '{{.MemUsage}}' busy | sed 's#.* / ##')" 96MiB
    refused "update: too little" 1 "Minimum memory limit allowed is 6MB" docker update --memory 1m busy
fi
quietly docker rm -f busy

say "cp, diff, export, commit"
mkdir -p here/tree/sub && echo one >here/one && echo two >here/tree/sub/two && ln -s two here/tree/sub/link && chmod 640 here/one && chown 12:34 here/one
for state in running stopped; do
    if [ $state = running ]; then quietly docker run -d --name box busybox sleep 1000; else quietly docker create --name box busybox true; fi
    quietly docker cp here/one box:/tmp
    quietly docker cp here/one box:/tmp/named
    quietly docker cp here/tree box:/tmp
    quietly docker cp here/tree/. box:/tmp/fresh
    quietly docker cp box:/tmp/named back
    expect "$state: a file" "$(cat back) $(stat -c %a back)" "one 640"
    quietly docker cp box:/tmp/tree there
    expect "$state: a tree, its link a link" "$(readlink there/sub/link) $(cat there/sub/link)" "two two"
    expect "$state: -L follows" "$(docker cp -L box:/tmp/tree/sub/link - | tar -xO)" two
    expect "$state: a stream out" "$(docker cp box:/tmp/fresh - | tar -t | sort | xargs)" "fresh/ fresh/sub/ fresh/sub/link fresh/sub/two"
    tar -C here -c one | docker cp - box:/tmp/fresh || finding "$state: a stream in"
    expect "$state: owners: of root" "$(docker cp box:/tmp/fresh/sub/two - | tar -tv --numeric-owner | awk '{ print $2 }')" 0/0
    quietly docker cp -a here/one box:/tmp/kept
    expect "$state: -a: owners: the source's, as the container has no user of its own" "$(docker cp box:/tmp/kept - | tar -tv --numeric-owner | awk '{ print $2 }')" 12/34
    refused "$state: not there" 1 "Could not find the file /no/such in container box" docker cp box:/no/such .
    refused "$state: into no directory" 1 "" docker cp here/one box:/no/such/place
    refused "$state: a tree onto a file" 1 "cannot copy directory" docker cp here/tree box:/tmp/one
    contains "$state: export" "$(docker export box | tar -t)" "tmp/named"
    contains "$state: diff" "$(docker diff box)" "A /tmp/fresh/sub/two"
    contains "$state: diff of what was there" "$(docker diff box)" "C /tmp"
    rm -rf back there
    quietly docker rm -f box
done
quietly docker run --name box -e COLOUR=blue busybox sh -c 'echo kept >/kept'
id=$(docker commit -m "with a file" -a "somebody" -c 'CMD ["cat", "/kept"]' -c 'ENV MORE=1' box tour/boxed:1)
matches "commit" "$id" 'sha256:[0-9a-f]{64}'
expect "the image runs" "$(docker run --rm tour/boxed:1) $(docker run --rm tour/boxed:1 sh -c 'echo $COLOUR $MORE')" "kept blue 1"
expect "author and message" "$(docker image inspect -f '{{.Author}} {{.Comment}}' tour/boxed:1)" "somebody with a file"
quietly docker rmi tour/boxed:1

say "system df and prune"
expect "df" "$(docker system df --format '{{.Type}} {{.TotalCount}} {{.Active}}' | head -n 3 | xargs)" "Images 1 1 Containers 1 0 Local Volumes 0 0"
quietly docker volume create unused
quietly docker network create unused
expect "prune" "$(docker system prune -f --volumes | grep -cE '^(Deleted (Containers|Networks|Volumes):|Total reclaimed space: )')" 3
expect "what is left" "$(docker ps -aq | wc -l) $(docker network ls -q --filter type=custom | wc -l) $(docker images -q | wc -l)" "0 0 1"
