#!/bin/bash
# Log drivers under the `docker` client: what each keeps and sends, its options, rotation, and what `docker logs` can ask for.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"
mkdir received
/usr/bin/python3 "$GANTRY_SOURCE/tests/e2e/python/receivers.py" "$W/received" >addresses &
SERVERS=" $!"
eventually 20 grep -q ready addresses
at() { sed -n "s/^$1 //p" addresses; }
# sends NAME DRIVER OPTIONS...: a container that says a word through a driver
sends() {
    local name=$1 driver=$2
    shift 2
    local options=()
    for option in "$@"; do options+=(--log-opt "$option"); done
    quietly docker run -d --name "$name" -l team=front -e COLOUR=blue --log-driver "$driver" "${options[@]}" busybox sh -c "echo said by $name; echo err by $name >&2; sleep 1000"
}
received() { in_time "$1: received" 10 grep -aq "said by $2" "received/$1"; }

say "files: json-file and local"
for driver in json-file local; do
    quietly docker run -d --name "$driver" --log-driver $driver --log-opt max-size=8k --log-opt max-file=3 --log-opt compress=true busybox sh -c 'i=0; while [ $i -lt 5000 ]; do echo "line $i of five thousand"; i=$((i+1)); done'
    quietly docker wait $driver
    expect "$driver: the last line" "$(docker logs --tail 1 $driver)" "line 4999 of five thousand"
    [ "$(docker logs $driver | wc -c)" -le 60000 ] || finding "$driver: max-size and max-file are not heeded: $(docker logs $driver | wc -c) bytes"
    [ "$(docker logs $driver | wc -l)" -ge 100 ] || finding "$driver: too little is kept: $(docker logs $driver | wc -l) lines"
    expect "$driver: no gap in what is kept" "$(docker logs $driver | awk 'NR > 1 && $2 != last + 1 { bad = 1 } { last = $2 } END { print bad + 0 }')" 0
    expect "$driver: it reads back" "$(field $driver '{{.HostConfig.LogConfig.Type}} {{json .HostConfig.LogConfig.Config}}')" "$driver {\"compress\":\"true\",\"max-file\":\"3\",\"max-size\":\"8k\"}"
    quietly docker rm $driver
done
quietly docker run -d --name plain busybox true
expect "what nobody asked for reads back as nothing" "$(field plain '{{.HostConfig.LogConfig.Type}} {{json .HostConfig.LogConfig.Config}}')" "json-file {}"
quietly docker rm plain

say "none"
expect "an attached client still sees it" "$(docker run --name silent --log-driver none busybox echo seen)" seen
refused "but nothing is kept" 1 "configured logging driver does not support reading" docker logs silent
quietly docker rm silent

say "syslog"
sends udp syslog "syslog-address=udp://127.0.0.1:$(at syslog-udp)" syslog-facility=local3 syslog-format=rfc5424 'tag={{.Name}}/{{.ImageName}}'
received syslog-udp udp
matches "rfc5424" "$(grep -a 'said by udp' received/syslog-udp | head -n 1)" '<158>1 20[0-9T:.+Z-]+ [^ ]+ udp/busybox [0-9]+ udp/busybox - said by udp'
contains "standard error is an error" "$(grep -a 'err by udp' received/syslog-udp)" "<155>1"
sends tcp syslog "syslog-address=tcp://127.0.0.1:$(at syslog-tcp)" syslog-format=rfc3164
received syslog-tcp tcp
matches "rfc3164" "$(grep -a 'said by tcp' received/syslog-tcp | head -n 1)" '<30>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} [^ ]+ [0-9a-f]{12}\[[0-9]+\]: said by tcp'
sends unix syslog "syslog-address=unixgram://$(at syslog-unix)"
received syslog-unix unix
expect "docker logs works all the same" "$(docker logs udp 2>/dev/null)" "said by udp"
quietly docker rm -f udp tcp unix

say "syslog, encrypted"
tls() { sends "$1" syslog "syslog-address=tcp+tls://127.0.0.1:$(at syslog-tls)" syslog-format=rfc5424 'tag={{.Name}}' "${@:2}"; }
ca=syslog-tls-ca-cert=$W/received/server.pem
tls known "$ca"
received syslog-tls known
expect "who sends it is nobody in particular" "$(grep -ac '^client nobody' received/syslog-tls)" 1
tls shown "$ca" "syslog-tls-cert=$W/received/server.pem" "syslog-tls-key=$W/received/server.key"
received syslog-tls shown
expect "or who shows a certificate" "$(grep -ac '^client receiver' received/syslog-tls)" 1
tls unverified syslog-tls-skip-verify=true
received syslog-tls unverified
tls stranger
in_time "a receiver nobody vouches for gets nothing" 10 grep -aq "container stranger: log receiver 127.0.0.1:$(at syslog-tls): .*certificate verify failed" gantryd.log
expect "nothing at all" "$(grep -ac 'by stranger' received/syslog-tls || true)" 0
refused "a path that depends on where the daemon is" 125 "syslog-tls-ca-cert" docker run --rm --log-driver syslog --log-opt "syslog-address=tcp+tls://127.0.0.1:1" --log-opt syslog-tls-ca-cert=ca.pem busybox true
quietly docker rm -f known shown unverified stranger

