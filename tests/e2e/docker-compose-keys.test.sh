#!/bin/bash
# The rarer keys of compose files against docker.sock: long forms, limits, networks, sealed files, builds, what is watched. Together with docker-compose.test.sh every key of compose/keys is used.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
export XDG_RUNTIME_DIR=$W/xdg XDG_CACHE_HOME=$W/xdg
mkdir "$W/xdg"
export DOCKER_BUILDKIT=0 COMPOSE_ANSI=never COMPOSE_PROGRESS=plain
cp -r "$GANTRY_SOURCE/tests/e2e/compose" "$W/compose"
. "$GANTRY_SOURCE/tests/e2e/compose-lib.sh"
made_cdi=
cdi_gone() {
    local code=$?
    [ -z "$made_cdi" ] || { rm -f "$made_cdi"; rmdir --ignore-fail-on-non-empty /run/cdi; }
    (exit "$code")
    finish
}
trap cdi_gone EXIT

if begin ports; then
    in_time "ports: the page" 5 sh -c "curl -fsS --max-time 2 http://$(compose port web 80)/ | grep -qx 'from ports'"
    matches "ports: a range" "$(compose port --protocol udp web 53)" '127\.0\.0\.1:2[0-9]{4}'
    matches "ports: a port of the engine's choice" "$(compose port web 82)" '127\.0\.0\.1:[0-9]+'
    expect "ports: all of them" "$(docker port "$(container web)" | sed 's/ ->.*//' | sort -u | xargs)" "53/udp 80/tcp 81/tcp 82/tcp 90/tcp"
    expect "ports: exposed ones" "$(of web '{{json .Config.ExposedPorts}}' | jq -r 'keys | map(select(test("^80[89]"))) | join(" ")')" "8080/tcp 8090/udp"
    end
fi

export BLOCK_DEVICE=/dev/$(lsblk -nd -e 7,253 -o NAME | head -n 1)
if begin resources; then
    expect "resources: cpu and memory" "$(of app '{{with .HostConfig}}{{.Memory}} {{.CpuPeriod}} {{.CpuQuota}} {{.Runtime}}{{end}}')" "67108864 50000 20000 crun"
    expect "resources: block devices" "$(of app '{{json .HostConfig}}' | jq -c --arg d "$BLOCK_DEVICE" '[.BlkioWeight, .BlkioWeightDevice[0].Weight, .BlkioDeviceReadBps[0].Rate, .BlkioDeviceWriteBps[0].Rate, .BlkioDeviceReadIOps[0].Rate, .BlkioDeviceWriteIOps[0].Rate, .BlkioDeviceReadBps[0].Path == $d]')" "[300,400,10485760,5242880,100,50,true]"
    expect "resources: a device" "$(in_service app sh -c 'head -c 3 /dev/naught | wc -c' | tr -d ' ')" 3
    end
fi

if begin mounts; then
    expect "mounts: part of a volume" "$(in_service app cat /part/file)" inner
    expect "mounts: a volume with labels" "$(docker volume inspect -f '{{index .Labels "com.example.by"}}' mounts_labelled)" compose
    expect "mounts: a bind" "$(in_service app cat /bound/file)" data
    contains "mounts: its propagation" "$(of app '{{range .Mounts}}{{.Destination}} {{.Propagation}};{{end}}')" "/bound rprivate"
    expect "mounts: an image" "$(in_service app sh -c 'head -n 1 /image/passwd')" "root:x:0:0:root:/root:/bin/sh"
    expect "mounts: volumes with options" "$(in_service app sh -c 'df -k /memory | awk "END { print \$2 }"; cat /elsewhere/file' | xargs)" "2048 data"
    expect "mounts: a temporary file system" "$(in_service app stat -c %a /scratch)" 700
    end
fi

