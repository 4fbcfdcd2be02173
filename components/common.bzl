"""Files that several operating systems take: label to install path.

A value is "path", "path:mode" or "path:mode:uid:gid"; a colon of the path is written \\:. Without a mode a file is 0644, and 0755 if
it is a *.sh or goes to a bin directory; without an owner it is root's.
"""

COMMON_COMPONENTS = {
    "//components:common/etc/hosts": "/etc/hosts",
    "//components:common/etc/locale.conf": "/etc/locale.conf",
    "//components:common/etc/profile.sh": "/etc/profile.d/ic.sh:0644",
    "//components:common/hostname/setup-hostname.service": "/usr/lib/systemd/system/setup-hostname.service",
    "//components:common/journald/50-image.conf": "/usr/lib/systemd/journald.conf.d/50-image.conf",
    "//components:common/modules/not-loaded.conf": "/usr/lib/modprobe.d/50-image.conf",
    "//components:common/network/setup-network.service": "/usr/lib/systemd/system/setup-network.service",
    "//components:common/nftables/nftables.conf": "/etc/nftables.conf:0755",
    "//components:common/resolved/50-image.conf": "/usr/lib/systemd/resolved.conf.d/50-image.conf",
    "//components:common/resolved/after-tmpfiles.conf": "/usr/lib/systemd/system/systemd-resolved.service.d/50-image.conf",
    "//components:common/sysctl/50-image.conf": "/usr/lib/sysctl.d/60-image.conf",
    "//components:common/systemd/logind.conf": "/usr/lib/systemd/logind.conf.d/50-image.conf",
    "//components:common/systemd/no-core.conf": "/usr/lib/systemd/system.conf.d/50-no-core.conf",
    "//components:common/systemd/timeouts.conf": "/usr/lib/systemd/system.conf.d/50-timeouts.conf",
    "//components:common/tmpfiles/image.conf": "/usr/lib/tmpfiles.d/image.conf",
    "//components:common/udev/trigger.conf": "/usr/lib/systemd/system/systemd-udev-trigger.service.d/50-image.conf",
    "//components:common/watchdog/sysctl.conf": "/usr/lib/sysctl.d/61-hang.conf",
}

# Images whose wired cards each have an address of their own.
COMMON_CARDS_COMPONENTS = {
    "//components:common/network/80-dhcp.network": "/usr/lib/systemd/network/80-dhcp.network",
}

# Images that people log in to over the network.
COMMON_SSH_COMPONENTS = {
    "//components:common/nftables/ssh.nft": "/etc/nftables.d/ssh.nft",
    "//components:common/ssh/10-image.conf": "/etc/ssh/sshd_config.d/10-image.conf",
    "//components:common/ssh/after-firewall.conf": "/usr/lib/systemd/system/ssh.service.d/50-firewall.conf",
    "//components:common/ssh/ssh-host-keys.service": "/usr/lib/systemd/system/ssh-host-keys.service",
}

# The systems that stay on a machine: settings kept from a CONFIG medium, keys for the people named there, the right time, upgrades and restarts
# that the other one of host and guest asks for.
COMMON_NODE_COMPONENTS = COMMON_COMPONENTS | COMMON_SSH_COMPONENTS | {
    "//components:common/chrony/chrony.conf": "/etc/chrony/chrony.conf",
    "//components:common/chrony/default": "/etc/default/chrony",
    "//components:common/config/ingest-config.service": "/usr/lib/systemd/system/ingest-config.service",
    "//components:common/modules/node.conf": "/usr/lib/modules-load.d/50-node.conf",
    "//components:common/requests/requested-reboot.path": "/usr/lib/systemd/system/requested-reboot.path",
    "//components:common/requests/requested-reboot.service": "/usr/lib/systemd/system/requested-reboot.service",
    "//components:common/requests/requested-upgrade.path": "/usr/lib/systemd/system/requested-upgrade.path",
    "//components:common/requests/requested-upgrade.service": "/usr/lib/systemd/system/requested-upgrade.service",
    "//components:common/ssh/50-ic-authorized-keys.conf": "/etc/ssh/sshd_config.d/50-ic-authorized-keys.conf",
    "//components:common/ssh/60-users.conf": "/etc/ssh/sshd_config.d/60-users.conf",
    "//components:common/ssh/setup-ssh-keys.service": "/usr/lib/systemd/system/setup-ssh-keys.service",
    "//components:common/sudo/admin": "/etc/sudoers.d/admin:0440",
}

