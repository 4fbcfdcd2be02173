"""Files that GuestOS images take: label to install path, as in common.bzl.

Touching one of these re-runs injection and what follows it; touching an early one re-runs the Dockerfile, too.
"""

load(
    "//components:common.bzl",
    "COMMON_COMPONENTS",
    "COMMON_DEV_COMPONENTS",
    "COMMON_EARLY_COMPONENTS",
    "COMMON_PROD_COMPONENTS",
    "COMMON_PROD_SYMLINKS",
    "COMMON_SYMLINKS",
)

GUESTOS_COMPONENTS = COMMON_COMPONENTS | {
    "//components:guestos/config/ingest-config.service": "/usr/lib/systemd/system/ingest-config.service",
    "//components:guestos/etc/hostname": "/etc/hostname",
    "//components:guestos/etc/issue": "/etc/issue",
    "//components:guestos/etc/motd": "/etc/motd",
    "//components:guestos/etc/profile.sh": "/etc/profile.d/ic.sh:0644",
    "//components:guestos/hostname/setup-hostname.service": "/usr/lib/systemd/system/setup-hostname.service",
    "//components:guestos/network/setup-network.service": "/usr/lib/systemd/system/setup-network.service",
    "//components:guestos/nftables/nftables.conf": "/etc/nftables.conf:0755",
    "//components:guestos/orchestrator/orchestrator.service": "/usr/lib/systemd/system/orchestrator.service",
    "//components:guestos/ssh/50-ic-authorized-keys.conf": "/etc/ssh/sshd_config.d/50-ic-authorized-keys.conf",
    "//components:guestos/ssh/setup-ssh-keys.service": "/usr/lib/systemd/system/setup-ssh-keys.service",
    "//components:guestos/systemd/00-image.preset": "/usr/lib/systemd/system-preset/00-image.preset",
    "//components:guestos/users/ic.tmpfiles.conf": "/usr/lib/tmpfiles.d/ic.conf",
}

# Templates: filled in from partitions.csv (tool `substitute`) on their way to the path.
GUESTOS_TEMPLATES = {
    "//components:guestos/fstab/fstab.template": "/etc/fstab",
}

# Read by RUN steps of the Dockerfile: label to path in the build context.
GUESTOS_EARLY_COMPONENTS = COMMON_EARLY_COMPONENTS | {
    "//components:guestos/users/ic.sysusers.conf": "early/ic.sysusers.conf",
}

# What only one environment takes.
GUESTOS_DEV_COMPONENTS = COMMON_DEV_COMPONENTS
GUESTOS_PROD_COMPONENTS = COMMON_PROD_COMPONENTS

# Install path to target.
GUESTOS_SYMLINKS = COMMON_SYMLINKS
GUESTOS_DEV_SYMLINKS = {}
GUESTOS_PROD_SYMLINKS = COMMON_PROD_SYMLINKS
