"""Analysis tests of image_tree: its action, its provider, and every way it refuses a map."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:image.bzl", "image_tree")
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
    asserts.equals(env, ["rootfs.tar", "one.txt", "two.txt"], [content.file.basename for content in tree.contents])
    written = [a for a in analysistest.target_actions(env) if a.mnemonic == "FileWrite"][0].content
    asserts.equals(env, ["/a/one:1", "/b:1", "/c:1", "/z/two"], [json.decode(line)["dest"] for line in written.split("\n")[:-1]])
    return analysistest.end(env)

_action_test = analysistest.make(_action_test_impl)

# name of the case: (attributes of the tree, what the error says)
_REFUSED = {
    "bad_mode": (dict(files = {"one.txt": "/a:0998"}), "got mode \"0998\", want three or four octal digits"),
    "bad_owner": (dict(files = {"one.txt": "/a:0644:root:root"}), "got owner \"root\", want a number"),
    "colon": (dict(files = {"one.txt": "/etc/dev-a:b.service"}), "got mode \"b.service\", want three or four octal digits (a colon of the path is written \\:)"),
    "directory_owner": (dict(directories = {"/a": "0755:1"}), "directories: /a: got \"0755:1\", want mode or mode:uid:gid"),
    "dotdot": (dict(files = {"one.txt": "/a/../b"}), "want no empty part, '.' or '..' in it"),
    "file_and_directory": (dict(directories = {"/a": "0755"}, files = {"one.txt": "/a"}), "/a is claimed by"),
    "file_and_link": (dict(files = {"one.txt": "/a"}, symlinks = {"/a": "b"}), "and by a link to b"),
    "relative": (dict(files = {"one.txt": "etc/x"}), "want an absolute path to a file"),
    "same_path": (dict(files = {"one.txt": "/a", "two.txt": "/a:0600"}), "/a is claimed by"),
    "too_many_parts": (dict(files = {"one.txt": "/a:0644:0"}), "want path, path:mode or path:mode:uid:gid"),
}

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
    tests = [name + "_action"]
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
