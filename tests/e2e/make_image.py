"""make_image.py REFERENCE MEGABYTES [FILES [ARCHITECTURE...]]

Pushes an image to a registry on this machine: a layer with busybox, and one with random content of that size in so many
files. With architectures, an index with such an image for each.
"""
import gzip
import hashlib
import io
import json
import os
import platform
import sys
import tarfile
import urllib.parse
import urllib.request

HOST, REST = sys.argv[1].split("/", 1)
REPOSITORY, TAG = REST.rsplit(":", 1)
OCI = "application/vnd.oci.image."
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def ask(method, url, data=None, content_type="application/octet-stream"):
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": content_type})
    with urllib.request.urlopen(request) as answer:
        return answer.headers


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob(data):
    begun = f"http://{HOST}/v2/{REPOSITORY}/blobs/uploads/"
    where = urllib.parse.urljoin(begun, ask("POST", begun, b"")["Location"])  # it may be relative
    digest = digest_of(data)
    ask("PUT", where + ("&" if "?" in where else "?") + "digest=" + digest, data)
    return digest


def manifest(document, kind, tag=None):
    data = json.dumps(document).encode()
    ask("PUT", f"http://{HOST}/v2/{REPOSITORY}/manifests/{tag or digest_of(data)}", data, OCI + kind + ".v1+json")
    return {"mediaType": OCI + kind + ".v1+json", "digest": digest_of(data), "size": len(data)}


def layer(entries):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, mode, kind in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.mtime, info.type = mode, 1700000000, kind
            if kind == tarfile.SYMTYPE:
                info.linkname = data.decode()
                data = b""
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    tar_bytes = raw.getvalue()
    packed = gzip.compress(tar_bytes, 1, mtime=0)
    return {"mediaType": OCI + "layer.v1.tar+gzip", "digest": blob(packed), "size": len(packed)}, digest_of(tar_bytes)


def busybox():
    with open("/bin/busybox", "rb") as file:
        program = file.read()
    applets = ["sh", "cat", "sleep", "echo", "ls", "seq", "true", "dd", "touch", "yes", "head"]
    return layer([("bin", b"", 0o755, tarfile.DIRTYPE), ("bin/busybox", program, 0o755, tarfile.REGTYPE)] +
                 [(f"bin/{name}", b"busybox", 0o777, tarfile.SYMTYPE) for name in applets])


def image(architecture, megabytes, files, tag=None):
    size = max(1, int(megabytes * 1e6) // files)
    content = [("data", b"", 0o755, tarfile.DIRTYPE)]
    content += [(f"data/{i}", os.urandom(size), 0o644, tarfile.REGTYPE) for i in range(files)]
    layers = [busybox(), layer(content)]
    config = json.dumps({"architecture": architecture, "os": "linux", "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
                         "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]}}).encode()
    return manifest({"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
                     "config": {"mediaType": OCI + "config.v1+json", "digest": blob(config), "size": len(config)},
                     "layers": [descriptor for descriptor, _ in layers]}, "manifest", tag)


def main():
    megabytes = float(sys.argv[2])
    files = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    architectures = sys.argv[4:]
    if not architectures:
        image(MACHINE, megabytes, files, TAG)
        return
    listed = []
    for architecture in architectures:
        entry = image(architecture, megabytes, files)
        entry["platform"] = {"os": "linux", "architecture": architecture}
        listed.append(entry)
    manifest({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": listed}, "index", TAG)


main()
