"""Docker's SDK for Python against the socket that DOCKER_HOST names; each test leaves nothing."""
import functools
import io
import socket
import tarfile
import threading
import time
import unittest
import urllib.request

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound

client = docker.from_env(timeout=30)


def wait_until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mtime = 1_600_000_000
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def awaits(test):
    """Skips a test whose route the daemon does not have yet."""

    @functools.wraps(test)
    def wrapped(self):
        try:
            test(self)
        except NotFound as error:
            if "no such route" not in str(error):
                raise
            self.skipTest("its route is not supported yet")

    return wrapped


class Sdk(unittest.TestCase):
    def setUp(self):
        self.made = []

    def tearDown(self):
        for container in self.made:
            try:
                container.remove(force=True, v=True)
            except NotFound:
                pass

    def run_detached(self, command, **options):
        container = client.containers.run("busybox", command, detach=True, init=True, **options)
        self.made.append(container)
        return container

    def test_system(self):
        self.assertTrue(client.ping())
        self.assertEqual(client.version()["ApiVersion"], "1.51")
        self.assertEqual(client.info()["OSType"], "linux")

    def test_run(self):
        self.assertEqual(client.containers.run("busybox", "echo hello", remove=True), b"hello\n")
        self.assertEqual(client.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2"], remove=True, stdout=False,
                                               stderr=True), b"err\n")
        with self.assertRaises(ContainerError) as failure:
            client.containers.run("busybox", ["sh", "-c", "echo why >&2; exit 3"], remove=True)
        self.assertEqual((failure.exception.exit_status, failure.exception.stderr), (3, b"why\n"))

    def test_options(self):
        container = self.run_detached(["sh", "-c", "echo $COLOUR; id -u; pwd; exec sleep 100"], environment={"COLOUR": "blue"}, user="1000",
                                      working_dir="/tmp", hostname="box", labels={"a": "b"}, mem_limit="64m", nano_cpus=500_000_000,
                                      pids_limit=50, cap_drop=["ALL"], tmpfs={"/scratch": "size=1m"}, read_only=True,
                                      ulimits=[docker.types.Ulimit(name="nofile", soft=100, hard=200)],
                                      restart_policy={"Name": "on-failure", "MaximumRetryCount": 2}, ports={"80/tcp": ("127.0.0.1", None)})
        self.assertTrue(wait_until(lambda: container.logs() == b"blue\n1000\n/tmp\n"), container.logs())
        container.reload()
        host = container.attrs["HostConfig"]
        self.assertEqual((container.status, container.labels), ("running", {"a": "b"}))
        self.assertEqual((host["Memory"], host["NanoCpus"], host["PidsLimit"], host["ReadonlyRootfs"]), (64 << 20, 500_000_000, 50, True))
        self.assertRegex(container.ports["80/tcp"][0]["HostPort"], r"^\d+$")

    def test_life(self):
        container = client.containers.create("busybox", ["sleep", "100"], name="sdk-life", init=True)
        self.made.append(container)
        self.assertEqual(container.status, "created")
        container.start()
        container.pause()
        container.reload()
        self.assertEqual(container.status, "paused")
        container.unpause()
        container.rename("sdk-renamed")
        self.assertEqual(client.containers.get("sdk-renamed").id, container.id)
        container.restart(timeout=1)
        container.stop(timeout=1)
        self.assertEqual(container.wait()["StatusCode"], 143)
        container.start()
        container.kill("INT")
        self.assertEqual(container.wait(timeout=10)["StatusCode"], 130)
        self.assertEqual([c.name for c in client.containers.list(all=True, filters={"exited": 130})], ["sdk-renamed"])
        container.remove()
        with self.assertRaises(NotFound):
            client.containers.get("sdk-renamed")

    def test_errors(self):
        with self.assertRaises(ImageNotFound):
            client.api.create_container("nosuch:1", "true")
        self.run_detached(["sleep", "100"], name="sdk-taken")
        with self.assertRaises(APIError) as failure:
            client.containers.create("busybox", "true", name="sdk-taken")
        self.assertEqual(failure.exception.status_code, 409)
        container = client.containers.create("busybox", "/no/such")
        self.made.append(container)
        with self.assertRaises(APIError) as failure:
            container.start()
        self.assertIn("/no/such", str(failure.exception))

    def test_logs(self):
        container = self.run_detached(["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.1; done"])
        self.assertEqual(b"".join(container.logs(stream=True, follow=True)), b"line 1\nline 2\nline 3\n")
        self.assertEqual(container.logs(tail=1), b"line 3\n")
        self.assertRegex(container.logs(tail=1, timestamps=True), rb"^20\d\d-\d\d-\d\dT[0-9:.]+Z line 3\n$")
        self.assertEqual(container.logs(since=int(time.time()) + 100), b"")

    def test_attach(self):
        container = client.containers.create("busybox", ["sh", "-c", "read line; echo got $line; echo err >&2"], stdin_open=True)
        self.made.append(container)
        stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        container.start()
        stream._sock.sendall(b"typed\n")
        data = b""
        while chunk := stream._sock.recv(4096):
            data += chunk
        stream.close()
        self.assertIn(b"\x01\0\0\0\0\0\0\x0agot typed\n", data)
        self.assertIn(b"\x02\0\0\0\0\0\0\x04err\n", data)

    def test_exec(self):
        container = self.run_detached(["sleep", "100"])
        result = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
        self.assertEqual((result.exit_code, result.output), (4, (b"out\n", b"err\n")))
        result = container.exec_run(["sh", "-c", "echo 1; sleep 0.1; echo 2"], stream=True)
        self.assertEqual(b"".join(result.output), b"1\n2\n")
        result = container.exec_run("sh -c 'echo $A $(id -u) $(pwd)'", environment={"A": "b"}, user="7", workdir="/etc")
        self.assertEqual(result.output, b"b 7 /etc\n")
        self.assertEqual(container.exec_run("tty", tty=True).output.strip()[:9], b"/dev/pts/")
        made = client.api.exec_create(container.id, "cat", stdin=True)
        stream = client.api.exec_start(made["Id"], socket=True)
        stream._sock.sendall(b"there and back")
        stream._sock.shutdown(socket.SHUT_WR)
        data = b""
        while chunk := stream._sock.recv(4096):
            data += chunk
        stream.close()
        self.assertEqual(data[8:], b"there and back")
        state = client.api.exec_inspect(made["Id"])
        self.assertEqual((state["ExitCode"], state["Running"]), (0, False))
        container.exec_run("touch /tmp/made", detach=True)
        self.assertTrue(wait_until(lambda: container.exec_run("test -e /tmp/made").exit_code == 0))

    def test_archives(self):
        for running in (True, False):
            container = self.run_detached(["sleep", "100"] if running else ["true"])
            if not running:
                container.wait()
            self.assertTrue(container.put_archive("/tmp", tar_of({"one": b"first", "two": b"second"})))
            chunks, stat = container.get_archive("/tmp/one")
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                self.assertEqual(archive.extractfile("one").read(), b"first")
            self.assertEqual((stat["name"], stat["size"]), ("one", 5))
            with self.assertRaises(NotFound):
                container.get_archive("/tmp/nosuch")
        with tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))) as archive:
            self.assertIn("tmp/two", [name.removeprefix("./") for name in archive.getnames()])
        self.assertIn({"Path": "/tmp/two", "Kind": 1}, container.diff())

    @awaits
    def test_stats_and_top(self):
        container = self.run_detached(["sleep", "100"], mem_limit="64m")
        stats = container.stats(stream=False)
        self.assertEqual(stats["memory_stats"]["limit"], 64 << 20)
        self.assertGreater(stats["cpu_stats"]["cpu_usage"]["total_usage"], 0)
        stream = container.stats(stream=True, decode=True)
        self.assertEqual([next(stream)["name"] for _ in range(2)], ["/" + container.name] * 2)
        stream.close()
        self.assertIn("sleep 100", [row[-1] for row in container.top()["Processes"]])

    @awaits
    def test_update(self):
        container = self.run_detached(["sleep", "100"], mem_limit="64m")
        container.update(mem_limit="96m", memswap_limit="96m", restart_policy={"Name": "always"})
        container.reload()
        self.assertEqual((container.attrs["HostConfig"]["Memory"], container.attrs["HostConfig"]["RestartPolicy"]["Name"]), (96 << 20, "always"))

    def test_events(self):
        seen = []
        stream = client.events(decode=True, filters={"type": "container", "label": "sdk=events"})

        def listen():
            for event in stream:
                seen.append(event["Action"])

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        since = time.time()
        time.sleep(0.2)
        client.containers.run("busybox", "true", labels={"sdk": "events"}, remove=True)
        self.assertTrue(wait_until(lambda: "destroy" in seen), seen)
        stream.close()
        self.assertEqual([action for action in seen if action != "attach"], ["create", "start", "die", "destroy"])
        past = client.events(since=since, until=time.time(), decode=True, filters={"label": "sdk=events", "event": "die"})
        self.assertEqual([event["Actor"]["Attributes"]["exitCode"] for event in past], ["0"])

    def test_images(self):
        image, log = client.images.build(fileobj=io.BytesIO(tar_of({"Dockerfile": b"FROM busybox\nLABEL a=b\nCOPY file /file\nCMD cat /file\n",
                                                                     "file": b"inside"})), custom_context=True, tag="sdk/built:1", rm=True)
        self.assertTrue(any("Successfully built" in line.get("stream", "") for line in log))
        self.assertEqual((image.tags, image.labels), (["sdk/built:1"], {"a": "b"}))
        self.assertEqual(client.containers.run("sdk/built:1", remove=True), b"inside")
        self.assertTrue(image.tag("sdk/other", tag="2"))
        self.assertEqual(sorted(client.images.get("sdk/other:2").tags), ["sdk/built:1", "sdk/other:2"])
        self.assertEqual(len(client.images.list(name="sdk/built")), 1)
        self.assertGreater(len(image.history()), 1)
        saved = b"".join(image.save(named=True))
        client.images.remove("sdk/built:1")
        client.images.remove("sdk/other:2")
        with self.assertRaises(ImageNotFound):
            client.images.get("sdk/built:1")
        loaded = client.images.load(saved)
        self.assertEqual([each.id for each in loaded], [image.id])
        client.images.remove(image.id, force=True)

    def test_commit(self):
        container = client.containers.create("busybox", ["sh", "-c", "echo kept > /kept"])
        self.made.append(container)
        container.start()
        container.wait()
        image = container.commit(repository="sdk/committed", tag="1", changes="CMD [\"cat\", \"/kept\"]")
        self.assertEqual(client.containers.run(image.id, remove=True), b"kept\n")
        client.images.remove("sdk/committed:1")

    def test_networks(self):
        network = client.networks.create("sdk-net", labels={"sdk": "1"}, ipam=docker.types.IPAMConfig(
            pool_configs=[docker.types.IPAMPool(subnet="10.214.3.0/24", gateway="10.214.3.1")]))
        try:
            server = self.run_detached(["sh", "-c", "mkdir /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www"], name="sdk-server")
            network.connect(server, aliases=["www"], ipv4_address="10.214.3.9")
            server.reload()
            self.assertEqual(server.attrs["NetworkSettings"]["Networks"]["sdk-net"]["IPAddress"], "10.214.3.9")
            page = client.containers.run("busybox", ["sh", "-c", "wget -qO- http://www/ || { sleep 1; wget -qO- http://www/; }"], network="sdk-net", remove=True)
            self.assertEqual(page, b"page\n")
            network.reload()
            self.assertEqual([each.id for each in network.containers], [server.id])
            network.disconnect(server)
            self.assertEqual([each.name for each in client.networks.list(filters={"label": "sdk=1"})], ["sdk-net"])
        finally:
            network.remove()

    def test_volumes(self):
        volume = client.volumes.create("sdk-volume", labels={"sdk": "1"})
        try:
            client.containers.run("busybox", ["sh", "-c", "echo kept > /data/file"], volumes={"sdk-volume": {"bind": "/data", "mode": "rw"}}, remove=True)
            self.assertEqual(client.containers.run("busybox", "cat /data/file", volumes={"sdk-volume": {"bind": "/data", "mode": "ro"}}, remove=True), b"kept\n")
            self.assertEqual([each.name for each in client.volumes.list(filters={"label": "sdk=1"})], ["sdk-volume"])
        finally:
            volume.remove()
        with self.assertRaises(NotFound):
            client.volumes.get("sdk-volume")

    def test_prune(self):
        container = client.containers.create("busybox", "true", labels={"sdk": "prune"})
        self.made.append(container)
        self.assertEqual(client.containers.prune(filters={"label": "sdk=prune"})["ContainersDeleted"], [container.id])


