#!/bin/bash
# Limits under the `docker` client: what each sets in the control group, how it reads back, and what `docker update` changes
# while the container runs; devices, mounts of an image, kernel parameters.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"
# The value that a control group file of version 1 or 2 has for the container NAME; nothing where the machine has no such file.
limit() {
    local pid path
    pid=$(field "$1" '{{.State.Pid}}')
    if path=$(awk -F : -v c="$2" '$2 ~ "(^|,)" c "(,|$)" { print $3; exit }' "/proc/$pid/cgroup") && [ -n "$path" ]; then
        cat "/sys/fs/cgroup/$2$path/$3" 2>/dev/null
    else
        cat "/sys/fs/cgroup$(awk -F : '$1 == 0 { print $3 }' "/proc/$pid/cgroup")/$4" 2>/dev/null
    fi
}
back() { field "$1" "{{with .HostConfig}}$2{{end}}"; }
# update OPTIONS...: of the container `box`
update() { made docker update "$@" box; }

say "docker update, one by one"
quietly docker run -d --name box --memory 64m --cpu-shares 512 --pids-limit 50 busybox sleep 1000
expect "swap is as much again" "$(back box '{{.MemorySwap}}')" 134217728
update --memory 96m --memory-swap 192m && expect "memory" "$(limit box memory memory.limit_in_bytes memory.max) $(back box '{{.Memory}} {{.MemorySwap}}')" "100663296 100663296 201326592"
update --memory-swap -1 && expect "swap without limit" "$(back box '{{.MemorySwap}}')" -1
update --memory-reservation 32m && expect "reservation" "$(limit box memory memory.soft_limit_in_bytes memory.low) $(back box '{{.MemoryReservation}}')" "33554432 33554432"
update --cpus 0.5 && expect "cpus" "$(limit box cpu cpu.cfs_quota_us cpu.max | cut -d ' ' -f 1) $(back box '{{.NanoCpus}}')" "50000 500000000"
update --cpu-shares 256 && expect "shares" "$(back box '{{.CpuShares}}')" 256
update --cpuset-cpus 0 && expect "cpuset" "$(limit box cpuset cpuset.cpus cpuset.cpus) $(back box '{{.CpusetCpus}}')" "0 0"
update --cpuset-mems 0 && expect "memory nodes" "$(back box '{{.CpusetMems}}')" 0
update --pids-limit 60 && expect "processes" "$(limit box pids pids.max pids.max) $(back box '{{.PidsLimit}}')" "60 60"
update --blkio-weight 300 && expect "block weight" "$(back box '{{.BlkioWeight}}')" 300
update --restart always && expect "restart policy" "$(back box '{{.RestartPolicy.Name}}')" always
update --restart no
refused "the memory below what is asked to be kept free" 1 "Minimum memory limit allowed is 6MB" docker update --memory 1m box
quietly docker update --memory-swap 192m box
refused "memory above memory and swap" 1 "update the memoryswap at the same time" docker update --memory 512m box
expect "what is refused changes nothing" "$(back box '{{.Memory}}')" 100663296
expect "several at once" "$(quietly docker run -d --name second busybox sleep 1000; docker update --cpu-shares 128 box second | xargs)" "box second"
refused "one that is not there" 1 "No such container: nosuch" docker update --cpu-shares 128 nosuch
pid=$(field box '{{.State.Pid}}')
expect "the program has not noticed" "$(field box '{{.State.Pid}} {{.State.Running}}')" "$pid true"
quietly docker stop -t 0 box
update --memory 80m --memory-swap 160m && quietly docker start box && expect "a change while it is stopped holds from the next start on" "$(limit box memory memory.limit_in_bytes memory.max)" 83886080
kill_daemon
start_daemon
expect "and after a restart of the daemon" "$(limit box memory memory.limit_in_bytes memory.max) $(back box '{{.Memory}} {{.CpuShares}}')" "83886080 83886080 128"
quietly docker rm -f box second

say "cpu"
quietly docker run -d --name box --cpu-period 50000 --cpu-quota 20000 busybox sleep 1000
expect "quota of a period" "$(limit box cpu cpu.cfs_period_us cpu.max | awk '{ print $NF }') $(limit box cpu cpu.cfs_quota_us cpu.max | cut -d ' ' -f 1)" "50000 20000"
quietly docker rm -f box
refused "more processors than there are" 125 "" docker run --rm --cpus 1000 busybox true
refused "a processor that is not there" 125 "" docker run --rm --cpuset-cpus 999 busybox true
refused "realtime scheduling" 125 "" docker run --rm --cpu-rt-runtime 1000 busybox true

say "block devices"
device=/dev/$(lsblk -nd -e 7,253 -o NAME | head -n 1)
number=$(lsblk -nd -o MAJ:MIN "$device" | xargs)
quietly docker run -d --name box --blkio-weight 300 --blkio-weight-device "$device:400" --device-read-bps "$device:10mb" --device-write-bps "$device:5mb" --device-read-iops "$device:100" --device-write-iops "$device:50" busybox sleep 1000
expect "block limits read back" "$(field box '{{json .HostConfig}}' | jq -c '[.BlkioWeight, .BlkioWeightDevice[0].Weight, .BlkioDeviceReadBps[0].Rate, .BlkioDeviceWriteBps[0].Rate, .BlkioDeviceReadIOps[0].Rate, .BlkioDeviceWriteIOps[0].Rate]')" "[300,400,10485760,5242880,100,50]"
contains "the kernel has them" "$(limit box blkio blkio.throttle.read_bps_device io.max)" "$number"
quietly docker rm -f box
refused "a weight that is none" 125 "Range of blkio weight is from 10 to 1000" docker run --rm --blkio-weight 5 busybox true
refused "a device that is none" 125 "/dev/nosuch" docker run --rm --device-read-bps /dev/nosuch:1mb busybox true

