"""What every file-system rule shares: which part of a tree goes in."""

load("//bzl/private:plans.bzl", "add_reference", "merge")
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

def add_tree_args(ctx, args, tree):
    """Adds the flags that mkext4 and mkfat share.

    Args:
      ctx: rule context with TREE_ATTRS.
      args: Args to add to.
      tree: TreeInfo.

    Returns:
      struct: inputs (depset of File: the plan's inputs), read (list of File: what the tool reads).
    """
    parts = [content.image or struct(inputs = depset([content.file], order = "preorder")) for content in tree.contents]
    merged = merge(parts)
    args.add("--tree", tree.manifest)
    for content in tree.contents:
        if content.image:
            add_reference(args, "--source", content.image, merged.positions)
        else:
            args.add("--source", str(merged.positions[content.file.path]))
    if ctx.attr.subdir:
        args.add("--subdir", ctx.attr.subdir)
    args.add_all(ctx.attr.exclude, before_each = "--exclude")
    args.add("--mtime", str(ctx.attr.timestamp))
    return struct(
        inputs = merged.inputs,
        # Sizes stand in the manifest: no content is read, so a file that changes and keeps its size moves nothing.
        read = [tree.manifest] + [content.image.plan for content in tree.contents if content.image],
    )
