#!/bin/bash
# Attach by a hijacked connection and by WebSocket, before and after a restart of the daemon; and the socket in a container,
# as test libraries have it.
. "$(dirname "$0")/docker-lib.sh"
start_daemon
busybox_image
cd "$W"

say "attach"
quietly docker run -di --name cat busybox cat
quietly docker run -dit --name shell busybox sh
quietly docker run -d --name ticker busybox sh -c 'while :; do echo tick; sleep 0.1; done'
/usr/bin/python3 "$GANTRY_SOURCE/tests/e2e/python/attach.py" "$W/run/docker.sock" || finding "attach.py"

say "and after a restart of the daemon"
pid=$(field shell '{{.State.Pid}}')
kill_daemon
start_daemon
expect "they run on" "$(field shell '{{.State.Pid}}')" "$pid"
/usr/bin/python3 "$GANTRY_SOURCE/tests/e2e/python/attach.py" "$W/run/docker.sock" || finding "attach.py after a restart"
quietly docker rm -f cat shell ticker

say "the socket in a container"
tools=(-v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro)
ask() { run_in "$@" -- /usr/bin/curl -sS --max-time 10 --unix-socket /var/run/docker.sock http://docker/v1.51/containers/json; }
run_in() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    docker run --rm "${tools[@]}" "${options[@]}" busybox "$@" 2>&1
}
contains "root of a user namespace may use it" "$(ask -v "$W/run/docker.sock:/var/run/docker.sock" --name visitor)" '"Names":["/visitor"]'
contains "also with --mount and read-only" "$(ask --mount "type=bind,source=$W/run/docker.sock,target=/var/run/docker.sock,readonly")" '"Names"'
contains "another user of it may not" "$(ask -u 1000:1000 -v "$W/run/docker.sock:/var/run/docker.sock" || true)" "Failed to connect"
contains "by the directory the sockets are in" "$(run_in -v "$W/run:/sockets" -- /usr/bin/curl -sS --max-time 10 --unix-socket /sockets/docker.sock http://docker/v1.51/containers/json)" '"Names"'
contains "but not who has a larger part of the host" "$(run_in -v "$W:/host" -- /usr/bin/curl -sS --max-time 10 --unix-socket /host/run/docker.sock http://docker/v1.51/containers/json)" "may not container.list"
grep -q '"principal":"container visitor"' "$W/gantryd.log" || finding "the audit log does not name the container"

say "a reaper in a container, as Testcontainers has it"
cat >reaper.py <<'PY'
import http.client, json, socket, urllib.parse
def call(method, path):
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect("/var/run/docker.sock")
    connection.request(method, "/v1.32" + path)
    answer = connection.getresponse()
    return answer.status, answer.read()
server = socket.create_server(("", 8080))
print("Started", flush=True)
session, _ = server.accept()
label = session.recv(1000).decode().strip().removeprefix("label=")
session.sendall(b"ACK\n")
while session.recv(1000):
    pass
filters = urllib.parse.quote(json.dumps({"label": [label]}))
for kind, path in (("containers", "/containers/json?all=1&filters="), ("networks", "/networks?filters="), ("volumes", "/volumes?filters=")):
    found = json.loads(call("GET", path + filters)[1])
    for one in found["Volumes"] if kind == "volumes" else found:
        name = one.get("Id") or one["Name"]
        status, _ = call("DELETE", f"/{kind}/{name}?force=1&v=1")
        print("removed", kind, status, flush=True)
PY
quietly docker run -d --rm --name ryuk -p 127.0.0.1::8080 -v "$W/run/docker.sock:/var/run/docker.sock" "${tools[@]}" -v "$W:/w:ro" busybox /usr/bin/python3 /w/reaper.py
in_time "the reaper is ready" 10 sh -c 'docker logs ryuk | grep -q Started'
port=$(docker port ryuk 8080 | sed 's/.*://')
exec 7<>"/dev/tcp/127.0.0.1/$port"
echo "label=session=one" >&7
read -r -t 5 answer <&7
expect "it agrees" "$answer" ACK
quietly docker network create --label session=one tests
quietly docker volume create --label session=one tests
quietly docker run -d -l session=one --network tests -v tests:/data busybox sleep 1000
quietly docker run -d -l session=two --name kept busybox sleep 1000
quietly docker create -l session=one busybox true
exec 7>&-
in_time "what has its label is gone" 15 sh -c '[ "$(docker ps -aq --filter label=session=one; docker network ls -q --filter label=session=one; docker volume ls -q --filter label=session=one)" = "" ]'
in_time "and so is the reaper" 10 sh -c '! docker inspect ryuk'
expect "the rest is not" "$(docker ps --format '{{.Names}}')" kept
quietly docker rm -f kept
