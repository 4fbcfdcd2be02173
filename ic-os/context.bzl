"""os_context: an operating system's packages, base images and root file systems, one of each for an environment."""

load("//bzl:debian.bzl", "base_image_pin", "base_image_push", "debian_base_image", "debian_lock")
load("//bzl:image.bzl", "dockerfile_rootfs")
load(":os.bzl", "in_env")
load(":partitions.bzl", "TIMESTAMP")

visibility(["//ic-os/...", "//tests/..."])

# Where all packages come from: the release, what it takes between its point releases, and security updates, which have an archive of their own.
SUITES = [
    "trixie",
    "trixie-updates",
    "trixie-security",
]

def os_context(name, os, published = False):
    """Declares the targets of an OS's context/ folder: `:lock`, `:pin`, `:push`, and `:rootfs-ENV` for each env.

    The folder holds the Dockerfile, Dockerfile.base (for docker and buildah), and packages.ENV.lock.json and docker-base.ENV for each env;
    MODULE.bazel names the locks, and pins of base images that may be published.

    Args:
      name: name of the base images, NAME-base-ENV; the system's.
      os: the system, of `operating_system`.
      published: whether base images are fetched where a pin names a registry (`@base_images`); default: they are built.
    """
    native.exports_files(
        native.glob([
            ".dockerignore",
            "Dockerfile.base",
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
        locks = {"packages.{}.lock.json".format(env): in_env(os, env).packages for env in os.envs},
        suites = SUITES,
        then = ":pin",
    )
    pins = {"docker-base." + env: ":{}-base-{}".format(name, env) for env in os.envs}
    base_image_pin(
        name = "pin",
        pins = pins,
    )
    base_image_push(
        name = "push",
        pins = pins,
    )
    scripts = {"//ic-os/common:{}.sh".format(step): "common/{}.sh".format(step) for step in os.steps}
    for env in os.envs:
        base = "{}-base-{}".format(name, env)
        debian_base_image(
            name = base,
            debs = "@{}//:{}_{}".format("base_images" if published else "debs", os.name, env),
            lock = "packages.{}.lock.json".format(env),
            timestamp = TIMESTAMP,
        )
        dockerfile_rootfs(
            name = "rootfs-" + env,
            base = ":" + base,
            build_args = in_env(os, env).build_args,
            context = os.early_components | scripts | {"docker-base." + env: "docker-base"},
            dockerfile = "Dockerfile",
            file_build_args = {"BASE_IMAGE": "docker-base"},
            pin_command = "bazel run //{}:pin".format(native.package_name()),
            timestamp = TIMESTAMP,
            visibility = [
                "//ic-os:__subpackages__",
                "//tests:__subpackages__",
            ],
        )
