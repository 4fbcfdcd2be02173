"""Licences and sources of the locked crates. usage: deny.py DENY_TOML LOCK METADATA_JSON"""
import json
import re
import sys
import tomllib

deny, lock, metadata = (open(path, "rb").read() for path in sys.argv[1:])
licences = tomllib.loads(deny.decode())["licenses"]
# Of single crates more.
exceptions = {entry["crate"]: entry["allow"] for entry in licences.get("exceptions", [])}


def fits(expression):
    """Whether an SPDX expression leaves a choice that is allowed: OR of ANDs, as crates write it; `/` is an old OR."""
    words = re.findall(r"[()]|[^\s()/]+|/", expression)

    def either():
        nonlocal words
        result = both()
        while words and words[0] in ("OR", "/"):
            words = words[1:]
            result = both() or result
        return result

    def both():
        nonlocal words
        result = one()
        while words and words[0] == "AND":
            words = words[1:]
            result = one() and result
        return result

    def one():
        nonlocal words
        word, words = words[0], words[1:]
        if word == "(":
            result = either()
            words = words[1:]
            return result
        if words[:1] == ["WITH"]:
            # An exception gives more than the licence does.
            words = words[2:]
        return word in allowed

    return either()


faults = []
for package in json.loads(metadata)["packages"]:
    name = f"{package['name']} {package['version']}"
    if package["source"] is None:
        continue
    licence = package["license"]
    allowed = set(licences["allow"]) | set(exceptions.get(package["name"], []))
    if not licence or not fits(licence):
        faults.append(f"{name}: licence {licence!r}, want a choice among {', '.join(sorted(allowed))}")
for package in tomllib.loads(lock.decode())["package"]:
    source = package.get("source")
    if source is None:
        continue
    name = f"{package['name']} {package['version']}"
    if not source.startswith("registry+"):
        faults.append(f"{name}: from {source}, want the registry")
    if "checksum" not in package:
        faults.append(f"{name}: no checksum")
for fault in faults:
    print(fault)
sys.exit(bool(faults))
