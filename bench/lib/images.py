"""Pull, push and build beside the peers: one image of real files (this machine's own), from a loopback registry.

The registry is Debian's docker-registry, one for each engine in that engine's network namespace, all on the same files.
Made once and kept in build/bench-images, because compressing takes longer than most of what is measured."""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from box import Absent, wait_for
from measure import processor_seconds

MEGABYTES = int(os.environ.get("BENCH_IMAGE_MB", "2800"))
TREES = ("usr/lib", "usr/share", "usr/include", "usr/bin")
LARGEST = 16 << 20  # of a file: an image is many small ones
LAYERS = 5
ORIGIN, TARGET = 5000, 5001  # ports inside the peers' own network namespaces; on the host they are chosen freely
VARIANTS = {"five": "five gzip layers", "one": "one gzip layer", "zstd": "five zstd layers"}
MEDIA = {"gzip": "application/vnd.oci.image.layer.v1.tar+gzip", "zstd": "application/vnd.oci.image.layer.v1.tar+zstd"}
COMPRESS = {"gzip": ["pigz", "-6", "-n"], "zstd": ["zstd", "-3", "-q", "-c", "-T0"]}


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def chosen_files():
    """Paths below / up to the wanted size, in order, so that the same machine gives the same image."""
    left = MEGABYTES << 20
    for tree in TREES:
        for directory, inner, names in os.walk("/" + tree):
            inner.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)
                size = os.lstat(path).st_size
                if size > LARGEST or "\n" in path:
                    continue
                left -= size
                if left < 0:
                    return
                yield path[1:], size


def chosen_layers():
    """The files, their size, and the paths of each layer."""
    files = list(chosen_files())
    size = sum(each for _, each in files)
    parts, filled = [[] for _ in range(LAYERS)], 0
    for path, each in files:
        parts[min(filled * LAYERS // max(size, 1), LAYERS - 1)].append(path)
        filled += each
    return files, size, parts


def pack(paths, target):
    """A tar file."""
    subprocess.run(["tar", "-C", "/", "--no-recursion", "--numeric-owner", "--ignore-failed-read", "-cf", target, "-T", "-"],
                   input="\n".join(paths), text=True, check=True)


class Image:
    """Tar files and what they are compressed to, as blobs of OCI layouts, one for each variant."""

    def __init__(self, work):
        self.work = work
        self.done = work / f"made-{MEGABYTES}"
        self.layouts = {name: work / name for name in VARIANTS}
        self.registry = work / "registry"
        if not self.done.exists():
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            self.make()
        self.facts = json.loads(self.done.read_text())

    def make(self):
        files, size, parts = chosen_layers()
        tars = [self.tar(f"layer{number}", part) for number, part in enumerate(parts)]
        whole = self.tar("whole", [path for path, _ in files])
        for name, layers, compression in (("five", tars, "gzip"), ("one", [whole], "gzip"), ("zstd", tars, "zstd")):
            self.layout(self.layouts[name], layers, compression)
        for tar in [*tars, whole]:
            tar.unlink()
        with registry_on(self.registry, None, self.work / "registry.log") as port:
            for name, layout in self.layouts.items():
                subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:1",
                                f"docker://127.0.0.1:{port}/bench:{name}"], check=True)
        facts = {"files": len(files), "bytes": size}
        for name, layout in self.layouts.items():
            facts[name] = sum(each.stat().st_size for each in (layout / "blobs/sha256").iterdir())
        self.done.write_text(json.dumps(facts))

    def tar(self, name, paths):
        target = self.work / f"{name}.tar"
        pack(paths, target)
        return target

    def layout(self, directory, tars, compression):
        blobs = directory / "blobs/sha256"
        blobs.mkdir(parents=True)
        layers = []
        for tar in tars:
            packed = directory / "packing"
            with open(tar, "rb") as source, open(packed, "wb") as out:
                subprocess.run(COMPRESS[compression], stdin=source, stdout=out, check=True)
            layers.append({"mediaType": MEDIA[compression], "size": packed.stat().st_size, "digest": "sha256:" + digest_of(packed)})
            packed.rename(blobs / layers[-1]["digest"][7:])
        config = {"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/usr/bin:/bin"]},
                  "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest_of(tar) for tar in tars]}}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": self.blob(blobs, config, "application/vnd.oci.image.config.v1+json"), "layers": layers}
        entry = self.blob(blobs, manifest, manifest["mediaType"])
        entry["annotations"] = {"org.opencontainers.image.ref.name": "1"}
        (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, blobs, value, media):
        data = json.dumps(value).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}

    def compressed(self, variant):
        """The layers' files, largest first."""
        found = [each for each in (self.layouts[variant] / "blobs/sha256").iterdir() if each.stat().st_size > 1 << 16]
        return sorted(found, key=lambda each: -each.stat().st_size)


def registry_configuration(storage, port, target):
    target.write_text(f"version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n"
                      f"    rootdirectory: {storage}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n")
    return ["docker-registry", "serve", str(target)]


def answers(port, inside=()):
    """Asked from inside: the port is in that network namespace."""
    ask = [*inside, "curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{port}/v2/"]
    return lambda: subprocess.run(ask, capture_output=True).returncode == 0


