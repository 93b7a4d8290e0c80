#!/bin/bash
# A container's life under the `docker` client: states and their changes, lists with every filter and format, logs, attach, exec.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"
state() { field "$1" '{{.State.Status}}'; }

say "create, start, stop, restart, kill, pause, wait"
id=$(docker create --name box --init -l tier=front -p 127.0.0.1::80 --expose 90/udp busybox sleep 1000)
expect "created" "$(state box)" created
expect "start" "$(docker start box)" box
expect "running" "$(field box '{{.State.Running}} {{.State.ExitCode}} {{.State.Pid}}' | sed 's/ [1-9][0-9]*$/ PID/')" "true 0 PID"
expect "start again says nothing" "$(status docker start box)" 0
expect "pause" "$(docker pause box)" box
expect "paused" "$(state box) $(field box '{{.State.Paused}} {{.State.Running}}')" "paused true true"
refused "pause again" 1 "Container $id is already paused" docker pause box
refused "exec in a paused one" 1 "Container box is paused, unpause the container before exec" docker exec box true
expect "unpause" "$(docker unpause box)" box
refused "unpause again" 1 "Container $id is not paused" docker unpause box
started=$(field box '{{.State.StartedAt}}')
expect "restart" "$(docker restart -t 2 box)" box
[ "$started" != "$(field box '{{.State.StartedAt}}')" ] || finding "restart has not started it again"
expect "a restart by hand counts none" "$(field box '{{.RestartCount}}')" 0
docker wait box >"$W/waited" &
waiter=$!
sleep 0.3
expect "stop" "$(docker stop -t 2 box)" box
wait $waiter
expect "wait" "$(cat "$W/waited")" 143
expect "exited" "$(state box) $(field box '{{.State.ExitCode}} {{.State.OOMKilled}}')" "exited 143 false"
expect "stop again says nothing" "$(status docker stop box)" 0
refused "kill a stopped one" 1 "cannot kill container: box: container $id is not running" docker kill box
refused "exec in a stopped one" 1 "container $id is not running" docker exec box true
expect "wait for one that has ended" "$(docker wait box)" 143
quietly docker start box
refused "a bad signal" 1 "invalid signal: NOSUCH" docker kill -s NOSUCH box
expect "kill with a signal" "$(docker kill -s INT box)" box
in_time "it has ended" 5 sh -c '[ "$(docker inspect -f "{{.State.Status}}" box)" = exited ]'
expect "128 and the signal" "$(field box '{{.State.ExitCode}}')" 130
refused "no such container" 1 "No such container: nosuch" docker stop nosuch
expect "several, one of them unknown" "$(docker start box nosuch 2>/dev/null; echo $?)" "$(printf 'box\n1')"
contains "...is named" "$(docker start box nosuch 2>&1)" "No such container: nosuch"
refused "rm of a running one" 1 "container is running: stop the container before removing or force remove" docker rm box

say "rename, port, top"
quietly docker rename box crate
expect "by the new name" "$(field crate '{{.Name}}')" /crate
refused "not by the old one" 1 "No such container: box" docker stop box
quietly docker create --name other busybox true
refused "a name taken" 1 'Conflict. The container name "/other" is already in use' docker rename crate other
quietly docker rm other
matches "port" "$(docker port crate)" '80/tcp -> 127\.0\.0\.1:[0-9]+'
matches "port of one" "$(docker port crate 80)" '127\.0\.0\.1:[0-9]+'
refused "port of none" 1 "No public port '81' published for crate" docker port crate 81

