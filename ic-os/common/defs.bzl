"""What the operating systems (guestos/defs.bzl and its like) have in common."""

visibility(["//ic-os/...", "//tests/..."])

# Package lists of development images, beside one of the system's own.
COMMON_DEV_PACKAGES = ["//ic-os/common:packages.dev"]

# root/root: for development only.
DEV_BUILD_ARGS = {
    "DEBUGGING": "keep",
    "ROOT_PASSWORD_HASH": "$6$guestos.dev$Q8aG8Xa9rMTe/slWhletjxhNDCJcWPZTAJ2oWXLRGmCD3vSdyh/4OQm0.14soA9hW9qqTH1E9gRrl7xfHe3gI/",
}

# Programs built here that every system takes. They are laid over the root file system late: a change of one re-runs neither package
# installation nor Dockerfile.
COMMON_PROGRAMS = {
    "//rust/os/node_tool": "/opt/ic/bin/node_tool:0755",
}

# Programs of the systems that stay on a machine and are upgraded in place.
NODE_PROGRAMS = COMMON_PROGRAMS | {
    "//rust/os/config_tool": "/opt/ic/bin/config_tool:0755",
    "//rust/os/host_api": "/opt/ic/bin/host_api:0755",
    "//rust/os/manageboot": "/opt/ic/bin/manageboot:0755",
}

# The kernel's command line of systems with two slots, filled in for each: one boot.img serves both, so it holds both. Partition ids come from partitions.csv, the
# root hash from the root image: a root that is not the one built together with it does not start, and a block changed later is a kernel panic.
SLOTS_CMDLINE = "//ic-os/common:cmdline-slots.template"

# That of systems without slots.
SINGLE_CMDLINE = "//ic-os/common:cmdline.template"

# Mount points of the systems with two slots.
# Kinds of data that outlive an upgrade, both slots being able to read them, to the number of the format (docs/formats/update.md): raised by who changes
# a format so that systems before the change can't read it.
NODE_DATA_FORMATS = {
    # What config_tool keeps in /boot/config.
    "config": "1",
}

SLOTS_DIRECTORIES = {
    "/boot/config": "0755",
    "/boot/efi": "0755",
    "/boot/grub": "0755",
    "/data": "0755",
}

# Where the kernel and systemd talk, the last one being /dev/console.
SERIAL_CONSOLE = "console=ttyS0,115200n8"
SCREEN_AND_SERIAL_CONSOLE = "console=tty0 console=ttyS0,115200n8"

# Production images: the kernel keeps its memory from root, too (kernel_lockdown(7)), which lets no unsigned module in and no other kernel;
# objects of other kinds share no slabs, and nothing lies at the fixed address of old programs' time calls. Listed in README.md.
PROD_BOOT_ARGS = {
    "EXTRA_BOOT_ARGS": "lockdown=confidentiality slab_nomerge vsyscall=none",
}
