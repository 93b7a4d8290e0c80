"""The engines that are measured, each with directories of its own; peers in namespaces of their own, so that neither
links nor rules of theirs reach the host."""
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time

from measure import Api, frames, walltime

# Where version 1 carries the controllers, crun refuses the nearly empty version 2 mount beside it.
HIDE = ["unshare", "-m", "--propagation", "private", "sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh"]


class Absent(Exception):
    pass


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Absent(f"{program} is not installed")


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).splitlines()[0].strip()


class Daemon:
    def __init__(self, command, ready, log, prefix=()):
        self.log = open(log, "a")
        self.process = subprocess.Popen([*prefix, *command], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                        start_new_session=True)
        deadline = time.monotonic() + 30
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Absent(f"{command[0]} does not come up here: " + open(log).read().strip().splitlines()[-1][:160])
            time.sleep(0.05)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.log.close()


class Gantry:
    name = "gantry"

    def __init__(self, bench):
        self.bench = bench
        self.run_dir = bench.work / "run"
        self.environment = {"GANTRY_HOST": f"unix://{self.run_dir}/gantry.sock", "NO_COLOR": "1"}
        self.client = str(bench.bin / "gantry")
        self.api = Api(f"{self.run_dir}/gantry.sock")
        command = [str(bench.bin / "gantryd"), "--data-dir", str(bench.data), "--run-dir", str(self.run_dir)]
        self.daemon = Daemon(command, self.ready, bench.work / "gantryd.log")
        self.version = version(self.client, "--version")

    def ready(self):
        try:
            return bool(self.api.call("GET", "/v1/containers"))
        except OSError:
            return False

    def command(self, *words):
        done = subprocess.run([self.client, *words], capture_output=True, text=True, env={**os.environ, **self.environment})
        if done.returncode != 0:
            raise RuntimeError(f"gantry {' '.join(words)}: {done.stderr}")
        return done.stdout

    def load(self):
        self.command("image", "import", str(self.bench.rootfs_tar), "bench:1")

    def up(self):
        """Nanoseconds from the request to the first instruction of the program."""
        spec = {"image": "bench:1", "command": ["first"], "auto_remove": True}
        asked = time.monotonic_ns()
        return int(self.api.stream("POST", "/v1/run", spec)) - asked

    def exec(self, container):
        asked = time.monotonic_ns()
        began = int(self.api.stream("POST", f"/v1/containers/{container}/run", {"argv": ["first"]}))
        return began - asked, time.monotonic_ns() - asked

    def start(self):
        spec = {"image": "bench:1", "command": ["wait"]}
        created = json.loads(self.api.call("POST", "/v1/containers", spec))["id"]
        self.api.call("POST", f"/v1/containers/{created}/start")
        return created

    def remove(self, container):
        self.api.call("POST", f"/v1/containers/{container}/stop")
        self.api.call("DELETE", f"/v1/containers/{container}")

    def list(self):
        self.api.call("GET", "/v1/containers?view=summary")

    def run_true(self, count):
        return walltime(self.bench.walltime, count, [self.client, "run", "--rm", "bench:1", "true"], (), self.environment)

    def exec_true(self, count, container):
        return walltime(self.bench.walltime, count, [self.client, "exec", container, "true"], (), self.environment)

    def stop(self):
        for container in json.loads(self.api.call("GET", "/v1/containers?all=1")):
            self.api.call("DELETE", f"/v1/containers/{container['id']}?force=1&volumes=1")
        self.daemon.stop()


class Runtime:
    """crun or runc alone, on a bundle: no image, network, log or record. The floor for what is built on it."""

    def __init__(self, bench, name):
        need(name)
        self.bench, self.name = bench, name
        self.version = version(name, "--version")
        self.bundle = bench.work / name
        self.bundle.mkdir()
        subprocess.run([name, "spec"], cwd=self.bundle, check=True)
        spec = json.loads((self.bundle / "config.json").read_text())
        spec["process"]["terminal"] = False
        spec["process"]["args"] = ["/bin/true"]
        spec["process"]["rlimits"] = []  # may be more than this machine allows
        spec["root"]["path"] = str(bench.rootfs)
        (self.bundle / "config.json").write_text(json.dumps(spec))

    def run_true(self, count):
        command = [self.name, "--root", f"{self.bundle}/state", "run", "-b", str(self.bundle), "bench"]
        return walltime(self.bench.walltime, count, command, HIDE)


