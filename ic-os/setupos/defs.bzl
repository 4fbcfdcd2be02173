"""SetupOS, the stick that carries HostOS and GuestOS to a machine, as one value."""

load("//components:common.bzl", "COMMON_METAL_INITRD")
load("//components:setupos.bzl", "SETUPOS_COMPONENTS", "SETUPOS_DEV_COMPONENTS", "SETUPOS_DEV_SYMLINKS", "SETUPOS_PROD_COMPONENTS", "SETUPOS_PROD_SYMLINKS", "SETUPOS_SYMLINKS", "SETUPOS_TEMPLATES")
load("//ic-os:os.bzl", "operating_system")
load("//ic-os/common:defs.bzl", "COMMON_DEV_PACKAGES", "COMMON_PROGRAMS", "DEV_BUILD_ARGS", "PROD_BOOT_ARGS", "SCREEN_AND_SERIAL_CONSOLE", "SINGLE_CMDLINE")
load(":medium.bzl", "setupos_medium")

visibility(["//ic-os/...", "//tests/..."])

# Fixed, so that an image is reproducible: never change one after a release.
_IDS = {
    "boot": "9e0a8a7d-355a-4fbb-a1b3-8acd925dd692",
    "config": "5E70C0F6",
    "data": "e38b669b-08fc-4dfb-ad6d-a0068afac5e9",
    "disk": "bf373852-b1c5-42c9-aadd-6de4b49c741b",
    "esp": "5E7005E5",
    "grub": "5E70056B",
    "root": "675cc063-4b69-486f-b4c6-3b734b8f4df5",
    # Salt of the dm-verity hashes: any constant does, it only keeps equal blocks of two systems from having equal hashes.
    "salt": "1423f2ae9b544e888ac16cbd0af1f49899f4284325dd4912ac12d6b97f524d6a",
    "verity": "e22bb12d-e0a6-4b59-bcf4-1737dd6a62e5",
}

# What each env takes that only this system has: what kinds of machines must have (README.md), and which images it vouches for.
def _data(env):
    return {
        "//ic-os/setupos:node-types/{}.json".format(env): "/opt/ic/share/node-types.json",
        "//ic-os/setupos/envs/{}:deployment".format(env): "/opt/ic/share/deployment.json",
    }

# For development: console login, root/root, debugging tools.
DEV = {
    "build_args": DEV_BUILD_ARGS,
    "components": SETUPOS_DEV_COMPONENTS | _data("dev"),
    "packages": COMMON_DEV_PACKAGES + ["//ic-os/setupos/context:packages.dev"],
    "symlinks": SETUPOS_DEV_SYMLINKS,
}

# For production: no login of any kind.
PROD = {
    "boot_args": PROD_BOOT_ARGS,
    "components": SETUPOS_PROD_COMPONENTS | _data("prod"),
    "symlinks": SETUPOS_PROD_SYMLINKS,
}

SETUPOS = operating_system(
    name = "setupos",
    boot_args = {"CONSOLES": SCREEN_AND_SERIAL_CONSOLE},
    cmdline = SINGLE_CMDLINE,
    components = SETUPOS_COMPONENTS,
    directories = {
        "/boot/config": "0755",
        "/data": "0755",
    },
    envs = {
        "dev": DEV,
        "prod": PROD,
    },
    grub_config = "//ic-os/bootloader:grub-single.cfg.template",
    holds = {
        "data/guest-os.img": "//ic-os/guestos",
        "data/host-os.img": "//ic-os/hostos",
    },
    ids = _IDS,
    images = {
        "config": ":config",
        "data": ":data",
    },
    initrd = COMMON_METAL_INITRD,
    microcode = True,
    packages = [
        "//ic-os/common:packages.base",
        "//ic-os/common:packages.metal",
        "//ic-os/setupos/context:packages.common",
    ],
    partition_images = setupos_medium,
    programs = COMMON_PROGRAMS | {
        "//rust/os/setupos_tool": "/opt/ic/bin/setupos_tool:0755",
    },
    shared = "//ic-os/setupos",
    slots = False,
    steps = [
        "kernel",
        "metal",
        "prune",
        "units",
    ],
    symlinks = SETUPOS_SYMLINKS,
    templates = SETUPOS_TEMPLATES | {"//ic-os/setupos:env.template": "/opt/ic/share/env.txt"},
)
