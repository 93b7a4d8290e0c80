"""faults.py SOCKET: clients that behave badly, against a daemon with a loud container (a terminal) and a quiet one (cat)."""
import http.client
import json
import os
import socket
import subprocess
import sys
import time

path = sys.argv[1]
failures = []


def check(what, good):
    if not good:
        failures.append(what)
        print("FAIL:", what, file=sys.stderr)


class Connection(http.client.HTTPConnection):
    def __init__(self, timeout=20):
        super().__init__("docker", timeout=timeout)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(path)


def call(method, target, body=None):
    connection = Connection()
    headers = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method, "/v1.51" + target, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, data


def opened(request, receive=65536):
    """A connection on which `request` was said; a small buffer, so that what is not read stays with the daemon."""
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    client.settimeout(20)
    client.connect(path)
    client.sendall(request.encode())
    return client


def get(target):
    return f"GET /v1.51{target} HTTP/1.1\r\nHost: docker\r\n\r\n"


def post(target, body="", upgrade=False):
    more = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else ""
    return (f"POST /v1.51{target} HTTP/1.1\r\nHost: docker\r\n{more}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}")


def started(method, target):
    """The beginning of a tar: a head, and less of a member than it says."""
    head = bytearray(512)
    head[:4], head[100:107], head[124:135], head[156:157], head[257:265] = b"file", b"0000644", b"00001000000", b"0", b"ustar\x0000"
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    return (f"{method} /v1.51{target} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: 1000000\r\n\r\n"
            + head.decode("latin-1") + "x" * 1000)


def pid_of_daemon():
    client = opened("")
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    client.close()
    return int.from_bytes(credentials[:4], sys.byteorder)


daemon = pid_of_daemon()


