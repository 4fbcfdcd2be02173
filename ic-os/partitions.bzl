"""The partitions that every image has: root, boot, and the boot loader's two."""

load("//bzl:image.bzl", "ext4_image", "filled_template", "grubenv_file", "image_file", "image_tree", "parse_destination", "verity_image", "vfat_image")

visibility(["//ic-os/..."])

# Every time in an image: 1 January 2026, 00:00 UTC. A constant, so that a release has the same bytes whenever it is built.
TIMESTAMP = 1767225600

# The tar whose boot/efi is the EFI system partition of every image.
BOOTLOADER = "//ic-os/bootloader/context:bootloader"

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

def file_path(dest, template):
    """The path of a template's text in an image.

    Args:
      dest: destination.
      template: label of the template, for errors.

    Returns:
      string: the path.
    """
    path = parse_destination(dest, template).path
    if path.endswith("/"):
        fail("{}: got folder {}, want the path of a file: the text of a template has no name of its own".format(template, repr(path)))
    return path

# What the targets on the way to a partition share.
STEP = dict(
    tags = ["manual"],
    visibility = ["//visibility:public"],
)

def root_partition(name, os):
    """The root partition: ext4 with its dm-verity tree behind it. Takes `:root_tree`; makes `:root_hash` and `:hash_offset`, too.

    Args:
      name: name of the image.
      os: the system (see operating_system).
    """
    ext4_image(
        name = "root_data",
        # The boot partition's content; what stays of /boot are mount points.
        exclude = ["boot/vmlinuz", "boot/initrd.img"],
        label = os.name + "-root",
        size_mib = 0,
        timestamp = TIMESTAMP,
        tree = ":root_tree",
        uuid = os.ids["root"],
        **STEP
    )
    verity_image(
        name = name,
        image = ":root_data",
        salt = os.ids["salt"],
        uuid = os.ids["verity"],
        **STEP
    )
    for group in ["hash_offset", "root_hash"]:
        native.filegroup(
            name = group,
            srcs = [":" + name],
            output_group = group,
            **STEP
        )
    image_file(
        name = "root_file",
        image = ":" + name,
        out = "root.img",
        **STEP
    )

def boot_partition(name, os, image):
    """The boot partition: kernel, initrd and a command line that holds the root's hash.

    Args:
      name: name of the image.
      os: the system (see operating_system).
      image: the system in one env (see in_env); its root file system has boot/vmlinuz and boot/initrd.img.
    """
    files = {}
    for template, dest in os.boot_files.items():
        target = "boot_file_" + file_path(dest, template).split("/")[-1]
        template_file(target, template, image.partitions, image.boot_args, {
            ":hash_offset": "HASH_OFFSET",
            ":root_hash": "ROOT_HASH",
        })
        files[":" + target] = dest
    image_tree(
        name = "boot_tree",
        files = files,
        rootfs = image.rootfs,
        timestamp = TIMESTAMP,
        **STEP
    )
    ext4_image(
        name = name,
        label = os.name + "-boot",
        size_mib = 0,
        subdir = "boot",
        timestamp = TIMESTAMP,
        tree = ":boot_tree",
        uuid = os.ids["boot"],
        **STEP
    )
    image_file(
        name = "boot_file",
        image = ":" + name,
        out = "boot.img",
        **STEP
    )

def esp_partition(name, os, partitions):
    """The EFI system partition, with the boot loader and what it reads first.

    Args:
      name: name of the image.
      os: the system (see operating_system).
      partitions: label of partitions.csv.
    """
    template_file("esp_cfg", "//ic-os/bootloader:esp.cfg.template", partitions)
    image_tree(
        name = "esp_tree",
        files = {":esp_cfg": "/boot/efi/EFI/BOOT/grub.cfg"},
        rootfs = BOOTLOADER,
        timestamp = TIMESTAMP,
        **STEP
    )
    vfat_image(
        name = name,
        label = "ESP",
        partition = "esp",
        partitions = partitions,
        subdir = "boot/efi",
        timestamp = TIMESTAMP,
        tree = ":esp_tree",
        volume_id = os.ids["esp"],
        **STEP
    )

def grub_partition(name, os, partitions):
    """The partition of grub.cfg and, with slots, of the A/B state.

    Args:
      name: name of the image.
      os: the system (see operating_system).
      partitions: label of partitions.csv.
    """
    grubenv_file(
        name = "grubenv",
        values = {
            "boot_alternative": "A",
            "boot_cycle": "install",
        },
        **STEP
    )
    template_file("grub_cfg", os.grub_config, partitions)
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
        name = name,
        label = "GRUB",
        partition = "grub",
        partitions = partitions,
        timestamp = TIMESTAMP,
        tree = ":grub_tree",
        volume_id = os.ids["grub"],
        **STEP
    )
