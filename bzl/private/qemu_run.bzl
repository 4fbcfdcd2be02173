"""qemu_run: a `bazel run` target that boots a disk image."""

load("@bazel_skylib//rules:native_binary.bzl", "native_binary")

visibility(["//bzl/..."])

def qemu_run(name, disk, args = [], **kwargs):
    """`bazel run` it to boot `disk` in QEMU: console on the terminal, ssh on port 2222, changes thrown away.

    Flags after `--`: `bazel run :NAME -- --help` lists them.

    Args:
      name: name of the target.
      disk: label of the disk image.
      args: further flags of runvm.
      **kwargs: visibility, tags.
    """
    native_binary(
        name = name,
        src = "//rust/tools:runvm",
        out = name,
        args = ["--disk", "$(rootpath {})".format(disk)] + args,
        data = [disk],
        **kwargs
    )
