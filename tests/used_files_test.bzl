"""used_files_test: every file of a folder is in some map, and every map entry of that folder is a file."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")

def _used_files_test_impl(ctx):
    env = unittest.begin(ctx)
    files = {file: True for file in ctx.attr.files}
    used = {label: True for label in ctx.attr.used}
    asserts.equals(env, [], [f for f in sorted(files) if f not in used], "files that no map uses")
    asserts.equals(env, [], [u for u in sorted(used) if u not in files], "map entries without a file")
    return unittest.end(env)

_used_files_test = unittest.make(
    _used_files_test_impl,
    attrs = {
        "files": attr.string_list(),
        "used": attr.string_list(),
    },
)

def used_files_test(name, files, maps):
    """Declares the test.

    Args:
      name: name of the test.
      files: paths in this package.
      maps: dicts with labels of this package as keys.
    """
    prefix = "//{}:".format(native.package_name())
    used = {}
    for map in maps:
        for label in map:
            if label.startswith(prefix):
                used[label.removeprefix(prefix)] = True
    _used_files_test(
        name = name,
        size = "small",
        files = files,
        used = used.keys(),
    )
