"""debian_base_image: locked .deb files to a base image."""

load("//bzl/private:image_tools.bzl", "OWN_NAMESPACES", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private/providers:base_image_info.bzl", "BaseImageInfo")

visibility(["//bzl/..."])

def _debian_base_image_impl(ctx):
    name = ctx.label.name
    tar = ctx.actions.declare_file(name + ".tar")
    packages = ctx.actions.declare_file(name + ".packages")
    digest = ctx.actions.declare_file(name + ".digest")
    config = ctx.actions.declare_file(name + ".oci-config.json")
    manifest = ctx.actions.declare_file(name + ".oci-manifest.json")
    args = tool_args(ctx)
    args.add("--lock", ctx.file.lock)
    args.add_all(ctx.files.debs, before_each = "--deb")
    args.add("--timestamp", str(ctx.attr.timestamp))
    if ctx.attr.work_on_disk:
        # Beside the output: the one folder of a disk that an action may write to.
        args.add("--work-dir", tar.dirname)
    args.add("--output-tar", tar)
    args.add("--output-packages", packages)
    args.add("--output-oci-config", config)
    args.add("--output-oci-manifest", manifest)
    args.add("--output-digest", digest)
    run_tool(
        ctx,
        "mkbase",
        args,
        inputs = [ctx.file.lock] + ctx.files.debs,
        outputs = [tar, packages, digest, config, manifest],
        mnemonic = "MkBase",
        progress = "Installing Debian packages into %{label}",
        # Why not in the sandbox: maintainer scripts chown and run as several users, in a sandbox of their own.
        requirements = OWN_NAMESPACES,
    )
    return [
        DefaultInfo(files = depset([tar, packages, digest])),
        BaseImageInfo(tar = tar, packages = packages, digest = digest, lock = ctx.file.lock),
        OutputGroupInfo(oci = depset([tar, config, manifest])),
    ]

debian_base_image = rule(
    implementation = _debian_base_image_impl,
    doc = """A base image from locked Debian packages, offline: .debs are unpacked and configured, maintainer scripts run.

The same lock gives the same bytes on every machine. Outputs NAME.tar, NAME.packages, NAME.digest; output group `oci`
adds the OCI config and manifest whose layer NAME.tar is.""",
    attrs = {
        "debs": attr.label(
            mandatory = True,
            doc = "Every .deb file the lock names: `@debs//:NAME` of the `debian` module extension.",
        ),
        "lock": attr.label(
            mandatory = True,
            allow_single_file = [".json"],
            doc = "The lock written by `debian_lock`.",
        ),
        "timestamp": attr.int(
            mandatory = True,
            doc = "SOURCE_DATE_EPOCH in seconds; no file is newer.",
        ),
        "work_on_disk": attr.bool(
            doc = "Make the tree on the disk that holds the output, not in memory: for trees that memory does not hold. The output is the same.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
