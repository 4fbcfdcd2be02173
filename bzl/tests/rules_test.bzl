"""Analysis tests of the other rules: mnemonic, tool flags, execution requirements, refusals."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:image.bzl", "ext4_image", "gpt_disk", "grubenv_file", "image_tree", "sha256sums", "update_bundle", "vfat_image")
load(":fails_test.bzl", "fails_test")

def _argv_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = [a for a in analysistest.target_actions(env) if a.mnemonic == ctx.attr.action]
    asserts.equals(env, 1, len(actions), "one action " + ctx.attr.action)
    line = " ".join(actions[0].argv)
    for part in ctx.attr.parts:
        asserts.true(env, part in line, "{} in {}".format(repr(part), line))
    return analysistest.end(env)

_argv_test = analysistest.make(
    _argv_test_impl,
    attrs = {
        "action": attr.string(mandatory = True),
        "parts": attr.string_list(mandatory = True),
    },
)

_UUID = "00000000-0000-4000-8000-000000000001"

# subject: (mnemonic, parts of the command line)
_ARGV = {
    "disk": ("MkDisk", ["--partitions bzl/tests/partitions.csv", "--disk-guid " + _UUID, "--image root="]),
    "ext4": ("MkExt4", ["--subdir boot", "--exclude a --exclude b", "--size-mib 8", "--hash-seed " + _UUID, "--mtime 1"]),
    "fat": ("MkFat", ["--volume-id 12345678", "--label DATA", "--size-mib 2"]),
    "grubenv": ("MkGrubenv", ["--set a=1 --set b=2"]),
    "sums": ("MkChecksums", ["--file one.txt=bzl/tests/one.txt"]),
    "update": ("MkBundle", ["--member first=bzl/tests/two.txt --member second=bzl/tests/one.txt"]),
}

def _subjects(prefix):
    common = dict(tags = ["manual"], timestamp = 1, tree = prefix + "tree")
    image_tree(name = prefix + "tree", rootfs = "rootfs.tar", tags = ["manual"], timestamp = 1)
    ext4_image(name = prefix + "ext4", exclude = ["a", "b"], size_mib = 8, subdir = "boot", uuid = _UUID, **common)
    ext4_image(name = prefix + "ext4_negative", size_mib = -1, uuid = _UUID, **common)
    vfat_image(name = prefix + "fat", label = "DATA", size_mib = 2, volume_id = "12345678", **common)
    vfat_image(name = prefix + "fat_empty", label = "DATA", size_mib = 0, volume_id = "12345678", **common)
    gpt_disk(
        name = prefix + "disk",
        disk_guid = _UUID,
        images = {prefix + "ext4": "root"},
        partitions = "partitions.csv",
        tags = ["manual"],
    )
    gpt_disk(
        name = prefix + "disk_twice",
        disk_guid = _UUID,
        images = {
            prefix + "ext4": "root",
            prefix + "fat": "root",
        },
        partitions = "partitions.csv",
        tags = ["manual"],
    )
    grubenv_file(name = prefix + "grubenv", tags = ["manual"], values = {"b": "2", "a": "1"})
    sha256sums(name = prefix + "sums", out = prefix + "sums", srcs = ["one.txt"], tags = ["manual"])
    update_bundle(
        name = prefix + "update",
        members = {
            "two.txt": "first",
            "one.txt": "second",
        },
        tags = ["manual"],
        timestamp = 1,
    )

_REFUSED = {
    "disk_twice": "images: partition root gets",
    "ext4_negative": "size_mib: got -1, want 0 (as small as fits) or more",
    "fat_empty": "size_mib: got 0, want at least 1",
}

def rules_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    _subjects(prefix)
    tests = []
    for subject, (action, parts) in _ARGV.items():
        test = "{}_{}".format(name, subject)
        _argv_test(name = test, action = action, parts = parts, target_under_test = prefix + subject)
        tests.append(test)
    for subject, message in _REFUSED.items():
        test = "{}_{}".format(name, subject)
        fails_test(name = test, message = message, target_under_test = prefix + subject)
        tests.append(test)
    native.test_suite(name = name, tests = tests)
