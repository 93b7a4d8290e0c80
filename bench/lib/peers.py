"""The peers, each in a box of its own. A constructor raises Absent when the peer cannot be measured here."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time

from box import Absent, Box
from measure import Api, frames, memory, walltime


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Absent(f"{program} is not installed")


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).splitlines()[0].strip()


class Peer:
    def __init__(self, bench, name, *programs):
        need(*programs)
        self.bench = bench
        self.work = bench.work / name
        self.work.mkdir()
        self.box = Box(self.work / "box")

    def check(self, *command):
        done = subprocess.run([*self.box.inside, *command], capture_output=True, text=True)
        if done.returncode != 0:
            self.stop()
            raise Absent((done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1][-160:])
        return done.stdout.strip()

    def daemon(self, command, ready):
        try:
            self.box.daemon(command, ready, self.work / "log")
        except Absent:
            self.stop()
            raise

    def walltime(self, count, *command):
        return walltime(self.bench.walltime, count, command, self.box.inside)

    def memory(self):
        """Kilobytes of the engine's own processes, what they share counted once."""
        return memory("Pss", *self.box.processes())

    def stop(self):
        self.box.stop()


class Runtime(Peer):
    """crun or runc alone, on a bundle: no image, network, log or record. The floor for what is built on it."""

    def __init__(self, bench, name):
        super().__init__(bench, name, name)
        self.version = version(name, "--version")
        subprocess.run([name, "spec"], cwd=self.work, check=True)
        spec = json.loads((self.work / "config.json").read_text())
        spec["process"]["terminal"] = False
        spec["process"]["args"] = ["/bin/true"]
        spec["process"]["rlimits"] = []  # may be more than this machine allows
        spec["root"]["path"] = str(bench.rootfs)
        (self.work / "config.json").write_text(json.dumps(spec))
        self.command = [name, "--root", f"{self.work}/state", "run", "-b", str(self.work), "bench"]
        self.check(*self.command)

    def run_true(self, count):
        return self.walltime(count, *self.command)


class Podman(Peer):
    def __init__(self, bench):
        super().__init__(bench, "podman", "podman", "crun")
        self.version = version("podman", "--version")
        self.base = ["podman", "--root", f"{self.work}/root", "--runroot", f"{self.work}/run", "--cgroup-manager",
                     "cgroupfs", "--runtime", "crun", "--events-backend", "file"]
        self.check(*self.base, "import", str(bench.rootfs_tar), "bench:1")
        self.run = [*self.base, "run", "--ulimit", "host"]  # its own limits may be more than this machine allows
        self.check(*self.run, "--rm", "localhost/bench:1", "true")

    def run_true(self, count):
        return self.walltime(count, *self.run, "--rm", "localhost/bench:1", "true")

    def exec_true(self, count):
        container = self.check(*self.run, "-d", "localhost/bench:1", "wait")
        return self.walltime(count, *self.base, "exec", container, "true")


class Docker(Peer):
    """dockerd with its containerd, bridge network and all."""

    def __init__(self, bench):
        super().__init__(bench, "docker", "dockerd", "docker", "containerd")
        socket = f"{self.work}/docker.sock"
        self.api = self.docker_api = Api(socket)
        self.list_path = "/containers/json"
        self.client = ["docker", "-H", f"unix://{socket}"]
        self.daemon(["dockerd", "--data-root", f"{self.work}/data", "--exec-root", f"{self.work}/run", "--pidfile",
                     f"{self.work}/pid", "-H", f"unix://{socket}"], self.api.answers("/_ping"))
        self.version = "docker " + json.loads(self.api.call("GET", "/version"))["Version"]
        time.sleep(1)
        self.idle = self.rss()
        self.check(*self.client, "import", str(bench.rootfs_tar), "bench:1")

    def rss(self):
        return memory("VmRSS", *self.box.processes())

    def client_time(self, count, *words):
        return self.walltime(count, *self.client, *words)

    def processes(self):
        return self.box.processes()

    def create(self, program):
        spec = {"Image": "bench:1", "Cmd": [program],
                "HostConfig": {"Memory": 256 << 20, "CpuShares": 512, "PidsLimit": 100}}
        return json.loads(self.api.call("POST", "/containers/create", spec))["Id"]

    def up(self):
        asked = time.monotonic_ns()
        created = self.create("first")
        self.api.call("POST", f"/containers/{created}/start")
        self.api.call("POST", f"/containers/{created}/wait")
        began = int(frames(self.api.call("GET", f"/containers/{created}/logs?stdout=1")))
        self.api.call("DELETE", f"/containers/{created}")
        return began - asked

    def exec(self, container):
        asked = time.monotonic_ns()
        spec = {"Cmd": ["first"], "AttachStdout": True}
        created = json.loads(self.api.call("POST", f"/containers/{container}/exec", spec))["Id"]
        began = int(frames(self.api.call("POST", f"/exec/{created}/start", {"Detach": False})))
        return began - asked, time.monotonic_ns() - asked

    def start(self):
        created = self.create("wait")
        self.api.call("POST", f"/containers/{created}/start")
        return created

    def remove(self, container):
        self.api.call("POST", f"/containers/{container}/stop")
        self.api.call("DELETE", f"/containers/{container}")

    def run_true(self, count):
        return self.walltime(count, *self.client, "run", "--rm", "bench:1", "true")

    def exec_true(self, count, container):
        return self.walltime(count, *self.client, "exec", container, "true")


class Containerd(Peer):
    def __init__(self, bench):
        super().__init__(bench, "containerd", "containerd", "ctr")
        self.version = version("containerd", "--version")
        address = f"{self.work}/socket"
        self.client = ["ctr", "-a", address]
        configuration = self.work / "config.toml"
        configuration.write_text(f'version = 2\nroot = "{self.work}/root"\nstate = "{self.work}/run"\n'
                                 f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{address}"\n')
        self.daemon(["containerd", "-c", str(configuration)], lambda: os.path.exists(address))
        archive = self.work / "image.tar"
        write_oci_archive(bench.rootfs_tar, archive)
        self.check(*self.client, "image", "import", str(archive))

    def run_true(self, count):
        # Each run needs a name of its own.
        return self.walltime(count, "sh", "-c",
                             f'exec {" ".join(self.client)} run --rm docker.io/library/bench:1 b$$ true')


MAKERS = {"docker": Docker, "podman": Podman, "ctr": Containerd, "runc": lambda bench: Runtime(bench, "runc"),
          "crun": lambda bench: Runtime(bench, "crun")}


def write_oci_archive(layer, target):
    """An image of one layer as an OCI layout in a tar file."""
    blobs = {}

    def add(data, media):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}

    data = layer.read_bytes()
    described = add(data, "application/vnd.oci.image.layer.v1.tar")
    config = {"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]},
              "rootfs": {"type": "layers", "diff_ids": [described["digest"]]}}
    manifest = {"schemaVersion": 2, "config": add(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
                "layers": [described]}
    entry = add(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    entry["annotations"] = {"io.containerd.image.name": "docker.io/library/bench:1", "org.opencontainers.image.ref.name": "1"}
    blobs["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    blobs["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    with tarfile.open(target, "w") as tar:
        for name, content in blobs.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
