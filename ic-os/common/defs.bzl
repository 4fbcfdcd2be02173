"""What the manifests of the operating systems (guestos/defs.bzl and its like) have in common."""

visibility(["//ic-os/...", "//tests/..."])

# Programs built here that every system takes.
COMMON_BINARIES = {
    "//rust/os/node_tool": "/opt/ic/bin/node_tool:0755",
}

# Programs of the systems that stay on a machine and are upgraded in place.
NODE_BINARIES = COMMON_BINARIES | {
    "//rust/os/config_tool": "/opt/ic/bin/config_tool:0755",
    "//rust/os/manageboot": "/opt/ic/bin/manageboot:0755",
}

# Systems with two slots: filled in from partitions.csv, then put into the boot partition.
SLOTS_BOOT_FILES = {
    "//ic-os/common:boot_args.template": "/boot/boot_args",
}

# Mount points of the systems with two slots.
SLOTS_DIRECTORIES = {
    "/boot/config": "0755",
    "/boot/efi": "0755",
    "/boot/grub": "0755",
}

# Where the kernel and systemd talk, the last one being /dev/console.
SERIAL_CONSOLE = "console=ttyS0,115200n8"
SCREEN_AND_SERIAL_CONSOLE = "console=tty0 console=ttyS0,115200n8"
