#!/bin/bash
# What goes wrong between a client and docker.sock: bodies that are none, versions nobody speaks, clients that go away or
# do not read, many of them at once, a daemon that is killed under them.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status"; }
# answers DESCRIPTION STATUS PART METHOD PATH [curl options]: an answer of the API, which is JSON with a message when it is an error
answers() {
    local what=$1 code=$2 part=$3
    shift 3
    local text
    text=$(raw "$@" 2>&1)
    expect "$what: status" "${text##*$'\n'}" "$code"
    contains "$what: body" "$text" "$part"
    [ "$code" -lt 400 ] || contains "$what: form" "$text" '{"message":'
}
json=(-H 'Content-Type: application/json')

say "bodies that are none"
answers "malformed" 400 "invalid JSON" POST /v1.51/containers/create "${json[@]}" -d '{"Image":'
answers "no object" 400 "invalid JSON" POST /v1.51/containers/create "${json[@]}" -d '[1,2]'
answers "something behind it" 400 "invalid JSON" POST /v1.51/containers/create "${json[@]}" -d '{"Image":"busybox"} {"x":1}'
answers "absent" 400 "EOF" POST /v1.51/containers/create "${json[@]}"
answers "an empty object" 400 "" POST /v1.51/containers/create "${json[@]}" -d '{}'
answers "no JSON at all" 415 "application/json" POST /v1.51/containers/create -H 'Content-Type: text/plain' -d 'hello'
answers "a number for a string" 400 "Image" POST /v1.51/containers/create "${json[@]}" -d '{"Image":7}'
answers "a string for a list" 400 "Env" POST /v1.51/containers/create "${json[@]}" -d '{"Image":"busybox","Env":"A=1"}'
answers "a list for an object" 400 "Labels" POST /v1.51/containers/create "${json[@]}" -d '{"Image":"busybox","Labels":["a"]}'
answers "an object for a number" 400 "Memory" POST /v1.51/containers/create "${json[@]}" -d '{"Image":"busybox","Cmd":["true"],"HostConfig":{"Memory":{}}}'
answers "a fraction for a whole number" 400 "Memory" POST /v1.51/containers/create "${json[@]}" -d '{"Image":"busybox","Cmd":["true"],"HostConfig":{"Memory":1.5}}'
answers "too large a number" 400 "" POST /v1.51/containers/create "${json[@]}" -d '{"Image":"busybox","Cmd":["true"],"HostConfig":{"Memory":1e300}}'
answers "nothing but depth" 400 "invalid JSON" POST /v1.51/containers/create "${json[@]}" -d "$(head -c 5000 /dev/zero | tr '\0' '[')"
answers "no text" 400 "invalid JSON" POST /v1.51/containers/create "${json[@]}" --data-binary $'{"Image":"\xff\xfe"}'
answers "members nobody knows are ignored" 201 '"Id"' POST '/v1.51/containers/create?name=odd&nosuch=1' "${json[@]}" -d '{"Image":"busybox","Cmd":["true"],"NoSuchThing":{"a":[1]},"HostConfig":null}'
quietly docker rm odd
head -c 20000000 /dev/zero | tr '\0' ' ' >large
answers "far too large" 413 "" POST /v1.51/containers/create "${json[@]}" --data-binary @large
expect "nothing was made" "$(docker ps -aq | wc -l)" 0

say "versions and paths"
answers "the oldest" 200 '"ApiVersion"' GET /v1.24/version
answers "the newest" 200 '"ApiVersion"' GET /v1.51/version
answers "none" 200 '"ApiVersion"' GET /version
answers "too new" 400 "client version 1.52 is too new. Maximum supported API version is 1.51" GET /v1.52/version
answers "too old" 400 "client version 1.21 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version" GET /v1.21/version
answers "another major one" 400 "is too new" GET /v2.0/version
answers "no version" 404 "" GET /v1.x/version
answers "no such path" 404 "" GET /v1.51/no/such/path
answers "another method" 405 "" PUT /v1.51/version
answers "swarm" 503 "This node is not a swarm manager" GET /v1.51/services
for version in 1.24 1.30 1.40 1.44 1.51; do expect "docker at $version" "$(DOCKER_API_VERSION=$version docker version --format '{{.Server.APIVersion}} {{.Client.APIVersion}}')" "1.51 $version"; done
answers "a name with what is no name" 404 "No such container" GET /v1.51/containers/%2e%2e%2f%2e%2e/json
answers "a filter that is no JSON" 400 "invalid filter" GET '/v1.51/containers/json?filters=nonsense'
answers "a filter of another kind" 400 "invalid filter" GET '/v1.51/containers/json?filters=%7B%22label%22%3A7%7D'
answers "the older form of filters" 200 "[]" GET '/v1.51/containers/json?filters=%7B%22label%22%3A%7B%22a%22%3Atrue%7D%7D'
expect "an oversized head" "$(raw GET /version -H "X-Large: $(head -c 100000 /dev/zero | tr '\0' x)" 2>/dev/null | tail -n 1)" 431
expect "what is no HTTP" "$(printf 'hello\r\n\r\n' | timeout -s KILL 5 /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("run/docker.sock")
s.sendall(sys.stdin.buffer.read())
print(s.recv(100).decode().split(" ")[1])')" 400
answers "and it goes on" 200 OK GET /_ping

