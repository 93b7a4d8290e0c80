#!/bin/bash
# `docker compose` against docker.sock: the projects of compose/, which between them use every key that Docker's engine supports.
# Each goes up, goes up again with nothing recreated, does what its keys say, and goes down leaving nothing.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
# Where `watch` keeps its lock.
export XDG_RUNTIME_DIR=$W/xdg XDG_CACHE_HOME=$W/xdg
mkdir "$W/xdg"
export DOCKER_BUILDKIT=0 COMPOSE_ANSI=never COMPOSE_PROGRESS=plain
cp -r "$GANTRY_SOURCE/tests/e2e/compose" "$W/compose"

. "$GANTRY_SOURCE/tests/e2e/compose-lib.sh"

if begin web; then
    port=$(compose port web 80)
    in_time "web: the page" 5 sh -c "curl -fsS --max-time 2 http://$port/ | grep -qx 'from compose'"
    expect "web: ps" "$(compose ps --format json | jq -rs 'sort_by(.Service) | map("\(.Service) \(.State) \(.Project)") | join(",")')" "fill running web,web running web"
    expect "web: names" "$(docker ps --format '{{.Names}}' | sort | xargs)" "web-fill-1 web-web-1"
    expect "web: its network and its volume" "$(docker network ls --format '{{.Name}}' --filter label=com.docker.compose.project=web) $(docker volume ls -q)" "web_default web_content"
    expect "web: ls" "$(compose ls --format json | jq -r '.[0] | "\(.Name) \(.Status)"')" "web running(2)"
    expect "web: images" "$(compose images --format json | jq -r '.[0].Repository')" busybox
    expect "web: exec" "$(in_service web sh -c 'echo $((6*7))')" 42
    expect "web: exec and its status" "$(status compose exec -T web sh -c 'exit 9')" 9
    expect "web: names resolve" "$(in_service fill wget -qO- http://web/)" "from compose"
    expect "web: run --rm" "$(compose run --rm -T --no-deps fill echo once 2>/dev/null)" once
    expect "web: nothing is left of it" "$(docker ps -aq | wc -l)" 2
    echo copied >file
    quietly compose cp file web:/tmp/file
    quietly compose cp web:/tmp/file back
    expect "web: cp" "$(cat back)" copied
    contains "web: top" "$(compose top web 2>&1)" 'httpd -f -p 80 -h /www'
    expect "web: stop, start, restart, pause" "$(for verb in stop start restart pause unpause kill start; do compose $verb web >/dev/null 2>&1 || echo "$verb failed"; done; compose ps --format '{{.State}}' web)" running
    in_time "web: events" 5 sh -c 'timeout -s KILL 2 docker compose events --json --since 1h 2>/dev/null | grep -q "\"action\":\"start\"" || docker events --since 1h --until 0s --filter label=com.docker.compose.project=web --format "{{.Action}}" | grep -q start'
    quietly compose wait --help
    end
fi

if begin environment; then
    environment=$(in_service app env)
    for line in "RAW='\${NOT_TOUCHED}'" "FROM_FILE_OF_PROJECT=value of the project" "DEFAULTED=fallback" "ALTERNATIVE=set" 'LITERAL=$HOME' "BOTH=environment" "ONLY_FILE=file"; do contains "environment" "$environment" "$line"; done
    expect "environment: labels" "$(of app '{{index .Config.Labels "com.example.team"}} {{index .Config.Labels "com.example.file"}}')" "front yes"
    expect "environment: annotations" "$(of app '{{index .HostConfig.Annotations "com.example.note"}}')" kept
    end
fi

if begin process; then
    expect "process: user, directory and hostname" "$(compose logs --no-log-prefix app | head -n 3)" "$(printf '1234 5678 5678 2000\n/tmp\nbox')"
    expect "process: container_name" "$(docker ps --format '{{.Names}}' --filter name=compose-process-app)" compose-process-app
    expect "process: a terminal" "$(of shell '{{.Config.Tty}} {{.Config.OpenStdin}}')" "true true"
    quietly compose stop app
    expect "process: stop_signal" "$(compose logs --no-log-prefix app | tail -n 1) $(of app '{{.State.ExitCode}}')" "got usr1 0"
    end
fi

if begin health; then
    expect "health: in order" "$(compose logs --no-log-prefix app)" migrated
    expect "health: states" "$(compose ps -a --format json | jq -rs 'sort_by(.Service) | map("\(.Service) \(.State) \(.Health) \(.ExitCode)") | join(",")')" "app running  0,database running healthy 0,migrate exited  0"
    expect "health: up --wait" "$(status compose up -d --wait database)" 0
    expect "health: what it was made of" "$(of database '{{json .Config.Healthcheck}}' | jq -c '[.Test, .Interval, .StartInterval, .Retries]')" '[["CMD","test","-e","/ready"],200000000,200000000,20]'
    end
fi

