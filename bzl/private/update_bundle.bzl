"""update_bundle: the tar that an A/B update installs, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "image_of", "image_providers", "inputs_of", "read_of")

visibility(["//bzl/..."])

def _update_bundle_impl(ctx):
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    members = [(name, image_of(target, "members", ctx.label)) for target, name in ctx.attr.members.items()]
    images = [image for _, image in members]
    args = tool_args(ctx)
    for name, image in members:
        add_named(args, "--member", name, image.reference, ctx.label)
    args.add("--mtime", str(ctx.attr.timestamp))
    args.add("--output", plan)
    run_tool(ctx, "mkbundle", args, read_of(images), [plan], "MkBundle", "Laying out update bundle %{label}")
    return image_providers(ctx, plan, inputs_of(images), ctx.attr.members.keys())

update_bundle = rule(
    implementation = _update_bundle_impl,
    doc = "An uncompressed tar of images and files under fixed names, in the order given, as a plan.",
    attrs = {
        "members": attr.label_keyed_string_dict(
            mandatory = True,
            allow_files = True,
            doc = "Image (a plan or a file) to its name in the bundle.",
        ),
        "timestamp": attr.int(
            mandatory = True,
            doc = "Modification time of every member, in seconds since 1970.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
