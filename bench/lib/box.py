"""A box for a peer: network, mount and process namespaces of its own, with /run empty and /etc and /var/lib copied on
write, so that no link, rule, mount, file or process of it reaches the host or outlives the measurement."""
import contextlib
import glob
import os
import pathlib
import subprocess
import time

# Where version 1 carries the controllers, crun refuses the nearly empty version 2 mount beside it.
SETUP = """set -e
umount /sys/fs/cgroup/unified 2>/dev/null || true
for tree in etc var/lib; do
    mkdir -p "$0/$tree/upper" "$0/$tree/work"
    mount -t overlay -o "lowerdir=/$tree,upperdir=$0/$tree/upper,workdir=$0/$tree/work" overlay "/$tree"
done
mount -t tmpfs tmpfs /run
ip link set lo up
echo ready
exec catatonit -P"""

# Control groups are the one thing namespaces of version 1 do not take away: what each peer names its own.
GROUPS = ("docker", "default", "libpod_parent", "conmon", "bench")


class Absent(Exception):
    """The peer cannot be measured here, and why."""


class Box:
    def __init__(self, directory):
        directory.mkdir()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--kill-child", "--propagation",
             "private", "--mount-proc", "sh", "-c", SETUP, str(directory)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, start_new_session=True)
        if self.process.stdout.readline() != "ready\n":
            self.stop()
            raise Absent("no namespaces for it: " + self.process.stderr.read().strip()[-120:])
        own = self.process.pid
        self.first = int(pathlib.Path(f"/proc/{own}/task/{own}/children").read_text())
        self.inside = ["nsenter", "-t", str(self.first), "-m", "-n", "-p"]

    def daemon(self, command, ready, log):
        with open(log, "w") as out:
            process = subprocess.Popen([*self.inside, *command], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                       start_new_session=True)
        wait_for(process, ready, log)

    def processes(self):
        """Daemons and shims; not the first process, nor those in the namespaces of containers."""
        home = os.readlink(f"/proc/{self.first}/ns/pid")
        found = []
        for name in glob.glob("/proc/[0-9]*/ns/pid"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if os.readlink(name) == home:
                    found.append(int(name.split("/")[2]))
        return [process for process in found if process != self.first]

    def stop(self):
        self.process.kill()  # takes the first process of the box along, and that one all others
        self.process.wait()


def wait_for(process, ready, log):
    deadline = time.monotonic() + 30
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            last = (open(log).read().strip().splitlines() or ["silently"])[-1]
            raise Absent(f"its daemon does not come up: {last[-160:]}")
        time.sleep(0.05)


def peer_groups():
    """Deepest first."""
    roots = [path for name in GROUPS for path in glob.glob(f"/sys/fs/cgroup/*/{name}") + glob.glob(f"/sys/fs/cgroup/{name}")]
    return [directory for root in roots for directory, _, _ in os.walk(root, topdown=False)]


@contextlib.contextmanager
def groups_kept():
    """Removes the control groups that peers leave, and none that was there before."""
    before = set(peer_groups())
    try:
        yield
    finally:
        for _ in range(20):
            left = [path for path in peer_groups() if path not in before]
            for path in left:
                with contextlib.suppress(OSError):  # the last process may still be leaving: again below
                    os.rmdir(path)
            if not left:
                break
            time.sleep(0.1)
