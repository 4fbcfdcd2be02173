"""image_delta: what an image has not of an older one."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_of")

visibility(["//bzl/..."])

def _image_delta_impl(ctx):
    if len(ctx.files.old) != 1:
        fail("old: got {} files, want one: the update.tar to make a difference to; {} says which ({})".format(len(ctx.files.old), ctx.attr.old.label, ctx.label))
    image = image_of(ctx.attr.image, "image", ctx.label)
    out = ctx.actions.declare_file(ctx.label.name + ".delta")
    args = tool_args(ctx)
    args.add("--from", ctx.files.old[0])
    args.add("--member", ctx.attr.member)
    args.add("--to", image.reference)
    args.add("--level=" + str(ctx.attr.level))
    args.add("--output", out)
    read = depset(ctx.files.old + image.read, transitive = [image.inputs])
    run_tool(ctx, "mkdelta", args, read, [out], "MkDelta", "Comparing image %{label}")
    return [DefaultInfo(files = depset([out]))]

image_delta = rule(
    implementation = _image_delta_impl,
    doc = "A difference (docs/formats/update.md): blocks that an older image has are references to it, the rest is compressed.",
    attrs = {
        "image": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The new image (a plan or a file).",
        ),
        "level": attr.int(
            default = 15,
            doc = "Level of zstd, 1 to 19.",
        ),
        "member": attr.string(
            mandatory = True,
            doc = "Name of the older image in `old`.",
        ),
        "old": attr.label(
            mandatory = True,
            allow_files = True,
            doc = "An update bundle of whole images, as tar.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
