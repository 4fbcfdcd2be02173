"""How people and tests run the toolkit's tools: by the toolchain, with arguments and files of a target."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE")

visibility(["//bzl/..."])

def _tool_binary_impl(ctx):
    tool = getattr(ctx.toolchains[TOOLCHAIN_TYPE].image_tools, ctx.attr.tool).executable
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = program, target_file = tool, is_executable = True)
    runfiles = ctx.runfiles([program, tool] + ctx.files.data)
    runfiles = runfiles.merge_all([target[DefaultInfo].default_runfiles for target in ctx.attr.data])
    return [DefaultInfo(executable = program, files = depset([program]), runfiles = runfiles)]

_ATTRS = {
    "data": attr.label_list(
        allow_files = True,
        doc = "Files that the program reads; `args` may name them by `$(rootpath …)`.",
    ),
    "tool": attr.string(
        mandatory = True,
        doc = "Name of the tool, a field of ImageToolsInfo.",
    ),
}

tool_binary = rule(
    implementation = _tool_binary_impl,
    doc = "A tool of the toolchain for `bazel run`, with the arguments of `args`.",
    attrs = _ATTRS,
    executable = True,
    toolchains = [TOOLCHAIN_TYPE],
)

tool_test = rule(
    implementation = _tool_binary_impl,
    doc = "A tool of the toolchain as a test: it passes if the tool ends with 0.",
    attrs = _ATTRS,
    test = True,
    toolchains = [TOOLCHAIN_TYPE],
)
