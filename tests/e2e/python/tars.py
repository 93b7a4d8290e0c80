"""tars.py FILE KIND: a tar that means harm. What must not appear outside is named 'escaped'."""
import io
import sys
import tarfile

out, kind, outside = sys.argv[1], sys.argv[2], sys.argv[3]


def member(archive, name, type=tarfile.REGTYPE, data=b"escaped\n", link="", size=None, **more):
    info = tarfile.TarInfo(name)
    info.type = type
    info.linkname = link
    for key, value in more.items():
        setattr(info, key, value)
    if type == tarfile.REGTYPE:
        info.size = len(data) if size is None else size
        archive.addfile(info, io.BytesIO(data))
    else:
        archive.addfile(info)


with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as archive:
    member(archive, "Dockerfile", data=b"FROM busybox\nCOPY . /all/\n")
    member(archive, "good", data=b"good\n")
    if kind == "dots":
        member(archive, "../" * 12 + outside.lstrip("/") + "/escaped")
        member(archive, "a/../../../escaped")
    elif kind == "absolute":
        member(archive, outside + "/escaped")
    elif kind == "symlink":
        member(archive, "way", tarfile.SYMTYPE, link=outside)
        member(archive, "way/escaped")
    elif kind == "symlinks":
        member(archive, "up", tarfile.SYMTYPE, link="../" * 12)
        member(archive, "up" + outside + "/escaped")
        member(archive, "one", tarfile.SYMTYPE, link="two")
        member(archive, "two", tarfile.SYMTYPE, link="one")
        member(archive, "one/escaped")
    elif kind == "hardlink":
        member(archive, "stolen", tarfile.LNKTYPE, link=outside + "/secret")
        member(archive, "stolen2", tarfile.LNKTYPE, link="../" * 12 + outside.lstrip("/") + "/secret")
    elif kind == "devices":
        member(archive, "zero", tarfile.CHRTYPE, devmajor=1, devminor=5)
        member(archive, "disk", tarfile.BLKTYPE, devmajor=254, devminor=0)
        member(archive, "pipe", tarfile.FIFOTYPE)
    elif kind == "names":
        member(archive, "long/" + "d" * 200 + "/" + "e" * 200)
        member(archive, "x" * 300)
        member(archive, "new\nline")
        member(archive, "")
        member(archive, ".")
        member(archive, "..")
    elif kind == "twice":
        for _ in range(3):
            member(archive, "same", data=b"once\n")
        member(archive, "same", tarfile.DIRTYPE)
        member(archive, "same/inside")
if kind == "huge":
    # A member that claims to be eight exabytes long.
    data = bytearray(open(out, "rb").read())
    info = tarfile.TarInfo("huge")
    info.size = 2**62
    open(out, "wb").write(bytes(data[:2048]) + info.tobuf(format=tarfile.GNU_FORMAT) + b"x" * 512)
elif kind == "sparse":
    # GNU sparse, old form: a map that ends behind the end of the file.
    info = tarfile.TarInfo("sparse")
    info.size = 512
    head = bytearray(info.tobuf(format=tarfile.GNU_FORMAT))
    head[156:157] = b"S"
    head[386:386 + 24] = b"77777777777\0" + b"00000001000\0"
    head[483:495] = b"77777777777\0"
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    open(out, "ab").write(b"")
    whole = open(out, "rb").read()[:2048]
    open(out, "wb").write(whole + bytes(head) + b"x" * 512 + b"\0" * 1024)
elif kind == "cut":
    whole = open(out, "rb").read()
    open(out, "wb").write(whole[:1300])
elif kind == "noise":
    open(out, "wb").write(bytes(range(256)) * 100)
elif kind == "empty":
    open(out, "wb").write(b"")
elif kind == "bomb":
    import gzip
    with gzip.open(out, "wb", 9) as packed:
        info = tarfile.TarInfo("zeros")
        info.size = 64 << 20
        packed.write(info.tobuf())
        packed.write(b"\0" * (64 << 20))