if begin networks; then
    expect "networks: a static address" "$(of front '{{(index .NetworkSettings.Networks "networks_outer").IPAddress}}')" 10.213.7.10
    expect "networks: aliases" "$(in_service back sh -c 'nslookup gate 2>/dev/null | grep -c "^Address.*10\|^Address.*172" || true; ping -c 1 -W 2 door >/dev/null && echo reached' | tail -n 1)" reached
    expect "networks: internal" "$(docker network inspect -f '{{.Internal}} {{.Driver}}' networks_inner)" "true bridge"
    expect "networks: no way out of an internal one" "$(in_service back ip route | grep -c default || true)" 0
    expect "networks: none" "$(in_service alone ip -o link | awk -F ': ' '{ print $2 }')" lo
    expect "networks: beside another" "$(in_service beside wget -qO- http://127.0.0.1/)" "from back"
    expect "networks: labels" "$(docker network inspect -f '{{index .Labels "com.example.side"}}' networks_outer)" outer
    end
fi

if begin names; then
    hosts=$(in_service app cat /etc/hosts)
    contains "names: extra_hosts" "$hosts" "10.1.2.3"
    contains "names: host-gateway" "$hosts" "host.docker.internal"
    resolv=$(in_service app cat /etc/resolv.conf)
    contains "names: dns_search" "$resolv" "search example.net"
    contains "names: dns_opt" "$resolv" "ndots:3"
    expect "names: hostname" "$(in_service app hostname)" app
    expect "names: mac_address" "$(in_service app cat /sys/class/net/eth0/address)" 02:42:ac:11:00:77
    end
fi

if begin volumes; then
    expect "volumes: binds" "$(in_service app cat /short/file /bind/file)" "$(printf 'data\ndata')"
    expect "volumes: read only" "$(in_service app sh -c 'touch /short/x /bind/x /x 2>/dev/null; touch /named/x /long/x /anonymous/x /t/x /run/x /scratch/x && echo written')" written
    expect "volumes: temporary file systems" "$(in_service app sh -c 'stat -c %a /t; df -k /t | tail -n 1 | tr -s " " | cut -d " " -f 2; df -k /scratch | tail -n 1 | tr -s " " | cut -d " " -f 2; df -k /dev/shm | tail -n 1 | tr -s " " | cut -d " " -f 2')" "$(printf '750\n2048\n1024\n8192')"
    expect "volumes: volumes_from" "$(in_service other ls /named)" x
    expect "volumes: names and labels" "$(docker volume ls -q --filter label=com.example.kind=long) $(docker volume inspect -f '{{.Driver}}' volumes_named)" "gantry-tour-labelled local"
    end
fi

if begin configs; then
    expect "configs: a file" "$(in_service app cat /plain)" plain=1
    expect "configs: inline" "$(in_service app cat /etc/inline.conf)" value=inline
    expect "secrets: a file" "$(in_service app cat /run/secrets/password)" "not a secret"
    expect "secrets: the environment" "$(in_service app cat /run/secrets/renamed)" "taken from the environment"
    end
fi

if begin limits; then
    expect "limits: old words" "$(of old '{{with .HostConfig}}{{.Memory}} {{.MemoryReservation}} {{.MemorySwap}} {{.NanoCpus}} {{.CpuShares}} {{.CpusetCpus}} {{.PidsLimit}} {{.OomScoreAdj}}{{end}}')" "67108864 33554432 67108864 500000000 512 0 33 300"
    expect "limits: ulimits and sysctls" "$(in_service old sh -c "awk '/open files/ { print \$4, \$5 }' /proc/1/limits; cat /proc/sys/net/ipv4/ip_unprivileged_port_start" | xargs)" "100 200 77"
    expect "limits: new words, twice" "$(for id in $(compose ps -q new); do field "$id" '{{with .HostConfig}}{{.Memory}} {{.MemoryReservation}} {{.NanoCpus}} {{.PidsLimit}} {{.RestartPolicy.Name}} {{.RestartPolicy.MaximumRetryCount}}{{end}}'; done | uniq -c | xargs)" "2 50331648 25165824 250000000 44 on-failure 3"
    end
fi

if begin security; then
    expect "security: tight" "$(in_service tight grep -E '^(CapBnd|NoNewPrivs)' /proc/1/status | cut -f 2 | xargs)" "0000000000000400 1"
    expect "security: loose" "$(of loose '{{.HostConfig.Privileged}}')" true
    expect "security: host" "$(in_service host sh -c 'for space in pid user uts net; do readlink /proc/self/ns/$space; done' | xargs)" "$(readlink /proc/self/ns/pid /proc/self/ns/user /proc/self/ns/uts /proc/self/ns/net | xargs)"
    expect "security: beside" "$(in_service beside readlink /proc/self/ns/pid)" "$(in_service tight readlink /proc/self/ns/pid)"
    end
fi

if begin devices; then
    expect "devices" "$(in_service app sh -c 'head -c 3 /dev/naught | wc -c' | tr -d ' ')" 3
    end
fi

