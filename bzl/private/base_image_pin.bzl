"""base_image_pin, base_image_push: the digest of a base image as a file of the source tree; the image on a registry."""

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
    whole = [target[OutputGroupInfo].oci for target in ctx.attr.bases] if ctx.attr.whole else []
    return [DefaultInfo(files = depset(outputs, transitive = whole))]

_pin_files = rule(
    implementation = _pin_files_impl,
    doc = "Digest and package digests of base images.",
    attrs = {
        "bases": attr.label_list(providers = [BaseImageInfo], doc = "The base images."),
        "whole": attr.bool(doc = "The images themselves as well."),
    },
)

def _pins(flag, pins):
    """Arguments PINFILE=IMAGE=STEM; the last part is where the tool finds what the base image's target has made."""
    args = []
    for pin, base in pins.items():
        args += [flag, "{}={}={}".format(source_path(pin), native.package_relative_label(base).name, source_path(base))]
    return args

def base_image_push(name, pins, **kwargs):
    """`bazel run` it with `REGISTRY/NAME` to publish base images there; skopeo, which must be in PATH, speaks to the registry.

    Each image is pushed as it is: its digest there is the one that is pinned. `--pin` writes `REGISTRY/NAME@sha256:DIGEST` into the pin files,
    by which builds then pull it (`//bzl:base_images_extension.bzl`); `--only IMAGE` takes one image.

    Args:
      name: name of the target.
      pins: dict of pin file (in this package) to the label of the `debian_base_image`.
      **kwargs: visibility, tags.
    """
    _pin_files(
        name = name + "_files",
        bases = pins.values(),
        tags = ["manual"],
        visibility = ["//visibility:private"],
        whole = True,
    )
    tool_binary(
        name = name,
        tool = "push",
        args = _pins("--image", pins),
        data = [":" + name + "_files"],
        **kwargs
    )

def base_image_pin(name, pins, **kwargs):
    """`bazel run` it to build base images and write their digests into the source tree.

    A pin file's first line is `NAME@sha256:DIGEST`, what `FROM` means; the others name each package's version and digest. If the same image has
    been published (`base_image_push`), NAME stays what it is pulled by.

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
    tool_binary(
        name = name,
        tool = "pin",
        args = _pins("--pin", pins),
        data = [":" + name + "_files"],
        **kwargs
    )
