"""The sketch of docs/guides/new-os.md, as one value."""

load("//components:common.bzl", "COMMON_COMPONENTS", "COMMON_INITRD", "COMMON_PROD_COMPONENTS", "COMMON_PROD_SYMLINKS", "COMMON_SYMLINKS")
load("//ic-os:os.bzl", "operating_system")
load("//ic-os/common:defs.bzl", "COMMON_PROGRAMS", "PROD_BOOT_ARGS", "SERIAL_CONSOLE", "SINGLE_CMDLINE")

visibility(["//tests/..."])

PROD = {
    "boot_args": PROD_BOOT_ARGS,
    "components": COMMON_PROD_COMPONENTS,
    "symlinks": COMMON_PROD_SYMLINKS,
}

NEWOS = operating_system(
    name = "newos",
    boot_args = {"CONSOLES": SERIAL_CONSOLE},
    cmdline = SINGLE_CMDLINE,
    boot_test = {
        "memory_mib": 1024,
        "root": "root",
        "shows": ["hello from a new system"],
    },
    components = COMMON_COMPONENTS | {
        "//tests/new-os:00-image.preset": "/usr/lib/systemd/system-preset/00-image.preset",
        "//tests/new-os:fstab": "/etc/fstab",
        "//tests/new-os:hello.service": "/usr/lib/systemd/system/hello.service",
    },
    # Packages and root file system are GuestOS's, which spares the sketch a context/ folder.
    context = "//ic-os/guestos/context",
    envs = {"prod": PROD},
    grub_config = "//ic-os/bootloader:grub-single.cfg.template",
    ids = {
        "boot": "eba88117-0b01-420f-ae62-21f4fb62f43e",
        "disk": "e2fa6102-3724-43f8-976a-1b970ee0ef57",
        "esp": "0E3005E5",
        "grub": "0E30056B",
        "root": "0d5cf87b-acb4-46d7-a54e-81271719b1ba",
        "salt": "d730a9d1c1234c978bff01a3b382dca90be8a108b71c4e3ea09fcff166fe629d",
        "verity": "830303eb-4216-48b3-a36a-06bb21ecabf6",
    },
    initrd = COMMON_INITRD,
    packages = ["//ic-os/common:packages.base"],
    partitions = "//tests/new-os:partitions.csv",
    programs = COMMON_PROGRAMS,
    slots = False,
    symlinks = COMMON_SYMLINKS,
)
