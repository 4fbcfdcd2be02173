"""icos_build: one image of an operating system, from its root file system to the files of a release."""

load("//bzl:image.bzl", "filled_template", "gpt_disk", "image_file", "image_manifest", "image_tree", "merge_destinations", "parse_destination", "qcow2_image", "sha256sums", "update_bundle")
load("//bzl:vm.bzl", "qemu_run")
load("//ic-os:partitions.bzl", "STEP", "boot_partition", "bootloader_partitions", "root_partition", "template_file", _TIMESTAMP = "TIMESTAMP")

# The time of everything in an image; the contexts use it, too.
TIMESTAMP = _TIMESTAMP

def icos_build(
        name,
        rootfs,
        lock,
        partitions,
        ids,
        components,
        binaries,
        templates,
        directories,
        boot_args,
        boot_files,
        bootloader,
        grub_config,
        update = True,
        images = {},
        properties = {},
        version = "//ic-os:version",
        symlinks = {},
        tags = [],
        visibility = ["//visibility:public"]):
    """Declares the targets of one image in the calling package (an env).

    Files: disk.img, update.tar (boot.img, root.img, VERSION.TXT), SHA256SUMS, version.txt, manifest.json, packages.txt.
    `:NAME` is all of them; `:run` boots the disk; `:units` lists the units enabled at boot. Not built by `...`: `:disk_qcow2`,
    `:disk_zst`, `:update_zst` (other forms), `:root_file`, `:boot_file` (single partitions).

    The root file system is under dm-verity; templates among `boot_files` know its `{{ROOT_HASH}}` and `{{HASH_OFFSET}}`.

    Args:
      name: name of the image, as "guestos".
      rootfs: label of a `dockerfile_rootfs`.
      lock: label of the package lock that rootfs was made from.
      partitions: label of partitions.csv, with partitions esp, grub, and A_boot and A_root (or boot and root without `update`).
      ids: dict of the fixed identifiers: disk, root, boot, verity (UUIDs), esp, grub (FAT volume ids), salt (hex).
      components: list of maps of label to destination (see `image_tree`): the files of this OS and env.
      binaries: label to destination, the programs built here.
      templates: template label to destination; each is filled from the partition table first.
      directories: path to mode, mount points among them.
      boot_args: dict of text by which the templates in `boot_files` differ between envs.
      boot_files: template label to destination in the boot partition.
      bootloader: label of the tar that holds boot/efi (see //ic-os/bootloader).
      grub_config: label of the template of grub.cfg.
      update: whether there are two slots: then boot and root go into A_boot and A_root, and there is an update.tar.
      images: label of an image to the partition it goes into, besides those made here.
      properties: what whoever takes the disk into another image is to know of it (see `gpt_disk`), as {"env": "dev"}.
      version: label of the version file.
      symlinks: path to target.
      tags: of the files, as ["manual"] for an image that `//...` shall not build.
      visibility: of the files.
    """
    common = dict(tags = tags, visibility = visibility)
    filled = {}
    for template, dest in templates.items():
        target = "template_" + parse_destination(dest, template).path.replace("/", "_")
        template_file(target, template, partitions)
        filled[":" + target] = dest
    image_tree(
        name = "root_tree",
        directories = directories,
        files = merge_destinations(
            binaries,
            filled,
            {
                partitions: "/opt/ic/share/partitions.csv",
                version: "/opt/ic/share/version.txt",
            },
            *components
        ),
        preset_all = True,
        rootfs = rootfs,
        symlinks = symlinks,
        timestamp = TIMESTAMP,
        **STEP
    )
    native.filegroup(
        name = "units",
        srcs = [":root_tree"],
        output_group = "units",
        **common
    )
    root_partition(name, ids)
    boot_partition(name, rootfs, partitions, ids, boot_args, boot_files)
    bootloader_partitions(name, partitions, ids, bootloader, grub_config)
    slot = "A_" if update else ""
    images = images | {
        ":boot": slot + "boot",
        ":esp": "esp",
        ":grub": "grub",
        ":root": slot + "root",
    }
    _disk(partitions, ids, images, properties, common)
    if update:
        _update(common)
    _release(name, lock, partitions, version, update, images, common)

def _disk(partitions, ids, images, properties, common):
    """The disk: laid out, and in the forms that it is written in."""
    gpt_disk(
        name = "disk_plan",
        disk_guid = ids["disk"],
        images = images,
        partitions = partitions,
        properties = properties,
        **STEP
    )
    image_file(
        name = "disk",
        image = ":disk_plan",
        out = "disk.img",
        **common
    )
    image_file(
        name = "disk_zst",
        image = ":disk_plan",
        out = "disk.img.zst",
        zstd_level = 3,
        **STEP
    )
    qcow2_image(
        name = "disk_qcow2_plan",
        image = ":disk_plan",
        **STEP
    )
    image_file(
        name = "disk_qcow2",
        image = ":disk_qcow2_plan",
        out = "disk.qcow2",
        **STEP
    )
    qemu_run(
        name = "run",
        disk = ":disk_plan",
        **common
    )

def _update(common):
    """The update bundle."""
    update_bundle(
        name = "update_plan",
        members = {
            ":boot": "boot.img",
            ":root": "root.img",
            ":version": "VERSION.TXT",
        },
        timestamp = TIMESTAMP,
        **STEP
    )
    image_file(
        name = "update",
        image = ":update_plan",
        out = "update.tar",
        **common
    )
    image_file(
        name = "update_zst",
        image = ":update_plan",
        out = "update.tar.zst",
        zstd_level = 3,
        **STEP
    )

def _release(name, lock, partitions, version, update, images, common):
    """What goes beside the images, and all of it as one target."""
    filled_template(
        name = "version",
        file_values = {version: "version"},
        out = "version.txt",
        template = "//ic-os:version.template",
        **common
    )
    image_manifest(
        name = "manifest",
        image_name = name,
        images = images,
        lock = lock,
        partitions = partitions,
        version = version,
        **common
    )
    files = [":disk", ":manifest", ":version"] + ([":update"] if update else [])
    sha256sums(
        name = "sums",
        srcs = files,
        **common
    )
    native.filegroup(
        name = name,
        srcs = files + [":sums"],
        **common
    )