class Reaper(threading.Thread):
    """Removes what has its label once the connection of the test that made it ends, as Testcontainers' own does from a container."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.reaped = threading.Event()

    def run(self):
        connection, _ = self.server.accept()
        label = connection.recv(1000).decode().strip()
        connection.sendall(b"ACK\n")
        while connection.recv(1000):
            pass
        own = docker.from_env()
        for container in own.containers.list(all=True, filters={"label": label}):
            container.remove(force=True, v=True)
        self.reaped.set()


class Testcontainers(unittest.TestCase):
    def test_flow(self):
        reaper = Reaper()
        reaper.start()
        session = socket.create_connection(("127.0.0.1", reaper.port))
        session.sendall(b"org.testcontainers.session-id=e2e\n")
        self.assertEqual(session.recv(10), b"ACK\n")
        labels = {"org.testcontainers": "true", "org.testcontainers.session-id": "e2e"}
        container = client.containers.create("busybox", ["sh", "-c", "sleep 0.5; mkdir /www; echo served > /www/index.html; echo ready to serve; exec httpd -f -p 8080 -h /www"],
                                             labels=labels, ports={"8080/tcp": None}, init=True)
        container.start()
        for line in container.logs(stream=True, follow=True):
            if b"ready to serve" in line:
                break
        container.reload()
        port = int(next(each for each in container.ports["8080/tcp"] if each["HostIp"] == "0.0.0.0")["HostPort"])

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                return False

        self.assertTrue(wait_until(answers))
        self.assertEqual(container.exec_run(["sh", "-c", "exit 0"]).exit_code, 0)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            self.assertEqual(page.read(), b"served\n")
        session.close()
        self.assertTrue(reaper.reaped.wait(20), "nothing was reaped")
        self.assertEqual(client.containers.list(all=True, filters={"label": "org.testcontainers"}), [])


if __name__ == "__main__":
    unittest.main()