say "memory that runs out"
expect "killed for it" "$(docker run --name box -m 16m --memory-swap 16m busybox sh -c 'head -c 100m /dev/zero | tail' >/dev/null 2>&1; field box '{{.State.OOMKilled}}')" true
expect "told" "$(docker events --since 1h --until "$(date -d '+1 second' +%s)" --filter event=oom --format '{{.Actor.Attributes.name}}' | sort -u)" box
quietly docker rm -f box
expect "--oom-score-adj" "$(docker run --rm --oom-score-adj 500 busybox cat /proc/self/oom_score_adj)" 500
refused "a swappiness that is none" 125 "" docker run --rm --memory-swappiness 101 busybox true
expect "--shm-size" "$(docker run --rm --shm-size 2g busybox df -m /dev/shm | awk 'END { print $2 }')" 2048

say "ulimits"
for limit in "nofile=64:128" "nproc=100:200" "core=0" "memlock=65536:65536" "stack=1048576:2097152" "fsize=1000000" "cpu=100" "rtprio=0" "msgqueue=1000" "sigpending=50"; do
    expect "--ulimit $limit" "$(status docker run --rm --ulimit "$limit" busybox true)" 0
done
expect "nproc is in force" "$(docker run --rm --ulimit nproc=100:200 busybox sh -c "awk '/Max processes/ { print \$3, \$4 }' /proc/self/limits")" "100 200"
refused "soft above hard" 125 "" docker run --rm --ulimit nofile=200:100 busybox true
refused "one that is none" 125 "" docker run --rm --ulimit nosuch=1 busybox true

say "kernel parameters"
expect "of the network, ipc and uts" "$(docker run --rm --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=65536 --sysctl fs.mqueue.msg_max=11 busybox cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/fs/mqueue/msg_max | xargs)" "1 65536 11"
refused "of the machine" 125 "kernel.shmall_nosuch" docker run --rm --sysctl kernel.shmall_nosuch=1 busybox true
refused "of the network with the host's network" 125 "net.ipv4.ip_forward" docker run --rm --network host --sysctl net.ipv4.ip_forward=1 busybox true

say "devices"
expect "a rule" "$(docker run --rm --device-cgroup-rule 'c 1:7 rwm' --cap-add MKNOD --userns host busybox sh -c 'mknod /full c 1 7 && head -c 3 /full | wc -c' | xargs)" 3
expect "read only" "$(docker run --rm --userns host --device /dev/loop-control:/dev/mine:r busybox sh -c 'exec 3</dev/mine && echo opened; (exec 3>/dev/mine) 2>/dev/null && echo wrote' | xargs)" opened
mkdir devices && mknod devices/naught c 1 5
expect "a directory of them" "$(docker run --rm --device "$W/devices:/dev/mine" busybox sh -c 'head -c 3 /dev/mine/naught | wc -c' | xargs)" 3
expect "without, there is none" "$(docker run --rm busybox sh -c 'ls /dev | grep -cE "^(vda|sda|mem|kmsg)$" || true')" 0
mkdir -p /run/cdi
cdi=/run/cdi/gantry-e2e-$$.json
echo '{"cdiVersion":"0.6.0","kind":"example.org/null","devices":[{"name":"one","containerEdits":{"deviceNodes":[{"path":"/dev/cdi-null","hostPath":"/dev/null","type":"c","major":1,"minor":3}],"env":["CDI=one"]}}]}' >"$cdi"
expect "CDI" "$(docker run --rm --device example.org/null=one busybox sh -c 'test -c /dev/cdi-null && echo $CDI')" one
expect "CDI reads back" "$(id=$(docker create --device example.org/null=one busybox true); field "$id" '{{json .HostConfig.DeviceRequests}}' | jq -c '.[0] | [.Driver, .DeviceIDs]'; docker rm "$id" >/dev/null)" '["cdi",["example.org/null=one"]]'
refused "CDI of none" 125 "example.org/null=two" docker run --rm --device example.org/null=two busybox true
rm -f "$cdi"
rmdir --ignore-fail-on-non-empty /run/cdi
refused "--gpus without a driver" 125 "could not select device driver" docker run --rm --gpus all busybox true

say "an image as a mount"
quietly docker run -d --name box --mount type=image,source=busybox,target=/image --mount type=image,source=busybox,target=/etc2,image-subpath=etc,readonly busybox sleep 1000
expect "the whole, and a part" "$(docker exec box sh -c 'ls /image/bin/busybox; head -n 1 /etc2/passwd' | xargs)" "/image/bin/busybox root:x:0:0:root:/root:/bin/sh"
expect "it is its own" "$(docker exec box sh -c 'echo x > /image/new && test -e /image/new && echo written; echo x 2>/dev/null > /etc2/new || echo ro' | xargs)" "written ro"
expect "they read back" "$(field box '{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}};{{end}}')" "image busybox /etc2 false;image busybox /image true;"
expect "as they were asked for" "$(field box '{{json .HostConfig.Mounts}}' | jq -c 'map([.Type, .Source, .Target, .ImageOptions.Subpath])')" '[["image","busybox","/image",null],["image","busybox","/etc2","/etc"]]'
refused "an image that is not there" 125 "nosuch" docker run --rm --mount type=image,source=nosuch,target=/x busybox true
refused "a part that is not there" 125 "nowhere" docker run --rm --mount type=image,source=busybox,target=/x,image-subpath=nowhere busybox true
quietly docker rm -f box
expect "nothing stays" "$(docker volume ls -q | wc -l)" 0
