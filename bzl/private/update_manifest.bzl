"""update_manifest: what an update bundle holds and whom it is for, which is what gets signed."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "pair", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "image_of", "inputs_of", "read_of")
load("//bzl/private/providers:digest_info.bzl", "DigestInfo")

visibility(["//bzl/..."])

def _update_manifest_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out or ctx.label.name + ".json")
    where = "data_formats of {}".format(ctx.label)
    args = tool_args(ctx)
    args.add("--os", ctx.attr.os)
    args.add("--env", ctx.attr.env)
    args.add("--version-file", ctx.file.version)
    for flag, setting in [("--minimum-version", ctx.attr.minimum_version), ("--expires", ctx.attr.expires)]:
        if setting and setting[BuildSettingInfo].value:
            args.add(flag, setting[BuildSettingInfo].value)
    for name, number in sorted(ctx.attr.data_formats.items()):
        args.add("--data-format", pair(name, number, where))
    images = []
    digests = []
    for target, name in ctx.attr.members.items():
        image = image_of(target, "members", ctx.label)
        images.append(image)
        add_named(args, "--member", name, image.reference, ctx.label)
        if DigestInfo in target:
            digests.append(image.digest)
            add_named(args, "--digest", name, image.digest, ctx.label)
    args.add("--output", out)
    read = depset([ctx.file.version] + digests + read_of(images), transitive = [inputs_of(images)])
    run_tool(ctx, "mkupdate", args, read, [out], "MkUpdate", "Describing update bundle %{label}")
    return [DefaultInfo(files = depset([out]))]

update_manifest = rule(
    implementation = _update_manifest_impl,
    doc = """manifest.json of an update bundle (docs/formats/update.md): system, env, version, and the digests of its members in chunks of 1 MiB.

Its bytes are what gets signed (`update_signatures`), here or elsewhere.""",
    attrs = {
        "data_formats": attr.string_dict(
            doc = "Kind of data that outlives upgrades to the number of the format in which this version keeps it.",
        ),
        "env": attr.string(
            mandatory = True,
            doc = "Environment: nodes of another one refuse the bundle.",
        ),
        "expires": attr.label(
            providers = [BuildSettingInfo],
            doc = "A string_flag: when it is too late to install the bundle, as 2027-01-31; empty or none: never.",
        ),
        "members": attr.label_keyed_string_dict(
            mandatory = True,
            allow_files = True,
            doc = "Image (a plan or a file) to its name in the bundle: VERSION.TXT, loader.efi (may be left out), boot.img, root.img, in this order.",
        ),
        "minimum_version": attr.label(
            providers = [BuildSettingInfo],
            doc = "A string_flag: the oldest version that may be upgraded to this one at one go; empty or none: any.",
        ),
        "os": attr.string(
            mandatory = True,
            doc = "Name of the operating system: nodes of another one refuse the bundle.",
        ),
        "out": attr.string(
            doc = "Name of the file; default: NAME.json.",
        ),
        "version": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "A file whose first line is the version: a digit, then letters, digits and any of . - _ +.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
