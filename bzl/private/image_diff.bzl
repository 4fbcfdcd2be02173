"""image_diff: a `bazel run` target that says what differs between a disk and another one."""

load("//bzl/private:disk_tool.bzl", "disk_tool")

visibility(["//bzl/..."])

def image_diff(name, disk, built_by = None, args = [], **kwargs):
    """`bazel run :NAME -- OLD` says what differs between the image OLD and `disk` (docs/formats/imgdiff.md).

    OLD is a file, or a commit: then the same disk of that commit is built, by the same Bazel, in a work tree and an output base of their own
    beside this one's, which are removed afterwards. No image is written for it. Flags after `--`: `bazel run :NAME -- --help` lists them.

    Args:
      name: name of the target.
      disk: label of the disk, an image with a plan.
      built_by: name of a target of this package that runs a tool on the same disk (`qemu_run`), which a commit has that is older than `:NAME`;
        default: `:NAME`.
      args: further flags of imgdiff.
      **kwargs: visibility, tags.
    """
    package = native.package_name()
    target = built_by or name
    list = "{}_disk.image".format(target)
    disk_tool(
        name = name,
        tool = "imgdiff",
        flag = "--new",
        disk = disk,
        args = [
            "--target=//{}:{}".format(package, target),
            "--list=" + (package + "/" if package else "") + list,
        ] + args,
        **kwargs
    )
