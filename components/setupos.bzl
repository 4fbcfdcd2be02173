"""Files that SetupOS images take: label to install path, as in common.bzl."""

load("//components:common.bzl", "COMMON_METAL_EARLY_COMPONENTS")

# Read by RUN steps of the Dockerfile: label to path in the build context.
SETUPOS_EARLY_COMPONENTS = COMMON_METAL_EARLY_COMPONENTS
