#!/bin/bash
# `docker run` and `docker create`: what options do to the program, and how they read back in inspect.
. "$(dirname "$0")/docker-lib.sh"
mkdir "$W/tmpfs" && mount -t tmpfs tmpfs "$W/tmpfs" && mount --make-shared "$W/tmpfs"
start_daemon
busybox_image
run() { docker run --rm "$@" 2>&1 </dev/null; }
cd "$W"

say "streams and exit statuses"
expect "output" "$(run busybox echo hello)" hello
expect "standard error is kept apart" "$(docker run --rm busybox sh -c 'echo out; echo err >&2' 2>"$W/err")" out
expect "standard error" "$(cat "$W/err")" err
expect "input" "$(printf 'one\ntwo\n' | docker run --rm -i busybox wc -l | tr -d ' ')" 2
expect "input, and more output than a pipe holds" "$(head -c 3000000 /dev/zero | docker run --rm -i busybox cat | wc -c)" 3000000
expect "status" "$(status docker run --rm busybox sh -c 'exit 7')" 7
expect "killed by itself" "$(status docker run --rm --init busybox sh -c 'kill -TERM $$; sleep 5')" 143
refused "no such program" 127 'exec: "nosuch": executable file not found in $PATH' docker run --rm busybox nosuch
refused "no such path" 127 '/no/such' docker run --rm busybox /no/such
refused "not executable" 126 'permission denied' docker run --rm busybox /etc/passwd
refused "no such image" 125 'nosuch' docker run --rm --pull never nosuch:1 true
contains "no such image: as Docker says it" "$(cat "$W/out")" "No such image: nosuch:1"
expect "nothing is left of them" "$(docker ps -aq | wc -l)" 0

say "a terminal"
expect "tty" "$(sleep 2 | script -qec "docker run --rm -it busybox tty" /dev/null | tr -d '\r' | grep -o '^/dev/.*')" /dev/pts/0
expect "size" "$(sleep 2 | script -qec "stty rows 33 cols 77; docker run --rm -it busybox sh -c 'sleep 0.5; stty size'" /dev/null | tr -d '\r' | tail -n 1)" "33 77"
expect "typed input" "$( (sleep 1; printf 'echo $((6*7))\nexit 3\n'; sleep 1) | script -qec "docker run --rm -it busybox sh" /dev/null | tr -d '\r' | grep -c '^42$')" 1
expect "-t without a terminal at the client" "$(docker run --rm -t busybox sh -c 'test -t 1 && echo yes' </dev/null | tr -d '\r')" yes

say "detached, names, --rm, --cidfile"
id=$(docker run -d --name named --cidfile "$W/cid" busybox sleep 1000)
matches "id" "$id" '[0-9a-f]{64}'
expect "--cidfile" "$(cat "$W/cid")" "$id"
expect "name" "$(field "$id" '{{.Name}}')" /named
expect "by a part of the id" "$(field "${id:0:6}" '{{.Id}}')" "$id"
refused "a name taken" 125 "Conflict. The container name \"/named\" is already in use by container \"$id\". You have to remove (or rename) that container to be able to reuse that name." docker run --name named busybox true
refused "a bad name" 1 "Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed" docker create --name a/b busybox
quietly docker rm -f named
name=$(field "$(docker create busybox true)" '{{.Name}}')
matches "a generated name" "$name" '/[a-z]+_[a-z]+[0-9]*'
expect "created" "$(field "$name" '{{.State.Status}}')" created
quietly docker rm "$name"
id=$(docker run -d --rm busybox sleep 0.3)
in_time "--rm of a detached one" 5 sh -c "! docker inspect $id"

