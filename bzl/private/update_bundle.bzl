"""update_bundle: the tar that an A/B update installs."""

load("//bzl/private:image_tools.bzl", "BIG_OUTPUT", "TOOLCHAIN_TYPE", "run_tool", "tool_args")

visibility(["//bzl/..."])

def _update_bundle_impl(ctx):
    bundle = ctx.actions.declare_file(ctx.attr.out or ctx.label.name + ".tar")
    args = tool_args(ctx)
    inputs = []
    for target, name in ctx.attr.members.items():
        file = target[DefaultInfo].files.to_list()[0]
        args.add_joined("--member", [name, file], join_with = "=")
        inputs.append(file)
    args.add("--mtime", str(ctx.attr.timestamp))
    args.add("--output", bundle)
    run_tool(
        ctx,
        "mkbundle",
        args,
        inputs = inputs,
        outputs = [bundle],
        mnemonic = "MkBundle",
        progress = "Packing update bundle %{label}",
        requirements = BIG_OUTPUT,
    )
    return [DefaultInfo(files = depset([bundle]))]

update_bundle = rule(
    implementation = _update_bundle_impl,
    doc = "An uncompressed tar of files under fixed names, in the order given.",
    attrs = {
        "members": attr.label_keyed_string_dict(
            mandatory = True,
            allow_files = True,
            doc = "File to its name in the bundle.",
        ),
        "out": attr.string(
            doc = "Name of the file; default: NAME.tar.",
        ),
        "timestamp": attr.int(
            mandatory = True,
            doc = "Modification time of every member, in seconds since 1970.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
