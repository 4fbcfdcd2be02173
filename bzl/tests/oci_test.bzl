"""Analysis tests of what has to do with OCI images: command lines and refusals."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:debian.bzl", "debian_base_image")
load("//bzl:image.bzl", "image_tree", "oci_image", "tree_layer")
load("//bzl/private:published_base_image.bzl", "published_base_image")
load(":subject_tests.bzl", "subject_tests")

_DIGEST = "sha256:" + 64 * "0"

# subject: (mnemonic, parts of the command line).
_ARGV = {
    "image": ("MkOci", [
        "--layer bzl/tests/rootfs.tar --digest bzl/tests/rootfs.tar --layer bazel-out/",
        "layer.image --digest bazel-out/",
        "layer.digest --name a/b --version-file bzl/tests/one.txt --architecture amd64 --label a=1 --label b=2 --command /sbin/init --command -x",
        "--stop-signal SIGTERM --mtime 1 --output",
    ]),
    "layer": ("MkLayer", ["tree.tree --base bzl/tests/rootfs.tar --output"]),
    "taken": ("CheckBase", ["--digest {} --tar bzl/tests/rootfs.tar --oci-config bzl/tests/one.txt --oci-manifest bzl/tests/two.txt --output-packages".format(_DIGEST)]),
    "whole": ("MkLayer", ["tree.tree --output"]),
}

_REFUSED = {
    "image_label": "got name \"a=b\", want one without '=' and line break",
    "image_lines": "is \"a\\n--label\", want a value without a line break",
    "image_of_nothing": "layers: got none, want one at least",
    "image_several": "has 2 files, want exactly one",
}

def _taken_test_impl(ctx):
    env = analysistest.begin(ctx)
    ran = [a.mnemonic for a in analysistest.target_actions(env)]
    asserts.false(env, "MkBase" in ran, "nothing is built of what is published")
    name = analysistest.target_under_test(env).label.name
    asserts.equals(env, [name + ".tar", name + ".packages", name + ".digest"], [
        f.basename
        for f in analysistest.target_under_test(env)[DefaultInfo].files.to_list()
    ])
    return analysistest.end(env)

_taken_test = analysistest.make(_taken_test_impl)

def _subjects(prefix):
    manual = dict(tags = ["manual"])
    native.filegroup(name = prefix + "texts", srcs = ["one.txt", "two.txt"], **manual)
    image_tree(name = prefix + "tree", rootfs = "rootfs.tar", timestamp = 1, **manual)
    tree_layer(name = prefix + "layer", base = "rootfs.tar", tree = prefix + "tree", **manual)
    tree_layer(name = prefix + "whole", tree = prefix + "tree", **manual)
    common = dict(timestamp = 1, version = "one.txt", **manual)
    oci_image(
        name = prefix + "image",
        command = ["/sbin/init", "-x"],
        image_name = "a/b",
        labels = {"b": "2", "a": "1"},
        layers = ["rootfs.tar", prefix + "layer"],
        stop_signal = "SIGTERM",
        **common
    )
    oci_image(name = prefix + "image_label", image_name = "a", labels = {"a=b": "1"}, layers = ["rootfs.tar"], **common)
    oci_image(name = prefix + "image_lines", image_name = "a\n--label", layers = ["rootfs.tar"], **common)
    oci_image(name = prefix + "image_of_nothing", image_name = "a", layers = [], **common)
    oci_image(name = prefix + "image_several", image_name = "a", layers = [prefix + "texts"], **common)
    published_base_image(
        name = prefix + "published",
        config = "one.txt",
        digest = _DIGEST,
        manifest = "two.txt",
        tar = "rootfs.tar",
        **manual
    )
    debian_base_image(name = prefix + "taken", debs = prefix + "published", lock = "lock.json", timestamp = 1, **manual)

def oci_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    _subjects(prefix)
    tests = subject_tests(name, prefix, argv = _ARGV, refused = _REFUSED)
    _taken_test(name = name + "_taken_alone", target_under_test = prefix + "taken")
    native.test_suite(name = name, tests = tests + [name + "_taken_alone"])