say "gelf"
sends gelf gelf "gelf-address=udp://127.0.0.1:$(at gelf-udp)" gelf-compression-type=gzip gelf-compression-level=1 labels=team env=COLOUR tag=here
received gelf-udp gelf
expect "its fields" "$(grep -a 'said by gelf' received/gelf-udp | head -n 1 | jq -r '[.version, .short_message, .level, ._container_name, ._image_name, ._tag, ._team, ._COLOUR] | join(" ")')" "1.1 said by gelf 6 gelf busybox here front blue"
sends gelftcp gelf "gelf-address=tcp://127.0.0.1:$(at gelf-tcp)" gelf-tcp-max-reconnect=3 gelf-tcp-reconnect-delay=1
received gelf-tcp gelftcp
quietly docker rm -f gelf gelftcp

say "fluentd"
sends fluentd fluentd "fluentd-address=127.0.0.1:$(at fluentd)" fluentd-async=true fluentd-sub-second-precision=true fluentd-buffer-limit=1m fluentd-retry-wait=1s fluentd-max-retries=10 'tag=docker.{{.Name}}' env-regex='^COL' labels-regex='^te'
received fluentd fluentd
for part in docker.fluentd container_name container_id source stdout log COLOUR blue team front; do grep -aq "$part" received/fluentd || finding "fluentd: $part is missing"; done
quietly docker rm -f fluentd

sends acknowledged fluentd "fluentd-address=127.0.0.1:$(at fluentd-ack)" fluentd-request-ack=true
in_time "what nobody confirmed is sent again" 10 sh -c '[ $(grep -ao "by acknowledged" received/fluentd-ack | wc -l) -ge 3 ]'
expect "what was confirmed is not" "$(sleep 1; grep -ao "by acknowledged" received/fluentd-ack | wc -l)" 3
quietly docker rm -f acknowledged

say "what is refused"
refused "no such driver" 125 "nosuch" docker run --rm --log-driver nosuch busybox true
refused "no such option" 125 "nosuch" docker run --rm --log-opt nosuch=1 busybox true
refused "an option of another driver" 125 "gelf-address" docker run --rm --log-opt gelf-address=udp://x:1 busybox true
refused "gelf without an address" 125 "gelf-address" docker run --rm --log-driver gelf busybox true
refused "a size that is none" 125 "max-size" docker run --rm --log-opt max-size=much busybox true
refused "a number that is none" 125 "max-file" docker run --rm --log-opt max-file=some busybox true
refused "an address that is none" 125 "syslog-address" docker run --rm --log-driver syslog --log-opt syslog-address=nowhere busybox true
refused "a pattern that is none" 125 "labels-regex" docker run --rm --log-opt labels-regex='(' busybox true
refused "a tag that is none" 125 "tag" docker run --rm --log-opt 'tag={{.NoSuch}}' busybox true
expect "a receiver that is away holds up nobody" "$(docker run --rm --log-driver syslog --log-opt syslog-address=tcp://127.0.0.1:1 busybox echo done)" done

say "docker logs"
quietly docker run --name talk -l team=front -e COLOUR=blue --log-opt labels=team --log-opt env=COLOUR,NONE busybox sh -c 'for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.2; done'
expect "--details" "$(docker logs --details talk 2>/dev/null | head -n 1)" "COLOUR=blue,team=front out 1"
matches "--details -t" "$(docker logs --details -t talk 2>/dev/null | head -n 1)" '20[0-9T:.-]+Z COLOUR=blue,team=front out 1'
expect "without" "$(docker logs talk 2>/dev/null | head -n 1)" "out 1"
at=$(docker logs -t talk 2>/dev/null | sed -n 2p | cut -d ' ' -f 1)
expect "--since and --until together" "$(docker logs --since "$at" --until "$at" talk 2>/dev/null)" "out 2"
expect "--since and --tail" "$(docker logs --since "$at" --tail 2 talk 2>/dev/null)" "out 3"
expect "--since seconds with a fraction" "$(docker logs --since "$(date -d "$at" +%s.%N)" talk 2>/dev/null | head -n 1)" "out 2"
expect "--until before it began" "$(docker logs --until 1h talk 2>&1)" ""
expect "--tail more than there is" "$(docker logs --tail 100 talk 2>/dev/null | wc -l)" 3
expect "--tail all" "$(docker logs --tail all talk 2>/dev/null | wc -l)" 3
refused "a moment that is none" 1 "" docker logs --since nonsense talk
expect "neither stream" "$(raw GET /v1.51/containers/talk/logs | tail -n 1)" 400
quietly docker rm talk
quietly docker run -d --name slow busybox sh -c 'for i in 1 2 3 4 5 6; do echo slow $i; sleep 0.3; done'
expect "-f --until ends at that moment" "$(timeout -s KILL 10 docker logs -f --until "$(date -d '+1 second' +%s.%N)" slow | tail -n 1 | grep -c '^slow [2345]')" 1
expect "-f from the middle" "$(docker logs -f --tail 0 slow | tail -n 1)" "slow 6"
quietly docker rm -f slow