# Folders of the systems with two slots that belong to the machine and not to a slot: they are on partition `data`, below the same path,
# and bound to their places by /etc/fstab. Owner and mode are those that tmpfiles.d or the service gives them there.
COMMON_SLOTS_STATE = [
    "/var/lib/chrony",
    "/var/lib/ssh",
    "/var/lib/systemd",
    "/var/log/journal",
]

# Files of the systems with two slots.
COMMON_SLOTS_COMPONENTS = {
    "//components:common/confirm/confirm-boot.service": "/usr/lib/systemd/system/confirm-boot.service",
    "//components:common/state/after-prepare-data.conf": "/usr/lib/systemd/system/data.mount.d/50-prepare.conf",
    "//components:common/state/after-prepare-var.conf": "/usr/lib/systemd/system/var.mount.d/50-prepare.conf",
    "//components:common/state/fsck-after-prepare.conf": "/usr/lib/systemd/system/systemd-fsck@.service.d/50-prepare.conf",
    "//components:common/state/prepare-var.service": "/usr/lib/systemd/system/prepare-var.service",
    "//components:common/watchdog/modules.conf": "/usr/lib/modules-load.d/watchdog.conf",
    "//components:common/watchdog/system.conf": "/usr/lib/systemd/system.conf.d/60-watchdog.conf",
}

# Templates of the systems with two slots: filled in from partitions.csv on their way to the path.
COMMON_SLOTS_TEMPLATES = {
    "//components:common/config/data-partition.conf.template": "/usr/lib/systemd/system/ingest-config.service.d/50-data-partition.conf",
    "//components:common/fstab/slots.template": "/etc/fstab",
    "//components:common/state/prepare-data.service.template": "/usr/lib/systemd/system/prepare-data.service",
}

# Kernel modules of the initrd: list to when they are loaded.
COMMON_INITRD = {
    "//components:common/initrd/verity.modules": "at once",
    "//components:common/initrd/virtual.modules": "for a device",
}

# Of the systems for real hardware.
COMMON_METAL_INITRD = {
    "//components:common/initrd/metal-root.modules": "at once",
    "//components:common/initrd/metal.modules": "for a device",
    "//components:common/initrd/verity.modules": "at once",
}

# Development images: root logs in with a password.
COMMON_DEV_COMPONENTS = {
    "//components:common/ssh/05-root-password.conf": "/etc/ssh/sshd_config.d/05-root-password.conf",
}

# Production images: no shell when the boot fails, and no kernel modules after it.
COMMON_PROD_COMPONENTS = {
    "//components:common/modules/lock-modules.service": "/usr/lib/systemd/system/lock-modules.service",
    "//components:common/systemd/00-hardened.preset": "/usr/lib/systemd/system-preset/00-hardened.preset",
    "//components:common/systemd/emergency-reboot.conf": "/usr/lib/systemd/system/emergency.service.d/50-reboot.conf",
}

# Install path to target.
COMMON_SYMLINKS = {
    "/etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf",
    "/usr/lib/systemd/system/default.target": "multi-user.target",
}

# Development images for real machines: a login on the screen, beside that on the serial line. No preset can say so: the unit is a
# template.
COMMON_METAL_DEV_SYMLINKS = {
    "/usr/lib/systemd/system/getty.target.wants/getty@tty1.service": "../getty@.service",
}

# Production images have no console login: whatever the kernel command line asks for, there is nothing to start. What only debugging wants
# to see of the kernel is not mounted.
COMMON_PROD_SYMLINKS = {
    "/etc/systemd/system-generators/systemd-debug-generator": "/dev/null",
    "/etc/systemd/system-generators/systemd-getty-generator": "/dev/null",
    "/etc/systemd/system-generators/systemd-run-generator": "/dev/null",
    "/etc/systemd/system/autovt@.service": "/dev/null",
    "/etc/systemd/system/console-getty.service": "/dev/null",
    "/etc/systemd/system/container-getty@.service": "/dev/null",
    "/etc/systemd/system/getty@.service": "/dev/null",
    "/etc/systemd/system/serial-getty@.service": "/dev/null",
    "/etc/systemd/system/sys-kernel-debug.mount": "/dev/null",
    "/etc/systemd/system/sys-kernel-tracing.mount": "/dev/null",
}
