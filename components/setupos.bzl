"""Files that SetupOS images take: label to install path, as in common.bzl.

Touching one of these re-runs injection and what follows it. None is early: no RUN step reads one.
"""

load(
    "//components:common.bzl",
    "COMMON_CARDS_COMPONENTS",
    "COMMON_COMPONENTS",
    "COMMON_DEV_COMPONENTS",
    "COMMON_METAL_DEV_SYMLINKS",
    "COMMON_PROD_COMPONENTS",
    "COMMON_PROD_SYMLINKS",
    "COMMON_SSH_COMPONENTS",
    "COMMON_SYMLINKS",
)

SETUPOS_COMPONENTS = COMMON_COMPONENTS | COMMON_CARDS_COMPONENTS | {
    "//components:setupos/etc/hostname": "/etc/hostname",
    "//components:setupos/etc/issue": "/etc/issue",
    "//components:setupos/etc/motd": "/etc/motd",
    "//components:setupos/install/setupos-install.path": "/usr/lib/systemd/system/setupos-install.path",
    "//components:setupos/install/setupos-install.service": "/usr/lib/systemd/system/setupos-install.service",
    "//components:setupos/modules/drives.conf": "/usr/lib/modules-load.d/50-drives.conf",
    "//components:setupos/status/setupos-status.service": "/usr/lib/systemd/system/setupos-status.service",
    "//components:setupos/systemd/00-image.preset": "/usr/lib/systemd/system-preset/00-image.preset",
}

# Templates: filled in from partitions.csv (tool `substitute`) on their way to the path.
SETUPOS_TEMPLATES = {
    "//components:setupos/fstab/fstab.template": "/etc/fstab",
}

# What the config partition holds when it leaves the factory: paths in that partition.
SETUPOS_CONFIG_MEDIUM = {
    "//components:setupos/config/config.ini": "/config.ini",
    "//components:setupos/config/ssh_authorized_keys/README.md": "/ssh_authorized_keys/README.md",
}

# What only one environment takes. Production images have no ssh at all.
SETUPOS_DEV_COMPONENTS = COMMON_DEV_COMPONENTS | COMMON_SSH_COMPONENTS | {
    "//components:setupos/install/login.conf": "/usr/lib/systemd/system/setupos-install.service.d/50-login.conf",
    "//components:setupos/status/before-login.conf": "/usr/lib/systemd/system/setupos-status.service.d/50-login.conf",
    "//components:setupos/status/keep-screen.conf": "/usr/lib/systemd/system/getty@tty1.service.d/50-status.conf",
    "//components:setupos/systemd/00-dev.preset": "/usr/lib/systemd/system-preset/00-dev.preset",
}
SETUPOS_PROD_COMPONENTS = COMMON_PROD_COMPONENTS

# Install path to target.
SETUPOS_SYMLINKS = COMMON_SYMLINKS
SETUPOS_DEV_SYMLINKS = COMMON_METAL_DEV_SYMLINKS
SETUPOS_PROD_SYMLINKS = COMMON_PROD_SYMLINKS
