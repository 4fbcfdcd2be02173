"""GuestOS, the virtual machine in which a replica runs, as one value."""

load("//components:common.bzl", "COMMON_INITRD")
load("//components:guestos.bzl", "GUESTOS_COMPONENTS", "GUESTOS_DEV_COMPONENTS", "GUESTOS_DEV_SYMLINKS", "GUESTOS_EARLY_COMPONENTS", "GUESTOS_PROD_COMPONENTS", "GUESTOS_PROD_SYMLINKS", "GUESTOS_STATE", "GUESTOS_SYMLINKS", "GUESTOS_TEMPLATES")
load("//ic-os:os.bzl", "operating_system")
load("//ic-os/common:defs.bzl", "COMMON_DEV_PACKAGES", "DEV_BUILD_ARGS", "NODE_DATA_FORMATS", "NODE_PROGRAMS", "PROD_BOOT_ARGS", "SERIAL_CONSOLE", "SLOTS_CMDLINE", "SLOTS_DIRECTORIES")

visibility(["//ic-os/...", "//tests/..."])

# Fixed, so that an image is reproducible: never change one after a release.
_IDS = {
    "boot": "5f1a7b68-16c5-4e0a-9d58-6a3e0c6f4a11",
    "config": "b2a1c7f4-6d0e-4f92-9b58-3c7e1a5d8f06",
    "disk": "8b9c5d4e-2d3f-4c65-9a0e-3f6d7c1b2a90",
    "esp": "1C05E5B0",
    "grub": "1C056B0B",
    "root": "c2a7f0b4-8d6e-4f3a-b1c9-5e7d2a9f6b38",
    # Salt of the dm-verity hashes: any constant does, it only keeps equal blocks of two systems from having equal hashes.
    "salt": "7b0d5f3a91c64e28a5d2f86c13e97b40d8a15c3e6f72490bb4c8e1d053a7f69c",
    "verity": "1e4c9a72-53bd-4f08-8a6e-d07b95c3f214",
}

# For development: console login, root/root, debugging tools.
DEV = {
    "build_args": DEV_BUILD_ARGS,
    "components": GUESTOS_DEV_COMPONENTS,
    "packages": COMMON_DEV_PACKAGES + ["//ic-os/guestos/context:packages.dev"],
    "signed_updates": False,
    "symlinks": GUESTOS_DEV_SYMLINKS,
}

# For production: no console login, root locked.
PROD = {
    "boot_args": PROD_BOOT_ARGS,
    "components": GUESTOS_PROD_COMPONENTS,
    "symlinks": GUESTOS_PROD_SYMLINKS,
}

GUESTOS = operating_system(
    name = "guestos",
    boot_args = {"CONSOLES": SERIAL_CONSOLE},
    cmdline = SLOTS_CMDLINE,
    components = GUESTOS_COMPONENTS,
    data_formats = NODE_DATA_FORMATS | {
        # FORMAT in rust/os/replica/src/state.rs.
        "replica": "1",
    },
    directories = SLOTS_DIRECTORIES,
    early_components = GUESTOS_EARLY_COMPONENTS,
    empty_partitions = ["config"],
    envs = {
        "dev": DEV,
        "prod": PROD,
    },
    grub_config = "//rust/lib/grubenv:tests/data/slots.cfg.template",
    ids = _IDS,
    initrd = COMMON_INITRD,
    machine_state = GUESTOS_STATE,
    packages = [
        "//ic-os/common:packages.base",
        "//ic-os/common:packages.node",
        "//ic-os/guestos/context:packages.common",
    ],
    programs = NODE_PROGRAMS | {
        "//rust/os/orchestrator": "/opt/ic/bin/orchestrator:0755",
        "//rust/os/replica": "/opt/ic/bin/replica:0755",
    },
    shared = "//ic-os/guestos",
    steps = [
        "kernel",
        "prune",
        "units",
    ],
    symlinks = GUESTOS_SYMLINKS,
    templates = GUESTOS_TEMPLATES,
)
