"""setupos_medium: the two partitions that only an installation medium has, config and data."""

load("//bzl:image.bzl", "deployment_file", "ext4_image", "image_tree", "vfat_image")
load("//components:setupos.bzl", "SETUPOS_CONFIG_MEDIUM")
load("//ic-os:partitions.bzl", "STEP", "TIMESTAMP")

visibility(["//ic-os/..."])

# Names that the installer knows.
_HOST = "host-os"
_GUEST = "guest-os"

def setupos_medium(name, os, env):
    """Makes `:config` and `:data`, and `:NAME` of both. The disks of the same env are taken as plans: neither is written for this.

    Args:
      name: name of the target of both.
      os: the system, with ids for both.
      env: its env; an image of another one on the medium is an error that the status screen shows.
    """
    host_disk = "//ic-os/hostos/envs/{}:disk_plan".format(env)
    guest_disk = "//ic-os/guestos/envs/{}:disk_plan".format(env)
    image_tree(
        name = "config_tree",
        files = SETUPOS_CONFIG_MEDIUM,
        timestamp = TIMESTAMP,
        **STEP
    )
    vfat_image(
        name = "config",
        fat_type = 32,
        label = "CONFIG",
        partition = "config",
        partitions = os.partitions,
        timestamp = TIMESTAMP,
        tree = ":config_tree",
        volume_id = os.ids["config"],
        **STEP
    )
    deployment_file(
        name = "deployment",
        expires = "//ic-os:medium_expires",
        image_name = os.name,
        images = {
            host_disk: _HOST,
            guest_disk: _GUEST,
        },
        properties = {"env": env},
        version = "//ic-os:version",
        **STEP
    )
    image_tree(
        name = "data_tree",
        files = {
            host_disk: "/{}.img:0444".format(_HOST),
            guest_disk: "/{}.img:0444".format(_GUEST),
            ":deployment": "/deployment.json",
        },
        timestamp = TIMESTAMP,
        **STEP
    )
    ext4_image(
        name = "data",
        label = "setupos-data",
        size_mib = 0,
        timestamp = TIMESTAMP,
        tree = ":data_tree",
        uuid = os.ids["data"],
        **STEP
    )
    native.filegroup(
        name = name,
        srcs = [
            ":config",
            ":data",
        ],
        **STEP
    )
