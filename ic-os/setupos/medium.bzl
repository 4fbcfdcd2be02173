"""setupos_medium: the two partitions that only an installation medium has, config and data."""

load("//bzl:image.bzl", "deployment_file", "ext4_image", "image_tree", "vfat_image")
load("//components:setupos.bzl", "SETUPOS_CONFIG_MEDIUM")
load("//ic-os:partitions.bzl", "STEP", "TIMESTAMP")
load(":defs.bzl", "IDS")

visibility(["//ic-os/..."])

# Names that the installer knows.
_HOST = "host-os"
_GUEST = "guest-os"

def setupos_medium(name, env, host_disk, guest_disk, version = "//ic-os:version"):
    """Makes `:config` and `:data`, and `:NAME` of both. The disks are taken as plans: neither is written for this.

    Args:
      name: name of the target of both.
      env: "dev" or "prod"; an image of another env on the medium is an error that the status screen shows.
      host_disk: label of HostOS's disk (`:disk_plan` of an env).
      guest_disk: label of GuestOS's disk.
      version: label of the version file.
    """
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
        size_mib = 64,
        timestamp = TIMESTAMP,
        tree = ":config_tree",
        volume_id = IDS["config"],
        **STEP
    )
    deployment_file(
        name = "deployment",
        image_name = "setupos",
        images = {
            host_disk: _HOST,
            guest_disk: _GUEST,
        },
        properties = {"env": env},
        version = version,
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
        uuid = IDS["data"],
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
