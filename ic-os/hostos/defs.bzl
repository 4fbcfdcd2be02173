"""What HostOS is made of, for every env: fixed identifiers, late programs, files and folders."""

load("//ic-os/common:defs.bzl", "NODE_BINARIES", "SCREEN_AND_SERIAL_CONSOLE", "SLOTS_BOOT_FILES", "SLOTS_DIRECTORIES")

visibility(["//ic-os/...", "//tests/..."])

# Fixed, so that an image is reproducible: never change one after a release.
IDS = {
    "boot": "9ca43ead-5c12-4773-813e-bdf5aad89165",
    "disk": "b744f65b-b00e-4fe2-8dc7-da4aec746270",
    "esp": "105705E5",
    "grub": "1057056B",
    "root": "e92e8428-acf8-4feb-98e6-9b0b820d9953",
    # Salt of the dm-verity hashes: any constant does, it only keeps equal blocks of two systems from having equal hashes.
    "salt": "664279ce6c5e4d628752a0b70d6bfabf35cd36ec80fc4bd7869025a3380a52b9",
    "verity": "640366b1-71ba-4919-b2a3-d2defd9d75cd",
}

# Programs built here, laid over the root file system late: a change of one re-runs neither package installation nor Dockerfile.
BINARIES = NODE_BINARIES

BOOT_ARGS = {"CONSOLES": SCREEN_AND_SERIAL_CONSOLE}

BOOT_FILES = SLOTS_BOOT_FILES

DIRECTORIES = SLOTS_DIRECTORIES
