"""vfat_image: a FAT file system from a tree, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers")
load("//bzl/private:tree_attrs.bzl", "TREE_ATTRS", "add_tree_args")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _vfat_image_impl(ctx):
    partition = ctx.attr.partition
    if bool(partition) != bool(ctx.file.partitions):
        fail("partition: got {} and partitions: got {}, want both or none ({})".format(repr(partition), ctx.attr.partitions, ctx.label))
    if partition and ctx.attr.size_mib:
        fail("size_mib: got {}, want none: the size is that of partition {} ({})".format(ctx.attr.size_mib, partition, ctx.label))
    if not partition and ctx.attr.size_mib < 1:
        fail("size_mib: got {}, want at least 1, or a partition whose size it is ({})".format(ctx.attr.size_mib, ctx.label))
    tree = ctx.attr.tree[TreeInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    args = tool_args(ctx)
    add_tree_args(ctx, args, tree)
    read = tree.read
    if partition:
        args.add("--partitions", ctx.file.partitions)
        args.add("--partition", partition)
        read = read + [ctx.file.partitions]
    else:
        args.add("--size-mib", str(ctx.attr.size_mib))
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
    attrs = TREE_ATTRS | {
        "fat_type": attr.int(
            values = [0, 12, 16, 32],
            doc = "12, 16 or 32; 0, the default: by size (FAT32 from 512 MiB).",
        ),
        "label": attr.string(
            mandatory = True,
            doc = "Volume label, at most 11 characters, upper case.",
        ),
        "partition": attr.string(
            doc = "Name of the partition in `partitions` whose size the image has.",
        ),
        "partitions": attr.label(
            allow_single_file = [".csv"],
            doc = "The partition table (docs/formats/partitions.md).",
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
