"""grubenv_file: a GRUB environment block."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "pair", "run_tool", "tool_args")

visibility(["//bzl/..."])

def _grubenv_file_impl(ctx):
    env = ctx.actions.declare_file(ctx.label.name + ".env")
    args = tool_args(ctx)
    for key, value in sorted(ctx.attr.values.items()):
        args.add("--set", pair(key, value, "values of {}".format(ctx.label)))
    args.add("--output", env)
    run_tool(ctx, "mkgrubenv", args, [], [env], "MkGrubenv", "Writing GRUB environment %{label}")
    return [DefaultInfo(files = depset([env]))]

grubenv_file = rule(
    implementation = _grubenv_file_impl,
    doc = "A GRUB environment block: 1024 bytes, as `grub-editenv` writes it.",
    attrs = {
        "values": attr.string_dict(
            mandatory = True,
            doc = "Variables and their values.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
