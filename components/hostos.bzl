"""Files that HostOS images take: label to install path, as in common.bzl.

Touching one of these re-runs injection and what follows it; touching an early one re-runs the Dockerfile, too.
"""

load(
    "//components:common.bzl",
    "COMMON_DEV_COMPONENTS",
    "COMMON_METAL_DEV_SYMLINKS",
    "COMMON_NODE_COMPONENTS",
    "COMMON_PROD_COMPONENTS",
    "COMMON_PROD_SYMLINKS",
    "COMMON_SLOTS_COMPONENTS",
    "COMMON_SLOTS_STATE",
    "COMMON_SLOTS_TEMPLATES",
    "COMMON_SYMLINKS",
)

HOSTOS_COMPONENTS = COMMON_NODE_COMPONENTS | COMMON_SLOTS_COMPONENTS | {
    "//components:hostos/etc/hostname": "/etc/hostname",
    "//components:hostos/etc/issue": "/etc/issue",
    "//components:hostos/etc/motd": "/etc/motd",
    "//components:hostos/guest/guest-vm.service": "/usr/lib/systemd/system/guest-vm.service",
    "//components:hostos/host-api/host-api.json": "/opt/ic/share/host-api.json",
    "//components:hostos/host-api/host-api.service": "/usr/lib/systemd/system/host-api.service",
    "//components:hostos/modules/board-watchdog.conf": "/usr/lib/modules-load.d/60-board-watchdog.conf",
    "//components:hostos/modules/host.conf": "/usr/lib/modules-load.d/50-host.conf",
    "//components:hostos/network/50-bond0.netdev": "/usr/lib/systemd/network/50-bond0.netdev",
    "//components:hostos/network/50-bond0.network": "/usr/lib/systemd/network/50-bond0.network",
    "//components:hostos/network/50-br0.netdev": "/usr/lib/systemd/network/50-br0.netdev",
    "//components:hostos/network/50-guest0.netdev": "/usr/lib/systemd/network/50-guest0.netdev",
    "//components:hostos/network/50-guest0.network": "/usr/lib/systemd/network/50-guest0.network",
    "//components:hostos/network/60-cards.network": "/usr/lib/systemd/network/60-cards.network",
    "//components:hostos/network/80-br0.network": "/usr/lib/systemd/network/80-br0.network",
    "//components:hostos/network/setup-network-bridge.conf": "/usr/lib/systemd/system/setup-network.service.d/50-bridge.conf",
    "//components:hostos/systemd/00-image.preset": "/usr/lib/systemd/system-preset/00-image.preset",
    "//components:hostos/users/ic.tmpfiles.conf": "/usr/lib/tmpfiles.d/ic.conf",
}

# Templates: filled in from partitions.csv (tool `substitute`) on their way to the path.
HOSTOS_TEMPLATES = COMMON_SLOTS_TEMPLATES | {
    "//components:hostos/confirm/confirm-boot.json.template": "/opt/ic/share/confirm-boot.json",
    "//components:hostos/guest/61-guestos.rules.template": "/usr/lib/udev/rules.d/61-guestos.rules",
    "//components:hostos/repart/50-guestos.conf.template": "/usr/lib/repart.d/50-guestos.conf",
}

# Folders of the machine, on partition `data`.
HOSTOS_STATE = COMMON_SLOTS_STATE + ["/var/lib/guest-vm"]

# Read by RUN steps of the Dockerfile: label to path in the build context.
HOSTOS_EARLY_COMPONENTS = {
    "//components:hostos/users/ic.sysusers.conf": "early/ic.sysusers.conf",
}

# What only one environment takes.
HOSTOS_DEV_COMPONENTS = COMMON_DEV_COMPONENTS
HOSTOS_PROD_COMPONENTS = COMMON_PROD_COMPONENTS

# Install path to target.
HOSTOS_SYMLINKS = COMMON_SYMLINKS
HOSTOS_DEV_SYMLINKS = COMMON_METAL_DEV_SYMLINKS
HOSTOS_PROD_SYMLINKS = COMMON_PROD_SYMLINKS
