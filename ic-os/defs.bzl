"""icos_build: one image of an operating system, from its root file system to the files of a release."""

load("//bzl:image.bzl", "ext4_image", "filled_template", "gpt_disk", "grubenv_file", "image_manifest", "image_tree", "merge_destinations", "sha256sums", "update_bundle", "vfat_image")
load("//bzl:vm.bzl", "qemu_run")

# Every time in an image: 1 January 2026, 00:00 UTC. A constant, so that a release has the same bytes whenever it is built.
TIMESTAMP = 1767225600

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
        version = "//ic-os:version",
        symlinks = {},
        tags = [],
        visibility = ["//visibility:public"]):
    """Declares the targets of one image in the calling package (an env).

    Files: disk.img, update.tar (boot.img, root.img, VERSION.TXT), SHA256SUMS, version.txt, manifest.json, packages.txt.
    `:NAME` is all of them; `:run` boots disk.img; `:units` lists the units enabled at boot.

    Args:
      name: name of the image, as "guestos".
      rootfs: label of a `dockerfile_rootfs`.
      lock: label of the package lock that rootfs was made from.
      partitions: label of partitions.csv, with partitions esp, grub, A_boot and A_root.
      ids: dict of the fixed identifiers: disk, root, boot (UUIDs), esp, grub (FAT volume ids).
      components: list of maps of label to destination (see `image_tree`): the files of this OS and env.
      binaries: label to destination, the programs built here.
      templates: template label to destination; each is filled from the partition table first.
      directories: path to mode, mount points among them.
      boot_args: dict of text by which the template `boot_files` differs between envs.
      boot_files: template label to destination in the boot partition.
      bootloader: label of the tar that holds boot/efi (see //ic-os/bootloader).
      grub_config: label of grub.cfg.
      version: label of the version file.
      symlinks: path to target.
      tags: of the files, as ["manual"] for an image that `//...` shall not build.
      visibility: of the files.
    """
    filled = {}
    for template, dest in templates.items():
        target = "template_" + dest.split(":")[0].replace("/", "_")
        _template(target, template, partitions, {})
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
        tags = ["manual"],
        timestamp = TIMESTAMP,
        visibility = ["//visibility:private"],
    )
    native.filegroup(
        name = "units",
        srcs = [":root_tree"],
        output_group = "units",
        tags = tags,
        visibility = visibility,
    )
    _partitions(name, rootfs, partitions, ids, boot_args, boot_files, bootloader, grub_config)
    _release(name, lock, partitions, ids, version, dict(tags = tags, visibility = visibility))

def _template(target, template, partitions, values):
    filled_template(
        name = target,
        partitions = partitions,
        tags = ["manual"],
        template = template,
        values = values,
        visibility = ["//visibility:private"],
    )

def _partitions(name, rootfs, partitions, ids, boot_args, boot_files, bootloader, grub_config):
    """The images that go into partitions: root.img, boot.img, esp.img, grub.img."""
    common = dict(
        tags = ["manual"],
        timestamp = TIMESTAMP,
        visibility = ["//visibility:private"],
    )
    ext4_image(
        name = "root",
        # The boot partition's content; what stays of /boot are mount points.
        exclude = ["boot/vmlinuz", "boot/initrd.img"],
        free_percent = 0,
        label = name + "-root",
        size_mib = 0,
        tree = ":root_tree",
        uuid = ids["root"],
        **common
    )
    files = {}
    for template, dest in boot_files.items():
        target = "boot_file_" + dest.split("/")[-1]
        _template(target, template, partitions, boot_args)
        files[":" + target] = dest
    image_tree(
        name = "boot_tree",
        files = files,
        rootfs = rootfs,
        **common
    )
    ext4_image(
        name = "boot",
        label = name + "-boot",
        size_mib = 0,
        subdir = "boot",
        tree = ":boot_tree",
        uuid = ids["boot"],
        **common
    )
    image_tree(
        name = "esp_tree",
        rootfs = bootloader,
        **common
    )
    vfat_image(
        name = "esp",
        label = "ESP",
        size_mib = 40,
        subdir = "boot/efi",
        tree = ":esp_tree",
        volume_id = ids["esp"],
        **common
    )
    grubenv_file(
        name = "grubenv",
        tags = ["manual"],
        values = {
            "boot_alternative": "A",
            "boot_cycle": "install",
        },
        visibility = ["//visibility:private"],
    )
    image_tree(
        name = "grub_tree",
        files = {
            grub_config: "/grub/grub.cfg",
            ":grubenv": "/grub/grubenv",
        },
        rootfs = bootloader,
        **common
    )
    vfat_image(
        name = "grub",
        label = "GRUB",
        size_mib = 8,
        subdir = "grub",
        tree = ":grub_tree",
        volume_id = ids["grub"],
        **common
    )

def _release(name, lock, partitions, ids, version, common):
    """The files of a release, and `:run`."""
    images = {
        ":boot": "A_boot",
        ":esp": "esp",
        ":grub": "grub",
        ":root": "A_root",
    }
    gpt_disk(
        name = "disk",
        disk_guid = ids["disk"],
        images = images,
        out = "disk.img",
        partitions = partitions,
        **common
    )
    filled_template(
        name = "version",
        file_values = {version: "version"},
        out = "version.txt",
        template = "//ic-os:version.template",
        **common
    )
    update_bundle(
        name = "update",
        members = {
            ":boot": "boot.img",
            ":root": "root.img",
            ":version": "VERSION.TXT",
        },
        out = "update.tar",
        timestamp = TIMESTAMP,
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
    sha256sums(
        name = "sums",
        srcs = [
            ":disk",
            ":manifest",
            ":update",
            ":version",
        ],
        **common
    )
    native.filegroup(
        name = name,
        srcs = [
            ":disk",
            ":manifest",
            ":sums",
            ":update",
            ":version",
        ],
        **common
    )
    qemu_run(
        name = "run",
        disk = ":disk",
        **common
    )
