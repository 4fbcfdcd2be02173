"""Files that HostOS images take: label to install path, as in common.bzl."""

load("//components:common.bzl", "COMMON_METAL_EARLY_COMPONENTS")

# Read by RUN steps of the Dockerfile: label to path in the build context.
HOSTOS_EARLY_COMPONENTS = COMMON_METAL_EARLY_COMPONENTS | {
    "//components:hostos/users/ic.sysusers.conf": "early/ic.sysusers.conf",
}