@contextlib.contextmanager
def registry_on(storage, port, log):
    """On the host, for us: a port that is free."""
    import socket
    if port is None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    command = registry_configuration(storage, port, log.with_suffix(f".{port}.yml"))
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(process, answers(port), log)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def settle(*warm):
    """What an earlier measurement left behind must not be paid by the next: neither what is still to be written, nor its
    deleted files. ext4 does not give an inode that was deleted within minutes to a new file, and passes all of them again
    for each file, while it has them in memory: the same `tar` then takes four times as long. What is below the directories
    `warm` is in memory afterwards."""
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    for path in (path for directory in warm for path in directory.rglob("*") if path.is_file()):
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass
    time.sleep(1)


def used(directory):
    done = subprocess.run(["du", "-sk", str(directory)], capture_output=True, text=True)
    return int(done.stdout.split()[0]) / 1024


class Result:
    def __init__(self, seconds, processor, megabytes):
        self.seconds, self.processor, self.megabytes = seconds, processor, megabytes


def timed(image, work, directory=None):
    before = used(directory) if directory else 0
    settle(image.work)
    began, processor = time.monotonic(), processor_seconds()
    work()
    took, spent = time.monotonic() - began, processor_seconds() - processor
    return Result(took, spent, used(directory) - before if directory else 0)


