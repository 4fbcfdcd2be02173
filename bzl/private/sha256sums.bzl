"""sha256sums: SHA256SUMS over a set of files."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")

visibility(["//bzl/..."])

def _sha256sums_impl(ctx):
    sums = ctx.actions.declare_file(ctx.attr.out)
    args = tool_args(ctx)
    for file in ctx.files.srcs:
        args.add_joined("--file", [file.basename, file], join_with = "=")
    args.add("--output", sums)
    run_tool(ctx, "mkchecksums", args, ctx.files.srcs, [sums], "MkChecksums", "Hashing the files of %{label}")
    return [DefaultInfo(files = depset([sums]))]

sha256sums = rule(
    implementation = _sha256sums_impl,
    doc = "A file that `sha256sum -c` accepts in the folder of the files, sorted by name.",
    attrs = {
        "out": attr.string(
            default = "SHA256SUMS",
            doc = "Name of the file.",
        ),
        "srcs": attr.label_list(
            mandatory = True,
            allow_files = True,
            doc = "The files; each is listed by its base name.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
