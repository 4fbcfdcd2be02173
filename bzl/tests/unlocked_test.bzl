"""Analysis tests of what is made of packages that are not the locked ones: it says so, and is not pinned."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:debian.bzl", "base_image_pin", "debian_base_image")
load("//bzl:image.bzl", "dockerfile_rootfs", "ext4_image", "gpt_disk", "image_file", "image_manifest", "image_tree", "unlocked_note")
load("//bzl:vm.bzl", "qemu_run")
load(":fails_test.bzl", "fails_test")
load(":subject_tests.bzl", "argv_test")

def _locked_test_impl(ctx):
    env = analysistest.begin(ctx)
    for action in analysistest.target_actions(env):
        inputs = [file.basename for file in action.inputs.to_list()]
        asserts.equals(env, [], [name for name in inputs if name.startswith("unlocked.")])
        if action.mnemonic == "FileWrite" and action.outputs.to_list()[0].extension == "txt":
            asserts.equals(env, "", action.content)
    return analysistest.end(env)

_locked_test = analysistest.make(_locked_test_impl)

def _run_test_impl(ctx):
    env = analysistest.begin(ctx)
    runfiles = [file.basename for file in analysistest.target_under_test(env)[DefaultInfo].default_runfiles.files.to_list()]
    asserts.true(env, ctx.attr.note in runfiles, "{} is among {}".format(ctx.attr.note, runfiles))
    return analysistest.end(env)

_run_test = analysistest.make(_run_test_impl, attrs = {"note": attr.string(mandatory = True)})

# What a build container of other packages than its lock's leaves in a note (ci/container/setup.sh defines the word).
_CONTAINER = "unlocked: the build container, whose packages are not those of its lock"

def _written_test_impl(ctx):
    env = analysistest.begin(ctx)
    written = {
        action.outputs.to_list()[0].basename: action.content
        for action in analysistest.target_actions(env)
        if action.mnemonic == "FileWrite"
    }
    asserts.equals(env, ctx.attr.content, written.get(ctx.attr.file))
    return analysistest.end(env)

_written_test = analysistest.make(_written_test_impl, attrs = {
    "content": attr.string(mandatory = True),
    "file": attr.string(mandatory = True),
})

def _container_impl(ctx):
    return [platform_common.TemplateVariableInfo({"build_container": ctx.attr.word})]

# As `--define=build_container=WORD` for the targets that have it among their `toolchains`; analysis tests can't set --define.
_container = rule(
    implementation = _container_impl,
    attrs = {"word": attr.string(mandatory = True)},
)

_NOTE = "bzl/tests/unlocked.txt"

# subject: (mnemonic, parts of the command line), with the packages of an archive that has moved on.
_ARGV = {
    "base": ("MkBase", ["--lock bzl/tests/unlocked.lock.json --deb bzl/tests/one.txt --timestamp"]),
    "manifest": ("MkManifest", ["--lock bzl/tests/unlocked.lock.json --unlocked {} --image root=".format(_NOTE)]),
    "note": ("FillTemplate", ["--set-file note0={} --output".format(_NOTE)]),
    "rootfs": ("MkRootfs", ["--base-unlocked {} ".format(_NOTE)]),
}

def _subjects(prefix, debs, toolchains = []):
    manual = dict(tags = ["manual"])
    noting = manual | dict(toolchains = toolchains)
    debian_base_image(name = prefix + "base", debs = debs, lock = "lock.json", timestamp = 1, **manual)
    dockerfile_rootfs(name = prefix + "rootfs", base = prefix + "base", context = {"two.txt": "pin"}, dockerfile = "one.txt", pin_command = "x", timestamp = 1, **manual)
    image_tree(name = prefix + "tree", rootfs = prefix + "rootfs", timestamp = 1, **manual)
    ext4_image(name = prefix + "ext4", size_mib = 0, timestamp = 1, tree = prefix + "tree", uuid = "00000000-0000-4000-8000-000000000001", **manual)
    gpt_disk(name = prefix + "disk", disk_guid = "00000000-0000-4000-8000-000000000001", images = {prefix + "ext4": "root"}, partitions = "partitions.csv", **manual)
    image_file(name = prefix + "file", image = prefix + "disk", **manual)
    unlocked_note(name = prefix + "note", images = [prefix + "file"], **noting)
    image_manifest(
        name = prefix + "manifest",
        image_name = "image",
        images = {prefix + "ext4": "root"},
        lock = "lock.json",
        out = prefix + "manifest.json",
        packages_out = prefix + "packages.txt",
        partitions = "partitions.csv",
        version = "one.txt",
        **noting
    )
    qemu_run(name = prefix + "run", disk = prefix + "disk", **noting)
    base_image_pin(name = prefix + "pin", pins = {"docker-base": prefix + "base"}, **manual)

def _container_tests(name):
    """An unlocked container is told in what becomes manifest.json, version.txt and what :run says, alone and beside packages.

    Args:
      name: name of the suite. Its subjects are there.

    Returns:
      list of string: names of the tests.
    """
    expected = {
        # Put behind the version in version.txt.
        "container_note": ("{}_container_note.txt", "\n" + _CONTAINER),
        "both_note": ("{}_both_note.template", "\n{{note0}}\n" + _CONTAINER + "\n"),
        "container_manifest": ("{}_container_manifest.container.txt", _CONTAINER + "\n"),
        "container_run_unlocked": ("{}_container_run_unlocked.txt", "\n" + _CONTAINER),
    }
    for subject, (file, content) in expected.items():
        _written_test(
            name = "{}_says_{}".format(name, subject),
            content = content,
            file = file.format(name),
            target_under_test = "{}_{}".format(name, subject),
        )
    argv_test(
        name = name + "_says_both",
        action = "MkManifest",
        parts = ["--unlocked {} --unlocked ".format(_NOTE), "/{}_both_manifest.container.txt --image root=".format(name)],
        target_under_test = name + "_both_manifest",
    )
    _run_test(
        name = name + "_says_run",
        note = name + "_container_run_unlocked.txt",
        target_under_test = name + "_container_run",
    )
    return ["{}_says_{}".format(name, subject) for subject in expected.keys() + ["both", "run"]]

def unlocked_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    debs = {
        "moved": ["one.txt", "unlocked.lock.json", "unlocked.txt"],
        "whole": ["one.txt"],
    }
    _container(name = name + "_unlocked_container", tags = ["manual"], word = "unlocked")
    for kind, srcs in debs.items():
        native.filegroup(
            name = "{}_{}_debs".format(name, kind),
            srcs = srcs,
            tags = ["manual"],
        )
        _subjects("{}_{}_".format(name, kind), "{}_{}_debs".format(name, kind))
    _subjects(name + "_container_", name + "_whole_debs", [name + "_unlocked_container"])
    _subjects(name + "_both_", name + "_moved_debs", [name + "_unlocked_container"])
    tests = _container_tests(name)
    for subject, (action, parts) in _ARGV.items():
        argv_test(name = "{}_{}".format(name, subject), action = action, parts = parts, target_under_test = "{}_moved_{}".format(name, subject))
        _locked_test(name = "{}_{}_locked".format(name, subject), target_under_test = "{}_whole_{}".format(name, subject))
        tests += ["{}_{}".format(name, subject), "{}_{}_locked".format(name, subject)]
    fails_test(
        name = name + "_pin",
        message = "has other packages than bzl/tests/lock.json locks, since the archive has moved on: lock anew before its digest is pinned",
        target_under_test = name + "_moved_pin_files",
    )
    _run_test(
        name = name + "_run",
        note = name + "_moved_run_unlocked.txt",
        target_under_test = name + "_moved_run",
    )
    native.test_suite(name = name, tests = tests + [name + "_pin", name + "_run"])
