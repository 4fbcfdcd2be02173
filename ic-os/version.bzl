"""version_file: the version of a build, from a flag."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")

def _version_file_impl(ctx):
    value = ctx.attr.flag[BuildSettingInfo].value
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+"
    if not value or [c for c in value.elems() if c not in allowed]:
        fail("{}: got {}, want letters, digits and any of . - _ +".format(ctx.attr.flag.label, repr(value)))
    out = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(out, value + "\n")
    return [DefaultInfo(files = depset([out]))]

version_file = rule(
    implementation = _version_file_impl,
    doc = "A one-line file with the value of a string flag. It enters images late: a new version re-runs no package installation.",
    attrs = {
        "flag": attr.label(
            mandatory = True,
            providers = [BuildSettingInfo],
            doc = "The flag.",
        ),
    },
)
