"""uki_image: a unified kernel image, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_of", "image_providers")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _add_profiles(ctx, args):
    """Adds the profiles; returns their files."""
    files = []
    for target, text in ctx.attr.profiles.items():
        given = target[DefaultInfo].files.to_list()
        if len(given) != 1:
            fail("profiles: {} has {} files, want exactly one ({})".format(target.label, len(given), ctx.label))
        if not text or ";" in text:
            fail("profiles: got {} for {}, want lines KEY=VALUE without a semicolon ({})".format(repr(text), target.label, ctx.label))
        args.add("--profile-cmdline", given[0])
        args.add("--profile-text", text.replace("\n", ";"))
        files.append(given[0])
    return files

def _add_os_release(ctx, args):
    """Adds os-release; returns its files."""
    if ctx.file.os_release and ctx.attr.os_release_path:
        fail("os_release and os_release_path: got both, want one of them ({})".format(ctx.label))
    if ctx.attr.os_release_path:
        args.add("--os-release-path", ctx.attr.os_release_path)
    if ctx.file.os_release:
        args.add("--os-release", ctx.file.os_release)
    return [ctx.file.os_release] if ctx.file.os_release else []

def _add_initrd(ctx, args):
    """Adds the initrd; returns its image, or None for one in the tree."""
    if not ctx.attr.initrd_image:
        args.add("--initrd", line(ctx.attr.initrd or "boot/initrd.img", "initrd of {}".format(ctx.label)))
        return None
    if ctx.attr.initrd:
        fail("initrd and initrd_image: got both, want one of them ({})".format(ctx.label))
    image = image_of(ctx.attr.initrd_image, "initrd_image", ctx.label)
    args.add("--initrd-image", image.reference)
    return image

def _uki_image_impl(ctx):
    stub_tree = ctx.attr.stub_tree[TreeInfo]
    tree = ctx.attr.tree[TreeInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    args = tool_args(ctx)
    args.add("--stub-tree", stub_tree.tree)
    args.add("--stub", ctx.attr.stub)
    args.add("--tree", tree.tree)
    args.add("--kernel", ctx.attr.kernel)
    initrd = _add_initrd(ctx, args)
    args.add("--cmdline", ctx.file.cmdline)
    files = [ctx.file.cmdline] + _add_os_release(ctx, args) + _add_profiles(ctx, args)
    if ctx.attr.uname:
        args.add("--uname", line(ctx.attr.uname, "uname of {}".format(ctx.label)))
    if ctx.file.sbat:
        args.add("--sbat", ctx.file.sbat)
        files.append(ctx.file.sbat)
    args.add("--output", plan)

    # The tool numbers them in the same order.
    inputs = depset(transitive = [stub_tree.inputs, tree.inputs] + ([initrd.inputs] if initrd else []), order = "preorder")
    read = depset(files + stub_tree.read + tree.read + (initrd.read if initrd else []), transitive = [inputs])
    run_tool(ctx, "mkuki", args, read, [plan], "MkUki", "Laying out unified kernel image %{label}")
    made_of = [ctx.attr.stub_tree, ctx.attr.tree] + ([ctx.attr.initrd_image] if initrd else [])
    return image_providers(ctx, plan, inputs, made_of)

uki_image = rule(
    implementation = _uki_image_impl,
    doc = """A unified kernel image over systemd's stub: kernel, initrd, command lines and more as sections of one EFI program.

The bytes are those that `ukify` would write. Kernel and initrd are not copied: the plan names where they lie in the trees' inputs. All
inputs of both trees are inputs of the image, so let them be no more than the root file systems.

With profiles, the base has a `.profile` of its own, `ID=main`, which is `@0`; the first of `profiles` is `@1`.""",
    attrs = {
        "cmdline": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "File with the kernel's command line, one line; with Secure Boot it can't be replaced.",
        ),
        "initrd": attr.string(
            doc = "Path of the initrd in `tree`; default: `boot/initrd.img`, unless there is an `initrd_image`.",
        ),
        "initrd_image": attr.label(
            providers = [ImagePlanInfo],
            doc = "The initrd, if it is an image of its own: an `initrd_image`. Then `initrd` has to be empty.",
        ),
        "kernel": attr.string(
            default = "boot/vmlinuz",
            doc = "Path of the kernel in `tree`.",
        ),
        "os_release": attr.label(
            allow_single_file = True,
            doc = "The `.osrel` section; default: none, or that of `os_release_path`.",
        ),
        "os_release_path": attr.string(
            doc = "Path in `tree` of the `.osrel` section's content.",
        ),
        "profiles": attr.label_keyed_string_dict(
            allow_files = True,
            doc = "Profiles in their order, of which the first is `@1`: file with the whole command line, to what the profile says of itself, lines as `ID=A`.",
        ),
        "sbat": attr.label(
            allow_single_file = True,
            doc = "SBAT lines, `component,generation,vendor,package,version,url`, besides those of stub and kernel; default: none.",
        ),
        "stub": attr.string(
            default = "usr/lib/systemd/boot/efi/linuxx64.efi.stub",
            doc = "Path of the stub in `stub_tree`.",
        ),
        "stub_tree": attr.label(
            mandatory = True,
            providers = [TreeInfo],
            doc = "The tree with the stub, an `image_tree`.",
        ),
        "tree": attr.label(
            mandatory = True,
            providers = [TreeInfo],
            doc = "The tree with the kernel, and with the initrd unless that is an image of its own: an `image_tree`; may be the same.",
        ),
        "uname": attr.string(
            doc = "The kernel's release; default: what the kernel says.",
        ),
    },
    provides = [ImagePlanInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
