"""tree_layer: what a tree adds to the archive under it, as an OCI layer."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _tree_layer_impl(ctx):
    tree = ctx.attr.tree[TreeInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    args = tool_args(ctx)
    args.add("--tree", tree.tree)
    read = list(tree.read)
    if ctx.file.base:
        args.add("--base", ctx.file.base)
        read.append(ctx.file.base)
    args.add("--output", plan)
    run_tool(ctx, "mklayer", args, read, [plan], "MkLayer", "Laying out layer %{label}")
    return image_providers(ctx, plan, tree.inputs, [ctx.attr.tree])

tree_layer = rule(
    implementation = _tree_layer_impl,
    doc = """A tar of what a tree has that the archive under it has not, or has otherwise, and of marks (`.wh.NAME`) for what is there no
more: the second layer of an `oci_image` whose first is that archive. A plan: no byte of a file is read or copied.""",
    attrs = {
        "base": attr.label(
            allow_single_file = [".tar"],
            doc = "The archive: what the tree has as `rootfs`; default: the layer holds the whole tree.",
        ),
        "tree": attr.label(
            mandatory = True,
            providers = [TreeInfo],
            doc = "The tree, an `image_tree`.",
        ),
    },
    provides = [ImagePlanInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