def memory():
    for line in open(f"/proc/{daemon}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


def alive():
    return call("GET", "/_ping")[1] == b"OK"


def cpu_time(container):
    return json.loads(call("GET", f"/containers/{container}/stats?stream=0&one-shot=1")[1])["cpu_stats"]["cpu_usage"]["total_usage"]


def leave_in_the_middle():
    exec_body = json.dumps({"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True, "AttachStderr": True})
    streams = {
        "logs": get("/containers/loud/logs?follow=1&stdout=1"),
        "events": get("/events"),
        "wait": post("/containers/loud/wait"),
        "attach": post("/containers/loud/attach?stream=1&stdin=1&stdout=1", upgrade=True),
        "attach, input only": post("/containers/quiet/attach?stream=1&stdin=1", upgrade=True),
        "export": get("/containers/loud/export"),
        "archive": get("/containers/loud/archive?path=/bin"),
        "list": get("/containers/json"),
        "stats": get("/containers/loud/stats?stream=1"),
        "top": get("/containers/loud/top"),
        "save": get("/images/busybox/get"),
        "disk usage": get("/system/df"),
        "attach by websocket": "GET /v1.51/containers/loud/attach/ws?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eGFtcGxlLWtleS1vZi0xNg==\r\n\r\n",
        "half a load": started("POST", "/images/load"),
        "half an import": started("POST", "/images/create?fromSrc=-"),
        "half a build": started("POST", "/build"),
        "half an archive": started("PUT", "/containers/quiet/archive?path=/tmp"),
        "half a head": "GET /v1.51/version HTTP/1.1\r\nHost: do",
        "half a body": post("/containers/create", exec_body)[:-20],
        "nothing": "",
    }
    for name, request in streams.items():
        for _ in range(5):
            client = opened(request)
            if not name.startswith("half") and name not in ("nothing", "attach, input only", "events", "wait"):
                check(f"{name}: an answer begins", client.recv(100).startswith(b"HTTP/1.1 "))
            client.close()
        check(f"after clients left in the middle of {name}", alive())
    for _ in range(5):
        status, data = call("POST", "/containers/quiet/exec", json.loads(exec_body))
        check("exec create", status == 201)
        client = opened(post(f"/exec/{json.loads(data)['Id']}/start", "{}", upgrade=True))
        check("exec: an answer begins", client.recv(100).startswith(b"HTTP/1.1 "))
        client.close()
    check("after clients left in the middle of exec", alive())
    # A half-close is no departure: what comes back must still come.
    status, data = call("POST", "/containers/quiet/exec", json.loads(exec_body))
    client = opened(post(f"/exec/{json.loads(data)['Id']}/start", "{}", upgrade=True))
    head = client.recv(1000)
    client.sendall(b"over and back\n")
    client.shutdown(socket.SHUT_WR)
    answer = head
    while chunk := client.recv(1000):
        answer += chunk
    client.close()
    check(f"half-close: {answer!r}", b"over and back\n" in answer)


def slow_readers():
    before = memory()
    targets = ["/containers/loud/logs?follow=1&stdout=1", "/events", "/containers/loud/stats?stream=1"]
    clients = [opened(get(target), 4096) for target in targets * 10]
    clients += [opened(post("/containers/loud/attach?stream=1&stdout=1", upgrade=True), 4096) for _ in range(5)]
    for _ in range(30):
        call("POST", "/containers/quiet/pause")
        call("POST", "/containers/quiet/unpause")
        time.sleep(0.1)
    check(f"memory grew from {before} to {memory()} kB for clients that do not read", memory() - before < 60000)
    check("with clients that do not read", alive())
    # Those who attach and do not read may hold the program back, as they do with Docker; not for longer than they are there.
    for client in clients[30:]:
        client.close()
    time.sleep(0.5)
    used = [cpu_time("loud")]
    time.sleep(0.5)
    used.append(cpu_time("loud"))
    check(f"the container goes on when those are gone that attached and did not read: {used}", used[1] > used[0])
    for client in clients:
        client.close()


def slow_transfers():
    """Images that are asked for and not read, archives that are begun and not sent: they hold up nobody else."""
    before = memory()
    clients = [opened(get("/images/busybox/get"), 4096) for _ in range(20)]
    for _ in range(20):
        clients += [opened(started("POST", "/images/load")), opened(started("POST", "/build"))]
    for client in clients[:20]:
        check("an image is on its way", client.recv(100).startswith(b"HTTP/1.1 200"))
    began = time.monotonic()
    check("images are listed meanwhile", call("GET", "/images/json")[0] == 200)
    status, data = call("POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "1000"]})
    check("a container is created meanwhile", status == 201)
    box = json.loads(data)["Id"]
    check("and started", call("POST", f"/containers/{box}/start")[0] == 204)
    check("and removed", call("DELETE", f"/containers/{box}?force=1")[0] == 204)
    took = time.monotonic() - began
    check(f"that took {took:.2f} s beside sixty slow transfers", took < 5)
    check(f"memory grew from {before} to {memory()} kB for sixty slow transfers", memory() - before < 120000)
    for client in clients:
        client.close()
    check("after slow transfers", alive())


def thousand_idle():
    before = memory()
    clients = [opened("") for _ in range(1000)]
    began = time.monotonic()
    check("with a thousand idle connections", alive())
    took = time.monotonic() - began
    check(f"an answer took {took:.2f} s with a thousand idle connections", took < 2)
    check(f"memory grew from {before} to {memory()} kB for a thousand connections", memory() - before < 60000)
    for client in clients:
        client.sendall(get("/_ping").encode())
    answered = sum(client.recv(1000).startswith(b"HTTP/1.1 200") for client in clients)
    check(f"{answered} of a thousand were answered", answered == 1000)
    for client in clients:
        client.close()


def pipelined():
    client = opened(get("/_ping") * 20)
    data = b""
    client.settimeout(5)
    while data.count(b"HTTP/1.1 200") < 20:
        chunk = client.recv(65536)
        if not chunk:
            break
        data += chunk
    check(f"{data.count(b'HTTP/1.1 200')} of 20 requests on one connection", data.count(b"HTTP/1.1 200") == 20)
    client.close()


for step in (leave_in_the_middle, slow_readers, slow_transfers, thousand_idle, pipelined):
    print("   ", step.__name__.replace("_", " "), flush=True)
    step()
sys.exit(1 if failures else 0)
