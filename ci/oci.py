"""usage: oci.py ROOT.IMG ROOTFS.TAR FOLDER

Compares FOLDER, a root file system that a container engine unpacked, with the disk's: ROOT.IMG as e2fsprogs' debugfs reads it. What the disk
has in its boot partition instead (KERNEL, MICROCODE) is looked up in ROOTFS.TAR, by Python's own reader. Nothing of this project has a part in
what is wanted.
"""

import hashlib
import os
import re
import stat
import subprocess
import sys
import tarfile
import tempfile

KERNEL = "boot/vmlinuz"
# Folders that the initrd carries, of images that have them.
MICROCODE = ("usr/lib/firmware/amd-ucode", "usr/lib/firmware/intel-ucode")
KINDS = {"regular": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK, "character": stat.S_IFCHR, "block": stat.S_IFBLK, "FIFO": stat.S_IFIFO, "socket": stat.S_IFSOCK}


def debugfs(image, commands):
    """The output of each command."""
    with tempfile.NamedTemporaryFile("w") as script:
        script.write("".join(command + "\n" for command in commands))
        script.flush()
        run = subprocess.run(["debugfs", "-f", script.name, image], check=True, capture_output=True)
    # It repeats each command before its output.
    parts = re.split(rb"^debugfs: .*\n", run.stdout, flags=re.MULTILINE)[1:]
    if len(parts) != len(commands):
        sys.exit(f"oci.py: debugfs answered {len(parts)} of {len(commands)} commands: {run.stderr[-500:]}")
    return parts


def paths_of(image):
    """Path to number of the inode, of all that is in the file system."""
    found, level = {"": 2}, {"": 2}
    while level:
        listings = debugfs(image, [f"ls -p <{inode}>" for inode in level.values()])
        following = {}
        for folder, listing in zip(level, listings):
            for line in listing.decode("utf-8", "surrogateescape").splitlines():
                fields = line.split("/")
                if len(fields) != 8 or fields[5] in [".", ".."] or fields[1] == "0":
                    continue
                path, inode, mode = os.path.join(folder, fields[5]), int(fields[1]), int(fields[2], 8)
                found[path] = inode
                if stat.S_ISDIR(mode):
                    following[path] = inode
        level = following
    del found[""]
    return found


def attributes(text):
    """Extended attributes as debugfs lists them: name, length, and bytes as text or as hexadecimal numbers."""
    found = {}
    section = text.partition(b"Extended attributes:\n")[2]
    for line in section.splitlines():
        match = re.match(rb'  (\S+) \((\d+)\) = (.*)$', line)
        if not match:
            break
        name, length, value = match[1].decode(), int(match[2]), match[3]
        value = value[1:-1] if value.startswith(b'"') else bytes.fromhex(value.decode())
        if len(value) != length:
            sys.exit(f"oci.py: debugfs: got {len(value)} bytes of {name}, want {length}")
        found[name] = value
    return found


def wanted(image, dump):
    """Path to what is there, by debugfs; contents from `dump`, into which it has copied them."""
    paths = paths_of(image)
    inodes = sorted(set(paths.values()))
    facts = {}
    for inode, text in zip(inodes, debugfs(image, [f"stat <{inode}>" for inode in inodes])):
        value = lambda pattern: re.search(pattern, text)[1]
        kind = KINDS[value(rb"Type: (\S+)").decode()]
        facts[inode] = (
            kind | int(value(rb"Mode: +(\d+)"), 8),
            int(value(rb"User: +(\d+)")),
            int(value(rb"Group: +(\d+)")),
            int(value(rb"\n *mtime: 0x([0-9a-f]{8})"), 16),
            attributes(text),
        )
    return {path: (inode, facts[inode], content(os.path.join(dump, path), facts[inode][0])) for path, inode in paths.items()}


def content(path, mode):
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if not stat.S_ISREG(mode):
        return None
    with open(path, "rb") as file:
        return digest(file)


def digest(file):
    return hashlib.file_digest(file, "sha256").hexdigest()


def there(folder):
    """Path to what is in `folder`."""
    found = {}
    for at, folders, files in os.walk(os.fsencode(folder)):
        for name in folders + files:
            whole = os.fsdecode(os.path.join(at, name))
            about = os.lstat(whole)
            extra = {name: os.getxattr(whole, name, follow_symlinks=False) for name in os.listxattr(whole, follow_symlinks=False)}
            facts = (about.st_mode, about.st_uid, about.st_gid, int(about.st_mtime), extra)
            found[os.path.relpath(whole, folder)] = (about.st_ino, facts, content(whole, about.st_mode))
    return found


def archived(tar, member):
    """Mode and content of a member of the archive, as `there` has them; None without a member."""
    if member is None:
        return None
    if member.issym():
        return stat.S_IFLNK | 0o777, member.linkname
    if member.isdir():
        return stat.S_IFDIR | member.mode, None
    return stat.S_IFREG | member.mode, digest(tar.extractfile(member))


def elsewhere(path):
    return path == KERNEL or any(path == folder or path.startswith(folder + "/") for folder in MICROCODE)


def links(all_of_them):
    """Which paths are one file: the first of them for each."""
    first = {}
    return {path: first.setdefault(inode, path) for path, (inode, _, _) in sorted(all_of_them.items())}


def main(image, rootfs, folder):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as dump:
        debugfs(image, [f"rdump / {dump}"])
        want = wanted(image, dump)
    got = there(folder)
    # The file system's own folder, which no archive of a tree has.
    want.pop("lost+found")
    bad = []
    with tarfile.open(rootfs) as tar:
        members = {member.name.removeprefix("./"): member for member in tar}
        for path in sorted({KERNEL} | {path for path in members.keys() | got.keys() | want.keys() if elsewhere(path)}):
            _, facts, data = got.pop(path, (None, None, None))
            ours, theirs = facts and (facts[0], data), archived(tar, members.get(path))
            if path in want:
                bad.append(f"{path}: is in {image}, too")
            elif ours is None or ours != theirs:
                bad.append(f"{path}: got {ours}, want {theirs}, as {rootfs} has it")
    for path in sorted(want.keys() | got.keys()):
        if path not in got or path not in want:
            bad.append(f"{path}: only in {'the image' if path in want else 'the folder'}")
        elif got[path][1:] != want[path][1:]:
            bad.append(f"{path}: got {got[path][1:]}, want {want[path][1:]}")
    if not bad and links(got) != links(want):
        bad.append("other hard links")
    for line in bad[:20]:
        print(line)
    if bad or len(want) < 1000:
        sys.exit(f"oci.py: {len(bad)} of {len(want)} entries are not as in the disk's root")
    print(f"oci: {len(want)} entries as debugfs reads them in the disk's root")


main(*sys.argv[1:])
