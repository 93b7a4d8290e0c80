#!/bin/bash
# `docker run` where it meets the machine: published ports, networks, namespaces, capabilities, limits, devices, kernel parameters.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"
run() { docker run --rm "$@" 2>&1 </dev/null; }
# serve NAME [options]: answers "from NAME" on port 80
serve() {
    local name=$1
    shift
    quietly docker run -d --name "$name" --init "$@" busybox sh -c "mkdir -p /www; echo from $name >/www/index.html; exec httpd -f -p 80 -h /www"
}
# The server needs a moment after its container has begun.
get() {
    local try
    for try in 1 2 3 4; do
        curl -gfsS --max-time 2 "$@" >"$W/got" 2>&1 && break
        sleep 0.3
    done
    cat "$W/got"
}
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }
host_port() { docker port "$1" "$2" | sed -n 's/.*://p' | head -n 1; }

say "published ports"
port=$(free_port)
serve web -p "$port:80"
expect "on loopback" "$(get "http://127.0.0.1:$port/")" "from web"
address=$(ip -4 -o address show scope global | awk '{ print $4 }' | cut -d / -f 1 | head -n 1)
expect "on every address" "$(get "http://$address:$port/")" "from web"
expect "docker port" "$(docker port web | sort | xargs)" "80/tcp -> 0.0.0.0:$port 80/tcp -> [::]:$port"
expect "docker ps" "$(docker ps --format '{{.Ports}}')" "0.0.0.0:$port->80/tcp, [::]:$port->80/tcp"
expect "inspect" "$(field web '{{json .NetworkSettings.Ports}}')" "{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"$port\"},{\"HostIp\":\"::\",\"HostPort\":\"$port\"}]}"
expect "what was asked for" "$(field web '{{json .HostConfig.PortBindings}}')" "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"$port\"}]}"
refused "a port in use" 125 "$port" docker run --rm -p "$port:80" busybox true
quietly docker stop -t 1 web
expect "closed when it has ended" "$(status curl -sS --max-time 2 "http://127.0.0.1:$port/")" 7
quietly docker start web
expect "and open again, the same one" "$(get "http://127.0.0.1:$port/")" "from web"
quietly docker rm -f web
serve local -p "127.0.0.1:$port:80"
expect "a host address" "$(get "http://127.0.0.1:$port/")" "from local"
expect "no other address" "$(status curl -sS --max-time 2 "http://$address:$port/")" 7
quietly docker rm -f local
serve any -p 80
expect "a port of the engine's choice" "$(get "http://127.0.0.1:$(host_port any 80)/")" "from any"
quietly docker rm -f any
# No proxy stands in the way of a packet, and the kernel leads none from ::1 to a container: that is said, with what to do.
refused "an IPv6 loopback address" 125 "publish on 127.0.0.1" docker run --rm -p "[::1]:$port:80" busybox true
serve range -p "$port-$((port + 5)):80"
matches "a range: the first free one of it" "$(host_port range 80)" "($port|$((port + 1))|$((port + 2)))"
expect "it answers" "$(get "http://127.0.0.1:$(host_port range 80)/")" "from range"
quietly docker rm -f range
serve pairs -p "127.0.0.1:$port-$((port + 1)):80-81"
expect "a range onto a range" "$(docker port pairs | sort | xargs)" "80/tcp -> 127.0.0.1:$port 81/tcp -> 127.0.0.1:$((port + 1))"
quietly docker rm -f pairs
cat >echo.py <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 53))
while True:
    data, peer = s.recvfrom(100)
    s.sendto(b"got " + data, peer)
PY
cat >ask.py <<'PY'
import socket, sys
for _ in range(20):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.5)
    s.sendto(b"hello", ("127.0.0.1", int(sys.argv[1])))
    try:
        sys.exit(print(s.recv(100).decode()))
    except OSError:
        pass
