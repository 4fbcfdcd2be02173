"""Whether a bill of materials is right: sbom.py SBOM PACKAGES DUMP DISK (run by ci/sbom.sh, with spdx-tools in PYTHONPATH).

SBOM is an SPDX document, PACKAGES the packages.txt of the same image, DUMP what imgdump says of DISK, its disk. Prints what is wrong.
"""
import collections
import hashlib
import json
import re
import subprocess
import sys

from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document


def validated(document):
    """What spdx-tools says against the document."""
    try:
        parsed = JsonLikeDictParser().parse(document)
    except SPDXParsingError as error:
        return [str(message) for message in error.get_messages()]
    return [message.validation_message for message in validate_full_spdx_document(parsed)]


def name(path):
    """A path of the dump as the document writes it: both escape bytes that are no text, the dump blanks as well."""
    return re.sub(r"\\x20", " ", path)


def in_image(dump):
    """Files of the disk's partitions by their names in the document, with SHA-256."""
    files, links = {}, {}
    for line in open(dump, encoding="utf-8"):
        words = line.rstrip("\n").split(" ")
        place = re.fullmatch(r"([\w-]+):(/.*)", words[0])
        if not place or len(words) < 2:
            continue
        path = f"./{place[1]}{name(place[2])}"
        if words[1] == "file":
            digest = [word for word in words if re.match(r"(sparse-)?sha256:", word)]
            files[path] = digest[0].removeprefix("sha256:") if digest else None
        elif words[1] == "hardlink":
            links[path] = f"./{place[1]}/{name(words[3])}"
    for path, target in links.items():
        if target in files:
            files[path] = files[target]
    return files


def read(disk, name):
    """The SHA-256 of a file of an ext4 partition, as e2fsprogs reads it: imgdump leaves the holes of large files out of its digest."""
    partition, path = name.removeprefix("./").split("/", 1)
    table = json.loads(subprocess.run(["sfdisk", "--json", disk], check=True, stdout=subprocess.PIPE).stdout)["partitiontable"]
    [start] = [one["start"] for one in table["partitions"] if one["name"] == partition]
    command = ["debugfs", "-R", f'cat "/{path}"', f"{disk}?offset={start * table['sectorsize']}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as cat:
        return hashlib.file_digest(cat.stdout, "sha256").hexdigest()


def checksums(of):
    """Digests of a file or package of the document by their algorithms."""
    return {one["algorithm"]: one["checksumValue"] for one in of["checksums"]}


def main(sbom, packages, dump, disk):
    document = json.load(open(sbom, encoding="utf-8"))
    wrong = validated(document)

    # Disks in the disk are packages.
    have = {
        package["packageFileName"]: checksums(package)
        for package in document["packages"]
        if package.get("packageFileName", "").startswith("./")
    }
    have |= {file["fileName"]: checksums(file) for file in document["files"]}
    want = in_image(dump)
    want |= {path: read(disk, path) for path, digest in want.items() if digest and digest.startswith("sparse-")}
    wrong += [f"{path} is in the image and not in the document" for path in sorted(want.keys() - have.keys())]
    wrong += [f"{path} is in the document and not in the image" for path in sorted(have.keys() - want.keys())]
    wrong += [
        f"{path}: the document says {have[path]['SHA256']}, the image has {want[path]}"
        for path in sorted(want.keys() & have.keys())
        if have[path]["SHA256"] != want[path]
    ]

    names = {file["SPDXID"]: file["fileName"] for file in document["files"]}
    owners = collections.Counter(
        one["relatedSpdxElement"] for one in document["relationships"] if one["relationshipType"] == "CONTAINS" and one["relatedSpdxElement"] in names
    )
    wrong += [f"{path} has {owners[file]} owners" for file, path in names.items() if owners[file] != 1]

    listed = {tuple(line.split()) for line in open(packages, encoding="utf-8")}
    described = set()
    for package in document["packages"]:
        if package["SPDXID"].startswith("SPDXRef-deb-"):
            architecture = re.search(r"arch=(\w+)", package["externalRefs"][0]["referenceLocator"])[1]
            described.add((package["name"], package["versionInfo"], architecture))
            if not re.fullmatch("[0-9a-f]{64}", package["checksums"][0]["checksumValue"]):
                wrong.append(f"{package['name']} has no SHA-256")
    wrong += [f"the image's {' '.join(package)} is not in the document" for package in sorted(listed - described)]

    for line in wrong[:40]:
        print(line)
    if len(wrong) > 40:
        print(f"and {len(wrong) - 40} more")
    print(f"sbom: {len(have)} files, {len(described)} Debian packages, {len(document['packages'])} packages in all, {len(document['relationships'])} relationships")
    return 1 if wrong else 0


sys.exit(main(*sys.argv[1:]))
