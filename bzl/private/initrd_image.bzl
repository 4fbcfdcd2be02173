"""initrd_image: an initial RAM disk of one program and the kernel modules that it needs."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers", "write_list")
load("//bzl/private:why.bzl", "note")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _notes(ctx, initrd, sources, inputs):
    """What the initrd was made from, for the bill of materials: (files of notes, what they name)."""
    image = ctx.actions.declare_file(ctx.label.name + ".sources.image")
    write_list(ctx, image, sources, inputs)
    made = ctx.actions.declare_file(ctx.label.name + ".made.why")
    ctx.actions.write(made, note("made", image = image.path, path = initrd.path) + "\n")
    return [made], [image, sources]

def _initrd_image_impl(ctx):
    tree = ctx.attr.tree[TreeInfo]
    name = ctx.label.name
    initrd = ctx.actions.declare_file(name + ".initrd")
    plan = ctx.actions.declare_file(name + ".plan")
    sources = ctx.actions.declare_file(name + ".sources.plan")
    init = ctx.executable.init
    args = tool_args(ctx)
    args.add("--tree", tree.tree)
    args.add("--init", init)
    args.add_all(ctx.files.modules, before_each = "--modules")
    args.add_all(ctx.files.at_once, before_each = "--at-once")
    if ctx.attr.kernel_release:
        args.add("--kernel-release", line(ctx.attr.kernel_release, "kernel_release of {}".format(ctx.label)))
    if ctx.attr.microcode:
        args.add("--microcode")
    args.add("--plan", plan)
    args.add("--sources", sources)
    args.add("--output", initrd)

    # The tool numbers them in the same order.
    inputs = depset(transitive = [tree.inputs, depset([init])], order = "preorder")
    read = depset(ctx.files.modules + ctx.files.at_once + tree.read, transitive = [inputs])
    run_tool(ctx, "mkinitrd", args, read, [initrd, plan, sources], "MkInitrd", "Making initrd %{label}")
    notes, named = _notes(ctx, initrd, sources, inputs)
    made_of = [ctx.attr.tree, ctx.attr.init]
    return image_providers(ctx, plan, depset([initrd], order = "preorder"), made_of, notes = notes, named = named)

initrd_image = rule(
    implementation = _initrd_image_impl,
    doc = """An initial RAM disk: one static program, and kernel modules with their firmware from a root file system (docs/formats/initrd.md).

Nothing of the root file system runs for it. What the modules need comes by itself; a name that the kernel has not fails the build.

All bytes of the tree are inputs of the action, so let it be one over the root file system alone: one with files laid late over it makes
the initrd anew whenever one of them changes.""",
    attrs = {
        "at_once": attr.label_list(
            allow_files = True,
            doc = "Lists of modules that `init` is to load at once, in this order: one name a line, `#` begins a comment. They need not be in `modules`.",
        ),
        "init": attr.label(
            mandatory = True,
            cfg = "target",
            executable = True,
            doc = "The program that the kernel starts, linked statically; it becomes `/init`.",
        ),
        "kernel_release": attr.string(
            doc = "The kernel's release, a folder of `usr/lib/modules`; default: that of the only one.",
        ),
        "microcode": attr.bool(
            doc = "Put the microcode of AMD's and Intel's processors in front, from `usr/lib/firmware`; a tree without any is an error.",
        ),
        "modules": attr.label_list(
            allow_files = True,
            doc = "Lists of modules that are there for devices that want them: one name a line, `#` begins a comment.",
        ),
        "tree": attr.label(
            mandatory = True,
            providers = [TreeInfo],
            doc = "The tree with the kernel's modules, an `image_tree`.",
        ),
    },
    provides = [ImagePlanInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
