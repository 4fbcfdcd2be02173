"""debian_base_image: locked .deb files to a base image."""

load("//bzl/private:image_tools.bzl", "OWN_NAMESPACES", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private/providers:base_image_info.bzl", "BaseImageInfo")
load("//bzl/private/providers:published_base_image_info.bzl", "PublishedBaseImageInfo")

visibility(["//bzl/..."])

def _unlocked(ctx):
    """What stands beside the packages where the archive has moved on and these are not all of the lock: bzl/private/debian_debs.bzl.

    Args:
      ctx: the rule's.

    Returns:
      (list of File, File, File or None): the packages, their lock, and the note on those that are not of the lock that was asked for.
    """
    beside = {file.basename: file for file in ctx.files.debs if file.basename in ["unlocked.lock.json", "unlocked.txt"]}
    debs = [file for file in ctx.files.debs if file not in beside.values()]
    note = beside.get("unlocked.txt")
    lock = beside["unlocked.lock.json"] if note else ctx.file.lock
    return debs, lock, note

def _build(ctx, debs, lock, tar, packages, digest, config, manifest):
    """Makes the image of the lock's packages."""
    args = tool_args(ctx)
    args.add("--lock", lock)
    args.add_all(debs, before_each = "--deb")
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
        inputs = [lock] + debs,
        outputs = [tar, packages, digest, config, manifest],
        mnemonic = "MkBase",
        progress = "Installing Debian packages into %{label}",
        # Why not in the sandbox: maintainer scripts chown and run as several users, in a sandbox of their own.
        requirements = OWN_NAMESPACES,
    )

def _take(ctx, published, tar, packages, digest, config, manifest):
    """Takes the image that was fetched, if it is the one that is pinned."""
    ctx.actions.symlink(output = tar, target_file = published.tar)
    ctx.actions.symlink(output = config, target_file = published.config)
    ctx.actions.symlink(output = manifest, target_file = published.manifest)
    args = tool_args(ctx)
    args.add("--digest", published.digest)
    args.add("--tar", published.tar)
    args.add("--oci-config", published.config)
    args.add("--oci-manifest", published.manifest)
    args.add("--output-packages", packages)
    args.add("--output-digest", digest)
    read = [published.tar, published.config, published.manifest]
    run_tool(ctx, "checkbase", args, read, [packages, digest], "CheckBase", "Checking base image %{label}")

def _debian_base_image_impl(ctx):
    name = ctx.label.name
    tar = ctx.actions.declare_file(name + ".tar")
    packages = ctx.actions.declare_file(name + ".packages")
    digest = ctx.actions.declare_file(name + ".digest")
    config = ctx.actions.declare_file(name + ".oci-config.json")
    manifest = ctx.actions.declare_file(name + ".oci-manifest.json")
    debs, lock, note = _unlocked(ctx)
    if PublishedBaseImageInfo in ctx.attr.debs:
        _take(ctx, ctx.attr.debs[PublishedBaseImageInfo], tar, packages, digest, config, manifest)
    else:
        _build(ctx, debs, lock, tar, packages, digest, config, manifest)
    return [
        DefaultInfo(files = depset([tar, packages, digest])),
        BaseImageInfo(tar = tar, packages = packages, digest = digest, lock = lock, unlocked = struct(lock = ctx.file.lock, note = note) if note else None),
        OutputGroupInfo(oci = depset([tar, packages, digest, config, manifest])),
    ]

debian_base_image = rule(
    implementation = _debian_base_image_impl,
    doc = """A base image from locked Debian packages, offline: .debs are unpacked and configured, maintainer scripts run.

The same lock gives the same bytes on every machine. Outputs NAME.tar, NAME.packages, NAME.digest; output group `oci`
adds the OCI config and manifest whose layer NAME.tar is. A published image is taken instead, and checked against its digest.

Where the archive no longer had a locked package and another one is in its place, the image is marked as unlocked (docs/guides/archive.md).""",
    attrs = {
        "debs": attr.label(
            mandatory = True,
            doc = "Every .deb file the lock names: `@debs//:NAME` of the `debian` module extension; or `@base_images//:NAME` of the extension " +
                  "`base_images`, which has the finished image where it is published, else these files.",
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
