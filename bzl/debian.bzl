"""Debian packages into a base image.

- `debian_base_image`: locked .deb files to a base image (stage 1).
- `debian_lock`: `bazel run` target that resolves package lists into lock files.
- `debian_locks`: the same for several of them at once.
- `base_image_pin`: `bazel run` target that writes the digests of base images into the source tree.
- `base_image_push`: `bazel run` target that publishes base images on a registry.
- `debian_rootfs`: these three and a Dockerfile: a root file system in one call.
- `vendor`: `bazel run` target that writes every file that builds fetch into a folder.

The .deb files themselves come from the module extension in `//bzl:debian_extension.bzl`; published base images from that in
`//bzl:base_images_extension.bzl`.
"""

load("//bzl/private:base_image_pin.bzl", _base_image_pin = "base_image_pin", _base_image_push = "base_image_push")
load("//bzl/private:debian_base_image.bzl", _debian_base_image = "debian_base_image")
load("//bzl/private:debian_lock.bzl", _debian_lock = "debian_lock", _debian_locks = "debian_locks")
load("//bzl/private:debian_rootfs.bzl", _debian_rootfs = "debian_rootfs")
load("//bzl/private:vendor.bzl", _vendor = "vendor")

base_image_pin = _base_image_pin
base_image_push = _base_image_push
debian_base_image = _debian_base_image
debian_lock = _debian_lock
debian_locks = _debian_locks
debian_rootfs = _debian_rootfs
vendor = _vendor
