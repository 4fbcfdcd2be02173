"""Files that GuestOS images take: label to install path, as in common.bzl.

Touching one of these re-runs injection and what follows it; touching an early one re-runs the Dockerfile, too.
"""

load(
    "//components:common.bzl",
    "COMMON_CARDS_COMPONENTS",
    "COMMON_DEV_COMPONENTS",
    "COMMON_NODE_COMPONENTS",
    "COMMON_PROD_COMPONENTS",
    "COMMON_PROD_SYMLINKS",
    "COMMON_SLOTS_COMPONENTS",
    "COMMON_SLOTS_STATE",
    "COMMON_SLOTS_TEMPLATES",
    "COMMON_SYMLINKS",
)

GUESTOS_COMPONENTS = COMMON_NODE_COMPONENTS | COMMON_SLOTS_COMPONENTS | COMMON_CARDS_COMPONENTS | {
    "//components:guestos/confirm/confirm-boot.json": "/opt/ic/share/confirm-boot.json",
    "//components:guestos/etc/hostname": "/etc/hostname",
    "//components:guestos/etc/issue": "/etc/issue",
    "//components:guestos/etc/motd": "/etc/motd",
    "//components:guestos/host-api/report-to-host.service": "/usr/lib/systemd/system/report-to-host.service",
    "//components:guestos/modules/guest.conf": "/usr/lib/modules-load.d/50-guest.conf",
    "//components:guestos/modules/not-loaded.conf": "/usr/lib/modprobe.d/60-guest.conf",
    "//components:guestos/nftables/orchestrator.nft": "/etc/nftables.d/orchestrator.nft",
    "//components:guestos/orchestrator/orchestrator.service": "/usr/lib/systemd/system/orchestrator.service",
    "//components:guestos/systemd/00-image.preset": "/usr/lib/systemd/system-preset/00-image.preset",
    "//components:guestos/users/ic.tmpfiles.conf": "/usr/lib/tmpfiles.d/ic.conf",
}

# Templates: filled in from partitions.csv (tool `substitute`) on their way to the path.
GUESTOS_TEMPLATES = COMMON_SLOTS_TEMPLATES | {
    "//components:guestos/repart/50-data.conf.template": "/usr/lib/repart.d/50-data.conf",
}

# Folders of the machine, on partition `data`.
GUESTOS_STATE = COMMON_SLOTS_STATE + ["/var/lib/ic"]

# Read by RUN steps of the Dockerfile: label to path in the build context.
GUESTOS_EARLY_COMPONENTS = {
    "//components:guestos/users/ic.sysusers.conf": "early/ic.sysusers.conf",
}

# What only one environment takes.
GUESTOS_DEV_COMPONENTS = COMMON_DEV_COMPONENTS
GUESTOS_PROD_COMPONENTS = COMMON_PROD_COMPONENTS

# Install path to target.
GUESTOS_SYMLINKS = COMMON_SYMLINKS
GUESTOS_DEV_SYMLINKS = {}
GUESTOS_PROD_SYMLINKS = COMMON_PROD_SYMLINKS
