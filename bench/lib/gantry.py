"""Gantry as it is measured: a daemon of its own with data and run directories of its own, on the host as users have it."""
import contextlib
import glob
import json
import os
import signal
import subprocess
import time

from box import wait_for
from measure import Api, memory, walltime
from peers import version

# Said, though the defaults have them, too, or stand for "no limit": a start must not be quicker for what it leaves out.
LIMITS = {"memory": 256 << 20, "cpu_shares": 512, "pids": 100}

ON = """set -e
read -r zero host count </proc/self/uid_map
while read -r key value; do [ "$key" != Seccomp: ] || seccomp=$value; [ "$key" != CapEff: ] || caps=$value; done </proc/self/status
while read -r device point type rest; do [ "$point" != / ] || root=$type; done </proc/mounts
address=$(busybox ip -4 -o addr show dev eth0)
echo "$zero $host $seccomp $caps $root ${address:+addressed}"
"""


@contextlib.contextmanager
def tmpfs(directory):
    """A run directory, as /run is everywhere; the peers' boxes have one, too."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "gantry-bench", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


class Gantry:
    def __init__(self, bench):
        self.bench = bench
        run_dir = bench.run_dir
        self.environment = {"GANTRY_HOST": f"unix://{run_dir}/gantry.sock", "NO_COLOR": "1"}
        self.client = str(bench.bin / "gantry")
        self.api = Api(f"{run_dir}/gantry.sock")
        self.list_path = "/v1/containers?view=summary"
        self.docker_api = Api(f"{run_dir}/docker.sock")
        self.docker = ["docker", "-H", f"unix://{run_dir}/docker.sock"]
        self.version = version(self.client, "--version")
        log = bench.work / "gantryd.log"
        with open(log, "w") as out:
            self.process = subprocess.Popen(
                [str(bench.bin / "gantryd"), "--data-dir", str(bench.data), "--run-dir", str(run_dir)], stdout=out,
                stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(self.process, self.api.answers("/v1/ping"), log)
        time.sleep(1)
        self.idle = self.rss()
        self.command("image", "import", str(bench.rootfs_tar), "bench:1")

    def command(self, *words):
        done = subprocess.run([self.client, *words], capture_output=True, text=True, env={**os.environ, **self.environment})
        if done.returncode != 0:
            raise RuntimeError(f"gantry {' '.join(words)}: {done.stderr[-300:]}")
        return done

    def rss(self):
        return memory("VmRSS", self.process.pid)

    def memory(self):
        """Kilobytes of the daemon and its shims, what they share counted once."""
        return memory("Pss", *self.processes())

    def processes(self):
        """The daemon and its shims."""
        shims = []
        for name in glob.glob(f"/proc/{self.process.pid}/task/*/children"):  # each thread lists its own
            with open(name) as children:
                shims += children.read().split()
        return [self.process.pid, *shims]

    def client_time(self, count, *words):
        """Milliseconds of the docker command against this engine."""
        return walltime(self.bench.walltime, count, [*self.docker, *words])

    def spec(self, *command, **more):
        return {"image": "bench:1", "command": command, "resources": LIMITS, **more}

    def everything_on(self):
        """RuntimeError when something a start pays for is off."""
        said = self.api.stream("POST", "/v1/run", self.spec("busybox", "sh", "-c", ON, auto_remove=True)).decode().split()
        if len(said) != 6 or said[1] == "0" or said[2] != "2" or said[3] == "000001ffffffffff" or said[4] != "overlay":
            raise RuntimeError(f"the container is not as isolated as it should be: {said}")

    def up(self):
        """Nanoseconds from the request to the first instruction of the program."""
        spec = self.spec("first", auto_remove=True)
        asked = time.monotonic_ns()
        return int(self.api.stream("POST", "/v1/run", spec)) - asked

    def exec(self, container):
        asked = time.monotonic_ns()
        began = int(self.api.stream("POST", f"/v1/containers/{container}/run", {"argv": ["first"]}))
        return began - asked, time.monotonic_ns() - asked

    def start(self):
        created = json.loads(self.api.call("POST", "/v1/containers", self.spec("wait")))["id"]
        self.api.call("POST", f"/v1/containers/{created}/start")
        return created

    def remove(self, container):
        self.api.call("POST", f"/v1/containers/{container}/stop")
        self.api.call("DELETE", f"/v1/containers/{container}")

    def run_true(self, count):
        return self.walltime(count, "run", "--rm", "bench:1", "true")

    def exec_true(self, count, container):
        return self.walltime(count, "exec", container, "true")

    def walltime(self, count, *words):
        return walltime(self.bench.walltime, count, [self.client, *words], (), self.environment)

    def trace(self):
        return json.loads(self.command("run", "--rm", "--trace", "--format", "json", "bench:1", "true").stderr)

    def stop(self):
        try:
            for container in json.loads(self.api.call("GET", "/v1/containers?all=1")):
                self.api.call("DELETE", f"/v1/containers/{container['id']}?force=1&volumes=1")
        finally:
            os.kill(self.process.pid, signal.SIGTERM)
            self.process.wait(30)
