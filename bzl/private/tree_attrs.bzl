"""What every file-system rule shares: which part of a tree goes in."""

load("//bzl/private:image_tools.bzl", "line")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

TREE_ATTRS = {
    "exclude": attr.string_list(
        doc = "Paths (relative to `subdir`) that stay out, with all below them; with a slash at its end, only what lies below.",
    ),
    "subdir": attr.string(
        doc = "Folder of the tree that becomes the root; empty for the whole tree.",
    ),
    "timestamp": attr.int(
        mandatory = True,
        doc = "Times that the file system itself records, in seconds since 1970.",
    ),
    "tree": attr.label(
        mandatory = True,
        providers = [TreeInfo],
        doc = "The tree.",
    ),
}

# A size, or the partition that says it.
SIZE_ATTRS = {
    "partition": attr.string(
        doc = "Name of the partition in `partitions` whose size the image has.",
    ),
    "partitions": attr.label(
        allow_single_file = [".csv"],
        doc = "The partition table (docs/formats/partitions.md).",
    ),
}

def add_size_args(ctx, args, least):
    """Adds the flags of the size that mkext4 and mkfat share.

    Args:
      ctx: rule context with SIZE_ATTRS and `size_mib`.
      args: Args to add to.
      least: the least `size_mib`, where it counts.

    Returns:
      list of File: what the tool reads for it.
    """
    partition = ctx.attr.partition
    if bool(partition) != bool(ctx.file.partitions):
        fail("partition: got {} and partitions: got {}, want both or none ({})".format(repr(partition), ctx.attr.partitions, ctx.label))
    if partition and ctx.attr.size_mib:
        fail("size_mib: got {}, want none: the size is that of partition {} ({})".format(ctx.attr.size_mib, partition, ctx.label))
    if partition:
        args.add("--partitions", ctx.file.partitions)
        args.add("--partition", partition)
        return [ctx.file.partitions]
    if ctx.attr.size_mib < least:
        fail("size_mib: got {}, want at least {}, or a partition whose size it is ({})".format(ctx.attr.size_mib, least, ctx.label))
    args.add("--size-mib", str(ctx.attr.size_mib))
    return []

def add_tree_args(ctx, args, tree):
    """Adds the flags that mkext4 and mkfat share.

    Args:
      ctx: rule context with TREE_ATTRS.
      args: Args to add to.
      tree: TreeInfo.
    """
    args.add("--tree", tree.tree)
    if ctx.attr.subdir:
        args.add("--subdir", line(ctx.attr.subdir, "subdir of {}".format(ctx.label)))
    for path in ctx.attr.exclude:
        args.add("--exclude", line(path, "exclude of {}".format(ctx.label)))
    args.add("--mtime", str(ctx.attr.timestamp))
