"""os_context: an operating system's packages, base images and root file systems, one of each for an environment."""

load("//bzl:debian.bzl", "base_image_pin", "debian_base_image", "debian_lock")
load("//bzl:image.bzl", "dockerfile_rootfs")
load(":defs.bzl", "TIMESTAMP")

visibility(["//ic-os/...", "//tests/..."])

# root/root: for development only.
_DEV_PASSWORD_HASH = "$6$guestos.dev$Q8aG8Xa9rMTe/slWhletjxhNDCJcWPZTAJ2oWXLRGmCD3vSdyh/4OQm0.14soA9hW9qqTH1E9gRrl7xfHe3gI/"

def os_context(name, lists, dev_lists, early_components, steps):
    """Declares the targets of an OS's context/ folder: `:lock`, `:pin`, `:rootfs-dev`, `:rootfs-prod`.

    The folder holds the Dockerfile, packages.{dev,prod}.lock.json and docker-base.{dev,prod}; the module's MODULE.bazel
    names the repositories NAME_dev_debs and NAME_prod_debs with the same lists.

    Args:
      name: name of the OS, as "guestos".
      lists: labels of the package lists of every image.
      dev_lists: labels of the package lists that development images have beside these.
      early_components: label to path in the build context: what RUN steps read.
      steps: names of the scripts of //ic-os/common that the Dockerfile runs; they are in common/ of the build context.
    """
    native.exports_files(
        native.glob([
            "docker-base.*",
            "packages.*",
        ]),
        visibility = ["//visibility:public"],
    )
    debian_lock(
        name = "lock",
        components = [
            "main",
            "non-free-firmware",
        ],
        locks = {
            "packages.dev.lock.json": lists + dev_lists,
            "packages.prod.lock.json": lists,
        },
        suite = "trixie",
        then = ":pin",
    )
    base_image_pin(
        name = "pin",
        pins = {"docker-base." + env: ":{}-base-{}".format(name, env) for env in ["dev", "prod"]},
    )
    scripts = {"//ic-os/common:{}.sh".format(step): "common/{}.sh".format(step) for step in steps}
    for env, build_args in {
        "dev": {"ROOT_PASSWORD_HASH": _DEV_PASSWORD_HASH},
        "prod": {},
    }.items():
        base = "{}-base-{}".format(name, env)
        debian_base_image(
            name = base,
            debs = "@{}_{}_debs//:debs".format(name, env),
            lock = "packages.{}.lock.json".format(env),
            timestamp = TIMESTAMP,
        )
        dockerfile_rootfs(
            name = "rootfs-" + env,
            base = ":" + base,
            build_args = build_args,
            context = early_components | scripts | {"docker-base." + env: "docker-base"},
            dockerfile = "Dockerfile",
            file_build_args = {"BASE_IMAGE": "docker-base"},
            pin_command = "bazel run //{}:pin".format(native.package_name()),
            timestamp = TIMESTAMP,
            visibility = [
                "//ic-os:__subpackages__",
                "//tests:__subpackages__",
            ],
        )
