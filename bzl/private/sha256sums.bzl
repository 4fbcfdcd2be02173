"""sha256sums: SHA256SUMS over images and files."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "images_of")

visibility(["//bzl/..."])

def _sha256sums_impl(ctx):
    sums = ctx.actions.declare_file(ctx.attr.out)
    images = [image for target in ctx.attr.srcs for image in images_of(target)]
    args = tool_args(ctx)
    for image in images:
        add_named(args, "--image", image.name, image.digest, ctx.label)
    args.add("--output", sums)
    read = [image.digest for image in images]
    run_tool(ctx, "mkchecksums", args, read, [sums], "MkChecksums", "Writing the sums of %{label}")
    return [DefaultInfo(files = depset([sums]))]

sha256sums = rule(
    implementation = _sha256sums_impl,
    doc = """A file that `sha256sum -c` accepts in the folder of the files, sorted by name.

The digest of an image is that of its plan (`DigestInfo`): it need not have been written, and is hashed once for all who state it.""",
    attrs = {
        "out": attr.string(
            default = "SHA256SUMS",
            doc = "Name of the file.",
        ),
        "srcs": attr.label_list(
            mandatory = True,
            allow_files = True,
            doc = "Images (as `image_file`) and files; each is listed by the base name of its file.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
