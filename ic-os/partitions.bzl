"""The partitions that every image has: root, boot, and the boot loader's two."""

load("//bzl:image.bzl", "ext4_image", "filled_template", "grubenv_file", "image_file", "image_tree", "verity_image", "vfat_image")

visibility(["//ic-os/..."])

# Every time in an image: 1 January 2026, 00:00 UTC. A constant, so that a release has the same bytes whenever it is built.
TIMESTAMP = 1767225600

def template_file(name, template, partitions, values = {}, file_values = {}):
    """A text filled in from the partition table (see `filled_template`).

    Args:
      name: name of the target.
      template: label of the template.
      partitions: label of partitions.csv.
      values: key to text.
      file_values: label of a file to the key that stands for its content.
    """
    filled_template(
        name = name,
        file_values = file_values,
        partitions = partitions,
        tags = ["manual"],
        template = template,
        values = values,
        visibility = ["//visibility:private"],
    )

# What the targets on the way to a partition share.
STEP = dict(
    tags = ["manual"],
    visibility = ["//visibility:public"],
)

def root_partition(name, ids):
    """The root partition: ext4 with its dm-verity tree behind it. Takes `:root_tree`; makes `:root`, `:root_hash`, `:hash_offset`.

    Args:
      name: name of the image.
      ids: fixed identifiers (see icos_build).
    """
    ext4_image(
        name = "root_data",
        # The boot partition's content; what stays of /boot are mount points.
        exclude = ["boot/vmlinuz", "boot/initrd.img"],
        label = name + "-root",
        size_mib = 0,
        timestamp = TIMESTAMP,
        tree = ":root_tree",
        uuid = ids["root"],
        **STEP
    )
    verity_image(
        name = "root",
        image = ":root_data",
        salt = ids["salt"],
        uuid = ids["verity"],
        **STEP
    )
    for group in ["hash_offset", "root_hash"]:
        native.filegroup(
            name = group,
            srcs = [":root"],
            output_group = group,
            **STEP
        )
    image_file(
        name = "root_file",
        image = ":root",
        out = "root.img",
        **STEP
    )

def boot_partition(name, rootfs, partitions, ids, boot_args, boot_files):
    """The boot partition: kernel, initrd and a command line that holds the root's hash. Makes `:boot`.

    Args:
      name: name of the image.
      rootfs: label of the `dockerfile_rootfs` that has boot/vmlinuz and boot/initrd.img.
      partitions: label of partitions.csv.
      ids: fixed identifiers (see icos_build).
      boot_args: key to text, for the templates.
      boot_files: template label to destination.
    """
    files = {}
    for template, dest in boot_files.items():
        target = "boot_file_" + dest.split("/")[-1]
        template_file(target, template, partitions, boot_args, {
            ":hash_offset": "HASH_OFFSET",
            ":root_hash": "ROOT_HASH",
        })
        files[":" + target] = dest
    image_tree(
        name = "boot_tree",
        files = files,
        rootfs = rootfs,
        timestamp = TIMESTAMP,
        **STEP
    )
    ext4_image(
        name = "boot",
        label = name + "-boot",
        size_mib = 0,
        subdir = "boot",
        timestamp = TIMESTAMP,
        tree = ":boot_tree",
        uuid = ids["boot"],
        **STEP
    )
    image_file(
        name = "boot_file",
        image = ":boot",
        out = "boot.img",
        **STEP
    )

def bootloader_partitions(name, partitions, ids, bootloader, grub_config):
    """The ESP, and the partition of grub.cfg and the A/B state. Makes `:esp` and `:grub`.

    Args:
      name: name of the image.
      partitions: label of partitions.csv.
      ids: fixed identifiers (see icos_build).
      bootloader: label of the tar that holds boot/efi.
      grub_config: label of the template of grub.cfg.
    """
    image_tree(
        name = "esp_tree",
        rootfs = bootloader,
        timestamp = TIMESTAMP,
        **STEP
    )
    vfat_image(
        name = "esp",
        label = "ESP",
        size_mib = 40,
        subdir = "boot/efi",
        timestamp = TIMESTAMP,
        tree = ":esp_tree",
        volume_id = ids["esp"],
        **STEP
    )
    grubenv_file(
        name = "grubenv",
        values = {
            "boot_alternative": "A",
            "boot_cycle": "install",
        },
        **STEP
    )
    template_file("grub_cfg", grub_config, partitions)
    image_tree(
        name = "grub_tree",
        files = {
            ":grub_cfg": "/grub.cfg",
            ":grubenv": "/grubenv",
        },
        timestamp = TIMESTAMP,
        **STEP
    )
    vfat_image(
        name = "grub",
        label = "GRUB",
        size_mib = 8,
        timestamp = TIMESTAMP,
        tree = ":grub_tree",
        volume_id = ids["grub"],
        **STEP
    )
