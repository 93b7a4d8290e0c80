"""Times and sizes: one number list in, one row out."""
import json
import os
import socket
import struct
import subprocess
import threading
import time

PATIENCE = 180  # seconds, after which whatever does not answer has failed


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def walltime(tool, count, command, prefix=(), environment=None):
    """Milliseconds of `count` runs. RuntimeError with the last words when one fails."""
    done = subprocess.run([*prefix, tool, str(count), *command], capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["failed without a word"])[-1])
    return [int(line) / 1000 for line in done.stdout.split()]


class Api:
    """As little HTTP over a unix socket as the measurements need."""

    def __init__(self, path):
        self.path = path

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(self.path)
        return connection

    def send(self, connection, method, path, body=None, extra="Connection: close\r\n"):
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{extra}Content-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def call(self, method, path, body=None):
        with self.connect() as connection:
            self.send(connection, method, path, body)
            head, _, rest = read_all(connection).partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if b"chunked" in head:
            rest = join_chunks(rest)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {rest[:200]!r}")
        return rest

    def answers(self, path):
        """A question to ask until it is true."""
        def ask():
            try:
                return bool(self.call("GET", path))
            except (OSError, RuntimeError, IndexError):
                return False
        return ask

    def stream(self, method, path, body):
        """An upgraded exchange, read to its end: what the program wrote to standard output."""
        with self.connect() as connection:
            self.send(connection, method, path, body, "Connection: Upgrade\r\nUpgrade: tcp\r\n")
            head, _, rest = read_all(connection).partition(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(f"{method} {path}: {head[:100]!r} {rest[:200]!r}")
        return frames(rest)


def read_all(connection):
    out = b""
    while piece := connection.recv(65536):
        out += piece
    return out


def join_chunks(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        out, data = out + data[:length], data[length + 2:]
    return out


def frames(data):
    out = b""
    while len(data) >= 8:
        stream, length = data[0], struct.unpack(">I", data[4:8])[0]
        if stream == 1:
            out += data[8:8 + length]
        data = data[8 + length:]
    return out


def side_by_side(count, work):
    """Seconds until `work(i)` is done for all i, each on a thread of its own."""
    failures = []

    def run(number):
        try:
            work(number)
        except Exception as failure:  # told below: a thread's own exception would be lost
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(failures[0])
    return time.monotonic() - start


class Processor:
    """Seconds of processor time that processes take while this runs, those included that come and go: asked for often,
    since an ended process tells nothing any more."""

    def __init__(self, processes):
        self.processes, self.first, self.last = processes, {}, {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def look(self):
        for process in self.processes():
            try:
                with open(f"/proc/{process}/stat") as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            self.last[process] = int(fields[11]) + int(fields[12])
            self.first.setdefault(process, self.last[process])

    def run(self):
        while not self.ended.wait(0.02):
            self.look()

    def __enter__(self):
        self.look()
        self.known = set(self.first)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        before = sum(self.first[process] for process in self.known)
        self.seconds = (sum(self.last.values()) - before) / os.sysconf("SC_CLK_TCK")


def processor_seconds():
    """Busy time of all processors of the machine so far."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq = (int(value) for value in stat.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def memory(field, *processes):
    """Kilobytes, summed over smaps_rollup (Pss) or status (VmRSS)."""
    total = 0
    for process in processes:
        name = "status" if field.startswith("Vm") else "smaps_rollup"
        try:
            with open(f"/proc/{process}/{name}") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith(field + ":"))
        except FileNotFoundError:
            pass  # it has ended meanwhile
    return total
