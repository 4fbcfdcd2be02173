"""A unified kernel image and its signatures beside ukify and sbsign: what a changed root hash costs once the root is hashed."""
import json
import struct

from harness import TOP, build_tools, inside, listed, noise, row, scratch, side_by_side, tool

KEYS = TOP / "ic-os/keys/insecure-test"
SBAT = b"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\nstub,1,a,stub,1,https://stub.example\n"


def program(sections):
    """An EFI program of these sections: name to content."""
    head, body, table, address = bytearray(1536), b"", b"", 0x1000
    for name, content in sections.items():
        raw = -(-len(content) // 512) * 512
        table += struct.pack("<8s6I2HI", name.encode(), len(content), address, raw, len(head) + len(body), 0, 0, 0, 0, 0x40000040)
        body += content.ljust(raw, b"\0")
        address += -(-len(content) // 4096) * 4096
    optional = struct.pack("<H2x5IQ2I12xI2I4xHH32xII128x", 0x20B, 0, len(body), 0, 0x1000, 0x1000, 0, 4096, 512, 0, address, len(head), 10, 0x160, 0, 16)
    header = struct.pack("<4s2H3I2H", b"PE\0\0", 0x8664, len(sections), 0, 0, 0, len(optional), 0x22E)
    head[:2], head[60:64] = b"MZ", struct.pack("<I", 128)
    head[128:128 + len(header + optional + table)] = header + optional + table
    return bytes(head + body)


def parts(folder):
    """Stub, kernel and initrd as large as those of an image, and the tree with them."""
    (folder / "stub").write_bytes(program({".text": bytes(90_000), ".sbat": SBAT, ".reloc": bytes(12)}))
    noise(folder / "noise", 11_000_000)
    kernel = bytearray(program({".text": (folder / "noise").read_bytes()}))
    kernel[0x202:0x206], kernel[0x20E:0x210] = b"HdrS", struct.pack("<H", 0x300)
    kernel[0x500:0x510] = b"6.12.0-bench #1\0"
    (folder / "kernel").write_bytes(kernel)
    noise(folder / "initrd", 11_000_000)
    (folder / "cmdline").write_text("root=/dev/mapper/root ro roothash=" + "5a" * 32 + "\n")
    names = ("initrd", "kernel", "stub")
    (folder / "files").write_text("".join(json.dumps({"dest": f"/{name}", "src": str(folder / name)}) + "\n" for name in names))
    inside(*tool("inject", "--files", folder / "files", "--mtime", 1, "--output", folder / "manifest"), check=True)
    return listed(folder / "boot.tree", folder / "manifest", *(folder / name for name in names))


def ours(folder, tree):
    """What the build does, action by action."""
    key = ["--certificate", KEYS / "db.crt"]
    unsigned = listed(folder / "uki.image", folder / "uki.plan", *(folder / name for name in ("initrd", "kernel", "stub")))
    profiles = [part for slot in "AB" for part in ("--profile-cmdline", folder / "cmdline", "--profile-text", f"ID={slot}")]
    return [
        tool("mkuki", "--stub-tree", tree, "--stub", "stub", "--tree", tree, "--kernel", "kernel", "--initrd", "initrd",
             "--cmdline", folder / "cmdline", *profiles, "--output", folder / "uki.plan"),
        tool("mksigned", "--image", unsigned, "--name", "uki.efi", *key, "--key", KEYS / "db.key",
             "--output", folder / "signed.plan", "--detached-output", folder / "signed.sig"),
    ]


def peer(folder):
    """ukify and sbsign, if the machine has both. One command line where ours has three, and no detached signature."""
    command = "command -v ukify /usr/lib/systemd/ukify | head -n 1; command -v sbsign"
    found = inside("sh", "-c", command, capture_output=True).stdout.split()
    if len(found) != 2:
        return []
    ukify, sbsign = found
    return [
        [ukify, "build", f"--stub={folder}/stub", f"--linux={folder}/kernel", f"--initrd={folder}/initrd", f"--cmdline=@{folder}/cmdline",
         f"--output={folder}/peer.efi"],
        [sbsign, "--key", str(KEYS / "db.key"), "--cert", str(KEYS / "db.crt"), "--output", f"{folder}/peer.signed", f"{folder}/peer.efi"],
    ]


def uki(runs):
    build_tools()
    with scratch() as folder:
        steps = [{"name": "ours", "commands": ours(folder, parts(folder))}]
        if commands := peer(folder):
            steps.append({"name": "peer", "commands": commands})
        got = side_by_side(steps, runs)
        # A signature that nobody takes would be quick, too.
        image = listed(folder / "signed.image", folder / "signed.plan", *(folder / name for name in ("initrd", "kernel", "stub")))
        inside(*tool("materialize", "--image", image, "--output", folder / "signed.efi"), check=True)
        inside("sbverify", "--cert", KEYS / "db.crt", folder / "signed.efi", check=True, stdout=-3)
        row("uki: 22 MB, signed twice", got.get("peer"), got["ours"], "<= 0.3 s", "peer: ukify and sbsign" if "peer" in got else "no ukify here")