say "environment"
printf '# a comment\nFROM_FILE=file value\nBOTH=file\n' >env
expect "-e" "$(run -e A=1 -e B="two words" -e EMPTY= busybox sh -c 'echo "$A,$B,${EMPTY-unset}"')" "1,two words,"
expect "-e from the client's environment" "$(TAKEN=here run -e TAKEN -e NOT_SET_AT_ALL busybox sh -c 'echo "$TAKEN,${NOT_SET_AT_ALL-unset}"')" "here,unset"
expect "--env-file, and -e wins" "$(run --env-file env -e BOTH=flag busybox sh -c 'echo "$FROM_FILE,$BOTH"')" "file value,flag"
expect "PATH" "$(run busybox sh -c 'echo $PATH')" "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
expect "HOME" "$(run busybox sh -c 'echo $HOME')" /root
expect "HOME of another user" "$(run -u nobody busybox sh -c 'echo $HOME')" /
expect "TERM with a terminal" "$(docker run --rm -t busybox sh -c 'echo $TERM' </dev/null | tr -d '\r')" xterm
expect "HOSTNAME" "$(run -h box busybox sh -c 'echo $HOSTNAME')" box

say "directory, user, groups, command"
expect "-w, made when it is not there" "$(run -w /made/here busybox pwd)" /made/here
expect "-u by name" "$(run -u nobody busybox sh -c 'echo $(id -u):$(id -g)')" 65534:65534
expect "-u by number and group" "$(run -u 1234:5678 busybox sh -c 'echo $(id -u):$(id -g)')" 1234:5678
refused "-u unknown" 125 'unable to find user nosuch: no matching entries in passwd file' docker run --rm -u nosuch busybox true
expect "--group-add" "$(run -u 1000 --group-add 2000 --group-add nogroup busybox id -G)" "0 2000 65534"
expect "--entrypoint" "$(run --entrypoint echo busybox from entrypoint)" "from entrypoint"
expect "--entrypoint in inspect" "$(id=$(docker create 2>&1 --entrypoint echo busybox a b) || echo "$id"; field "$id" '{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Path}} {{json .Args}}'; docker rm "$id" >/dev/null)" '["echo"] ["a","b"] echo ["a","b"]'
refused "no command" 1 "no command specified" docker create busybox

say "names of the container itself"
expect "--hostname" "$(run --hostname box --domainname example.org busybox sh -c 'hostname; hostname -f 2>/dev/null || true; grep box /etc/hosts | tail -n 1 | cut -f 2')" "$(printf 'box\nbox.example.org\nbox.example.org box')"
id=$(docker create busybox true)
expect "the hostname is the short id" "$(docker start -a "$id" >/dev/null; field "$id" '{{.Config.Hostname}}')" "${id:0:12}"
quietly docker rm "$id"
expect "--add-host" "$(run --add-host one:10.1.2.3 --add-host 'two=fd00::2' busybox sh -c "grep -w one /etc/hosts; grep -w two /etc/hosts" | tr '\t' ' ')" "$(printf '10.1.2.3 one\nfd00::2 two')"
gateway=$(run busybox sh -c "ip route | awk '/^default/ { print \$3 }'")
expect "host-gateway" "$(run --add-host host.docker.internal:host-gateway busybox sh -c "grep host.docker.internal /etc/hosts" | cut -f 1)" "$gateway"
resolv=$(run --dns 10.9.8.7 --dns-search example.net --dns-option ndots:3 busybox cat /etc/resolv.conf)
contains "--dns" "$resolv" "nameserver 10.9.8.7"
contains "--dns-search" "$resolv" "search example.net"
contains "--dns-option" "$resolv" "ndots:3"
if made docker create --name words --dns 10.9.8.7 --dns-search example.net --dns-option ndots:3 --add-host one:10.1.2.3 busybox true; then
    expect "they read back" "$(field words '{{json .HostConfig.Dns}}{{json .HostConfig.DnsSearch}}{{json .HostConfig.DnsOptions}}{{json .HostConfig.ExtraHosts}}')" '["10.9.8.7"]["example.net"]["ndots:3"]["one:10.1.2.3"]'
    quietly docker rm words
fi