PY
# busybox has no server for datagrams; the machine's Python has.
quietly docker run -d --name udp -p "127.0.0.1:$port:53/udp" -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro -v "$W:/w" busybox /usr/bin/python3 /w/echo.py
expect "udp" "$(/usr/bin/python3 ask.py "$port")" "got hello"
expect "udp is shown" "$(docker port udp)" "53/udp -> 127.0.0.1:$port"
quietly docker rm -f udp
if made docker run -d --name all -P --expose 80 --expose 7000/udp busybox sleep 1000; then
    expect "-P publishes what is exposed" "$(docker port all | sed 's/ ->.*//' | sort -u | xargs)" "7000/udp 80/tcp"
    quietly docker rm -f all
fi
refused "no port at all" 125 "Invalid hostPort: 70000" docker run --rm -p 70000:80 busybox true

say "networks that are no networks"
expect "none" "$(run --network none busybox ip -o link | awk -F ': ' '{ print $2 }')" lo
expect "host" "$(run --network host busybox ip -o link | wc -l)" "$(ip -o link | wc -l)"
expect "host: it reads back" "$(id=$(docker create 2>&1 --network host busybox true) || echo "$id"; field "$id" '{{.HostConfig.NetworkMode}} {{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}'; docker rm "$id" >/dev/null)" "host host"
serve base
expect "container:" "$(run --network container:base busybox wget -qO- http://127.0.0.1/)" "from base"
expect "container: it reads back" "$(id=$(docker create 2>&1 --network container:base busybox true) || echo "$id"; field "$id" '{{.HostConfig.NetworkMode}}'; docker rm "$id" >/dev/null)" "container:$(field base '{{.Id}}')"
refused "container: of none" 125 "No such container: nosuch" docker run --rm --network container:nosuch busybox true
address=$(field base '{{.NetworkSettings.IPAddress}}')
expect "the default network connects" "$(run busybox wget -qO- "http://$address/")" "from base"
expect "its endpoint" "$(field base '{{with index .NetworkSettings.Networks "bridge"}}{{.IPAddress}} {{.Gateway}} {{.IPPrefixLen}}{{end}}')" "$address $(field base '{{.NetworkSettings.Gateway}} {{.NetworkSettings.IPPrefixLen}}')"
expect "--link" "$(run --link base:alias busybox wget -qO- http://alias/)" "from base"
id=$(docker run -d --name linked --link base:alias busybox sleep 1000)
expect "a link is removed by its name" "$(docker rm --link linked/alias)" linked/alias
expect "... and its name is gone where it runs" "$(docker exec linked grep -c alias /etc/hosts)" 0
expect "... and stays away" "$(docker restart -t 0 linked >/dev/null; docker exec linked grep -c alias /etc/hosts; field linked '{{.HostConfig.Links}}')" "0
[]"
refused "a link that is not there" 1 "has no link alias" docker rm --link linked/alias
refused "a link without its name" 1 "cannot remove the default link name" docker rm --link linked
refused "no link at all" 1 "No such container: linked/alias" docker rm linked/alias
quietly docker rm -f base linked
expect "--mac-address" "$(run --mac-address 02:42:ac:11:00:99 busybox cat /sys/class/net/eth0/address)" 02:42:ac:11:00:99
refused "no such network" 125 "network nosuch not found" docker run --rm --network nosuch busybox true