say "clients that leave in the middle, that do not read, and many of them"
quietly docker run -d -it --name loud busybox sh -c 'while :; do echo a line that says nothing, again and again; done'
quietly docker run -d -i --name quiet busybox cat
/usr/bin/python3 "$GANTRY_SOURCE/tests/e2e/python/faults.py" "$W/run/docker.sock" || finding "faults.py"
docker rm -f loud quiet >/dev/null
answers "and it goes on" 200 OK GET /_ping
in_time "their connections are gone" 10 sh -c "[ \$(ls /proc/$DAEMON/fd | wc -l) -lt 200 ]"
[ "$(rss)" -lt 300000 ] || finding "the daemon's memory is $(rss) kB"

say "a restart of the daemon under its clients"
quietly docker run -d --name steady --init busybox sh -c 'i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done'
pid=$(field steady '{{.State.Pid}}')
docker logs -f steady >followed 2>&1 &
follower=$!
docker attach --no-stdin --sig-proxy=false steady >attached 2>&1 &
attacher=$!
docker events >told 2>&1 &
listener=$!
docker wait steady >waited 2>&1 &
waiter=$!
in_time "they see it" 5 sh -c 'grep -q tick followed && grep -q tick attached'
kill_daemon
wait $follower $attacher $listener $waiter || true
for file in told waited; do [ -s $file ] || finding "a client says nothing when the daemon goes: $file"; done
start_daemon
expect "the container has run on" "$(field steady '{{.State.Pid}}')" "$pid"
seen=$(docker logs steady | wc -l)
in_time "its output is kept again" 5 sh -c "[ \$(docker logs steady | wc -l) -gt $seen ]"
expect "not a line is lost" "$(docker logs steady | head -n $seen | awk '{ if ($2 != NR - 1) bad = 1 } END { print bad + 0 }')" 0
contains "attach again" "$(timeout -s KILL 2 docker attach --no-stdin --sig-proxy=false steady 2>&1 || true)" tick
expect "exec again" "$(docker exec steady echo here)" here
quietly docker rm -f steady
quietly docker run -dit --name shell busybox sh
kill_daemon
start_daemon
(sleep 1; printf 'echo back $((20+2))\n'; sleep 0.5; printf '\020\021'; sleep 0.5) | script -qec "docker attach shell || true" typed >/dev/null
contains "a terminal after a restart" "$(cat typed)" "back 22"
quietly docker rm -f shell

say "events while fifty containers come and go"
since=$(date +%s.%N)
docker events --since "$since" --filter type=container --format '{{.Action}}' >told 2>&1 &
listener=$!
for batch in 1 2 3 4 5; do
    clients=()
    for i in $(seq 10); do
        docker run --rm busybox true &
        clients+=($!)
    done
    wait "${clients[@]}"
done
in_time "all are told" 20 sh -c '[ "$(grep -cx destroy told)" = 50 ]'
kill -KILL $listener
wait $listener 2>/dev/null || true
for action in create attach start die destroy; do expect "events: $action" "$(grep -cx $action told)" 50; done
expect "the same from the past" "$(docker events --since "$since" --until "$(date +%s.%N)" --filter event=die --format '{{.Type}} {{.Actor.Attributes.image}} {{.Actor.Attributes.exitCode}}' | sort | uniq -c | xargs)" "50 container busybox 0"
expect "nothing is left" "$(docker ps -aq | wc -l)" 0
