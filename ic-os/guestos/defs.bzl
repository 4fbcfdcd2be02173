"""What GuestOS is made of, for every env: fixed identifiers, late programs, files and folders."""

load("//ic-os/common:defs.bzl", "NODE_BINARIES", "SERIAL_CONSOLE", "SLOTS_BOOT_FILES", "SLOTS_DIRECTORIES")

visibility(["//ic-os/...", "//tests/..."])

# Fixed, so that an image is reproducible: never change one after a release.
IDS = {
    "boot": "5f1a7b68-16c5-4e0a-9d58-6a3e0c6f4a11",
    "disk": "8b9c5d4e-2d3f-4c65-9a0e-3f6d7c1b2a90",
    "esp": "1C05E5B0",
    "grub": "1C056B0B",
    "root": "c2a7f0b4-8d6e-4f3a-b1c9-5e7d2a9f6b38",
    # Salt of the dm-verity hashes: any constant does, it only keeps equal blocks of two systems from having equal hashes.
    "salt": "7b0d5f3a91c64e28a5d2f86c13e97b40d8a15c3e6f72490bb4c8e1d053a7f69c",
    "verity": "1e4c9a72-53bd-4f08-8a6e-d07b95c3f214",
}

# Programs built here, laid over the root file system late: a change of one re-runs neither package installation nor Dockerfile.
BINARIES = NODE_BINARIES | {
    "//rust/os/orchestrator": "/opt/ic/bin/orchestrator:0755",
    "//rust/os/replica": "/opt/ic/bin/replica:0755",
}

BOOT_ARGS = {"CONSOLES": SERIAL_CONSOLE}

BOOT_FILES = SLOTS_BOOT_FILES

DIRECTORIES = SLOTS_DIRECTORIES
