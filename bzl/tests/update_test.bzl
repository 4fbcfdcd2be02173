"""Analysis tests of the rules that make a signed update: command lines and refusals."""

load("@bazel_skylib//rules:common_settings.bzl", "int_flag", "string_flag")
load("//bzl:image.bzl", "image_delta", "update_keys", "update_manifest", "update_signatures")
load(":fails_test.bzl", "fails_test")
load(":rules_test.bzl", "argv_test")

# subject: (mnemonic, parts of the command line).
_ARGV = {
    "delta": ("MkDelta", ["--from bzl/tests/rootfs.tar --member root.img --to bzl/tests/one.txt --level=15 --output"]),
    "elsewhere": ("SignUpdate", ["keys.json --signature bzl/tests/one.txt --signature bzl/tests/two.txt --output"]),
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
    image_delta(name = prefix + "delta", image = "one.txt", member = "root.img", old = "rootfs.tar", **manual)
    image_delta(name = prefix + "delta_to_nothing", image = "one.txt", member = "root.img", old = prefix + "nothing", **manual)

def update_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    _subjects(prefix)
    tests = []
    for subject, (action, parts) in _ARGV.items():
        test = "{}_{}".format(name, subject)
        argv_test(name = test, action = action, parts = parts, target_under_test = prefix + subject)
        tests.append(test)
    for subject, message in _REFUSED.items():
        test = "{}_{}".format(name, subject)
        fails_test(name = test, message = message, target_under_test = prefix + subject)
        tests.append(test)
    native.test_suite(name = name, tests = tests)