say "ps: columns, formats and filters"
quietly docker create --name fresh -l tier=back -l plain busybox true
expect "one that fails" "$(status docker run --name failed busybox sh -c 'exit 3')" 3
matches "columns" "$(docker ps | head -n 1)" 'CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES'
expect "running ones only" "$(docker ps --format '{{.Names}}')" crate
expect "all, newest first" "$(docker ps -a --format '{{.Names}}' | xargs)" "failed fresh crate"
expect "-n" "$(docker ps -n 2 --format '{{.Names}}' | xargs)" "failed fresh"
expect "-l" "$(docker ps -lq | cut -c 1-12)" "$(field failed '{{.Id}}' | cut -c 1-12)"
expect "-q" "$(docker ps -q)" "${id:0:12}"
expect "-q --no-trunc" "$(docker ps -q --no-trunc)" "$id"
expect "fields" "$(docker ps --format '{{.ID}}|{{.Image}}|{{.Command}}|{{.State}}|{{.Label "tier"}}|{{.Networks}}|{{.LocalVolumes}}')" "${id:0:12}|busybox|\"sleep 1000\"|running|front|bridge|0"
matches "status" "$(docker ps --format '{{.Status}}')" 'Up (Less than a second|[0-9]+ seconds?|About a minute)'
matches "ports" "$(docker ps --format '{{.Ports}}')" '90/udp, 127\.0\.0\.1:[0-9]+->80/tcp'
matches "exited" "$(docker ps -a --filter name=failed --format '{{.Status}}')" 'Exited \(3\) .* ago'
matches "size" "$(docker ps -s --format '{{.Size}}')" '[0-9.]+k?B \(virtual [0-9.]+[kM]B\)'
expect "json" "$(docker ps -a --filter name=fresh --format json | jq -r '[.Names, .State, .Image, .Status] | join(" ")')" "fresh created busybox Created"
expect "table" "$(docker ps --format 'table {{.Names}}\t{{.State}}' | tr -s ' ' | sed 's/ $//')" "$(printf 'NAMES STATE\ncrate running')"
by() { docker ps -a --format '{{.Names}}' "$@" | sort | xargs; }
expect "id=" "$(by --filter "id=${id:0:8}")" crate
expect "name= is a pattern" "$(by --filter 'name=^fr')" fresh
expect "name= twice is either" "$(by --filter name=crate --filter name=fresh)" "crate fresh"
expect "label=" "$(by --filter label=tier)" "crate fresh"
expect "label= with a value" "$(by --filter label=tier=back)" fresh
expect "label= twice is both" "$(by --filter label=tier=back --filter label=plain)" fresh
expect "label!=" "$(by --filter 'label!=tier')" failed
expect "status=" "$(by --filter status=created --filter status=exited)" "failed fresh"
expect "exited=" "$(by --filter exited=3)" failed
expect "ancestor= by name" "$(by --filter ancestor=busybox)" "crate failed fresh"
expect "ancestor= by id" "$(by --filter "ancestor=$(field crate '{{.Image}}')")" "crate failed fresh"
expect "before=" "$(by --filter before=fresh)" crate
expect "since=" "$(by --filter since=fresh)" failed
expect "network=" "$(by --filter network=bridge)" "crate failed fresh"
expect "publish=" "$(by --filter "publish=$(docker port crate 80 | sed 's/.*://')")" crate
expect "expose=" "$(by --filter expose=90/udp)" crate
expect "health=" "$(by --filter health=none)" "crate failed fresh"
expect "is-task=" "$(by --filter is-task=true)" ""
refused "an unknown filter" 1 "invalid filter 'nosuch'" docker ps --filter nosuch=1
refused "an unknown status" 1 "invalid filter 'status=nosuch'" docker ps --filter status=nosuch
quietly docker run -d --name mounted -v vol:/data -v "$W:/host" busybox sleep 1000
expect "volume= by name" "$(by --filter volume=vol)" mounted
expect "volume= by target" "$(by --filter volume=/data)" mounted
expect "mounts" "$(docker ps --filter name=mounted --format '{{.LocalVolumes}} {{.Mounts}}' | cut -c 1-5)" "1 vol"
quietly docker rm -f mounted fresh failed
gantry volume rm vol >/dev/null

say "gantry shows what docker started, and the other way round"
expect "gantry ps" "$(gantry ps --format json | jq -r '.[].spec.name')" crate
gantry run -d --name ours busybox sleep 1000 >/dev/null
expect "docker ps" "$(docker ps --format '{{.Names}}' | sort | xargs)" "crate ours"
quietly docker rm -f ours crate

