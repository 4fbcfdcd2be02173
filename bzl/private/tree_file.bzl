"""tree_file: one file of a tree, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _tree_file_impl(ctx):
    tree = ctx.attr.tree[TreeInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    args = tool_args(ctx)
    args.add("--tree", tree.tree)
    args.add("--path", line(ctx.attr.path, "path of {}".format(ctx.label)))
    args.add("--output", plan)
    run_tool(ctx, "mkfile", args, tree.read, [plan], "MkFile", "Taking a file for %{label}")
    return image_providers(ctx, plan, tree.inputs, [ctx.attr.tree])

tree_file = rule(
    implementation = _tree_file_impl,
    doc = """A file of a tree as an image of its own, for rules that take one. Nothing is copied; symbolic links are followed.

All inputs of the tree are inputs of the image, so let it be a small tree, or one over a root file system alone.""",
    attrs = {
        "path": attr.string(
            mandatory = True,
            doc = "Path of the file in the tree.",
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
