"""compose_keys.py DIRECTORY LIST: which keys of LIST no project below DIRECTORY uses, and which it uses that are in no list.

LIST has a key in each line as a path ("services.*.ports[].target"); one that Docker's own engine does not serve has its reason
behind it and need not be used."""
import pathlib
import sys

import yaml

root, listed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
wanted, excused = set(), {}
for line in listed.read_text().splitlines():
    if not line or line.startswith("#"):
        continue
    key, _, reason = line.partition(" ")
    wanted.add(key)
    if reason:
        excused[key] = reason
prefixes = {key[:at] for key in wanted for at in range(len(key)) if key[at] in ".["} | wanted
used, unknown = set(), set()


def walk(node, path):
    if path in wanted:
        used.add(path)
    if isinstance(node, list):
        for item in node:
            walk(item, path + "[]")
    elif isinstance(node, dict):
        for key, value in node.items():
            if str(key).startswith("x-"):
                continue
            below = f"{path}.{key}" if path else str(key)
            if below in prefixes:
                walk(value, below)
            elif f"{path}.*" in prefixes:
                walk(value, f"{path}.*")
            elif path in prefixes and any(one.startswith(path + ".") for one in wanted):
                unknown.add(below)


for file in sorted(root.rglob("*.yaml")):
    walk(yaml.safe_load(file.read_text()), "")
missing = sorted(wanted - used - set(excused))
projects = len({file.parent for file in root.rglob("compose.yaml")})
print(f"{projects} projects use {len(used)} of {len(wanted)} keys; {len(excused)} are not an engine's")
for key in missing:
    print("unused:", key)
for key in sorted(unknown):
    print("unknown:", key)
sys.exit(1 if missing or unknown or projects < 15 else 0)