say "namespaces of the host and of others"
here() { readlink "/proc/self/ns/$1"; }
expect "--pid host" "$(run --pid host busybox readlink /proc/self/ns/pid)" "$(here pid)"
expect "--ipc host" "$(run --ipc host busybox readlink /proc/self/ns/ipc)" "$(here ipc)"
expect "--uts host" "$(run --uts host busybox hostname)" "$(hostname)"
expect "--cgroupns host" "$(run --cgroupns host busybox readlink /proc/self/ns/cgroup)" "$(here cgroup)"
expect "--userns host" "$(run --userns host busybox readlink /proc/self/ns/user)" "$(here user)"
[ "$(run busybox readlink /proc/self/ns/user)" != "$(here user)" ] || finding "a plain container has no user namespace of its own"
quietly docker run -d --name base --ipc shareable busybox sh -c 'echo shared >/dev/shm/file; exec sleep 1000'
expect "--pid container:" "$(run --pid container:base busybox ps -o args | grep -c '^sleep 1000')" 1
expect "--ipc container:" "$(run --ipc container:base busybox cat /dev/shm/file)" shared
quietly docker rm -f base
expect "--ipc none" "$(run --ipc none busybox sh -c "grep -c ' /dev/shm ' /proc/mounts || true")" 0
if made docker create --name words --pid host --ipc private --uts host --userns host --cgroupns private busybox true; then
    expect "they read back" "$(field words '{{.HostConfig.PidMode}} {{.HostConfig.IpcMode}} {{.HostConfig.UTSMode}} {{.HostConfig.UsernsMode}} {{.HostConfig.CgroupnsMode}}')" "host private host host private"
    matches "what of the isolation is off shows" "$(gantry inspect words | jq -r 'if type == "array" then .[0] else . end | .isolation_off | sort | join(" ")')" '.*userns=host.*'
    quietly docker rm words
fi

say "capabilities and what else confines"
capabilities() { run "$@" busybox grep CapEff /proc/self/status | cut -f 2; }
expect "Docker's default set" "$(capabilities)" 00000000a80425fb
expect "--cap-drop ALL" "$(capabilities --cap-drop ALL)" 0000000000000000
expect "--cap-drop ALL, --cap-add" "$(capabilities --cap-drop ALL --cap-add NET_BIND_SERVICE)" 0000000000000400
expect "--cap-add with its prefix" "$(capabilities --cap-drop all --cap-add CAP_CHOWN)" 0000000000000001
expect "--privileged" "$(capabilities --privileged)" "$(grep CapBnd /proc/self/status | cut -f 2)"
expect "--privileged sees the devices" "$(run --privileged busybox test -e /dev/kmsg && echo yes)" yes
expect "--privileged mounts" "$(run --privileged busybox sh -c 'mkdir /m; mount -t tmpfs x /m && echo mounted')" mounted
refused "an unknown capability" 125 "NOSUCH" docker run --rm --cap-add NOSUCH busybox true
status_line() { run "$@" busybox grep "^$1:" /proc/self/status; }
expect "seccomp is on" "$(run busybox grep '^Seccomp:' /proc/self/status | cut -f 2)" 2
expect "seccomp=unconfined" "$(run --security-opt seccomp=unconfined busybox grep '^Seccomp:' /proc/self/status | cut -f 2)" 0
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}' >profile.json
contains "seccomp=FILE" "$(run --security-opt "seccomp=$W/profile.json" busybox mkdir /x || true)" "Operation not permitted"
expect "no-new-privileges" "$(run --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status | cut -f 2)" 1
expect "not without" "$(run busybox grep NoNewPrivs /proc/self/status | cut -f 2)" 0
expect "systempaths=unconfined" "$(run --security-opt systempaths=unconfined busybox sh -c "grep -c ' /proc/kcore ' /proc/mounts || true")" 0
refused "an unknown one" 125 "nosuch" docker run --rm --security-opt nosuch=1 busybox true
if made docker create --name words --cap-add NET_ADMIN --cap-drop CHOWN --security-opt no-new-privileges busybox true; then
    expect "they read back" "$(field words '{{json .HostConfig.CapAdd}}{{json .HostConfig.CapDrop}}{{json .HostConfig.SecurityOpt}}')" '["CAP_NET_ADMIN"]["CAP_CHOWN"]["no-new-privileges"]'
    quietly docker rm words
fi

