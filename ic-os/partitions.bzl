"""The partitions that are each image's own, root and boot, and empty ones. Those of the boot loader are in shared.bzl."""

load("//bzl:image.bzl", "ext4_image", "filled_template", "filled_templates", "image_file", "image_tree", "parse_destination", "signed_efi", "uki_image", "verity_image")

visibility(["//ic-os/..."])

# Every time in an image: 1 January 2026, 00:00 UTC. A constant, so that a release has the same bytes whenever it is built.
TIMESTAMP = 1767225600

# Signatures of what firmware and boot loader start that were made outside the build.
SIGNATURES = "//ic-os:signatures"

# What the targets on the way to a partition share.
STEP = dict(
    tags = ["manual"],
    visibility = ["//visibility:public"],
)

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
        template = template,
        values = values,
        **STEP
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

def root_partition(name, os, block_hashes):
    """The root partition: ext4 with its dm-verity tree behind it. Takes `:root_tree`; makes `:root_hash` and `:hash_offset`, too.

    Args:
      name: name of the image.
      os: the system (see operating_system).
      block_hashes: list of label: what other images have hashed (see `verity_image`).
    """
    ext4_image(
        name = "root_data",
        # They are in the boot partition, the microcode in the initrd; what stays of /boot are mount points.
        exclude = ["boot/vmlinuz"] + (["usr/lib/firmware/amd-ucode", "usr/lib/firmware/intel-ucode"] if os.microcode else []),
        label = os.name + "-root",
        size_mib = 0,
        timestamp = TIMESTAMP,
        tree = ":root_tree",
        uuid = os.ids["root"],
        **STEP
    )
    verity_image(
        name = name,
        block_hashes = block_hashes,
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

def empty_partition(name, os):
    """A partition's ext4 file system with nothing in it, for the system to keep things there.

    Args:
      name: name of the partition, and of the image.
      os: the system (see operating_system); `ids` has one for it.
    """
    image_tree(
        name = name + "_tree",
        timestamp = TIMESTAMP,
        **STEP
    )
    ext4_image(
        name = name,
        journal = True,
        label = name,
        partition = name,
        partitions = os.partitions,
        timestamp = TIMESTAMP,
        tree = ":{}_tree".format(name),
        uuid = os.ids[name],
        **STEP
    )

def boot_partition(name, os, image, env):
    """The boot partition: one signed program of kernel, initrd and command lines that hold the root's hash, and its signature for GRUB.

    Takes `:kernel_tree`, `:initrd` and `:loader_tree`.

    Args:
      name: name of the image.
      os: the system (see operating_system).
      image: the system in one env (see in_env); its root file system has boot/vmlinuz.
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

def _command_lines(name, os, image):
    """The kernel's command line: `:NAME_A` and `:NAME_B` to the slots they are of, or `:NAME`, of none."""
    filled = dict(
        file_values = {
            ":hash_offset": "HASH_OFFSET",
            ":root_hash": "ROOT_HASH",
        },
        partitions = image.partitions,
        template = os.cmdline,
        values = image.boot_args,
        **STEP
    )
    if not os.slots:
        filled_template(name = name, **filled)
        return {":" + name: None}
    slots = {"{}_{}".format(name, slot): slot for slot in ["A", "B"]}
    filled_templates(
        name = name,
        each = "SLOT",
        each_value = slots.values(),
        outs = slots.keys(),
        **filled
    )
    return {":" + line: slot for line, slot in slots.items()}

def _uki(os, image, env):
    """`:uki`, the program, and `:uki_sig`, its signature for GRUB."""
    lines = _command_lines("cmdline", os, image)
    image_file(
        name = "initrd_file",
        image = ":initrd",
        out = "initrd.img",
        **STEP
    )
    uki_image(
        name = "uki_unsigned",
        # What is started unless a slot is asked for.
        cmdline = lines.keys()[0],
        initrd_image = ":initrd",
        os_release_path = "usr/lib/os-release",
        profiles = {line: "ID=" + slot for line, slot in lines.items() if slot},
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
        signer = os.signer,
        **STEP
    )
    native.filegroup(
        name = "uki_sig",
        srcs = [":uki"],
        output_group = "sig",
        **STEP
    )