if begin logging; then
    expect "logging: options" "$(of app '{{.HostConfig.LogConfig.Type}}')" json-file
    expect "logging: logs" "$(compose logs app | tr -s ' ' | xargs)" "app-1 | line 1 app-1 | line 2 app-1 | line 3"
    expect "logging: --tail, --no-log-prefix, -t" "$(compose logs --tail 1 --no-log-prefix app) $(compose logs -t --tail 1 --no-log-prefix app | grep -cE '^20[0-9-]+T.*Z line 3$')" "line 3 1"
    contains "logging: -f ends with its containers" "$( (sleep 1; docker compose stop app >/dev/null 2>&1) & compose logs -f --no-log-prefix app)" "line 3"
    expect "logging: none" "$(of silent '{{.HostConfig.LogConfig.Type}}')" none
    end
fi

if begin profiles; then
    expect "profiles: without debug" "$(compose ps --services | sort | xargs)" "app beside child included"
    expect "profiles: what is included has its own variables" "$(in_service beside sh -c 'echo $WORD')" "of the included"
    expect "profiles: extends" "$(in_service child sh -c 'echo $BASE $CHILD')" "1 1"
    quietly compose --profile debug up -d
    expect "profiles: with debug" "$(compose ps --services | sort | xargs)" "app beside child debug included"
    quietly compose --profile debug down
    end
fi

if begin build; then
    expect "build: argument, target and context" "$(in_service app cat /colour /message | xargs)" "blue from the context"
    expect "build: a directory is enough" "$(in_service plain cat /plain)" plain
    expect "build: labels and tags" "$(docker image inspect -f '{{index .Config.Labels "com.example.built"}}' gantry-tour-extra:1)" yes
    id=$(container app)
    echo changed >message
    quietly compose up -d --build app
    [ "$(container app)" != "$id" ] || finding "build: a new image makes no new container"
    expect "build: the new content" "$(in_service app cat /message)" changed
    end --rmi local
fi
for image in gantry-tour-built:1 gantry-tour-extra:1 build-plain; do docker rmi -f "$image" >/dev/null 2>&1 || true; done

if begin scale; then
    expect "scale: two" "$(compose ps worker --format '{{.Name}}' | sort | xargs)" "scale-worker-1 scale-worker-2"
    kept=$(compose ps -q worker | sort)
    quietly compose up -d --scale worker=4
    expect "scale: four" "$(compose ps -q worker | wc -l)" 4
    expect "scale: the first two are kept" "$(compose ps -q worker | grep -cF "$kept")" 2
    expect "scale: one name, all addresses" "$(in_service other nslookup worker 2>/dev/null | grep -cE '^Address.*: 1(0|72|92)\.' || true)" 4
    quietly compose up -d --scale worker=1
    expect "scale: down to one" "$(compose ps worker --format '{{.Name}}')" scale-worker-1
    other=$(container other) worker=$(container worker)
    export VERSION=2
    quietly compose up -d --scale worker=1
    [ "$(container worker)" != "$worker" ] || finding "scale: a change of its environment makes no new container"
    expect "scale: what has not changed stays" "$(container other)" "$other"
    expect "scale: the new one" "$(compose logs --no-log-prefix worker)" "working as 2"
    unset VERSION
    quietly compose up -d --force-recreate --no-deps other
    [ "$(container other)" != "$other" ] || finding "scale: --force-recreate makes no new container"
    sed -i '/^  other:/,$d' compose.yaml
    quietly compose up -d --remove-orphans
    expect "scale: orphans" "$(docker ps --filter label=com.docker.compose.project=scale --format '{{.Label "com.docker.compose.service"}}' | sort -u)" worker
    end
fi

quietly docker network create gantry-tour-outside
quietly docker volume create gantry-tour-outside
quietly docker run --rm -v gantry-tour-outside:/data busybox sh -c 'echo from outside >/data/file'
if begin external; then
    expect "external: the volume" "$(compose logs --no-log-prefix app)" "from outside"
    expect "external: links" "$(in_service app ping -c 1 -W 2 mate | grep -c '1 packets received')" 1
    end
fi
expect "external: they stay" "$(docker network ls -q --filter name=gantry-tour-outside | wc -l) $(docker volume ls -q)" "1 gantry-tour-outside"
quietly docker network rm gantry-tour-outside
quietly docker volume rm gantry-tour-outside

if begin hooks; then
    in_time "hooks: after the start" 5 docker compose exec -T app test -e /marker
    "$GANTRY_CLIENTS/docker-compose" watch --no-up >"$W/watched" 2>&1 </dev/null &
    watcher=$!
    in_time "hooks: watch begins" 5 grep -q -i watch "$W/watched"
    sleep 0.5
    echo two >source/file
    in_time "hooks: watch copies what changes" 10 sh -c 'docker compose exec -T app cat /source/file | grep -qx two'
    kill -KILL $watcher
    wait $watcher 2>/dev/null || true
    quietly compose stop app
    expect "hooks: before the stop" "$(docker run --rm -v hooks_shared:/shared busybox cat /shared/stopped | xargs)" "stopping /tmp 0 hook"
    end
fi
say "compose: every key is used"
/usr/bin/python3 "$GANTRY_SOURCE/tests/e2e/python/compose_keys.py" "$GANTRY_SOURCE/tests/e2e/compose" "$GANTRY_SOURCE/tests/e2e/compose/keys" || finding "compose_keys.py"
expect "nothing is left" "$(docker ps -aq | wc -l) $(docker volume ls -q | wc -l)" "0 0"
