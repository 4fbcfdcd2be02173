"""Update bundles: what describing an image costs beside sha256sum, and how small the difference of one changed program is beside the program under zstd."""
import tarfile

from harness import SALT, UUID, build_tools, inside, listed, noise, row, scratch, side_by_side, tool

PROGRAM = 20_000_000
OTHERS = 362 << 20
LEVEL = 15


def program(path, seed):
    """Bytes that compress about as a program does: to a third, by short matches."""
    words = [bytes((seed * 31 + number * number + at * number) % 251 for at in range(3 + number % 9)) for number in range(4096)]
    state, out = seed, bytearray()
    while len(out) < PROGRAM:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out += words[state >> 52]
    path.write_bytes(out[:PROGRAM])


def image(folder, name, data, changed):
    """A disk with the program behind 362 MB that stay, under dm-verity: its list, and itself."""
    hashes = []
    for part in (data, changed):
        hashes += ["--input", part, "--hashes", folder / f"{part.name}.blocks"]
        inside(*tool("hashblocks", "--input", part, "--salt", SALT, "--output", hashes[-1]), check=True)
    table = folder / "table.csv"
    table.write_text("name,start,size,type,uuid,description\n"
                     f"a,,364M,linux,00000001-0000-4000-8000-000000000001,\nb,,20M,linux,00000001-0000-4000-8000-000000000002,\n")
    plan = folder / f"{name}.disk.plan"
    inside(*tool("mkdisk", "--partitions", table, "--disk-guid", UUID, "--image", f"a={data}", "--image", f"b={changed}", "--output", plan), check=True)
    disk = listed(folder / f"{name}.disk.image", plan, data, changed)
    outputs = [part for flag in ("output", "hash-area-output", "root-hash-output", "hash-offset-output") for part in (f"--{flag}", folder / f"{name}.{flag}")]
    inside(*tool("mkverity", "--image", disk, *hashes, "--salt", SALT, "--uuid", UUID, *outputs), check=True)
    root = listed(folder / f"{name}.image", folder / f"{name}.output", data, changed, *hashes[3::4], folder / f"{name}.hash-area-output")
    written = folder / f"{name}.img"
    inside(*tool("materialize", "--image", root, "--output", written), check=True)
    return root, written


def updates(runs):
    build_tools()
    with scratch() as folder:
        data, old, new = (folder / name for name in ("data", "old", "new"))
        noise(data, OTHERS)
        program(old, 1)
        program(new, 2)
        _, old_image = image(folder, "was", data, old)
        root, root_image = image(folder, "is", data, new)
        bundle = folder / "old.tar"
        with tarfile.open(bundle, "w") as tar:
            tar.add(old_image, "root.img")
        (folder / "version").write_text("1.0\n")
        members = ["--member", f"VERSION.TXT={folder / 'version'}", "--member", f"boot.img={folder / 'version'}", "--member", f"root.img={root}"]
        difference, compressed = folder / "root.delta", folder / "new.zst"
        figures = side_by_side([
            {"name": "manifest", "commands": [tool("mkupdate", "--os", "a", "--env", "b", "--version-file", folder / "version", *members,
                                                   "--output", folder / "manifest.json")]},
            {"name": "sha256sum", "commands": [["sha256sum", root_image]]},
            {"name": "delta", "commands": [tool("mkdelta", "--from", bundle, "--member", "root.img", "--to", root, f"--level={LEVEL}", "--output", difference)],
             "outputs": [difference]},
            {"name": "zstd", "commands": [["zstd", "-qf", f"-{LEVEL}", "-T0", new, "-o", compressed]], "outputs": [compressed]},
        ], runs)
        row("manifest of an update of 400 MB", figures["sha256sum"], figures["manifest"], "<= 2 x", "peer: sha256sum; ours reads twice, once on all cores")
        row("difference of one changed program of 20 MB", figures["zstd"], figures["delta"], "", f"peer: zstd -{LEVEL} -T0 of the program alone")
        row("its size", compressed.stat().st_size / 1e6, difference.stat().st_size / 1e6, "<= 1.3 x", unit="MB")
