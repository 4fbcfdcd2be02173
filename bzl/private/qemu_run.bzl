"""qemu_run: a `bazel run` target that boots an image."""

load("//bzl/private:image_list.bzl", "image_list")
load("//bzl/private:tool_binary.bzl", "tool_binary")

visibility(["//bzl/..."])

def qemu_run(name, disk, args = [], **kwargs):
    """`bazel run` it to boot `disk` in QEMU: console on the terminal, ssh on port 2222, changes thrown away.

    The disk is served from its plan: no image is written. Flags after `--`: `bazel run :NAME -- --help` lists them.

    Args:
      name: name of the target.
      disk: label of the disk, an image with a plan.
      args: further flags of runvm.
      **kwargs: visibility, tags.
    """
    list = name + "_disk"
    image_list(
        name = list,
        image = disk,
        **kwargs
    )
    tool_binary(
        name = name,
        tool = "runvm",
        args = ["--disk", "$(rootpath :{})".format(list)] + args,
        data = [":" + list],
        **kwargs
    )
