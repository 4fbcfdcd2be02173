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