def run(command, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=900,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise RuntimeError(f"{command[-2:]}: " + ((done.stderr.strip() or done.stdout.strip()).splitlines() or ["failed"])[-1])


class Ours:
    def __init__(self, gantry, image, stack):
        self.gantry, self.image, self.directory = gantry, image, gantry.bench.data
        self.origin = stack.enter_context(registry_on(image.registry, None, gantry.bench.work / "origin.log"))
        self.target = stack.enter_context(registry_on(gantry.bench.work / "pushed", None, gantry.bench.work / "target.log"))

    def call(self, *words):
        run([self.gantry.client, *words], self.gantry.environment)

    def name(self, variant, target=False):
        return f"127.0.0.1:{self.target if target else self.origin}/bench:{variant}"

    def pull(self, variant):
        self.call("pull", "-q", self.name(variant))

    def push(self, variant):
        self.call("tag", self.name(variant), self.name(variant, True))
        return timed(self.image, lambda: self.call("push", "-q", self.name(variant, True)))

    def forget(self, variant):
        for target in (False, True):
            subprocess.run([self.gantry.client, "image", "rm", "--force", self.name(variant, target)], capture_output=True,
                           env={**os.environ, **self.gantry.environment})
        self.call("image", "prune")
        deadline = time.monotonic() + 60
        while any(pathlib.Path(self.directory, "layers/ingest").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.1)

    def build(self, directory, cached):
        more = [] if cached else ["--no-cache"]
        return timed(self.image, lambda: self.call("build", "-q", *more, "-t", "bench-build:1", str(directory)))


class Theirs:
    """A peer by its own command; its registries are in its own network namespace."""

    def __init__(self, peer, image, words, directory):
        self.peer, self.image, self.words, self.directory = peer, image, words, directory
        for port, storage in ((ORIGIN, image.registry), (TARGET, peer.work / "pushed")):
            command = registry_configuration(storage, port, peer.work / f"registry{port}.yml")
            peer.box.daemon(command, answers(port, peer.box.inside), peer.work / f"registry{port}.log")

    def call(self, *words):
        run([*self.peer.box.inside, *words])

    def pull(self, variant):
        self.call(*self.words["pull"], f"127.0.0.1:{ORIGIN}/bench:{variant}")

    def push(self, variant):
        name = f"127.0.0.1:{ORIGIN}/bench:{variant}"
        there = f"127.0.0.1:{TARGET}/bench:{variant}"
        self.call(*self.words["tag"], name, there)
        return timed(self.image, lambda: self.call(*self.words["push"], there))

    def forget(self, variant):
        for port in (ORIGIN, TARGET):
            subprocess.run([*self.peer.box.inside, *self.words["forget"], f"127.0.0.1:{port}/bench:{variant}"], capture_output=True)

    def build(self, directory, cached):
        more = [] if cached else ["--no-cache"]
        return timed(self.image, lambda: self.call(*self.words["build"], *more, "-t", "bench-build:1", str(directory)))


def docker(peer, image):
    base = peer.client
    return Theirs(peer, image, {"pull": [*base, "pull", "-q"], "tag": [*base, "tag"], "push": [*base, "push", "-q"],
                                "forget": [*base, "rmi", "-f"], "build": ["env", "DOCKER_BUILDKIT=0", *base, "build", "-q"]},
                  peer.work / "data")


def podman(peer, image):
    base = peer.base
    plain = ["-q", "--tls-verify=false"]
    return Theirs(peer, image, {"pull": [*base, "pull", *plain], "tag": [*base, "tag"], "push": [*base, "push", *plain],
                                "forget": [*base, "rmi", "-f"],
                                "build": [*base, "build", "-q", "--layers", "--ulimit", "nofile=1024:1024"]}, peer.work / "root")


def containerd(peer, image):
    base = [*peer.client, "images"]
    return Theirs(peer, image, {"pull": [*base, "pull", "--plain-http"], "tag": [*base, "tag"],
                                "push": [*base, "push", "--plain-http"], "forget": [*base, "rm", "--sync"]}, peer.work / "root")


ENGINES = {"docker": docker, "podman": podman, "ctr": containerd}


def floor(image, variant, work):
    """What tar does with the same layers, side by side, synced at the end."""
    def unpack():
        target = work / "floor"
        target.mkdir()
        option = "--zstd" if variant == "zstd" else "-z"
        each = []
        for number, layer in enumerate(image.compressed(variant)):
            into = target / str(number)
            into.mkdir()
            each.append(subprocess.Popen(["tar", "-C", into, option, "-xf", layer]))
        if any(process.wait() for process in each):
            raise RuntimeError("tar failed")
        os.sync()
    try:
        return timed(image, unpack)
    finally:
        shutil.rmtree(work / "floor", ignore_errors=True)


DOCKERFILE = "FROM {base}\n" + "".join(f"RUN echo step {n} > /step{n}\n" for n in range(20))


def cell(value, digits=1):
    return value if isinstance(value, str) else f"{value:.{digits}f}"


def images(part):
    """Tables of pulls, pushes and builds; targets against the floor and the best peer."""
    for program in ("docker-registry", "skopeo", "pigz", "zstd"):
        if shutil.which(program) is None:
            raise Absent(f"{program} is not installed")
    work = part.gantry.bench.work
    image = Image(part.gantry.bench.source / "build/bench-images")
    facts = image.facts
    part.paper.say(f"## Images\n\n{facts['files']} files of this machine, {facts['bytes'] / 1e9:.2f} GB; compressed "
                   f"{facts['five'] / 1e9:.2f} GB (gzip), {facts['zstd'] / 1e9:.2f} GB (zstd). Processor time is that of the "
                   "whole machine, the registry included; each pull is durable (synced) when it counts as done for Gantry and "
                   "the floor, for the peers when their command ends.\n")
    with contextlib.ExitStack() as stack:
        engines = {"gantry": Ours(part.gantry, image, stack)}
        for name, make in ENGINES.items():
            engines[name] = part.of(name, lambda peer, make=make: make(peer, image))
        pulls(part, image, engines, work)
        builds(part, engines, work)


def pulls(part, image, engines, work):
    rows = ["| pull from a loopback registry | wall, s | processor, s | on disk, MB | wall, ratio |", "|---|---|---|---|---|"]
    pushed = {}
    for variant, title in VARIANTS.items():
        ours, best = None, None
        for name, engine in engines.items():
            if isinstance(engine, str):
                rows.append(f"| {title}: {name} | {engine} | | | |")
                continue
            try:
                got = timed(image, lambda: engine.pull(variant), engine.directory)
                if variant == "five":
                    pushed[name] = engine.push(variant)
                engine.forget(variant)
            except (RuntimeError, OSError, subprocess.SubprocessError) as failure:
                if name == "gantry":
                    raise
                rows.append(f"| {title}: {name} | failed: {str(failure)[:100].replace('|', '/')} | | | |")
                continue
            if name == "gantry":
                ours = got
            else:
                best = min(best or got.seconds, got.seconds)
            rows.append(f"| {title}: {name} | {got.seconds:.1f} | {got.processor:.1f} | {got.megabytes:.0f} | {got.seconds / ours.seconds:.1f} |")
        least = floor(image, variant, work)
        rows.append(f"| {title}: `tar` side by side, then `sync` | {least.seconds:.1f} | {least.processor:.1f} | | {least.seconds / ours.seconds:.1f} |")
        part.paper.target(f"pull, {title}: against the floor", ours.seconds / least.seconds, 1.4, "times")
        if best:
            part.paper.target(f"pull, {title}: against the best peer", ours.seconds / best, 0.2, "times")
    part.paper.say("\n".join(rows) + "\n")
    part.paper.say("| push of the five gzip layers to an empty registry | wall, s | processor, s |\n|---|---|---|\n" + "".join(
        f"| {name} | {got.seconds:.1f} | {got.processor:.1f} |\n" for name, got in pushed.items()))


def builds(part, engines, work):
    rows = ["| a build of twenty steps | cold, s | all from the cache, s |", "|---|---|---|"]
    for name, engine in engines.items():
        if isinstance(engine, str) or "build" not in getattr(engine, "words", {"build": True}):
            continue
        directory = work / f"build-{name}"
        directory.mkdir()
        (directory / "Dockerfile").write_text(DOCKERFILE.format(base="localhost/bench:1" if name == "podman" else "bench:1"))
        try:
            rows.append(f"| {name} | {engine.build(directory, False).seconds:.2f} | {engine.build(directory, True).seconds:.2f} |")
        except (RuntimeError, OSError, subprocess.SubprocessError) as failure:
            rows.append(f"| {name} | failed: {str(failure)[:100].replace('|', '/')} | |")
    part.paper.say("\n".join(rows) + "\n")
