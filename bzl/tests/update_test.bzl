"""Analysis tests of the rules that make a signed update: command lines and refusals."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("@bazel_skylib//rules:common_settings.bzl", "int_flag", "string_flag")
load("//bzl:image.bzl", "ext4_image", "image_delta", "image_tree", "inputs_version", "update_keys", "update_manifest", "update_signatures")
load(":subject_tests.bzl", "subject_tests")

# subject: (mnemonic, parts of the command line).
_ARGV = {
    "delta": ("MkDelta", ["--from bzl/tests/rootfs.tar --member root.img --to bzl/tests/one.txt --level=15 --output"]),
    "elsewhere": ("SignUpdate", ["keys.json --signature bzl/tests/one.txt --signature bzl/tests/two.txt --output"]),
    # A file that two targets have is one input; of an image its digest is read.
    "inputs": ("MkVersion", [
        "--input settings=bazel-out/",
        "inputs.settings --input bzl/tests/one.txt=bzl/tests/one.txt --input bzl/tests/two.txt=bzl/tests/two.txt --input bzl/tests/update_test_subject_ext4.image=bazel-out/",
        "ext4.digest --inputs-output bazel-out/",
    ]),
    "keys": ("MkUpdateKeys", ["--key bzl/tests/one.txt --key bzl/tests/two.txt --threshold 2 --allow-unsigned --output"]),
    "manifest": ("MkUpdate", [
        "--os system --env dev --version-file bzl/tests/one.txt --expires 2030-01-01 --data-format a=1 --data-format b=2",
        "--member VERSION.TXT=bzl/tests/one.txt --member boot.img=bzl/tests/two.txt --output",
    ]),
    "signed": ("SignUpdate", ["manifest.json --keys ", "keys.json --key bzl/tests/one.key --output"]),
    "unsigned": ("SignUpdate", ["keys.json --allow-unsigned --output"]),
}

_REFUSED = {
    "delta_to_nothing": "old: got 0 files, want one: the update.tar to make a difference to",
    "signed_by_text": "is neither a private key (*.key) nor a program",
}

def _inputs_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    name = target.label.name
    asserts.equals(env, [name + ".txt"], [f.basename for f in target[DefaultInfo].files.to_list()])
    asserts.equals(env, [name + ".inputs"], [f.basename for f in target[OutputGroupInfo].inputs.to_list()])
    written = [a.content for a in analysistest.target_actions(env) if a.mnemonic == "FileWrite"]
    asserts.true(env, "{\"a\":1}\n" in written, "the settings among {}".format(written))
    return analysistest.end(env)

_inputs_test = analysistest.make(_inputs_test_impl)

def _signatures(name, prefix, **kwargs):
    update_signatures(
        name = prefix + name,
        keys = prefix + "keys",
        manifest = prefix + "manifest",
        tags = ["manual"],
        **kwargs
    )

def _subjects(prefix):
    manual = dict(tags = ["manual"])
    int_flag(name = prefix + "two", build_setting_default = 2, **manual)
    string_flag(name = prefix + "none", build_setting_default = "", **manual)
    string_flag(name = prefix + "late", build_setting_default = "2030-01-01", **manual)
    native.filegroup(name = prefix + "nothing", **manual)
    native.filegroup(name = prefix + "texts", srcs = ["one.txt", "two.txt"], **manual)
    update_keys(
        name = prefix + "keys",
        allow_unsigned = True,
        keys = ["one.txt", "two.txt"],
        threshold = prefix + "two",
        **manual
    )
    update_manifest(
        name = prefix + "manifest",
        data_formats = {"b": "2", "a": "1"},
        env = "dev",
        expires = prefix + "late",
        members = {
            "one.txt": "VERSION.TXT",
            "two.txt": "boot.img",
        },
        minimum_version = prefix + "none",
        os = "system",
        version = "one.txt",
        **manual
    )
    _signatures("signed", prefix, signers = ["one.key"])
    _signatures("signed_by_text", prefix, signers = [prefix + "texts"])
    _signatures("unsigned", prefix, allow_unsigned = True)
    _signatures(
        "elsewhere",
        prefix,
        signatures = ["one.txt", "two.txt"],
        signers = ["one.key"],
    )
    image_tree(name = prefix + "tree", rootfs = "rootfs.tar", timestamp = 1, **manual)
    ext4_image(
        name = prefix + "ext4",
        size_mib = 0,
        timestamp = 1,
        tree = prefix + "tree",
        uuid = "00000000-0000-4000-8000-000000000001",
        **manual
    )
    inputs_version(
        name = prefix + "inputs",
        srcs = ["one.txt", prefix + "texts", prefix + "ext4"],
        settings = json.encode({"a": 1}),
        **manual
    )
    image_delta(name = prefix + "delta", image = "one.txt", member = "root.img", old = "rootfs.tar", **manual)
    image_delta(name = prefix + "delta_to_nothing", image = "one.txt", member = "root.img", old = prefix + "nothing", **manual)

def update_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    _subjects(prefix)
    tests = subject_tests(name, prefix, argv = _ARGV, refused = _REFUSED)
    _inputs_test(name = name + "_inputs_group", target_under_test = prefix + "inputs")
    tests.append(name + "_inputs_group")
    native.test_suite(name = name, tests = tests)
