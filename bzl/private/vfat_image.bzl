"""vfat_image: a FAT file system from a tree, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers")
load("//bzl/private:tree_attrs.bzl", "SIZE_ATTRS", "TREE_ATTRS", "add_size_args", "add_tree_args")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _vfat_image_impl(ctx):
    tree = ctx.attr.tree[TreeInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    args = tool_args(ctx)
    add_tree_args(ctx, args, tree)
    read = tree.read + add_size_args(ctx, args, 1)
    args.add("--volume-id", ctx.attr.volume_id)
    args.add("--label", line(ctx.attr.label, "label of {}".format(ctx.label)))
    if ctx.attr.fat_type:
        args.add("--fat-type", str(ctx.attr.fat_type))
    args.add("--output", plan)
    run_tool(ctx, "mkfat", args, read, [plan], "MkFat", "Laying out FAT image %{label}")
    return image_providers(ctx, plan, tree.inputs, [ctx.attr.tree])

vfat_image = rule(
    implementation = _vfat_image_impl,
    doc = "A FAT file system from a tree or a folder of it, as a plan. Owners and modes are lost: FAT has none.",
    attrs = TREE_ATTRS | SIZE_ATTRS | {
        "fat_type": attr.int(
            values = [0, 12, 16, 32],
            doc = "12, 16 or 32; 0, the default: by size (FAT32 from 512 MiB).",
        ),
        "label": attr.string(
            mandatory = True,
            doc = "Volume label, at most 11 characters, upper case.",
        ),
        "size_mib": attr.int(
            doc = "Size in MiB; or `partition` says it.",
        ),
        "volume_id": attr.string(
            mandatory = True,
            doc = "Volume serial number, 8 hexadecimal digits; never random.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