say "logs"
quietly docker run --name talk busybox sh -c 'for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.1; done'
expect "both streams" "$(docker logs talk 2>&1 | sort | xargs)" "err 1 err 2 err 3 out 1 out 2 out 3"
expect "standard output" "$(docker logs talk 2>/dev/null | xargs)" "out 1 out 2 out 3"
expect "standard error" "$(docker logs talk 2>&1 >/dev/null | xargs)" "err 1 err 2 err 3"
expect "--tail" "$(docker logs --tail 2 talk 2>&1 | sort | xargs)" "err 3 out 3"
expect "--tail 0" "$(docker logs --tail 0 talk 2>&1)" ""
matches "-t" "$(docker logs -t --tail 1 talk 2>&1)" '20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z (err|out) 3'
at=$(docker logs -t talk 2>/dev/null | sed -n 2p | cut -d ' ' -f 1)
expect "--since" "$(docker logs --since "$at" talk 2>/dev/null | xargs)" "out 2 out 3"
expect "--until" "$(docker logs --until "$at" talk 2>/dev/null | xargs)" "out 1 out 2"
expect "--since a duration" "$(docker logs --since 10m talk 2>/dev/null | wc -l)" 3
quietly docker rm talk
quietly docker run -d --name talk busybox sh -c 'i=0; while [ $i -lt 20 ]; do echo line $i; i=$((i+1)); sleep 0.1; done'
expect "-f sees it to its end" "$(docker logs -f talk | tail -n 1)" "line 19"
expect "-f of one that has ended" "$(timeout 5 docker logs -f --tail 1 talk)" "line 19"
quietly docker rm talk
expect "logs of a terminal" "$(docker run --name talk -t busybox echo hi </dev/null >/dev/null; docker logs talk | tr -d '\r'; docker rm talk >/dev/null)" hi
printf 'no newline' >"$W/part"
expect "a part of a line" "$(docker run --name talk busybox printf 'no newline' >/dev/null; docker logs talk; docker rm talk >/dev/null)" "no newline"

say "attach"
quietly docker create -i --name cat busybox cat
expect "start -i gives it the client's input" "$(printf 'over\n' | docker start -ai cat)" over
expect "the end of the input ended it" "$(state cat)" exited
quietly docker rm cat
quietly docker run -d -i --name cat busybox cat
(echo over; sleep 1) | timeout -s KILL 2 docker attach cat >"$W/typed" 2>/dev/null || true
expect "attach: input and output" "$(cat "$W/typed")" over
expect "without a client of its own, the end of an input ends nothing" "$(state cat)" running
quietly docker rm -f cat
quietly docker run -d --name ticking busybox sh -c 'trap "exit 9" TERM; while :; do echo tick; sleep 0.1; done'
expect "--no-stdin" "$(timeout -s KILL 2 docker attach --no-stdin ticking | head -n 2 | xargs)" "tick tick"
expect "and it goes on" "$(state ticking)" running
docker attach --no-stdin ticking >/dev/null 2>&1 &
attached=$!
sleep 0.5
kill -TERM $attached
code=0
wait $attached || code=$?
expect "--sig-proxy, and the exit status" "$code $(field ticking '{{.State.ExitCode}}')" "9 9"
refused "attach to a stopped one" 1 "cannot attach to a stopped container" docker attach ticking
quietly docker rm ticking
quietly docker run -dit --name shell busybox sh
(sleep 1; printf 'echo first $((20+2))\n'; sleep 0.5; printf '\020\021'; sleep 0.5) | script -qec "docker attach shell; echo status \$?" "$W/typed" >/dev/null
contains "a terminal" "$(cat "$W/typed")" "first 22"
contains "detach keys" "$(cat "$W/typed")" "read escape sequence"
contains "their status" "$(cat "$W/typed")" "status 1"
expect "still there" "$(state shell)" running
(sleep 1; printf 'echo second $((20+3))\n'; sleep 0.5; printf 'a'; sleep 0.5) | script -qec "docker attach --detach-keys a shell || true" "$W/typed" >/dev/null
contains "again, other detach keys" "$(cat "$W/typed")" "second 23"
(sleep 1; printf 'exit 4\n'; sleep 0.5) | script -qec "docker attach shell; echo status \$?" "$W/typed" >/dev/null
contains "its exit status" "$(cat "$W/typed")" "status 4"
expect "start -a -i" "$( (sleep 1; printf 'echo third $((20+4))\nexit\n'; sleep 1) | script -qec "docker start -ai shell" /dev/null | grep -c '^third 24')" 1
quietly docker rm shell
expect "start -a passes the exit status on" "$(docker create --name once busybox sh -c 'echo ran; exit 6' >/dev/null; docker start -a once; echo $?; docker rm once >/dev/null)" "$(printf 'ran\n6')"

