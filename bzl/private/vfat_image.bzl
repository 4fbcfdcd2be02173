"""vfat_image: a FAT file system from a tree."""

load("//bzl/private:image_tools.bzl", "BIG_OUTPUT", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:tree_attrs.bzl", "TREE_ATTRS", "add_tree_args")
load("//bzl/private/providers:fs_image_info.bzl", "FsImageInfo")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _vfat_image_impl(ctx):
    if ctx.attr.size_mib < 1:
        fail("size_mib: got {}, want at least 1 ({})".format(ctx.attr.size_mib, ctx.label))
    tree = ctx.attr.tree[TreeInfo]
    image = ctx.actions.declare_file(ctx.label.name + ".img")
    args = tool_args(ctx)
    add_tree_args(ctx, args, tree)
    args.add("--size-mib", str(ctx.attr.size_mib))
    args.add("--volume-id", ctx.attr.volume_id)
    args.add("--label", ctx.attr.label)
    args.add("--output", image)
    run_tool(
        ctx,
        "mkfat",
        args,
        inputs = [tree.manifest] + tree.inputs,
        outputs = [image],
        mnemonic = "MkFat",
        progress = "Writing FAT image %{label}",
        requirements = BIG_OUTPUT,
    )
    return [DefaultInfo(files = depset([image])), FsImageInfo(image = image)]

vfat_image = rule(
    implementation = _vfat_image_impl,
    doc = "A FAT file system from a tree or a folder of it. Owners and modes are lost: FAT has none.",
    attrs = TREE_ATTRS | {
        "label": attr.string(
            mandatory = True,
            doc = "Volume label, at most 11 characters, upper case.",
        ),
        "size_mib": attr.int(
            mandatory = True,
            doc = "Size in MiB.",
        ),
        "volume_id": attr.string(
            mandatory = True,
            doc = "Volume serial number, 8 hexadecimal digits; never random.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
