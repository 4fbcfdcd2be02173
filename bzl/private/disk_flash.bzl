"""disk_flash: a `bazel run` target that writes an image to a stick."""

load("//bzl/private:disk_tool.bzl", "disk_tool")

visibility(["//bzl/..."])

def disk_flash(name, disk, args = [], **kwargs):
    """`bazel run :NAME -- DEVICE|FILE` writes `disk` to a stick or a file, with a configuration in it if `--config DIR` says so.

    The disk is taken from its plan: no image is written for it, and of the disk only what is data. A drive that is in use is refused; what was
    written is read back. Flags after `--`: `bazel run :NAME -- --help` lists them.

    Args:
      name: name of the target.
      disk: label of the disk, an image with a plan.
      args: further flags of flash.
      **kwargs: visibility, tags.
    """
    disk_tool(
        name = name,
        tool = "flash",
        flag = "--image",
        disk = disk,
        args = args,
        **kwargs
    )
