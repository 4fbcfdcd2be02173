"""os_shared: what all images of a system share, made once: the boot loader and its partitions, what lies in each root file system."""

load("//bzl:image.bzl", "block_hashes", "dockerfile_rootfs", "grubenv_file", "image_tree", "initrd_image", "merge_destinations", "signed_efi", "tree_file", "vfat_image")
load("//ic-os:os.bzl", "in_env")
load("//ic-os:partitions.bzl", "SIGNATURES", "STEP", "TIMESTAMP", "empty_partition", "file_path", "template_file")
load("//ic-os:state.bzl", "state_mounts")
load("//ic-os:update.bzl", "trusted_keys")

visibility(["//ic-os/...", "//tests/..."])

# Targets that an image's package knows by the same names.
_PARTS = [
    "esp",
    "grub",
    "loader",
    "loader_rootfs",
    "loader_tree",
]

def os_shared(name, os):
    """Declares in the calling package what is the same in all images of a system, so that the hundredth costs no more than what is its own.

    It is what `shared` of the system names; without it `icos_build` makes all of this for each image.

    Args:
      name: `block_hashes`: what targets of block hashes are called, each with its env behind.
      os: the system, of `operating_system`.
    """
    _parts(os)
    state_mounts("state_mounts", os)
    for env in os.envs:
        image = in_env(os, env)
        _kernel("kernel_tree_" + env, "initrd_" + env, os, image)
        _keys("update_keys_" + env, os, image)
        _texts("template_" + env, image, env)
        block_hashes(
            name = "{}_{}".format(name, env),
            salt = os.ids["salt"],
            srcs = [image.rootfs] + image.programs,
            **STEP
        )

def shared_parts(name, os, env):
    """What `os_shared` made, by the names that the targets of an image know it by; or the same, made for this image.

    Args:
      name: name of the tree that the kernel is taken from; `:initrd` is the initrd, `:update_keys`, with slots, whose updates count.
      os: the system (see operating_system).
      env: name of one of its envs.

    Returns:
      list of label: block hashes that the system's images share.
    """
    if not os.shared:
        _parts(os)
        image = in_env(os, env)
        _kernel(name, "initrd", os, image)
        _keys("update_keys", os, image)
        return []
    for part in _PARTS + os.empty_partitions:
        native.alias(name = part, actual = "{}:{}".format(os.shared, part), **STEP)
    known_as = {name: "kernel_tree", "initrd": "initrd"} | ({"update_keys": "update_keys"} if os.slots else {})
    for own, part in known_as.items():
        native.alias(name = own, actual = "{}:{}_{}".format(os.shared, part, env), **STEP)
    return ["{}:block_hashes_{}".format(os.shared, env)]

def shared_texts(name, os, env):
    """The texts of an image's templates, which `os_shared` filled in; or the same, filled in for this image.

    Args:
      name: what their targets are called, each with its path behind.
      os: the system (see operating_system).
      env: name of one of its envs.

    Returns:
      dict: label to destination.
    """
    image = in_env(os, env)
    if os.shared:
        texts = _text_names("template_" + env, image)
    else:
        state_mounts("state_mounts", os)
        texts = _texts(name, image, env)
    return {"{}:{}".format(os.shared or "", text): dest for text, (_, dest) in texts.items()}

def _texts(name, image, env):
    texts = _text_names(name, image)
    for text, (template, _) in texts.items():
        template_file(text, template, image.partitions, {"ENV": env}, {":state_mounts": "STATE_MOUNTS"})
    return texts

def _text_names(name, image):
    """Name of the target of each text to its template and its destination."""
    return {
        "{}_{}".format(name, file_path(dest, template).replace("/", "_")): (template, dest)
        for template, dest in merge_destinations(*image.templates).items()
    }

def _parts(os):
    _loader("loader", os)
    _esp_partition("esp", os)
    _grub_partition("grub", os)
    for partition in os.empty_partitions:
        empty_partition(partition, os)

def _keys(name, os, image):
    if os.slots:
        trusted_keys(name, image.signed_updates)

def _kernel(name, initrd, os, image):
    """The tree that the kernel is taken from, and the initrd of its modules.

    Args:
      name: name of the tree.
      initrd: name of the initrd.
      os: the system (see operating_system).
      image: the system in one env (see in_env).
    """
    image_tree(
        name = name,
        rootfs = image.rootfs,
        timestamp = TIMESTAMP,
        **STEP
    )
    initrd_image(
        name = initrd,
        at_once = [modules for modules, when in os.initrd.items() if when == "at once"],
        init = "//rust/os/initrd_init",
        microcode = os.microcode,
        modules = [modules for modules, when in os.initrd.items() if when == "for a device"],
        tree = ":" + name,
        **STEP
    )

def _loader(name, os):
    """The boot loader, signed: GRUB with its whole configuration and the keys of whoever signs systems, or did or will (`trusted` of the signer).

    Args:
      name: name of the image of its file.
      os: the system (see operating_system).
    """
    native.filegroup(
        name = "signer_notice",
        srcs = [os.signer],
        output_group = "notice",
        **STEP
    )
    native.filegroup(
        name = "signer_pgp_key",
        srcs = [os.signer],
        output_group = "pgp_key",
        **STEP
    )
    template_file("grub_cfg", os.grub_config, os.partitions, {"BOOT_LIMIT": str(os.boot_limit)})
    template_file("early_cfg", "//ic-os/bootloader:early.cfg.template", os.partitions, file_values = {":signer_notice": "SIGNER_NOTICE"})
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
        signatures = SIGNATURES,
        signer = os.signer,
        **STEP
    )

def _esp_partition(name, os):
    """The EFI system partition, with the boot loader and, with slots, its spare state.

    Args:
      name: name of the image.
      os: the system (see operating_system).
    """
    spare = {}
    if os.slots:
        grubenv_file(
            name = "spare_grubenv",
            values = {"spare_of": ""},
            **STEP
        )
        spare = {":spare_grubenv": "/EFI/BOOT/grubenv"}

    # Where firmware looks on a disk without boot entries.
    _fat_partition(name, os, {":loader": "/EFI/BOOT/BOOTX64.EFI"} | spare)

def _grub_partition(name, os):
    """The partition of the A/B state; empty without slots.

    Args:
      name: name of the image.
      os: the system (see operating_system).
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
    _fat_partition(name, os, state)

def _fat_partition(name, os, files):
    """`:NAME`, the FAT file system of the partition `NAME` with some files, and `:NAME_tree`."""
    image_tree(
        name = name + "_tree",
        files = files,
        timestamp = TIMESTAMP,
        **STEP
    )
    vfat_image(
        name = name,
        label = name.upper(),
        partition = name,
        partitions = os.partitions,
        timestamp = TIMESTAMP,
        tree = ":{}_tree".format(name),
        volume_id = os.ids[name],
        **STEP
    )
