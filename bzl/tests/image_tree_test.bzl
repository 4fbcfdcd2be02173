"""Analysis tests of image_tree: its action, its provider, and every way it refuses a map."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:image.bzl", "ext4_image", "filled_template", "image_tree")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")
load(":fails_test.bzl", "fails_test")

def _action_test_impl(ctx):
    env = analysistest.begin(ctx)
    target = analysistest.target_under_test(env)
    actions = [a for a in analysistest.target_actions(env) if a.mnemonic == "InjectTree"]
    asserts.equals(env, 1, len(actions))
    argv = actions[0].argv
    asserts.true(env, "--preset-all" in argv, "the preset flag reaches the tool")
    asserts.equals(env, "1", argv[argv.index("--mtime") + 1])
    tree = target[TreeInfo]

    # Sorted by destination, whatever the order in the map: the manifest counts inputs in this order.
    asserts.equals(env, ["rootfs.tar", "one.txt", "two.txt"], [file.basename for file in tree.inputs.to_list()])
    written = [a for a in analysistest.target_actions(env) if a.mnemonic == "FileWrite"][0].content
    asserts.equals(env, ["/a/one:1", "/b:1", "/c:1", "/z/two"], [json.decode(line)["dest"] for line in written.split("\n")[:-1]])

    # Programs are checked beside the build, with every file at hand that the tree's list names.
    checks = [a for a in analysistest.target_actions(env) if a.mnemonic == "CheckFit"]
    asserts.equals(env, 1, len(checks))
    asserts.equals(
        env,
        ["image_tree_test_subject.tree", "image_tree_test_subject.tree.jsonl", "one.txt", "rootfs.tar", "two.txt"],
        sorted([file.basename for file in checks[0].inputs.to_list() if "checkfit" not in file.basename and not file.basename.endswith(".params")]),
    )
    fit = checks[0].outputs.to_list()
    asserts.equals(env, fit, target[OutputGroupInfo]._validation.to_list())
    return analysistest.end(env)

_action_test = analysistest.make(_action_test_impl)

def _folder_test_impl(ctx):
    env = analysistest.begin(ctx)
    written = [a for a in analysistest.target_actions(env) if a.mnemonic == "FileWrite"][0].content
    entries = [json.decode(line) for line in written.split("\n")[:-1]]
    asserts.equals(env, [
        ("/opt/bin/one.txt", "0755"),
        ("/opt/bin/two.txt", "0755"),
    ], [(entry["dest"], entry["mode"]) for entry in entries])
    target = analysistest.target_under_test(env)
    asserts.equals(env, ["one.txt", "two.txt"], [file.basename for file in target[TreeInfo].inputs.to_list()])

    # Over nothing there is nothing to fit.
    asserts.equals(env, [], target[OutputGroupInfo]._validation.to_list())
    return analysistest.end(env)

_folder_test = analysistest.make(_folder_test_impl)

# name of the case: (attributes of the tree, what the error says)
_REFUSED = {
    "bad_mode": (dict(files = {"one.txt": "/a:0998"}), "got mode \"0998\", want three or four octal digits"),
    "bad_owner": (dict(files = {"one.txt": "/a:0644:root:root"}), "got owner \"root\", want a number"),
    "colon": (dict(files = {"one.txt": "/etc/dev-a:b.service"}), "got mode \"b.service\", want three or four octal digits (a colon of the path is written \\:)"),
    "directory_owner": (dict(directories = {"/a": "0755:1"}), "directories: /a: got \"0755:1\", want mode or mode:uid:gid"),
    "dotdot": (dict(files = {"one.txt": "/a/../b"}), "want no empty part, '.' or '..' in it"),
    "file_and_directory": (dict(directories = {"/a": "0755"}, files = {"one.txt": "/a"}), "/a is claimed by"),
    "file_and_link": (dict(files = {"one.txt": "/a"}, symlinks = {"/a": "b"}), "and by a link to b"),
    "folder_of_nothing": (dict(files = {":nothing": "/bin/"}), "has no file to be \"/bin/\""),
    "folder_of_plan": (dict(files = {":plan": "/images/"}), "is an image without a file name of its own, want its whole path for \"/images/\""),
    "folder_twice": (dict(files = {
        ":several": "/bin/",
        "one.txt": "/bin/one.txt",
    }), "/bin/one.txt is claimed by @@//bzl/tests:one.txt of @@//bzl/tests:several and by @@//bzl/tests:one.txt ("),
    "folder_twins": (
        dict(files = {":twins": "/bin/"}),
        "/bin/one.txt is claimed by @@//bzl/tests:one.txt of @@//bzl/tests:twins and by @@//bzl/tests:other of @@//bzl/tests:twins",
    ),
    "relative": (dict(files = {"one.txt": "etc/x"}), "want an absolute path to a file"),
    "several_for_one": (
        dict(files = {":several": "/opt/tool"}),
        "has 2 files, and \"/opt/tool\" is the path of one; a folder for several has a slash at its end: \"/opt/tool/\"",
    ),
    "same_path": (dict(files = {"one.txt": "/a", "two.txt": "/a:0600"}), "/a is claimed by"),
    "too_many_parts": (dict(files = {"one.txt": "/a:0644:0"}), "want path, path:mode or path:mode:uid:gid"),
}

def _several():
    """Targets that are more than one file, or less."""
    manual = dict(tags = ["manual"])
    filled_template(name = "other", out = "folder/one.txt", template = "one.txt", **manual)
    ext4_image(name = "plan", size_mib = 0, timestamp = 1, tree = ":image_tree_test_subject", uuid = "00000000-0000-4000-8000-000000000001", **manual)
    native.filegroup(name = "nothing", srcs = [], **manual)
    native.filegroup(name = "several", srcs = ["one.txt", "two.txt"], **manual)
    native.filegroup(name = "twins", srcs = ["one.txt", ":other"], **manual)

def image_tree_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    image_tree(
        name = name + "_subject",
        directories = {"/b:1": "0755"},
        files = {
            "one.txt": "/a/one\\:1",
            "two.txt": "/z/two",
        },
        preset_all = True,
        rootfs = "rootfs.tar",
        symlinks = {"/c:1": "a/one"},
        tags = ["manual"],
        timestamp = 1,
    )
    _action_test(name = name + "_action", target_under_test = name + "_subject")
    _several()
    image_tree(
        name = name + "_folder_subject",
        files = {":several": "/opt/bin/"},
        tags = ["manual"],
        timestamp = 1,
    )
    _folder_test(name = name + "_folder", target_under_test = name + "_folder_subject")
    tests = [name + "_action", name + "_folder"]
    for case, (attrs, message) in _REFUSED.items():
        image_tree(
            name = name + "_" + case + "_subject",
            rootfs = "rootfs.tar",
            tags = ["manual"],
            timestamp = 1,
            **attrs
        )
        fails_test(
            name = name + "_" + case,
            message = message,
            target_under_test = name + "_" + case + "_subject",
        )
        tests.append(name + "_" + case)
    native.test_suite(name = name, tests = tests)
