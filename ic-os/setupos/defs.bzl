"""What SetupOS is made of, for every env: fixed identifiers, late programs, files and folders."""

load("//ic-os/common:defs.bzl", "COMMON_BINARIES", "SCREEN_AND_SERIAL_CONSOLE")

visibility(["//ic-os/...", "//tests/..."])

# Fixed, so that an image is reproducible: never change one after a release.
IDS = {
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

# Programs built here, laid over the root file system late: a change of one re-runs neither package installation nor Dockerfile.
BINARIES = COMMON_BINARIES | {
    "//rust/os/setupos_tool": "/opt/ic/bin/setupos_tool:0755",
}

BOOT_ARGS = {"CONSOLES": SCREEN_AND_SERIAL_CONSOLE}

# Filled in from partitions.csv, then put into the boot partition.
BOOT_FILES = {
    "//ic-os/setupos:boot_args.template": "/boot/boot_args",
}

# Mount points.
DIRECTORIES = {
    "/boot/config": "0755",
    "/data": "0755",
}
