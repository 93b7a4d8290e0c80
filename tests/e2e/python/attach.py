"""attach.py SOCKET: attach as a hijacked connection and as a WebSocket, against containers `cat` (cat, input open), `shell` (a
terminal) and `ticker` (writes, input closed)."""
import base64
import http.client
import json
import os
import re
import socket
import struct
import sys
import time
import urllib.parse

path = sys.argv[1]
failures = []


def check(what, good):
    if not good:
        failures.append(what)
        print("FAIL:", what, file=sys.stderr)


class Raw:
    """A connection that has left HTTP; what is read is kept."""

    def __init__(self, target, method="POST", headers=(), version="1.51"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        lines = [f"{method} /v{version}{target} HTTP/1.1", "Host: docker", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = self.socket.recv(1)
            if not chunk:
                break
            data += chunk
        self.head = data.decode()
        self.data = b""

    def send(self, data):
        self.socket.sendall(data)

    def until(self, what, seconds=5):
        deadline = time.monotonic() + seconds
        while what not in self.data and time.monotonic() < deadline:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.05))
            try:
                chunk = self.socket.recv(65536)
            except TimeoutError:
                break
            if not chunk:
                break
            self.data += chunk
        return what in self.data

    def ended(self, seconds=5):
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                self.socket.settimeout(max(deadline - time.monotonic(), 0.05))
                chunk = self.socket.recv(65536)
                if not chunk:
                    return True
                self.data += chunk
        except TimeoutError:
            pass
        except ConnectionError:
            return True
        return False

    def close(self):
        self.socket.close()


UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")


def frames(data):
    out = {1: b"", 2: b""}
    while len(data) >= 8:
        stream, size = data[0], struct.unpack(">I", data[4:8])[0]
        out[stream] = out.get(stream, b"") + data[8:8 + size]
        data = data[8 + size:]
    return out


def hijack():
    for headers, status in ((UPGRADE, "101"), ((), "200")):
        client = Raw("/containers/cat/attach?stream=1&stdin=1&stdout=1&stderr=1", headers=headers)
        check(f"attach: the status is {status}: {client.head[:20]}", client.head.startswith(f"HTTP/1.1 {status} "))
        check("attach: its type", "application/vnd.docker.multiplexed-stream" in client.head)
        client.send(b"over and back\n")
        check("attach: what goes in comes out", client.until(b"over and back\n"))
        check("attach: in frames", frames(client.data)[1] == b"over and back\n")
        client.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        second = Raw("/containers/cat/attach?stream=1&stdin=1&stdout=1", headers=UPGRADE)
        second.send(b"another\n")
        check("attach: who has closed one direction still gets the other", client.until(b"another\n"))
        client.close()
        second.close()
    client = Raw("/containers/cat/attach?stream=1&logs=1&stdout=1", headers=UPGRADE)
    check("attach: with what was written before", client.until(b"over and back\n"))
    client.close()
    client = Raw("/containers/cat/attach?logs=1&stdout=1", headers=UPGRADE)
    check("attach: logs alone, and their end", client.ended() and b"another\n" in client.data)
    client = Raw("/containers/cat/attach?stdout=1", headers=UPGRADE)
    check("attach: neither stream nor logs", client.head.startswith("HTTP/1.1 400 "))
    client = Raw("/containers/nosuch/attach?stream=1&stdout=1", headers=UPGRADE)
    check("attach: no such container", client.head.startswith("HTTP/1.1 404 "))


def terminal():
    began = int(time.time())
    client = Raw("/containers/shell/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x,x", headers=UPGRADE)
    check("terminal: raw", "application/vnd.docker.raw-stream" in client.head)
    client.send(b"echo $((6*7))\n")
    check("terminal: output", client.until(b"42"))
    client.send(b"\x18y\n")
    client.send(b"echo $((5*5))\n")
    check("terminal: half of the keys is input", client.until(b"25"))
    client.send(b"\x18")
    time.sleep(0.1)
    client.send(b"x")
    check("terminal: the keys detach, typed apart", client.ended())
    told = Raw(f"/events?since={began}&until={int(time.time()) + 1}&filters=" + urllib.parse.quote('{"container":["shell"],"event":["attach","detach"]}'), "GET")
    told.ended()
    seen = re.findall(rb'"Action":"(\w+)"', told.data)
    check(f"terminal: both are told of: {seen} {told.head}", seen == [b"attach", b"detach"])
    client = Raw("/containers/shell/attach?stream=1&stdin=1&stdout=1&detachKeys=nonsense-x", headers=UPGRADE)
    check("terminal: keys that are none", client.head.startswith("HTTP/1.1 400 "))


class WebSocket(Raw):
    def __init__(self, target, version="1.51"):
        key = base64.b64encode(os.urandom(16)).decode()
        super().__init__(target, "GET", ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"), version)

    def say(self, data, opcode=1, whole=True):
        mask = os.urandom(4)
        head = bytes([(0x80 if whole else 0) | opcode, 0x80 | (len(data) if len(data) < 126 else 126)])
        if len(data) >= 126:
            head += struct.pack(">H", len(data))
        self.send(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))


def websocket():
    for version in ("1.24", "1.41", "1.51"):
        client = WebSocket("/containers/cat/attach/ws?stream=1&stdin=1&stdout=1", version)
        check(f"websocket at {version}: {client.head[:30]}", client.head.startswith("HTTP/1.1 101 "))
        client.say(b"by message\n")
        check("websocket: back", client.until(b"by message\n"))
        client.say(b"in ", opcode=1, whole=False)
        client.say(b"parts\n", opcode=0)
        check("websocket: fragments", client.until(b"parts\n"))
        client.say(b"x" * 300 + b"\n", opcode=2)
        check("websocket: longer ones", client.until(b"x" * 300))
        client.say(b"are you there", opcode=9)
        check("websocket: a ping is answered", client.until(b"\x8a\x0dare you there"))
        client.say(b"\x03\xe8", opcode=8)
        check("websocket: closed by agreement", client.ended())
    client = WebSocket("/containers/ticker/attach/ws?stream=1&stdout=1")
    check("websocket: output", client.until(b"tick"))
    client.send(b"\x81\x05plain")  # no mask: RFC 6455 wants the connection closed
    check("websocket: what is not masked ends it", client.ended())
    client = Raw("/containers/cat/attach/ws?stream=1", "GET")
    check(f"websocket: no upgrade asked for: {client.head[:20]}", client.head[9:12] in ("400", "426"))
    for _ in range(20):
        client = WebSocket("/containers/ticker/attach/ws?stream=1&stdout=1")
        client.close()
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request("GET", "/_ping")
    check("and it goes on", connection.getresponse().read() == b"OK")
    connection.close()


for step in (hijack, terminal, websocket):
    print("   ", step.__name__, flush=True)
    step()
sys.exit(1 if failures else 0)
