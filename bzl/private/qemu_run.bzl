"""qemu_run: a `bazel run` target that boots an image."""

load("//bzl/private:disk_tool.bzl", "disk_tool")

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
    disk_tool(
        name = name,
        tool = "runvm",
        flag = "--disk",
        disk = disk,
        args = args,
        **kwargs
    )
