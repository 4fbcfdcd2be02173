"""qemu_run: a `bazel run` target that boots an image."""

load("@bazel_skylib//rules:native_binary.bzl", "native_binary")
load("//bzl/private:image_list.bzl", "image_list")

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
    native_binary(
        name = name,
        src = Label("//rust/tools:runvm"),
        out = name,
        args = ["--disk", "$(rootpath :{})".format(list)] + args,
        data = [":" + list],
        **kwargs
    )
