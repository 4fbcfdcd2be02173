"""qemu_run: a `bazel run` target that boots an image."""

load("//bzl/private:disk_tool.bzl", "disk_tool")
load("//bzl/private:unlocked.bzl", "unlocked_note")

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
    note = name + "_unlocked"
    unlocked_note(
        name = note,
        images = [disk],
        **kwargs
    )
    disk_tool(
        name = name,
        tool = "runvm",
        flag = "--disk",
        disk = disk,
        args = ["--note", "$(rootpath :{})".format(note)] + args,
        data = [":" + note],
        **kwargs
    )
