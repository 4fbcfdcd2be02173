"""Analysis tests of initrd_image: what its tool is told, and how a kernel image takes one."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:image.bzl", "image_tree", "initrd_image", "uki_image")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:why_info.bzl", "WhyInfo")
load(":subject_tests.bzl", "subject_tests")

# subject: (mnemonic, parts of the command line).
_ARGV = {
    "least": ("MkInitrd", [
        # Neither lists nor a release.
        "/node_tool --plan ",
    ]),
    "most": ("MkInitrd", [
        "--tree ",
        "_subject_tree.tree --init ",
        "/node_tool --modules bzl/tests/one.txt --modules bzl/tests/two.txt --at-once bzl/tests/two.txt --kernel-release 6.1 --microcode --plan ",
        "_subject_most.plan --sources ",
        "_subject_most.sources.plan --output ",
        "_subject_most.initrd",
    ]),
    "uki": ("MkUki", [
        "--kernel boot/vmlinuz --initrd-image ",
        "_subject_most.image --cmdline ",
    ]),
    "uki_in_tree": ("MkUki", ["--kernel boot/vmlinuz --initrd boot/initrd.img --cmdline "]),
    "uki_other_path": ("MkUki", ["--kernel boot/vmlinuz --initrd boot/other --cmdline "]),
}

_REFUSED = {
    "release_lines": "is \"a\\nb\", want a value without a line break",
    "uki_both": "initrd and initrd_image: got both, want one of them (@@//bzl/tests:initrd_test_subject_uki_both)",
}

def _end(file):
    return file.basename.split("_subject_")[-1]

def _image_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)

    # The image's inputs in the order in which the tool numbers them: those of the trees, then the initrd.
    inputs = [_end(file) for file in target[ImagePlanInfo].inputs.to_list()]
    asserts.equals(env, ctx.attr.inputs, inputs)

    # Whoever asks what the initrd was made from finds a note, and what that names.
    notes = [_end(file) for file in target[WhyInfo].files.to_list()]
    asserts.true(env, "most.made.why" in notes, "most.made.why among {}".format(notes))
    named = [_end(file) for file in target[WhyInfo].read.to_list()]
    for file in ["most.sources.image", "most.sources.plan"]:
        asserts.true(env, file in named, "{} among {}".format(file, named))
    return analysistest.end(env)

_image_test = analysistest.make(
    _image_test_impl,
    attrs = {"inputs": attr.string_list(doc = "The image's inputs.")},
)

# Subject to the inputs of its image.
_INPUTS = {
    "most": ["most.initrd"],
    "uki": ["rootfs.tar", "most.initrd"],
}

def _notes_test_impl(ctx):
    env = analysistest.begin(ctx)
    written = {_end(a.outputs.to_list()[0]): a.content for a in analysistest.target_actions(env) if a.mnemonic == "FileWrite"}
    made = json.decode(written["most.made.why"])
    asserts.equals(env, ["image", "is", "path"], sorted(made.keys()))
    asserts.equals(env, "made", made["is"])
    asserts.true(env, made["image"].endswith("_most.sources.image"), made["image"])
    asserts.true(env, made["path"].endswith("_most.initrd"), made["path"])
    lines = [path.split("/")[-1].split("_subject_")[-1] for path in written["most.sources.image"].splitlines()]
    asserts.equals(env, ["most.sources.plan", "rootfs.tar", "node_tool"], lines)
    return analysistest.end(env)

_notes_test = analysistest.make(_notes_test_impl)

def _subjects(prefix):
    manual = dict(tags = ["manual"])
    tree = prefix + "tree"
    image_tree(name = tree, rootfs = "rootfs.tar", timestamp = 1, **manual)
    initrd = dict(init = "//rust/os/node_tool", tree = tree, **manual)
    initrd_image(name = prefix + "least", **initrd)
    initrd_image(
        name = prefix + "most",
        kernel_release = "6.1",
        at_once = ["two.txt"],
        microcode = True,
        modules = ["one.txt", "two.txt"],
        **initrd
    )
    initrd_image(name = prefix + "release_lines", kernel_release = "a\nb", **initrd)
    uki = dict(cmdline = "one.txt", stub_tree = tree, tree = tree, **manual)
    image = prefix + "most"
    uki_image(name = prefix + "uki", initrd_image = image, **uki)
    uki_image(name = prefix + "uki_both", initrd = "boot/other", initrd_image = image, **uki)
    uki_image(name = prefix + "uki_in_tree", **uki)
    uki_image(name = prefix + "uki_other_path", initrd = "boot/other", **uki)

def initrd_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    _subjects(prefix)
    tests = subject_tests(name, prefix, argv = _ARGV, refused = _REFUSED)
    for subject, inputs in _INPUTS.items():
        test = "{}_{}_image".format(name, subject)
        _image_test(name = test, inputs = inputs, target_under_test = prefix + subject)
        tests.append(test)
    _notes_test(name = name + "_notes", target_under_test = prefix + "most")
    native.test_suite(name = name, tests = tests + [name + "_notes"])
