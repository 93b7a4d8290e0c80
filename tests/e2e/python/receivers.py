"""receivers.py DIRECTORY: receivers of logs; each writes what comes into a file of its own, and their addresses are printed."""
import gzip
import pathlib
import socket
import sys
import threading
import zlib

root = pathlib.Path(sys.argv[1])


def keep(name, data):
    with open(root / name, "ab") as out:
        out.write(data + b"\n")


def datagrams(name, family, address):
    server = socket.socket(family, socket.SOCK_DGRAM)
    server.bind(address)
    print(name, server.getsockname()[1] if family == socket.AF_INET else address, flush=True)

    def serve():
        while True:
            data = server.recv(65536)
            keep(name, gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)

    threading.Thread(target=serve, daemon=True).start()


def streams(name):
    server = socket.create_server(("127.0.0.1", 0))
    print(name, server.getsockname()[1], flush=True)

    def follow(client):
        while data := client.recv(65536):
            keep(name, data.replace(b"\0", b"\n"))

    def serve():
        while True:
            client, _ = server.accept()
            threading.Thread(target=follow, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


datagrams("syslog-udp", socket.AF_INET, ("127.0.0.1", 0))
datagrams("syslog-unix", socket.AF_UNIX, str(root / "log.sock"))
datagrams("gelf-udp", socket.AF_INET, ("127.0.0.1", 0))
for name in ("syslog-tcp", "gelf-tcp", "fluentd"):
    streams(name)
print("ready", flush=True)
threading.Event().wait()
