"""ab_disk: a whole disk with two slots, from a root file system."""

load("//bzl/private:ext4_image.bzl", "ext4_image")
load("//bzl/private:filled_template.bzl", "filled_template")
load("//bzl/private:gpt_disk.bzl", "gpt_disk")
load("//bzl/private:grubenv_file.bzl", "grubenv_file")
load("//bzl/private:image_file.bzl", "image_file")
load("//bzl/private:image_tree.bzl", "image_tree")
load("//bzl/private:qemu_run.bzl", "qemu_run")
load("//bzl/private:update_bundle.bzl", "update_bundle")
load("//bzl/private:verity_image.bzl", "verity_image")
load("//bzl/private:vfat_image.bzl", "vfat_image")

visibility(["//bzl/..."])

def ab_disk(
        name,
        rootfs,
        partitions,
        boot_args,
        grub_config,
        uuid,
        timestamp,
        files = {},
        directories = {},
        symlinks = {},
        preset_all = False,
        grub_env = {},
        tags = [],
        visibility = None):
    """An EFI disk with slots A and B, a read-only root under dm-verity in each, and what updates a slot. Slot A is filled, B empty.

    The root file system brings kernel, initrd and boot loader: /boot is the boot partition, and /boot/efi in it the EFI system partition. How
    the initrd sets dm-verity up is its own business; it finds the root hash on the command line. All texts are templates (see
    `filled_template`) that know the partition table.

    It has no Secure Boot: no program is signed, and GRUB reads grub.cfg, grubenv and boot_args as they lie on the disk. dm-verity shows then that the
    root file system is the one whose hash the command line has, and finds damaged blocks; whoever can write to the disk can put another command line,
    another kernel or another boot loader there, and nothing notices. A machine whose firmware asks for signatures does not start it. For disks that
    others can write to: `signed_efi` for boot loader and `uki_image`, with a configuration that is built in (docs/signing.md).

    `:NAME` is the disk as a file, NAME.img; `:NAME_update` is NAME_update.tar with boot.img and root.img, for the other slot;
    `:NAME_run` boots the disk; `:NAME_plan` is it for rules and tests; `:NAME_root` and `:NAME_boot` are its partitions.

    Args:
      name: name of the disk.
      rootfs: label of the root file system's tar, as `dockerfile_rootfs` or `debian_rootfs`.
      partitions: label of partitions.csv, with esp, A_boot, A_root, B_boot and B_root.
      boot_args: label of the template of /boot_args in the boot partition; knows `{{ROOT_HASH}}` and `{{HASH_OFFSET}}`, too.
      grub_config: label of the template of /EFI/BOOT/grub.cfg in the EFI system partition.
      uuid: UUID of the disk, ending in 00. Others are made of it: those of root, verity and boot end in 01, 02 and 03, the salt is all its
        digits, the FAT volume id the first eight.
      timestamp: time of everything, in seconds since 1970.
      files: label to destination, laid late over the root file system (see `image_tree`).
      directories: directories to make in it.
      symlinks: symbolic links to make in it.
      preset_all: enable the systemd units that its preset files name.
      grub_env: variables of /EFI/BOOT/grubenv, GRUB's environment block; no such file if there are none.
      tags: of all targets.
      visibility: of all targets.
    """
    if len(uuid) != 36 or not uuid.endswith("00"):
        fail("uuid: got {}, want 36 characters ending in 00 ({})".format(repr(uuid), name))
    common = dict(tags = tags, visibility = visibility)
    dated = common | dict(timestamp = timestamp)
    image_tree(
        name = name + "_tree",
        directories = directories,
        files = files,
        preset_all = preset_all,
        rootfs = rootfs,
        symlinks = symlinks,
        **dated
    )
    _root(name, uuid, common, dated)
    _boot(name, rootfs, partitions, boot_args, uuid, common, dated)
    _esp(name, rootfs, partitions, grub_config, grub_env, uuid, common, dated)
    gpt_disk(
        name = name + "_plan",
        disk_guid = uuid,
        images = {
            ":{}_boot".format(name): "A_boot",
            ":{}_esp".format(name): "esp",
            ":{}_root".format(name): "A_root",
        },
        partitions = partitions,
        **common
    )
    image_file(
        name = name,
        image = ":{}_plan".format(name),
        **common
    )
    qemu_run(
        name = name + "_run",
        disk = ":{}_plan".format(name),
        **common
    )
    _update(name, common, dated)

def _update(name, common, dated):
    """What updates a slot."""
    update_bundle(
        name = name + "_update_plan",
        members = {
            ":{}_boot".format(name): "boot.img",
            ":{}_root".format(name): "root.img",
        },
        **dated
    )
    image_file(
        name = name + "_update",
        out = name + "_update.tar",
        image = ":{}_update_plan".format(name),
        **common
    )

def _root(name, uuid, common, dated):
    """The root partition, and what the command line says of it."""
    ext4_image(
        name = name + "_root_data",
        # That is the boot partition's.
        exclude = ["boot/"],
        size_mib = 0,
        tree = ":{}_tree".format(name),
        uuid = uuid[:-2] + "01",
        **dated
    )
    verity_image(
        name = name + "_root",
        image = ":{}_root_data".format(name),
        salt = uuid.replace("-", ""),
        uuid = uuid[:-2] + "02",
        **common
    )
    for group in ["hash_offset", "root_hash"]:
        native.filegroup(
            name = "{}_{}".format(name, group),
            srcs = [":{}_root".format(name)],
            output_group = group,
            **common
        )

def _boot(name, rootfs, partitions, boot_args, uuid, common, dated):
    """The boot partition: the root file system's /boot, and the command line."""
    filled_template(
        name = name + "_boot_args",
        file_values = {
            ":{}_hash_offset".format(name): "HASH_OFFSET",
            ":{}_root_hash".format(name): "ROOT_HASH",
        },
        partitions = partitions,
        template = boot_args,
        **common
    )
    image_tree(
        name = name + "_boot_tree",
        files = {":{}_boot_args".format(name): "/boot/boot_args"},
        rootfs = rootfs,
        **dated
    )
    ext4_image(
        name = name + "_boot",
        exclude = ["efi"],
        size_mib = 0,
        subdir = "boot",
        tree = ":{}_boot_tree".format(name),
        uuid = uuid[:-2] + "03",
        **dated
    )

def _esp(name, rootfs, partitions, grub_config, grub_env, uuid, common, dated):
    """The EFI system partition: the root file system's /boot/efi, and GRUB's two files."""
    files = {":{}_grub_cfg".format(name): "/boot/efi/EFI/BOOT/grub.cfg"}
    filled_template(
        name = name + "_grub_cfg",
        partitions = partitions,
        template = grub_config,
        **common
    )
    if grub_env:
        grubenv_file(
            name = name + "_grubenv",
            values = grub_env,
            **common
        )
        files[":{}_grubenv".format(name)] = "/boot/efi/EFI/BOOT/grubenv"
    image_tree(
        name = name + "_esp_tree",
        files = files,
        rootfs = rootfs,
        **dated
    )
    vfat_image(
        name = name + "_esp",
        label = "ESP",
        partition = "esp",
        partitions = partitions,
        subdir = "boot/efi",
        tree = ":{}_esp_tree".format(name),
        volume_id = uuid[:8].upper(),
        **dated
    )