say "limits"
# The limit that a control group file of version 1 or 2 has for the container NAME.
limit() {
    local pid path
    pid=$(field "$1" '{{.State.Pid}}')
    if path=$(awk -F : -v c="$2" '$2 ~ "(^|,)" c "(,|$)" { print $3; exit }' "/proc/$pid/cgroup") && [ -n "$path" ]; then
        cat "/sys/fs/cgroup/$2$path/$3"
    else
        cat "/sys/fs/cgroup$(awk -F : '$1 == 0 { print $3 }' "/proc/$pid/cgroup")/$4"
    fi
}
if made docker run -d --name tight --memory 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --pids-limit 33 --cpuset-cpus 0 busybox sleep 1000; then
    expect "--memory" "$(limit tight memory memory.limit_in_bytes memory.max)" 67108864
    expect "--memory-reservation" "$(limit tight memory memory.soft_limit_in_bytes memory.low)" 33554432
    expect "--cpus" "$(limit tight cpu cpu.cfs_quota_us cpu.max | cut -d ' ' -f 1)" 50000
    expect "--pids-limit" "$(limit tight pids pids.max pids.max)" 33
    expect "--cpuset-cpus" "$(limit tight cpuset cpuset.cpus cpuset.cpus)" 0
    expect "they read back" "$(field tight '{{with .HostConfig}}{{.Memory}} {{.MemoryReservation}} {{.NanoCpus}} {{.CpuShares}} {{.PidsLimit}} {{.CpusetCpus}}{{end}}')" "67108864 33554432 500000000 512 33 0"
    quietly docker rm -f tight
fi
if made docker run -d --name quota --cpu-period 50000 --cpu-quota 20000 --memory 64m --memory-swap 64m busybox sleep 1000; then
    expect "--cpu-quota, --cpu-period" "$(field quota '{{.HostConfig.CpuQuota}} {{.HostConfig.CpuPeriod}} {{.HostConfig.MemorySwap}}') $(limit quota cpu cpu.cfs_quota_us cpu.max | cut -d ' ' -f 1)" "20000 50000 67108864 20000"
    quietly docker rm -f quota
fi
refused "too little memory" 125 "Minimum memory limit allowed is 6MB" docker run --rm --memory 1m busybox true
refused "quota and cpus" 125 "Conflicting options: Nano CPUs and CPU Period cannot both be set" docker run --rm --cpus 1 --cpu-period 1000 busybox true
expect "out of memory is told" "$(docker run --name oom --memory 16m --memory-swap 16m busybox sh -c 'head -c 100m /dev/zero | tail >/dev/null; exit 9' >/dev/null 2>&1; field oom '{{.State.OOMKilled}}'; docker rm oom >/dev/null)" true
expect "--ulimit" "$(run --ulimit nofile=100:200 busybox sh -c 'ulimit -Sn; ulimit -Hn')" "$(printf '100\n200')"
expect "--ulimit reads back" "$(id=$(docker create 2>&1 --ulimit nofile=100:200 busybox true) || echo "$id"; field "$id" '{{json .HostConfig.Ulimits}}'; docker rm "$id" >/dev/null)" '[{"Name":"nofile","Hard":200,"Soft":100}]'
expect "--oom-score-adj" "$(run --oom-score-adj 300 busybox cat /proc/self/oom_score_adj)" 300
expect "--sysctl" "$(run --sysctl net.ipv4.ip_unprivileged_port_start=77 busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" 77
refused "--sysctl of the host" 125 "kernel.panic" docker run --rm --sysctl kernel.panic=5 busybox true

say "devices"
expect "--device" "$(run --device /dev/fuse busybox sh -c 'stat -c %F /dev/fuse' 2>&1 || true)" "character special file"
expect "--device at another place" "$(run --device /dev/zero:/dev/naught:r busybox sh -c 'head -c 3 /dev/naught | wc -c' | xargs)" 3
expect "--device reads back" "$(id=$(docker create 2>&1 --device /dev/zero:/dev/naught:r busybox true) || echo "$id"; field "$id" '{{json .HostConfig.Devices}}'; docker rm "$id" >/dev/null)" '[{"PathOnHost":"/dev/zero","PathInContainer":"/dev/naught","CgroupPermissions":"r"}]'
refused "no such device" 125 "/dev/nosuch" docker run --rm --device /dev/nosuch busybox true
