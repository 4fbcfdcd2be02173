"""dm-verity beside veritysetup; writing and hashing images beside cp and sha256sum."""
from harness import SALT, UUID, build_tools, inside, listed, noise, row, scratch, side_by_side, tool

VERITYSETUP = "/usr/sbin/veritysetup"


def format_with_peer(image, folder):
    tree = folder / f"{image.name}.tree"
    return [VERITYSETUP, "format", f"--salt={SALT}", f"--uuid={UUID}", image, tree], tree


def mkverity(image, inputs, folder, name):
    known = [part for file in inputs for part in ("--input", file, "--hashes", f"{file}.blocks")]
    return tool("mkverity", "--image", image, *known, "--salt", SALT, "--uuid", UUID, "--output", folder / f"{name}.plan",
                "--hash-area-output", folder / f"{name}.area", "--root-hash-output", folder / f"{name}.hash", "--hash-offset-output", folder / f"{name}.offset")


def hashblocks(source, folder, name):
    return tool("hashblocks", "--input", source, "--salt", SALT, "--output", folder / f"{name}.blocks")


def same_root(folder, peer_tree, image, name):
    """The two must agree, or their times mean nothing."""
    ours = (folder / f"{name}.hash").read_text().strip()
    inside(VERITYSETUP, "verify", image, peer_tree, ours, check=True)


def disk(folder, name, sizes_mib, files):
    """A disk's list with a file in each partition, and the written disk for the peer."""
    lines = ["name,start,size,type,uuid,description"]
    for at, size in enumerate(sizes_mib):
        lines.append(f"p{at},,{size}M,linux,0000000{at}-0000-4000-8000-00000000000{at},")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    images = [part for at, file in enumerate(files) for part in ("--image", f"p{at}={file}")]
    plan, image = folder / f"{name}.plan", folder / f"{name}.img"
    inside(*tool("mkdisk", "--partitions", folder / f"{name}.csv", "--disk-guid", UUID, *images, "--output", plan), check=True)
    image_list = listed(folder / f"{name}.image", plan, *files)
    inside(*tool("materialize", "--image", image_list, "--output", image), check=True)
    return image_list, image


def verity(runs):
    build_tools()
    with scratch() as folder:
        data, change, more = (folder / name for name in ("data", "change", "more"))
        noise(data, 362 << 20)
        noise(change, 20_000_000)
        noise(more, 400_000_000)
        full, full_image = disk(folder, "full", [362, 20], [data, change])
        sparse, sparse_image = disk(folder, "sparse", [2046], [more])
        known = [hashblocks(data, folder, "data"), hashblocks(change, folder, "change")]
        tree = mkverity(full, [data, change], folder, "full.verity")
        steps = [{"name": "full", "commands": [*known, tree]}, {"name": "changed", "commands": [known[1], tree]},
                 {"name": "sparse", "commands": [hashblocks(more, folder, "more"), mkverity(
                     sparse, [more], folder, "sparse.verity")]}]
        trees = {}
        for name, image in (("full", full_image), ("sparse", sparse_image)):
            command, trees[name] = format_with_peer(image, folder)
            steps.append({"name": f"peer {name}", "commands": [command], "outputs": [trees[name]]})
        got = side_by_side(steps, runs)
        same_root(folder, trees["full"], full_image, "full.verity")
        same_root(folder, trees["sparse"], sparse_image, "sparse.verity")
        row("verity: 384 MiB of data", got["peer full"], got["full"], "<= 0.5 x", "peer: veritysetup format")
        row("verity: 2 GiB with 400 MB of data", got["peer sparse"], got["sparse"], "<= 0.067 x", "peer: veritysetup format")
        row("verity: 20 MB of 384 MiB changed", got["full"], got["changed"], "<= 0.1 x", "peer: ours, nothing known")


def copies(runs):
    """Writing a disk from its plan beside copying it; its digest from the plan beside sha256sum."""
    build_tools()
    for kind in ("memory", "disk"):
        with scratch(kind) as folder:
            data = folder / "data"
            noise(data, 400_000_000)
            image_list, image = disk(folder, "disk", [699], [data])
            out, copy = folder / "out.img", folder / "copy.img"
            got = side_by_side([
                {"name": "cp", "commands": [["cp", "--sparse=always", image, copy]], "outputs": [copy]},
                {"name": "write", "commands": [tool("materialize", "--image", image_list, "--output", out)], "outputs": [out]},
                {"name": "sha256sum", "commands": [["sha256sum", image]]},
                {"name": "digest", "commands": [tool("hashimage", "--image", image_list, "--output", folder / "digest")]},
            ], runs)
            row(f"write 700 MiB with 400 MB of data, {kind}", got["cp"], got["write"], "<= 1.0 x", "peer: cp --sparse=always")
            if kind == "memory":
                row("digest of the same, from its plan", got["sha256sum"], got["digest"], "<= 1.0 x", "peer: sha256sum")
