"""debian_rootfs: from a package list and a Dockerfile to a root file system, with all that keeps it locked."""

load("//bzl/private:base_image_pin.bzl", "base_image_pin")
load("//bzl/private:debian_base_image.bzl", "debian_base_image")
load("//bzl/private:debian_lock.bzl", "debian_lock")
load("//bzl/private:dockerfile_rootfs.bzl", "dockerfile_rootfs")

visibility(["//bzl/..."])

def debian_rootfs(
        name,
        suites,
        lists,
        debs,
        timestamp,
        dockerfile = "Dockerfile",
        context = {},
        build_args = {},
        components = ["main"],
        lock = "packages.lock.json",
        pin = "docker-base",
        tags = [],
        visibility = None):
    """The root file system of one package list and one Dockerfile: `:NAME`. One in a package, since it also makes `:lock` and `:pin`.

    `bazel run :lock` resolves the lists, makes the base image and writes both locks, `lock` and `pin`, into the source tree; they are
    checked in. `bazel run :lock -- --upgrade` takes the newest packages. `bazel run :pin` writes the second alone. The Dockerfile begins with `ARG BASE_IMAGE` and `FROM ${BASE_IMAGE}`.

    Args:
      name: name of the `dockerfile_rootfs`; its base image is `:NAME_base`.
      suites: Debian suites, as ["trixie", "trixie-updates", "trixie-security"] (see `debian_lock`).
      lists: labels of the package lists.
      debs: the packages of the lock: `@debs//:NAME` of the `debian` module extension.
      timestamp: SOURCE_DATE_EPOCH in seconds; no file is newer.
      dockerfile: label of the Dockerfile.
      context: label to path in the build context (see `dockerfile_rootfs`); the pin is `docker-base` there.
      build_args: values of ARGs.
      components: components of the suites that packages may come from.
      lock: the lock file, in this package.
      pin: the file with the base image's digest, in this package.
      tags: of the root file system.
      visibility: of the root file system.
    """
    debian_lock(
        name = "lock",
        components = components,
        locks = {lock: lists},
        suites = suites,
        then = ":pin",
    )
    base_image_pin(
        name = "pin",
        pins = {pin: ":" + name + "_base"},
    )
    debian_base_image(
        name = name + "_base",
        debs = debs,
        lock = lock,
        tags = ["manual"],
        timestamp = timestamp,
        visibility = ["//visibility:private"],
    )
    dockerfile_rootfs(
        name = name,
        base = ":" + name + "_base",
        build_args = build_args,
        context = context | {pin: "docker-base"},
        dockerfile = dockerfile,
        file_build_args = {"BASE_IMAGE": "docker-base"},
        pin_command = "bazel run //{}:pin".format(native.package_name()),
        tags = tags,
        timestamp = timestamp,
        visibility = visibility,
    )