if begin attach-points; then
    expect "attach-points: addresses" "$(of app '{{with index .NetworkSettings.Networks "attach-points-main"}}{{.IPAddress}} {{.GlobalIPv6Address}} {{.MacAddress}} {{.GwPriority}}{{end}}')" "10.213.9.130 fd00:213:9::30 02:42:0a:d5:09:82 10"
    expect "attach-points: the name of an interface" "$(in_service app ls /sys/class/net | xargs)" "eth0 lo main0"
    expect "attach-points: the way out" "$(in_service app ip route | awk '/^default/ { print $5 }')" main0
    expect "attach-points: options" "$(docker network inspect -f '{{index .Options "com.docker.network.driver.mtu"}} {{.Attachable}} {{.EnableIPv6}}' attach-points-main)" "1400 true true"
    expect "attach-points: aliases and external links" "$(in_service peer sh -c 'ping -c 1 -W 2 second >/dev/null && ping -c 1 -W 2 seen >/dev/null && echo both')" both
    end
fi

if begin sealed; then
    expect "sealed: owners and modes" "$(in_service app stat -c %u:%g:%a /etc/words /run/secrets/word | xargs)" "1000:1001:440 1000:1001:400"
    expect "sealed: contents" "$(in_service app cat /etc/words /etc/surroundings /run/secrets/word | xargs)" "some words all aroundsesame"
    end
fi

if begin builds; then
    expect "builds: what the step saw" "$(in_service app cat /hosts /who | xargs)" "10.1.2.3 builder.example somebody"
    end --rmi all
fi

if begin developing; then
    first=$(container app)
    "$GANTRY_CLIENTS/docker-compose" watch --no-up >"$W/watched" 2>&1 </dev/null &
    watcher=$!
    in_time "developing: watch begins" 10 grep -q -i watch "$W/watched"
    sleep 1
    echo two >source/file
    in_time "developing: copied, and started again" 20 sh -c 'docker compose logs --no-log-prefix app | grep -qx two'
    echo more again >more/file
    in_time "developing: copied, and a command" 20 docker compose exec -T app grep -qx watch /executed
    expect "developing: the command's surroundings" "$(in_service app cat /executed | head -n 3 | xargs)" "/tmp 0 watch"
    expect "developing: the same container" "$(container app)" "$first"
    echo 'LABEL again=yes' >>Dockerfile
    in_time "developing: built again" 40 sh -c "[ \"\$(docker compose ps -aq app)\" != $first ] && [ -n \"\$(docker compose ps -q app)\" ]"
    expect "developing: the new one" "$(of app '{{index .Config.Labels "again"}}')" yes
    kill -KILL $watcher
    wait $watcher 2>/dev/null || true
    end --rmi all
fi

mkdir -p /run/cdi
made_cdi=/run/cdi/gantry-e2e-$$.json
echo '{"cdiVersion":"0.6.0","kind":"example.org/null","devices":[{"name":"one","containerEdits":{"deviceNodes":[{"path":"/dev/cdi-null","hostPath":"/dev/null","type":"c","major":1,"minor":3}],"env":["CDI=one"]}}]}' >"$made_cdi"
if begin deployed; then
    expect "deployed: replicas" "$(compose ps -q app | wc -l)" 2
    expect "deployed: limits and restarts" "$(field "$(compose ps -q app | head -n 1)" '{{with .HostConfig}}{{.Memory}} {{.MemoryReservation}} {{.NanoCpus}} {{.PidsLimit}} {{.RestartPolicy.Name}} {{.RestartPolicy.MaximumRetryCount}}{{end}}')" "67108864 33554432 500000000 50 on-failure 2"
    expect "deployed: devices by CDI" "$(in_service app sh -c 'test -c /dev/cdi-null && echo one') $(in_service gpu sh -c 'test -c /dev/cdi-null && echo one')" "one one"
    end
fi
expect "nothing is left" "$(docker ps -aq | wc -l) $(docker volume ls -q | wc -l)" "0 0"
