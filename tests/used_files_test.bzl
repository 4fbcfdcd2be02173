"""used_files_test: every file of a folder is in some map, and every map entry of that folder is a file."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")

def _used_files_test_impl(ctx):
    env = unittest.begin(ctx)
    used = {label: True for label in ctx.attr.used}
    asserts.equals(env, [], [f for f in sorted(ctx.attr.files) if f not in used], "files that no map uses")
    return unittest.end(env)

_used_files_test = unittest.make(
    _used_files_test_impl,
    attrs = {
        "files": attr.string_list(),
        "used": attr.string_list(),
    },
)

def used_files_test(name, files, maps):
    """Declares the test of unused files; an entry without a file stops the build, with the names of the maps it stands in.

    An entry may also be a filegroup that this package declares above the call: then its files are used.

    Args:
      name: name of the test.
      files: paths in this package.
      maps: dict of a map's name to the map, whose keys are labels; those of this package count.
    """
    prefix = "//{}:".format(native.package_name())
    here = {file: True for file in files}
    used = {}
    for map_name, map in maps.items():
        for label in map:
            if label.startswith(prefix):
                used.setdefault(label.removeprefix(prefix), []).append(map_name)
    for file, by in dict(used).items():
        group = native.existing_rule(file)
        if group:
            # Labels in this package begin with a colon here.
            used |= {src.removeprefix(":"): by for src in group.get("srcs", [])}
        elif file not in here:
            fail("{} maps {}{}, but {} has no such file: take the entry out, or give it the file's new name".format(
                ", ".join(by),
                prefix,
                file,
                native.package_name(),
            ))
    _used_files_test(
        name = name,
        size = "small",
        files = files,
        used = used.keys(),
    )
