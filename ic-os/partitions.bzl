"""The partitions that every image has: root, boot, and the boot loader's two."""

load("//bzl:image.bzl", "dockerfile_rootfs", "ext4_image", "filled_template", "grubenv_file", "image_file", "image_tree", "parse_destination", "signed_efi", "tree_file", "uki_image", "verity_image", "vfat_image")

visibility(["//ic-os/..."])

# Every time in an image: 1 January 2026, 00:00 UTC. A constant, so that a release has the same bytes whenever it is built.
TIMESTAMP = 1767225600

# Who signs what firmware and boot loader start, and signatures made outside the build.
SIGNER = "//ic-os:signer"
SIGNATURES = "//ic-os:signatures"

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
        # They are in the boot partition; what stays of /boot are mount points.
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

def loader(name, os, image, env):
    """The boot loader, signed: GRUB with its whole configuration and the keys of whoever signs systems, or did or will (`trusted` of the signer).

    Args:
      name: name of the image of its file.
      os: the system (see operating_system).
      image: the system in one env (see in_env).
      env: name of the env.
    """
    native.filegroup(
        name = "signer_notice",
        srcs = [SIGNER],
        output_group = "notice",
        **STEP
    )
    native.filegroup(
        name = "signer_pgp_key",
        srcs = [SIGNER],
        output_group = "pgp_key",
        **STEP
    )
    template_file("grub_cfg", os.grub_config, image.partitions, {"BOOT_LIMIT": str(os.boot_limit)})
    template_file("early_cfg", "//ic-os/bootloader:early.cfg.template", image.partitions, file_values = {":signer_notice": "SIGNER_NOTICE"})
    dockerfile_rootfs(
        name = "loader_rootfs",
        base = "//ic-os/bootloader/context:bootloader-base",
        context = {
            ":early_cfg": "early.cfg",
            ":grub_cfg": "grub.cfg",
            ":signer_pgp_key": "signer.pgp",
            "//ic-os/bootloader:sbat.csv": "sbat.csv",
            "//ic-os/bootloader/context:docker-base.prod": "docker-base",
        },
        dockerfile = "//ic-os/bootloader/context:Dockerfile",
        file_build_args = {"BASE_IMAGE": "docker-base"},
        pin_command = "bazel run //ic-os/bootloader/context:pin",
        timestamp = TIMESTAMP,
        **STEP
    )
    image_tree(
        name = "loader_tree",
        rootfs = ":loader_rootfs",
        timestamp = TIMESTAMP,
        **STEP
    )
    tree_file(
        name = "loader_unsigned",
        path = "loader.efi",
        tree = ":loader_tree",
        **STEP
    )
    signed_efi(
        name = name,
        image = ":loader_unsigned",
        image_name = "loader.efi",
        show_notice = env == "prod",
        signatures = SIGNATURES,
        signer = SIGNER,
        **STEP
    )

def boot_partition(name, os, image, env):
    """The boot partition: one signed program of kernel, initrd and command lines that hold the root's hash, and its signature for GRUB.

    Args:
      name: name of the image.
      os: the system (see operating_system).
      image: the system in one env (see in_env); its root file system has boot/vmlinuz and boot/initrd.img.
      env: name of the env.
    """
    _uki(os, image, env)
    image_tree(
        name = "boot_tree",
        files = {":uki": "/uki.efi", ":uki_sig": "/uki.efi.sig"},
        timestamp = TIMESTAMP,
        **STEP
    )
    ext4_image(
        name = name,
        label = os.name + "-boot",
        size_mib = 0,
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

def _uki(os, image, env):
    """`:uki`, the program, and `:uki_sig`, its signature for GRUB."""
    lines = {":cmdline_" + slot: {"SLOT": slot} for slot in ["A", "B"]} if os.slots else {":cmdline": {}}
    for line, slot in lines.items():
        template_file(line[1:], os.cmdline, image.partitions, image.boot_args | slot, {
            ":hash_offset": "HASH_OFFSET",
            ":root_hash": "ROOT_HASH",
        })
    image_tree(
        name = "kernel_tree",
        rootfs = image.rootfs,
        timestamp = TIMESTAMP,
        **STEP
    )
    uki_image(
        name = "uki_unsigned",
        # What is started unless a slot is asked for.
        cmdline = lines.keys()[0],
        os_release_path = "usr/lib/os-release",
        profiles = {line: "ID=" + slot["SLOT"] for line, slot in lines.items() if slot},
        sbat = "//ic-os:sbat.csv",
        stub = "linuxx64.efi.stub",
        stub_tree = ":loader_tree",
        tree = ":kernel_tree",
        **STEP
    )
    signed_efi(
        name = "uki",
        detached = True,
        image = ":uki_unsigned",
        image_name = "uki.efi",
        show_notice = env == "prod",
        signatures = SIGNATURES,
        signer = SIGNER,
        **STEP
    )
    native.filegroup(
        name = "uki_sig",
        srcs = [":uki"],
        output_group = "sig",
        **STEP
    )

def esp_partition(name, os, partitions):
    """The EFI system partition, with the boot loader and, with slots, its spare state.

    Args:
      name: name of the image.
      os: the system (see operating_system).
      partitions: label of partitions.csv.
    """
    spare = {}
    if os.slots:
        grubenv_file(
            name = "spare_grubenv",
            values = {"spare_of": ""},
            **STEP
        )
        spare = {":spare_grubenv": "/EFI/BOOT/grubenv"}
    image_tree(
        name = "esp_tree",
        # Where firmware looks on a disk without boot entries.
        files = {":loader": "/EFI/BOOT/BOOTX64.EFI"} | spare,
        timestamp = TIMESTAMP,
        **STEP
    )
    vfat_image(
        name = name,
        label = "ESP",
        partition = "esp",
        partitions = partitions,
        timestamp = TIMESTAMP,
        tree = ":esp_tree",
        volume_id = os.ids["esp"],
        **STEP
    )

def grub_partition(name, os, partitions):
    """The partition of the A/B state; empty without slots.

    Args:
      name: name of the image.
      os: the system (see operating_system).
      partitions: label of partitions.csv.
    """
    state = {}
    if os.slots:
        grubenv_file(
            name = "grubenv",
            values = {
                "boot_alternative": "A",
                "boot_cycle": "install",
                "boot_tries": "0",
            },
            **STEP
        )
        state = {":grubenv": "/grubenv"}
    image_tree(
        name = "grub_tree",
        files = state,
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
