"""Analysis tests of image_sbom and image_provenance: what the aspect finds, and what the tools are told."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:debian.bzl", "debian_base_image")
load("//bzl:image.bzl", "dockerfile_rootfs", "ext4_image", "gpt_disk", "image_provenance", "image_sbom", "image_tree", "initrd_image", "uki_image", "verity_image")
load(":subject_tests.bzl", "subject_tests")

_UUID = "00000000-0000-4000-8000-000000000001"

def _parts_test_impl(ctx):
    env = analysistest.begin(ctx)
    written = [a.content for a in analysistest.target_actions(env) if a.mnemonic == "FileWrite"]
    asserts.equals(env, 1, len(written), "one file of parts")
    lines = [json.decode(line) for line in written[0].splitlines()]

    def of(what):
        return [line for line in lines if line["is"] == what]

    def end(path):
        # What is made has a folder of the configuration in its path.
        return path.split("/bin/")[-1]

    partitions = {line["name"]: (line["label"].split("_")[-1], end(line["tree"]).split("_")[-1], line["subdir"], line["exclude"]) for line in of("partition")}
    asserts.equals(env, {
        "A_root": ("tree", "tree.tree", "", ["boot/vmlinuz"]),
        "data": ("boot", "boot.tree", "d", []),
    }, partitions)
    asserts.equals(env, ["raw"], [line["name"] for line in of("raw")])
    asserts.equals(env, [("//bzl/tests:sbom_test_subject_base", "bzl/tests/lock.json")], [(line["label"], line["lock"]) for line in of("base")])
    programs = {line["name"]: line for line in of("program")}

    # The one laid over the root, and the one in the kernel image's initrd.
    asserts.equals(env, ["host_api", "node_tool"], sorted(programs.keys()))
    asserts.equals(env, None, programs["node_tool"].get("version"))
    crates = {line["name"]: line for line in of("crate")}
    asserts.true(env, "//rust/lib/base" in crates["base"]["label"])
    asserts.equals(env, None, crates["base"].get("manifest"))
    asserts.true(env, crates["serde"]["manifest"].endswith("/Cargo.toml"), "serde has a manifest")

    # A crate of the registry goes by its own name, whatever the target's is; every crate that one links is there, and no macro.
    labels = {line["label"]: True for line in of("crate")}
    for line in of("crate") + of("program"):
        for dep in line["deps"]:
            asserts.true(env, dep in labels, "{} of {} is a part".format(dep, line["name"]))
    asserts.true(env, "serde_derive" not in crates, "macros are not linked")
    asserts.equals(
        env,
        [("bzl/tests/sbom_test_subject_disk.image", "bzl/tests/sbom_test_subject_disk.digest")],
        [(end(line["image"]), end(line["digest"])) for line in of("disk")],
        "a disk in a partition",
    )
    asserts.true(env, "bzl/tests/sbom_test_subject_rootfs.tar" in [end(line["path"]) for line in of("input")], "the root file system is an input")
    return analysistest.end(env)

_parts_test = analysistest.make(_parts_test_impl)

# subject: (mnemonic, parts of the command line).
_ARGV = {
    "provenance": ("MkProvenance", [
        "--subject one.txt=bzl/tests/one.txt ",
        "--base //bzl/tests:sbom_test_subject_base=",
        "base.digest --dependency //bzl/tests:lock.json=bzl/tests/lock.json --dependency //bzl/tests:two.txt=bzl/tests/two.txt ",
        "--version-file bzl/tests/one.txt --parameter env=dev --build-type urn:a:1 --builder urn:b:1 --output",
    ]),
    "sbom": ("MkSbom", [
        "--name image --version-file bzl/tests/one.txt --timestamp 1 --artifact one.txt=bzl/tests/one.txt --parts ",
        "tree.why --notes ",
        "--cargo-lock bzl/tests/two.txt --license MIT --output",
    ]),
}

_REFUSED = {
    "provenance_equals": "parameters of @@//bzl/tests:sbom_test_subject_provenance_equals: got name \"a=b\", want one without '=' and line break",
    "provenance_pair": "dependencies of @@//bzl/tests:sbom_test_subject_provenance_pair: //bzl/tests:sbom_test_subject_pair makes both bzl/tests/sbom_test_subject_pair.a and bzl/tests/sbom_test_subject_pair.b",
    "sbom_lines": "image_name of @@//bzl/tests:sbom_test_subject_sbom_lines is \"a\\nb\", want a value without a line break",
}

def _images(prefix, manual):
    """A root under dm-verity with a program, a kernel image in a folder of another file system."""
    native.filegroup(name = prefix + "debs", srcs = ["one.txt"], **manual)
    debian_base_image(name = prefix + "base", debs = prefix + "debs", lock = "lock.json", timestamp = 1, **manual)
    dockerfile_rootfs(
        name = prefix + "rootfs",
        base = prefix + "base",
        context = {"one.txt": "one.txt"},
        dockerfile = "two.txt",
        pin_command = "pin",
        timestamp = 1,
        **manual
    )
    image_tree(
        name = prefix + "tree",
        files = {"//rust/os/node_tool": "/opt/node_tool"},
        rootfs = prefix + "rootfs",
        timestamp = 1,
        **manual
    )
    ext4_image(name = prefix + "ext4", exclude = ["boot/vmlinuz"], size_mib = 0, timestamp = 1, tree = prefix + "tree", uuid = _UUID, **manual)
    verity_image(name = prefix + "root", image = prefix + "ext4", salt = "ab", uuid = _UUID, **manual)
    initrd_image(
        name = prefix + "initrd",
        init = "//rust/os/host_api",
        tree = prefix + "tree",
        **manual
    )
    uki_image(
        name = prefix + "kernel",
        cmdline = "one.txt",
        initrd_image = prefix + "initrd",
        stub = "stub",
        stub_tree = prefix + "tree",
        tree = prefix + "tree",
        **manual
    )
    gpt_disk(name = prefix + "disk", disk_guid = _UUID, images = {prefix + "ext4": "root"}, partitions = "partitions.csv", **manual)
    image_tree(
        name = prefix + "boot",
        files = {
            prefix + "disk": "/d/disk.img",
            prefix + "kernel": "/d/kernel.efi",
        },
        timestamp = 1,
        **manual
    )
    ext4_image(name = prefix + "data", size_mib = 0, subdir = "d", timestamp = 1, tree = prefix + "boot", uuid = _UUID, **manual)

def _sbom(name, prefix, image_name, manual):
    image_sbom(
        name = prefix + name,
        artifacts = ["one.txt"],
        cargo_lock = "two.txt",
        image_name = image_name,
        images = {
            "two.txt": "raw",
            prefix + "data": "data",
            prefix + "root": "A_root",
        },
        license = "MIT",
        out = prefix + name + ".json",
        timestamp = 1,
        version = "one.txt",
        **manual
    )

def _provenance(name, prefix, parameters, manual, dependencies = ["two.txt"]):
    image_provenance(
        name = prefix + name,
        build_type = "urn:a:1",
        builder = "urn:b:1",
        dependencies = dependencies,
        images = [prefix + "root", prefix + "data"],
        out = prefix + name + ".json",
        parameters = parameters,
        subjects = ["one.txt"],
        version = "one.txt",
        **manual
    )

def _pair_impl(ctx):
    files = [ctx.actions.declare_file(ctx.label.name + end) for end in [".a", ".b"]]
    for file in files:
        ctx.actions.write(file, "")
    return [DefaultInfo(files = depset(files))]

_pair = rule(implementation = _pair_impl, doc = "Two files of one label.")

def sbom_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    manual = dict(tags = ["manual"])
    _images(prefix, manual)
    _sbom("sbom", prefix, "image", manual)
    _sbom("sbom_lines", prefix, "a\nb", manual)
    _provenance("provenance", prefix, {"env": "dev"}, manual)
    _provenance("provenance_equals", prefix, {"a=b": "1"}, manual)
    _pair(name = prefix + "pair", **manual)
    _provenance("provenance_pair", prefix, {}, manual, dependencies = [prefix + "pair"])
    tests = subject_tests(name, prefix, argv = _ARGV, refused = _REFUSED)
    _parts_test(name = name + "_parts", target_under_test = prefix + "sbom")
    native.test_suite(name = name, tests = tests + [name + "_parts"])
