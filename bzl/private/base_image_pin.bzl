"""base_image_pin: the digest of a base image as a file of the source tree."""

load("//bzl/private:debian_lock.bzl", "source_path")
load("//bzl/private:tool_binary.bzl", "tool_binary")
load("//bzl/private/providers:base_image_info.bzl", "BaseImageInfo")

visibility(["//bzl/..."])

def _pin_files_impl(ctx):
    outputs = []
    for target in ctx.attr.bases:
        if target[BaseImageInfo].unlocked:
            fail("{} has other packages than {} locks, since the archive has moved on: lock anew before its digest is pinned".format(target.label, target[BaseImageInfo].unlocked.lock.short_path))
        outputs += [target[BaseImageInfo].digest, target[BaseImageInfo].packages]
    return [DefaultInfo(files = depset(outputs))]

_pin_files = rule(
    implementation = _pin_files_impl,
    doc = "Digest and package digests of base images.",
    attrs = {"bases": attr.label_list(providers = [BaseImageInfo], doc = "The base images.")},
)

def base_image_pin(name, pins, **kwargs):
    """`bazel run` it to build base images and write their digests into the source tree.

    A pin file's first line is `NAME@sha256:DIGEST`, what `FROM` means; the others name each package's version and digest.

    Args:
      name: name of the target.
      pins: dict of pin file (in this package) to the label of the `debian_base_image`; that label's name becomes NAME.
      **kwargs: visibility, tags.
    """
    _pin_files(
        name = name + "_files",
        bases = pins.values(),
        tags = ["manual"],
        visibility = ["//visibility:private"],
    )
    args = []
    for pin, base in pins.items():
        # The last part is where the tool finds what the base image's target has made.
        args += ["--pin", "{}={}={}".format(source_path(pin), native.package_relative_label(base).name, source_path(base))]
    tool_binary(
        name = name,
        tool = "pin",
        args = args,
        data = [":" + name + "_files"],
        **kwargs
    )
