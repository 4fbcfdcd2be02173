"""How the time of every tool grows: each with N and with 4 N of what it is given. A scan for each entry would show as 16."""
import json

from harness import PEERS, SALT, UUID, build_tools, inside, listed, row, scratch, side_by_side, tool

TIMES = 4
MTIME = 1767225600
WANT = f"<= {TIMES * 1.6:.1f} x"


def plan_of(folder, name, inputs, **flags):
    """The command that lays the tree `name` out as ext4."""
    tree = listed(folder / f"{name}.tree", folder / f"{name}.jsonl", *small(folder, inputs))
    extra = [word for flag, value in flags.items() for word in (f"--{flag.replace('_', '-')}", value)]
    return tool("mkext4", "--tree", tree, "--size-mib", 0, "--uuid", UUID, "--hash-seed", UUID,
                "--mtime", MTIME, *extra, "--output", folder / f"{name}.plan")


def inject(folder, name, base=None, *flags):
    given = ["--base", base] if base else []
    return tool("inject", *given, "--files", folder / f"{name}.list", *flags, "--mtime", MTIME, "--output", folder / f"{name}.jsonl")


def entries(folder, name, items):
    (folder / f"{name}.list").write_text("".join(json.dumps(item) + "\n" for item in items))


def small(folder, count):
    """`count` files of some bytes, as inputs."""
    place = folder / "small"
    place.mkdir(exist_ok=True)
    for number in range(count):
        path = place / str(number)
        if not path.exists():
            path.write_text(f"{number}\n" * 300)
    return [place / str(number) for number in range(count)]


def params(folder, name, words):
    path = folder / f"{name}.params"
    path.write_text("".join(f"{word}\n" for word in words))
    return f"@{path}"


def trees(folder, n):
    """What is put into a tree, over a base that stays the same."""
    base = folder / "base.tar"
    inside(PEERS, "gen-tree", "--files", "30000", "--bytes", "30000000", "--output", base, check=True)
    files = small(folder, n)
    for kind, dest in (("new", "/new/{0}"), ("replacing", "/d{1:04}/d{2:06}/file-{0:07}.data")):
        name = f"{kind}-{n}"
        entries(folder, name, ({"dest": dest.format(i, i // 4096, i // 64), "src": str(file)} for i, file in enumerate(files)))
        yield f"inject: files {kind}", n, inject(folder, name, base)
    name = f"units-{n}"
    unit = folder / "unit.service"
    unit.write_text("[Service]\nExecStart=/usr/bin/program\n[Install]\nWantedBy=multi-user.target\n")
    # What the units name has to be there.
    program, target = folder / "program", folder / "multi-user.target"
    program.write_bytes(b"\x7fELF")
    target.write_text("[Unit]\nDescription=target\n")
    others = [{"dest": "/usr/bin/program", "src": str(program), "mode": "0755"},
              {"dest": "/usr/lib/systemd/system/multi-user.target", "src": str(target)}]
    units = [{"dest": f"/usr/lib/systemd/system/unit{i}.service", "src": str(unit)} for i in range(n)]
    presets = folder / "presets"
    presets.write_text("enable *\n")
    others.append({"dest": "/usr/lib/systemd/system-preset/90-all.preset", "src": str(presets)})
    entries(folder, name, [*others, *units])
    yield "inject: units", n, inject(folder, name, None, "--preset-all")


def layouts(folder, n):
    files = small(folder, n)
    for kind, dest in (("entries of folders", "/d{1}/{0}"), ("entries of one folder", "/d/the same beginning {0}")):
        name = f"{kind.replace(' ', '-')}-{n}"
        entries(folder, name, ({"dest": dest.format(i, i // 64), "src": str(file)} for i, file in enumerate(files)))
        inside(*inject(folder, name), check=True)
        yield f"mkext4: {kind}", n, plan_of(folder, name, n)
        yield f"mkfat: {kind}", n, tool("mkfat", "--tree", folder / f"{name}.tree", "--size-mib", 512, "--volume-id", "1234abcd",
                                        "--mtime", MTIME, "--output", folder / f"{name}.fat")
    cuts = params(folder, f"cuts-{n}", (f"--exclude=d/the same beginning {i}" for i in range(n)))
    yield "mkext4: paths left out", n, [*plan_of(folder, name, n), cuts]


def images(folder, n):
    """What takes a plan of many extents over many inputs."""
    name = f"entries-of-folders-{n}"
    inside(*plan_of(folder, name, n), check=True)
    plan = folder / f"{name}.plan"
    image = listed(folder / f"{name}.image", plan, *small(folder, n))
    yield "mkverity: inputs", n, tool(
        "mkverity", "--image", image, "--salt", SALT, "--uuid", UUID, "--output", folder / f"v-{n}.plan",
        "--root-hash-output", folder / f"v-{n}.root", "--hash-offset-output", folder / f"v-{n}.offset")
    yield "mkqcow2: extents", n, tool("mkqcow2", "--image", image, "--output", folder / f"q-{n}.plan")
    table = folder / "table.csv"
    table.write_text(f"name,start,size,type,uuid,description\nroot,,4G,linux,{SALT[:8]}{UUID[8:]},\n")
    yield "mkdisk: extents", n, tool("mkdisk", "--partitions", table, "--disk-guid", UUID, "--image", f"root={image}", "--output", folder / f"disk-{n}.plan")
    yield "materialize: inputs", n, tool("materialize", "--image", image, "--output", folder / f"{name}.img")
    yield "hashimage: inputs", n, tool("hashimage", "--image", image, "--output", folder / f"digest-{n}")
    single = params(folder, f"singles-{n}", (f"--image=f{i}={file}" for i, file in enumerate(small(folder, n))))
    yield "mkchecksums: images", n, tool("mkchecksums", single, "--output", folder / f"sums-{n}")
    members = params(folder, f"members-{n}", (f"--member=f{i}={file}" for i, file in enumerate(small(folder, n))))
    yield "mkbundle: members", n, tool("mkbundle", members, "--mtime", MTIME, "--output", folder / f"tar-{n}.plan")
    yield "imgdump: entries", n, tool("imgdump", image)


def archives(folder, n):
    tars = [folder / f"{which}-{n}.tar" for which in ("one", "other")]
    for tar in tars:
        inside(PEERS, "gen-tree", "--files", str(n), "--bytes", str(n * 1000), "--output", tar, check=True)
    yield "treecmp: entries", n, tool("treecmp", "--want", tars[0], "--got", tars[1])
    yield "inject: entries of the base", n, tool("inject", "--base", tars[0], "--mtime", MTIME, "--output", folder / f"base-{n}.jsonl")


def scaling(runs):
    """Every tool with N and 4 N of what it is given."""
    build_tools()
    with scratch() as folder:
        for part, n in ((trees, 5_000), (layouts, 5_000), (images, 5_000), (archives, 20_000)):
            steps = {}
            for count in (n, TIMES * n):
                for name, size, command in part(folder, count):
                    steps.setdefault(name, []).append({"name": f"{name} {size}", "commands": [command], "outputs": []})
            for name, pair in steps.items():
                got = side_by_side(pair, runs)
                row(f"{name} x {TIMES}", got[pair[0]["name"]], got[pair[1]["name"]], WANT, f"peer: ours, {n} of them")