say "labels, annotations, stop signal"
printf 'from=file\n' >labels
if made docker create --name words -l one=1 --label two --label-file labels --annotation note=kept --stop-signal SIGUSR1 --stop-timeout 3 busybox true; then
    expect "labels" "$(field words '{{json .Config.Labels}}' | jq -Sc .)" '{"from":"file","one":"1","two":""}'
    expect "annotations" "$(field words '{{json .HostConfig.Annotations}}')" '{"note":"kept"}'
    expect "--stop-signal, --stop-timeout" "$(field words '{{.Config.StopSignal}} {{.Config.StopTimeout}}')" "SIGUSR1 3"
    quietly docker rm words
fi
quietly docker run -d --name trap --stop-signal USR1 busybox sh -c 'trap "echo got usr1; exit 5" USR1; echo ready; while :; do sleep 0.1; done'
in_time "trap is ready" 5 sh -c 'docker logs trap | grep -q ready'
quietly docker stop trap
expect "--stop-signal is sent" "$(docker logs trap | tail -n 1) $(field trap '{{.State.ExitCode}}')" "got usr1 5"
quietly docker rm trap

say "binds"
mkdir -p bind/sub made && echo data >bind/file
expect "-v" "$(run -v "$W/bind:/b" busybox cat /b/file)" data
expect "-v writes" "$(run -v "$W/bind:/b" busybox sh -c 'echo new >/b/written'; cat bind/written)" new
expect "owner on the host" "$(stat -c %u:%g bind/written)" 0:0
expect "-v :ro" "$(status docker run --rm -v "$W/bind:/b:ro" busybox touch /b/x)" 1
contains "-v :ro" "$(cat "$W/out")" "Read-only file system"
expect "-v makes the source" "$(run -v "$W/not/there:/b" busybox test -d /b; ls -d not/there)" not/there
expect "a relative source" "$(run -v ./bind:/b busybox cat /b/file)" data
expect "a file" "$(run -v "$W/bind/file:/one/file" busybox cat /one/file)" data
refused "--mount does not make the source" 125 "bind source path does not exist: $W/missing" docker run --rm --mount "type=bind,source=$W/missing,target=/b" busybox true
expect "--mount type=bind" "$(run --mount "type=bind,src=$W/bind,dst=/b,readonly" busybox sh -c 'cat /b/file; touch /b/x 2>/dev/null || echo ro')" "$(printf 'data\nro')"
expect "bind-propagation" "$(run --mount "type=bind,src=$W/tmpfs,dst=/b,bind-propagation=rslave" busybox sh -c "grep -c ' /b .*master:' /proc/self/mountinfo || true")" 1
if made docker create --name words -v "$W/tmpfs:/b:ro,rslave" -v "$W/bind:/c" busybox true; then
    expect "binds in inspect" "$(field words '{{json .HostConfig.Binds}}' | jq -c sort)" "[\"$W/bind:/c\",\"$W/tmpfs:/b:ro,rslave\"]"
    expect "mounts in inspect" "$(field words '{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}} {{.Propagation}};{{end}}' | tr ';' '\n' | sort | tail -n 2)" "$(printf 'bind %s /c true rprivate\nbind %s /b false rslave' "$W/bind" "$W/tmpfs")"
    quietly docker rm words
fi
refused "a relative target" 125 "invalid" docker run --rm -v "$W/bind:relative" busybox true
refused "one target twice" 125 "Duplicate mount point: /b" docker run --rm -v "$W/bind:/b" -v "$W/made:/b" busybox true
refused "a bad mode" 125 "invalid mode: zz" docker run --rm -v "$W/bind:/b:zz" busybox true