say "exec"
quietly docker run -d --name box -e COLOUR=blue -w /tmp busybox sleep 1000
expect "output" "$(docker exec box echo hello)" hello
expect "streams apart" "$(docker exec box sh -c 'echo out; echo err >&2' 2>/dev/null)" out
expect "status" "$(status docker exec box sh -c 'exit 9')" 9
expect "input" "$(printf 'a\nb\n' | docker exec -i box wc -l | tr -d ' ')" 2
expect "no input without -i" "$(printf 'a\nb\n' | docker exec box wc -l | tr -d ' ')" 0
expect "environment of the container, and more" "$(docker exec -e MORE=1 box sh -c 'echo $COLOUR $MORE')" "blue 1"
printf 'F=file\n' >env
expect "--env-file" "$(docker exec --env-file env box sh -c 'echo $F')" file
expect "directory" "$(docker exec box pwd) $(docker exec -w /etc box pwd)" "/tmp /etc"
expect "user" "$(docker exec -u nobody box id -u) $(docker exec -u 7:8 box sh -c 'echo $(id -u):$(id -g)')" "65534 7:8"
refused "no such program" 127 'exec: "nosuch": executable file not found in $PATH' docker exec box nosuch
refused "not executable" 126 'exec: "/etc/passwd": permission denied' docker exec box /etc/passwd
quietly docker exec -d box touch /tmp/detached
in_time "-d" 5 docker exec box test -e /tmp/detached
expect "--privileged" "$(docker exec box grep CapEff /proc/self/status | cut -f 2) $(docker exec --privileged box grep CapEff /proc/self/status | cut -f 2)" "00000000a80425fb 000001ffffffffff"
expect "a terminal" "$(sleep 2 | script -qec "docker exec -it box tty" /dev/null | tr -d '\r' | grep -c '^/dev/pts/')" 1
expect "typed, and the status" "$( (sleep 1; printf 'exit 5\n'; sleep 1) | script -qec "docker exec -it box sh; echo status \$?" /dev/null | tr -d '\r' | grep -o 'status [0-9]*')" "status 5"
(sleep 1; printf '\020\021'; sleep 0.5) | script -qec "docker exec -it box sh || true" "$W/typed" >/dev/null
contains "detach keys" "$(cat "$W/typed")" "read escape sequence"
expect "many at once" "$(for i in $(seq 20); do docker exec box echo $i & done | sort -n | xargs; wait)" "$(seq 20 | xargs)"
expect "the container's own process goes on" "$(state box)" running
quietly docker rm -f box

say "rm: several, by force, with volumes; prune"
quietly docker run -d --name one -l keep busybox sleep 1000
quietly docker create --name two busybox true
quietly docker create --name three -l keep busybox true
refused "prune asks for an until it can read" 1 "invalid" docker container prune -f --filter until=nonsense
expect "prune by label" "$(docker container prune -f --filter label!=keep | head -n 1)" "Deleted Containers:"
expect "what is left" "$(by)" "one three"
matches "space is told" "$(docker container prune -f | tail -n 1)" 'Total reclaimed space: [0-9.]+k?B'
expect "running ones stay" "$(by)" one
expect "rm -f" "$(docker rm -f one)" one
expect "rm -f of what is not there" "$(status docker rm -f nosuch)" 0
refused "rm of what is not there" 1 "No such container: nosuch" docker rm nosuch
