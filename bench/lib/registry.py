"""Pulls from the registry inside gantryd beside Debian's docker-registry: the same images, clients and moments.

What is pulled lies in the page cache of this machine, so this measures the servers, not the disk. The client is
bench/lib/pulls.c: it checks no digest and writes nothing, so that it takes little of the processors the servers need."""
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess

from box import Absent, wait_for
from images import registry_on, settle
from measure import Api, percentile, processor_seconds

SECONDS = int(os.environ.get("BENCH_REGISTRY_SECONDS", "5"))
CLIENTS = (1, 16, 128)
# name: what it shows, bytes of its only layer
IMAGES = {"small": ("an image of 64 KB", 64 << 10), "large": ("an image of 64 MB", 64 << 20)}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Target:
    """A registry at a port, and what a client fetches of an image there."""

    def __init__(self, name, port):
        self.name, self.port, self.paths = name, port, {}

    def ask(self, method, path, body, content_type, status):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != status:
            raise RuntimeError(f"{self.name}: {method} {path}: {answer.status} {text[:200]!r}")
        return answer.headers

    def push_blob(self, name, data):
        # Some answer with a whole address: only its path and query are wanted.
        place = self.ask("POST", f"/v2/{name}/blobs/uploads/", b"", "application/octet-stream", 202)["Location"]
        place = place[place.index("/v2/"):]
        more = "&" if "?" in place else "?"
        self.ask("PUT", f"{place}{more}digest={digest_of(data)}", data, "application/octet-stream", 201)
        return {"mediaType": "application/octet-stream", "digest": digest_of(data), "size": len(data)}

    def push(self, name, layer):
        config = self.push_blob(name, b"{}")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [self.push_blob(name, layer)]}
        self.ask("PUT", f"/v2/{name}/manifests/1", json.dumps(manifest).encode(), MANIFEST, 201)
        self.note(name, manifest)

    def note(self, name, manifest):
        blobs = [manifest["config"], *manifest["layers"]]
        self.paths[name] = [f"/v2/{name}/manifests/1", *(f"/v2/{name}/blobs/{blob['digest']}" for blob in blobs)]

    def read(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", f"/v2/{name}/manifests/1", headers={"Accept": MANIFEST})
        self.note(name, json.loads(connection.getresponse().read()))


@contextlib.contextmanager
def inside(bench):
    """A gantryd that serves a registry, and a function that runs the client against it."""
    port, run_dir = free_port(), bench.work / "registry-run"
    api, log = Api(f"{run_dir}/gantry.sock"), bench.work / "registry-gantryd.log"
    with open(log, "w") as out:
        process = subprocess.Popen([str(bench.bin / "gantryd"), "--data-dir", str(bench.work / "registry-data"), "--run-dir",
                                    str(run_dir), "--registry-listen", f"127.0.0.1:{port}"],
                                   stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
    environment = {**os.environ, "GANTRY_HOST": f"unix://{run_dir}/gantry.sock", "NO_COLOR": "1"}

    def command(*words):
        subprocess.run([str(bench.bin / "gantry"), *words], check=True, capture_output=True, env=environment)
    try:
        wait_for(process, api.answers("/v1/ping"), log)
        yield Target("gantry", port), command
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


class Load:
    """What so many clients got of one image in a few seconds."""

    def __init__(self, tool, target, image, clients):
        settle()
        spent = processor_seconds()
        done = subprocess.run([tool, str(target.port), str(clients), str(SECONDS), *target.paths[image]], capture_output=True,
                              text=True, timeout=SECONDS + 120)
        self.processor = processor_seconds() - spent
        if done.returncode != 0:
            raise RuntimeError(f"{target.name}: {done.stderr[-200:]}")
        first, *times = done.stdout.splitlines()
        pulls, size, took = map(int, first.split())
        self.rate, self.speed = pulls / (took / 1e6), size / took
        self.tail = percentile([int(each) / 1000 for each in times], 0.99)
        self.gigabyte = self.processor / (size / 1e9)

    def cells(self):
        return f"{self.rate:.0f} | {self.speed:.0f} | {self.tail:.1f} | {self.gigabyte:.2f}"


def made_layer(bench, target, command):
    """An image of the engine, whose layer the registry makes from its files whenever it is pulled."""
    tree = bench.work / "registry-tree"
    tree.mkdir()
    for number in range(16):
        (tree / str(number)).write_bytes(os.urandom(4 << 20))
    tar = bench.work / "registry-tree.tar"
    subprocess.run(["tar", "-C", tree, "-cf", tar, "."], check=True)
    name = f"127.0.0.1:{target.port}/made:1"
    command("image", "import", str(tar), name)
    command("push", "-q", name)
    shutil.rmtree(tree)
    tar.unlink()
    target.read("made")


def registry(part):
    if shutil.which("docker-registry") is None:
        raise Absent("docker-registry is not installed")
    bench = part.gantry.bench
    tool = str(bench.compile("pulls"))
    rows = ["| pulls from a registry, from the page cache | clients | pulls/s | MB/s | p99 of a pull, ms | processor seconds of the machine per GB |",
            "|---|---|---|---|---|---|"]
    with contextlib.ExitStack() as stack:
        ours, command = stack.enter_context(inside(bench))
        theirs = Target("docker-registry", stack.enter_context(registry_on(bench.work / "registry-theirs", None, bench.work / "registry.log")))
        for name, (_, size) in IMAGES.items():
            layer = os.urandom(size)
            for target in (ours, theirs):
                target.push(name, layer)
        made_layer(bench, ours, command)
        worst = {}
        for name, (title, _) in {**IMAGES, "made": ("64 MB made from a layer's files", 0)}.items():
            for clients in CLIENTS:
                got = {target.name: Load(tool, target, name, clients) for target in (ours, theirs) if name in target.paths}
                rows += [f"| {title}: {who} | {clients} | {load.cells()} |" for who, load in got.items()]
                if len(got) == 2:
                    worst[name] = max(worst.get(name, 0), got["docker-registry"].rate / got["gantry"].rate)
    part.paper.say("## Registry\n\n" + "\n".join(rows) + "\n")
    for name, ratio in worst.items():
        part.paper.target(f"registry, {IMAGES[name][0]}: docker-registry against ours, pulls/s at worst", ratio, 1, "times")
