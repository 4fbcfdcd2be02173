"""HostOS, the hypervisor on bare metal, as one value."""

load("//components:common.bzl", "COMMON_METAL_INITRD")
load("//components:hostos.bzl", "HOSTOS_COMPONENTS", "HOSTOS_DEV_COMPONENTS", "HOSTOS_DEV_SYMLINKS", "HOSTOS_EARLY_COMPONENTS", "HOSTOS_PROD_COMPONENTS", "HOSTOS_PROD_SYMLINKS", "HOSTOS_STATE", "HOSTOS_SYMLINKS", "HOSTOS_TEMPLATES")
load("//ic-os:os.bzl", "operating_system")
load("//ic-os/common:defs.bzl", "COMMON_DEV_PACKAGES", "DEV_BUILD_ARGS", "NODE_DATA_FORMATS", "NODE_PROGRAMS", "PROD_BOOT_ARGS", "SCREEN_AND_SERIAL_CONSOLE", "SLOTS_CMDLINE", "SLOTS_DIRECTORIES")

visibility(["//ic-os/...", "//tests/..."])

# Fixed, so that an image is reproducible: never change one after a release.
_IDS = {
    "boot": "9ca43ead-5c12-4773-813e-bdf5aad89165",
    "config": "47d95b1e-8c3a-4e67-a0f2-d91b6c5e3a78",
    "disk": "b744f65b-b00e-4fe2-8dc7-da4aec746270",
    "esp": "105705E5",
    "grub": "1057056B",
    "root": "e92e8428-acf8-4feb-98e6-9b0b820d9953",
    # Salt of the dm-verity hashes: any constant does, it only keeps equal blocks of two systems from having equal hashes.
    "salt": "664279ce6c5e4d628752a0b70d6bfabf35cd36ec80fc4bd7869025a3380a52b9",
    "verity": "640366b1-71ba-4919-b2a3-d2defd9d75cd",
}

# For development: console login, root/root, debugging tools.
DEV = {
    "build_args": DEV_BUILD_ARGS,
    "components": HOSTOS_DEV_COMPONENTS,
    "packages": COMMON_DEV_PACKAGES + ["//ic-os/hostos/context:packages.dev"],
    "signed_updates": False,
    "symlinks": HOSTOS_DEV_SYMLINKS,
}

# For production: no console login, root locked.
PROD = {
    "boot_args": PROD_BOOT_ARGS,
    "components": HOSTOS_PROD_COMPONENTS,
    "symlinks": HOSTOS_PROD_SYMLINKS,
}

HOSTOS = operating_system(
    name = "hostos",
    boot_args = {"CONSOLES": SCREEN_AND_SERIAL_CONSOLE},
    cmdline = SLOTS_CMDLINE,
    components = HOSTOS_COMPONENTS,
    data_formats = NODE_DATA_FORMATS,
    directories = SLOTS_DIRECTORIES,
    early_components = HOSTOS_EARLY_COMPONENTS,
    empty_partitions = ["config"],
    envs = {
        "dev": DEV,
        "prod": PROD,
    },
    grub_config = "//rust/lib/grubenv:tests/data/slots.cfg.template",
    ids = _IDS,
    initrd = COMMON_METAL_INITRD,
    machine_state = HOSTOS_STATE,
    microcode = True,
    packages = [
        "//ic-os/common:packages.base",
        "//ic-os/common:packages.metal",
        "//ic-os/common:packages.node",
        "//ic-os/hostos/context:packages.common",
    ],
    programs = NODE_PROGRAMS | {
        "//rust/os/guest_vm": "/opt/ic/bin/guest_vm:0755",
    },
    shared = "//ic-os/hostos",
    steps = [
        "kernel",
        "metal",
        "prune",
        "units",
    ],
    symlinks = HOSTOS_SYMLINKS,
    templates = HOSTOS_TEMPLATES,
)