say "volumes"
run -v keep:/data busybox sh -c 'echo precious >/data/file' >/dev/null
expect "a named volume keeps" "$(run -v keep:/data:ro busybox cat /data/file)" precious
expect "--mount type=volume" "$(run --mount type=volume,source=keep,target=/data,readonly busybox cat /data/file)" precious
run -v keep:/data busybox mkdir /data/sub >/dev/null
run -v keep:/data busybox sh -c 'echo inner >/data/sub/file' >/dev/null
expect "volume-subpath" "$(run --mount type=volume,source=keep,target=/data,volume-subpath=sub busybox cat /data/file)" inner
expect "a new volume gets what the image has there" "$(run -v fresh:/etc busybox cat /etc/group | head -n 1)" "root:x:0:"
expect "volume-nocopy" "$(run --mount type=volume,source=bare,target=/etc,volume-nocopy busybox sh -c 'test -e /etc/passwd && echo copied || echo bare')" bare
id=$(docker create -v /anonymous --mount type=volume,target=/other busybox true)
expect "anonymous volumes" "$(field "$id" '{{range .Mounts}}{{.Type}} {{len .Name}} {{.Destination}} {{.Driver}} {{.RW}};{{end}}' | tr ';' '\n' | sort | tail -n 2)" "$(printf 'volume 64 /anonymous local true\nvolume 64 /other local true')"
volume=$(field "$id" '{{range .Mounts}}{{.Name}} {{end}}' | cut -d ' ' -f 1)
quietly docker rm -v "$id"
expect "docker rm -v takes them along" "$(ls "$W/data/volumes" | grep -c "$volume" || true)" 0
if made docker run -d --name donor -v keep:/data -v "$W/bind:/b" busybox sleep 1000; then
    expect "--volumes-from" "$(run --volumes-from donor busybox cat /data/file /b/file)" "$(printf 'precious\ndata')"
    expect "--volumes-from :ro" "$(status docker run --rm --volumes-from donor:ro busybox touch /data/x)" 1
    expect "--volumes-from reads back" "$(id=$(docker create 2>&1 --volumes-from donor:ro busybox true) || echo "$id"; field "$id" '{{json .HostConfig.VolumesFrom}}'; docker rm "$id" >/dev/null)" '["donor:ro"]'
    quietly docker rm -f donor
fi
for volume in keep fresh bare; do gantry volume rm $volume >/dev/null; done

say "temporary file systems, shared memory, read-only"
expect "--tmpfs" "$(run --tmpfs /t:size=1m,mode=1750,uid=5,gid=6 busybox sh -c 'stat -c "%a %u %g" /t; df -k /t | awk "END { print \$2 }"')" "$(printf '1750 5 6\n1024')"
expect "--tmpfs is noexec, nosuid, nodev" "$(run --tmpfs /t busybox sh -c "awk '\$2 == \"/t\" { print \$4 }' /proc/mounts" | tr ',' '\n' | grep -xE 'noexec|nosuid|nodev|rw' | sort | xargs)" "nodev noexec nosuid rw"
expect "--tmpfs exec" "$(run --tmpfs /t:exec busybox sh -c 'cp /bin/busybox /t/echo; /t/echo ran')" ran
expect "--mount type=tmpfs" "$(run --mount type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=0700 busybox sh -c 'stat -c %a /t; df -k /t | awk "END { print \$2 }"')" "$(printf '700\n2048')"
expect "--read-only" "$(run --read-only --tmpfs /tmp busybox sh -c 'touch /tmp/x && echo tmp; touch /x 2>/dev/null || echo ro')" "$(printf 'tmp\nro')"
expect "--shm-size" "$(run --shm-size 8m busybox df -k /dev/shm | awk 'END { print $2 }')" 8192
expect "shm of 64 MB otherwise" "$(run busybox df -k /dev/shm | awk 'END { print $2 }')" 65536
if made docker create --name words --tmpfs /t:size=1m --shm-size 8m --read-only busybox true; then
    expect "they read back" "$(field words '{{.HostConfig.ShmSize}} {{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.Tmpfs}}')" '8388608 true {"/t":"size=1048576"}'
    quietly docker rm words
fi

