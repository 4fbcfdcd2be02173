"""image_file: an image written out. The one rule that writes big files."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "digest_info")
load("//bzl/private:why.bzl", "file_why")
load("//bzl/private/providers:digest_info.bzl", "DigestInfo")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")

visibility(["//bzl/..."])

# An image costs less to write than to fetch: it stays out of caches, and is written where it is wanted. (Bazel reads `no-remote-cache` as the
# remote cache alone: its disk cache would take the image.) Written elsewhere it would travel there and back, and come without its holes.
_BIG_OUTPUT = {
    "no-cache": "1",
    "no-remote-exec": "1",
}

def _image_file_impl(ctx):
    info = ctx.attr.image[ImagePlanInfo]
    name = ctx.attr.out or ctx.label.name + ".img"
    out = ctx.actions.declare_file(name)
    args = tool_args(ctx)
    outputs = [out]
    digest = ctx.attr.image[DigestInfo]
    args.add("--image", info.image)
    if ctx.attr.zstd_level:
        # What is compressed is another image, hashed as it is written.
        outputs.append(ctx.actions.declare_file(name + ".digest"))
        digest = digest_info(ctx, out, depset([out]), name = name, digest = outputs[1])
        args.add("--zstd=" + str(ctx.attr.zstd_level))
        args.add("--digest-output", outputs[1])
    args.add("--output", out)
    run_tool(
        ctx,
        "materialize",
        args,
        inputs = depset([info.image, info.plan], transitive = [info.inputs]),
        outputs = outputs,
        mnemonic = "WriteImage",
        progress = "Writing image " + out.short_path,
        requirements = _BIG_OUTPUT,
    )
    providers = [DefaultInfo(files = depset([out])), digest]
    return providers if ctx.attr.zstd_level else providers + [info] + file_why(ctx, out, info.image, ctx.attr.image)

image_file = rule(
    implementation = _image_file_impl,
    doc = """The file of an image: sparse, or compressed. For the end of a build only: everything before it works on plans.

Rules that take an image take this one, too, and go by its plan: they don't wait for the file.""",
    attrs = {
        "image": attr.label(
            mandatory = True,
            providers = [ImagePlanInfo],
            doc = "The image.",
        ),
        "out": attr.string(
            doc = "Name of the file; default: NAME.img.",
        ),
        "zstd_level": attr.int(
            default = 0,
            doc = "Compress as seekable zstd with this level, 1 to 22; 0: don't.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
