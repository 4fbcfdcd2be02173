"""ext4_image: an ext4 file system from a tree, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers")
load("//bzl/private:tree_attrs.bzl", "SIZE_ATTRS", "TREE_ATTRS", "add_size_args", "add_tree_args")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _ext4_image_impl(ctx):
    tree = ctx.attr.tree[TreeInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    args = tool_args(ctx)
    add_tree_args(ctx, args, tree)
    read = tree.read + add_size_args(ctx, args, 0)
    if ctx.attr.free_percent:
        if ctx.attr.size_mib or ctx.attr.partition:
            fail("free_percent: got {}, want none: the size is given ({})".format(ctx.attr.free_percent, ctx.label))
        args.add("--free-percent", str(ctx.attr.free_percent))
    args.add("--uuid", ctx.attr.uuid)
    args.add("--hash-seed", ctx.attr.hash_seed or ctx.attr.uuid)
    args.add("--label", line(ctx.attr.label, "label of {}".format(ctx.label)))
    if ctx.attr.journal:
        args.add("--journal")
    args.add("--output", plan)
    run_tool(ctx, "mkext4", args, read, [plan], "MkExt4", "Laying out ext4 image %{label}")
    return image_providers(ctx, plan, tree.inputs, [ctx.attr.tree])

ext4_image = rule(
    implementation = _ext4_image_impl,
    doc = """An ext4 file system from a tree or a folder of it, as a plan: no byte of a file is read or copied.

What was injected late lies behind the base, so that no block of the base moves when an injected file changes.""",
    attrs = TREE_ATTRS | SIZE_ATTRS | {
        "free_percent": attr.int(
            default = 0,
            doc = "Where the size is as small as fits: the share of the image that stays free, in percent, 98 at most.",
        ),
        "hash_seed": attr.string(
            doc = "UUID that seeds directory hashes; default: `uuid`.",
        ),
        "journal": attr.bool(
            doc = "Make a journal; a file system that is only read needs none.",
        ),
        "label": attr.string(
            doc = "Volume label, at most 16 bytes.",
        ),
        "size_mib": attr.int(
            doc = "Size in MiB; 0 for the smallest that fits, unless `partition` says it.",
        ),
        "uuid": attr.string(
            mandatory = True,
            doc = "UUID of the file system; never random.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
