"""inputs_version: the version that follows from what an image is made of."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "images_of")

visibility(["//bzl/..."])

# The name of the settings in the list: no file of a repository has it, as all lie in a folder or end in something else.
_SETTINGS = "settings"

def _inputs_version_impl(ctx):
    version = ctx.actions.declare_file(ctx.attr.out or ctx.label.name + ".txt")
    inputs = ctx.actions.declare_file(ctx.label.name + ".inputs")
    settings = ctx.actions.declare_file(ctx.label.name + ".settings")
    ctx.actions.write(settings, ctx.attr.settings + "\n")
    args = tool_args(ctx)
    read = [settings]
    add_named(args, "--input", _SETTINGS, settings, ctx.label)
    named = {}
    for target in ctx.attr.srcs:
        for image in images_of(target):
            name = image.reference.short_path
            if named.get(name, image.digest) != image.digest:
                fail("srcs: {} is there in two configurations, want one ({})".format(name, ctx.label))
            named[name] = image.digest
    for name, digest in named.items():
        add_named(args, "--input", name, digest, ctx.label)
        read.append(digest)
    args.add("--inputs-output", inputs)
    args.add("--output", version)
    run_tool(ctx, "mkversion", args, read, [inputs, version], "MkVersion", "Deriving version %{label}")
    return [
        DefaultInfo(files = depset([version])),
        OutputGroupInfo(inputs = depset([inputs])),
    ]

inputs_version = rule(
    implementation = _inputs_version_impl,
    doc = """A version file for who gives none: `0.0.0-inputs.` and the first 12 digits of the SHA-256 of the list of the inputs.

The list is sorted by path, a line as `sha256sum` writes it for each file and each image, and one for `settings`. The same inputs have the same
version anywhere, and others another one. The version itself must not be among what the inputs are made of. Such versions have no order
(docs/formats/update.md).

Output groups: `inputs`, the list.""",
    attrs = {
        "out": attr.string(
            doc = "Name of the file; default: NAME.txt.",
        ),
        "settings": attr.string(
            doc = "What the image is made of besides files: any text, as `json.encode` of what a macro was given.",
        ),
        "srcs": attr.label_list(
            mandatory = True,
            allow_files = True,
            doc = "Images and files, listed by their path in the repository.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
