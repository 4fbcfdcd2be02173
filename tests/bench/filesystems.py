"""ext4: ours beside mke2fs and the crate mkext4; how the time grows with the tree."""
from harness import PEERS, SALT, UUID, build_tools, inside, listed, row, scratch, side_by_side, tool

MTIME = 1767225600


def tree(folder, files, size):
    """A tar of `files` files with `size` bytes in all, made by a fixed rule."""
    tar = folder / f"tree-{files}-{size}.tar"
    inside(PEERS, "gen-tree", "--files", str(files), "--bytes", str(size), "--output", tar, check=True)
    return tar


def inject(folder, tar, name):
    return tool("inject", "--base", tar, "--mtime", MTIME, "--output", folder / f"{name}.jsonl")


def layout(folder, tar, name, size_mib=0):
    tree = listed(folder / f"{name}.tree", folder / f"{name}.jsonl", tar)
    return tool("mkext4", "--tree", tree, "--size-mib", size_mib, "--uuid", UUID, "--hash-seed", UUID,
                "--mtime", MTIME, "--output", folder / f"{name}.plan")


def write(folder, tar, name):
    return tool("materialize", "--image", listed(folder / f"{name}.image", folder / f"{name}.plan", tar), "--output", folder / f"{name}.img")


def ours(folder, tar, name):
    """From the tar to the written image: index of the tar, layout, write."""
    return {"name": f"ours {name}", "outputs": [folder / f"{name}.img"],
            "commands": [inject(folder, tar, name), layout(folder, tar, name), write(folder, tar, name)]}


def mke2fs(folder, source, name, size_mib):
    out = folder / f"mke2fs-{name}.img"
    return {"name": f"mke2fs {name}", "outputs": [out], "commands": [
        ["/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0",
         "-d", source, out, f"{size_mib}M"]]}


def crate(folder, tar, name):
    out = folder / f"crate-{name}.img"
    return {"name": f"mkext4 {name}", "outputs": [out], "commands": [[PEERS, "mkext4-crate", "--tar", tar, "--output", out]]}


def ext4(runs):
    build_tools()
    with scratch() as folder:
        tar = tree(folder, 13_000, 260_000_000)
        unpacked = folder / "unpacked"
        unpacked.mkdir()
        inside("tar", "-xf", tar, "-C", unpacked, check=True)
        got = side_by_side([
            ours(folder, tar, "13k"), {"name": "layout", "commands": [layout(folder, tar, "13k")], "outputs": []},
            mke2fs(folder, tar, "tar", 400), mke2fs(folder, unpacked, "folder", 400), crate(folder, tar, "13k"),
        ], runs)
        row("ext4: layout of 13,000 files, 260 MB", None, got["layout"], "<= 0.15 s", "from the tree manifest")
        row("ext4: tar to image, 13,000 files", got["mke2fs tar"], got["ours 13k"], "<= 0.5 x", "peer: mke2fs -d TAR")
        row("ext4: tar to image, 13,000 files", got["mke2fs folder"], got["ours 13k"], "", "peer: mke2fs -d FOLDER")
        row("ext4: tar to image, 13,000 files", got["mkext4 13k"], got["ours 13k"], "<= 1.0 x", "peer: crate mkext4")


def ext4_large(runs):
    build_tools()
    with scratch() as folder:
        tar = tree(folder, 70_000, 3_600 << 20)
        got = side_by_side([ours(folder, tar, "70k"), crate(folder, tar, "70k")], max(1, runs // 2))
        row("ext4: tar to image, 70,000 files, 3.6 GiB", got["mkext4 70k"], got["ours 70k"], "<= 1.0 x", "peer: crate mkext4")


def tree_size(runs):
    """Files x 10 and bytes x 10: the larger one beside the smaller one."""
    build_tools()
    with scratch() as folder:
        trees = {"base": tree(folder, 13_000, 130_000_000), "files": tree(folder, 130_000, 130_000_000),
                 "bytes": tree(folder, 13_000, 1_300_000_000)}
        got = side_by_side([ours(folder, tar, name) for name, tar in trees.items()], runs)
        for name in ("files", "bytes"):
            row(f"scaling: {name} x 10, tar to image", got["ours base"], got[f"ours {name}"], "<= 11 x", "peer: ours, a tenth of it")


def memory(_runs):
    """The most memory of each tool on an image of 64 GiB apparent size."""
    build_tools()
    with scratch() as folder:
        tar = tree(folder, 13_000, 260_000_000)
        table = folder / "table.csv"
        table.write_text(f"name,start,size,type,uuid,description\nroot,,66100M,linux,{SALT[:8]}{UUID[8:]},\n")
        plan, verity, area, disk = folder / "big.plan", folder / "verity.plan", folder / "area", folder / "disk.plan"
        data = listed(folder / "big.image", plan, tar)
        blocks = folder / "blocks"
        checked = listed(folder / "verity.image", verity, tar, blocks, area)
        whole = listed(folder / "disk.image", disk, tar, blocks, area)
        steps = [
            {"name": "inject", "commands": [inject(folder, tar, "big")]},
            {"name": "mkext4", "commands": [layout(folder, tar, "big", 64 * 1024)]},
            {"name": "hashblocks", "commands": [tool("hashblocks", "--archive", "--input", tar, "--salt", SALT, "--output", blocks)]},
            {"name": "mkverity", "commands": [tool(
                "mkverity", "--image", data, "--input", tar, "--hashes", blocks, "--salt", SALT, "--uuid", UUID,
                "--output", verity, "--hash-area-output", area, "--root-hash-output", folder / "hash", "--hash-offset-output", folder / "offset")]},
            {"name": "mkdisk", "commands": [tool(
                "mkdisk", "--partitions", table, "--disk-guid", UUID, "--image", f"root={checked}", "--output", disk)]},
            {"name": "mkqcow2", "commands": [tool("mkqcow2", "--image", whole, "--output", folder / "qcow2.plan")]},
            {"name": "materialize", "commands": [tool("materialize", "--image", whole, "--output", folder / "disk.img")]},
            {"name": "hashimage", "commands": [tool("hashimage", "--image", whole, "--output", folder / "digest")]},
        ]
        for name, figure in side_by_side(steps, 1).items():
            row(f"memory of {name}, 64 GiB apparent", None, figure["peak_mb"], "<= 300", unit="MB")
