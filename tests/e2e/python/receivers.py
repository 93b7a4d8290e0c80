"""receivers.py DIRECTORY: receivers of logs, one of them with a new certificate, DIRECTORY/server.pem; each writes what comes into a file of its own, and their addresses are printed."""
import gzip
import pathlib
import socket
import ssl
import subprocess
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


def serve(name, follow):
    """Each client that comes is `follow`ed in a thread of its own."""
    server = socket.create_server(("127.0.0.1", 0))
    print(name, server.getsockname()[1], flush=True)

    def accept():
        while True:
            client, _ = server.accept()
            threading.Thread(target=follow, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def streams(name):
    def follow(client):
        while data := client.recv(65536):
            keep(name, data.replace(b"\0", b"\n"))

    serve(name, follow)


def encrypted(name):
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=receiver -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*make.split(), "-keyout", root / "server.key", "-out", root / "server.pem"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(root / "server.pem", root / "server.key")
    context.load_verify_locations(root / "server.pem")
    context.verify_mode = ssl.CERT_OPTIONAL

    def follow(client):
        try:
            with context.wrap_socket(client, server_side=True) as stream:
                who = dict(pair[0] for pair in (stream.getpeercert() or {}).get("subject", ()))
                keep(name, b"client %s" % who.get("commonName", "nobody").encode())
                while data := stream.recv(65536):
                    keep(name, data)
        except OSError as error:
            keep(name, b"refused: %s" % str(error).encode())

    serve(name, follow)


def confirming(name):
    """Answers each message but the very first, after which it hangs up."""
    mark, length = b"\x81\xa5chunk\xb8", 24
    hung_up = threading.Event()

    def follow(client):
        pending = b""
        with client:
            while data := client.recv(65536):
                keep(name, data)
                pending += data
                while (at := pending.find(mark)) >= 0 and len(pending) >= (end := at + len(mark) + length):
                    if not hung_up.is_set():
                        hung_up.set()
                        return
                    client.sendall(b"\x81\xa3ack\xb8" + pending[end - length:end])
                    pending = pending[end:]

    serve(name, follow)


datagrams("syslog-udp", socket.AF_INET, ("127.0.0.1", 0))
datagrams("syslog-unix", socket.AF_UNIX, str(root / "log.sock"))
datagrams("gelf-udp", socket.AF_INET, ("127.0.0.1", 0))
for name in ("syslog-tcp", "gelf-tcp", "fluentd"):
    streams(name)
encrypted("syslog-tls")
confirming("fluentd-ack")
print("ready", flush=True)
threading.Event().wait()
