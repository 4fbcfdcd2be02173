"""update_keys: whose signatures a system takes updates by."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")

visibility(["//bzl/..."])

def _update_keys_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out or ctx.label.name + ".json")
    args = tool_args(ctx)
    args.add_all(ctx.files.keys, before_each = "--key")
    args.add("--threshold", ctx.attr.threshold[BuildSettingInfo].value)
    if ctx.attr.allow_unsigned:
        args.add("--allow-unsigned")
    args.add("--output", out)
    run_tool(ctx, "mkupdatekeys", args, ctx.files.keys, [out], "MkUpdateKeys", "Writing the trusted keys of %{label}")
    return [DefaultInfo(files = depset([out]))]

update_keys = rule(
    implementation = _update_keys_impl,
    doc = "update-keys.json (docs/formats/update.md): public keys and how many of them must have signed. It belongs into the root file system.",
    attrs = {
        "allow_unsigned": attr.bool(
            default = False,
            doc = "Whether nodes take a bundle that nobody signed if somebody says --allow-unsigned there: for development.",
        ),
        "keys": attr.label_list(
            mandatory = True,
            allow_files = True,
            doc = "ed25519 public keys in PEM; a file's name up to its first dot is the name of the key.",
        ),
        "out": attr.string(
            doc = "Name of the file; default: NAME.json.",
        ),
        "threshold": attr.label(
            mandatory = True,
            providers = [BuildSettingInfo],
            doc = "An int_flag: how many of the keys must have signed.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