class Podman:
    name = "podman"

    def __init__(self, bench):
        need("podman", "crun")
        self.bench = bench
        self.version = version("podman", "--version")
        self.base = ["podman", "--root", f"{bench.work}/podman", "--runroot", f"{bench.work}/podman-run",
                     "--cgroup-manager", "cgroupfs", "--runtime", "crun", "--events-backend", "file"]
        done = subprocess.run([*HIDE, *self.base, "import", str(bench.rootfs_tar), "bench:1"], capture_output=True, text=True)
        if done.returncode != 0:
            raise Absent((done.stderr.strip().splitlines() or ["import failed"])[-1][:160])

    def run_true(self, count):
        # Without its own network: that would change the host's.
        command = [*self.base, "run", "--rm", "--network", "none", "--ulimit", "host", "localhost/bench:1", "true"]
        return walltime(self.bench.walltime, count, command, HIDE)


class Docker:
    """dockerd with its containerd in network and mount namespaces of its own, bridge network and all."""
    name = "docker"

    def __init__(self, bench):
        need("dockerd", "docker", "containerd")
        self.bench = bench
        self.socket = bench.work / "docker.sock"
        self.api = Api(str(self.socket))
        command = ["dockerd", "--data-root", f"{bench.work}/docker", "--exec-root", f"{bench.work}/docker-run", "--pidfile",
                   f"{bench.work}/docker.pid", "-H", f"unix://{self.socket}"]
        self.daemon = Daemon(command, self.ready, bench.work / "dockerd.log",
                             ["unshare", "-n", "-m", "--propagation", "private", "sh", "-c",
                              'ip link set lo up; exec "$@"', "sh"])
        self.version = "docker " + json.loads(self.api.call("GET", "/version"))["Version"]
        self.client = ["docker", "-H", f"unix://{self.socket}"]
        subprocess.run([*self.client, "import", str(bench.rootfs_tar), "bench:1"], check=True, capture_output=True)

    def ready(self):
        try:
            return bool(self.api.call("GET", "/_ping"))
        except (OSError, RuntimeError, IndexError):
            return False

    def up(self):
        asked = time.monotonic_ns()
        created = json.loads(self.api.call("POST", "/containers/create", {"Image": "bench:1", "Cmd": ["first"]}))["Id"]
        self.api.call("POST", f"/containers/{created}/start")
        self.api.call("POST", f"/containers/{created}/wait")
        began = int(frames(self.api.call("GET", f"/containers/{created}/logs?stdout=1")))
        self.api.call("DELETE", f"/containers/{created}")
        return began - asked

    def start(self):
        created = json.loads(self.api.call("POST", "/containers/create", {"Image": "bench:1", "Cmd": ["wait"]}))["Id"]
        self.api.call("POST", f"/containers/{created}/start")
        return created

    def remove(self, container):
        self.api.call("POST", f"/containers/{container}/stop")
        self.api.call("DELETE", f"/containers/{container}")

    def list(self):
        self.api.call("GET", "/containers/json")

    def run_true(self, count):
        return walltime(self.bench.walltime, count, [*self.client, "run", "--rm", "bench:1", "true"])

    def exec_true(self, count, container):
        return walltime(self.bench.walltime, count, [*self.client, "exec", container, "true"])

    def stop(self):
        self.daemon.stop()


class Containerd:
    name = "ctr"

    def __init__(self, bench):
        need("containerd", "ctr")
        self.bench = bench
        self.version = version("containerd", "--version")
        address = f"{bench.work}/containerd.sock"
        self.client = ["ctr", "-a", address]
        configuration = bench.work / "containerd.toml"
        configuration.write_text(f'version = 2\nroot = "{bench.work}/containerd"\nstate = "{bench.work}/containerd-run"\n'
                                 f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{address}"\n')
        self.daemon = Daemon(["containerd", "-c", str(configuration)], lambda: os.path.exists(address),
                             bench.work / "containerd.log", ["unshare", "-n", "-m", "--propagation", "private"])
        archive = bench.work / "image.tar"
        write_oci_archive(bench.rootfs_tar, archive)
        done = subprocess.run([*self.client, "image", "import", str(archive)], capture_output=True, text=True)
        if done.returncode != 0:
            self.daemon.stop()
            raise Absent(done.stderr.strip()[-160:])

    def run_true(self, count):
        # Each run needs a name of its own.
        command = ["sh", "-c", f'exec {" ".join(self.client)} run --rm docker.io/library/bench:1 b$$ true']
        return walltime(self.bench.walltime, count, command)

    def stop(self):
        self.daemon.stop()


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