say "--init, --restart, --health-*"
expect "--init is process 1" "$(run --init busybox cat /proc/1/comm)" init
quietly docker run -d --name flaky --restart on-failure:2 busybox sh -c 'echo try; exit 3'
in_time "two restarts" 15 sh -c '[ "$(docker inspect -f "{{.RestartCount}} {{.State.Status}}" flaky)" = "2 exited" ]'
expect "three tries" "$(docker logs flaky | grep -c try) $(field flaky '{{.State.ExitCode}}')" "3 3"
expect "--restart reads back" "$(field flaky '{{json .HostConfig.RestartPolicy}}')" '{"Name":"on-failure","MaximumRetryCount":2}'
quietly docker rm flaky
quietly docker run -d --name always --restart always busybox sh -c 'sleep 0.2'
in_time "always comes back" 10 sh -c '[ "$(docker inspect -f "{{.RestartCount}}" always)" -ge 2 ]'
quietly docker stop always
sleep 1
expect "but not after a stop" "$(field always '{{.State.Status}}')" exited
quietly docker rm always
refused "--rm with --restart" 125 "conflicting options: cannot specify both --restart and --rm" docker run --rm --restart always busybox true
quietly docker run -d --name health --health-cmd 'test -e /ok' --health-interval 200ms --health-timeout 2s --health-retries 2 --health-start-period 50ms busybox sh -c 'sleep 1000'
expect "starting" "$(field health '{{.State.Health.Status}}')" starting
quietly docker exec health touch /ok
in_time "healthy" 10 sh -c '[ "$(docker inspect -f "{{.State.Health.Status}}" health)" = healthy ]'
contains "docker ps shows it" "$(docker ps --format '{{.Status}}' --filter name=health)" "(healthy)"
expect "--filter health" "$(docker ps --filter health=healthy --format '{{.Names}}')$(docker ps --filter health=unhealthy -q)" health
quietly docker exec health rm /ok
in_time "unhealthy" 10 sh -c '[ "$(docker inspect -f "{{.State.Health.Status}}" health)" = unhealthy ]'
expect "its log" "$(field health '{{with index .State.Health.Log 0}}{{.ExitCode}}{{end}} {{ge .State.Health.FailingStreak 2}}' | sed 's/^[01]/N/')" "N true"
expect "it reads back" "$(field health '{{json .Config.Healthcheck}}' | jq -c '[.Test, .Interval, .Timeout, .Retries, .StartPeriod]')" '[["CMD-SHELL","test -e /ok"],200000000,2000000000,2,50000000]'
quietly docker rm -f health
expect "--no-healthcheck" "$(id=$(docker create 2>&1 --no-healthcheck busybox true) || echo "$id"; field "$id" '{{json .Config.Healthcheck.Test}}'; docker rm "$id" >/dev/null)" '["NONE"]'

say "log options"
quietly docker run -d --name chatty --log-opt max-size=10k --log-opt max-file=2 busybox sh -c 'i=0; while [ $i -lt 20000 ]; do echo "line $i of many"; i=$((i+1)); done'
quietly docker wait chatty
expect "the last line" "$(docker logs --tail 1 chatty)" "line 19999 of many"
[ "$(docker logs chatty | wc -c)" -le 100000 ] || finding "max-size is not heeded: $(docker logs chatty | wc -c) bytes"
expect "they read back" "$(field chatty '{{.HostConfig.LogConfig.Type}} {{json .HostConfig.LogConfig.Config}}' | jq -cR 'split(" ") | [.[0], (.[1] | fromjson | .["max-size"], .["max-file"])]')" '["json-file","10k","2"]'
quietly docker rm chatty
refused "an unknown option" 125 "nosuch" docker run --rm --log-opt nosuch=1 busybox true
refused "an unknown driver" 125 "nosuch" docker run --rm --log-driver nosuch busybox true

say "platform and pull"
expect "--platform of this machine" "$(run --platform "linux/$(dpkg --print-architecture)" busybox echo ours)" ours
expect "--pull never" "$(run --pull never busybox echo here)" here
expect "--quiet --pull missing" "$(run --quiet --pull missing busybox echo here)" here
