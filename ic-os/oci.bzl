"""oci_targets: an image's root file system for container engines."""

load("//bzl:image.bzl", "image_file", "oci_image", "tree_layer")
load("//ic-os:partitions.bzl", "STEP", "TIMESTAMP")

visibility(["//ic-os/..."])

def oci_targets(name, os, env, image, version):
    """Declares NAME.tar: the root file system as an image for container engines, as it is in the disk's.

    Args:
      name: name of the target.
      os: the system, of `operating_system`.
      env: the env of the image.
      image: the system's value in this env.
      version: label of the version file.
    """
    tree_layer(
        name = name + "_layer",
        base = image.rootfs,
        tree = ":root_tree",
        **STEP
    )
    oci_image(
        name = name + "_image",
        command = ["/sbin/init"],
        image_name = "{}-{}".format(os.name, env),
        labels = {"org.opencontainers.image.title": "{} {}".format(os.name, env)},
        layers = [
            image.rootfs,
            ":{}_layer".format(name),
        ],
        # What systemd takes for "power off" where it is a container's first process.
        stop_signal = "SIGRTMIN+3",
        timestamp = TIMESTAMP,
        version = version,
        **STEP
    )
    image_file(
        name = name,
        image = ":{}_image".format(name),
        out = name + ".tar",
        **STEP
    )
