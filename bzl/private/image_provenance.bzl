"""image_provenance: where the files of a release come from, as an in-toto statement."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "pair", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "images_of")
load("//bzl/private:sbom_aspect.bzl", "sbom_aspect")
load("//bzl/private:why.bzl", "label_text")
load("//bzl/private/providers:sbom_info.bzl", "SbomInfo")

visibility(["//bzl/..."])

def _add_dependency(dependencies, file, where):
    name = label_text(file.owner)
    other = dependencies.setdefault(name, file)
    if other != file:
        fail("{}: {} makes both {} and {}, want one file of a label: a dependency goes by it".format(where, name, other.short_path, file.short_path))

def _image_provenance_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out)
    args = tool_args(ctx)
    read = [ctx.file.version]
    for image in [image for target in ctx.attr.subjects for image in images_of(target)]:
        add_named(args, "--subject", image.name, image.digest, ctx.label)
        read.append(image.digest)
    dependencies = {}
    for file in ctx.files.dependencies:
        _add_dependency(dependencies, file, "dependencies of {}".format(ctx.label))
    for base in depset(transitive = [target[SbomInfo].bases for target in ctx.attr.images if SbomInfo in target]).to_list():
        add_named(args, "--base", base.label, base.digest, ctx.label)
        read.append(base.digest)
        _add_dependency(dependencies, base.lock, "images of {}".format(ctx.label))
    for name, file in sorted(dependencies.items()):
        add_named(args, "--dependency", name, file, ctx.label)
        read.append(file)
    args.add("--version-file", ctx.file.version)
    for name, value in sorted(ctx.attr.parameters.items()):
        args.add("--parameter", pair(name, value, "parameters of {}".format(ctx.label)))
    args.add("--build-type", line(ctx.attr.build_type, "build_type of {}".format(ctx.label)))
    args.add("--builder", line(ctx.attr.builder, "builder of {}".format(ctx.label)))
    args.add("--output", out)
    run_tool(ctx, "mkprovenance", args, read, [out], "MkProvenance", "Writing the provenance of %{label}")
    return [DefaultInfo(files = depset([out]))]

image_provenance = rule(
    implementation = _image_provenance_impl,
    doc = """An in-toto Statement with SLSA's provenance (docs/formats/provenance.md): digests of the files of a release, and of what the build took in.

It says nothing of the machine, the user or the time: whoever builds the same gets the same statement, and may sign it.""",
    attrs = {
        "build_type": attr.string(
            mandatory = True,
            doc = "URI of this kind of build: what the parameters mean.",
        ),
        "builder": attr.string(
            mandatory = True,
            doc = "URI of the builder.",
        ),
        "dependencies": attr.label_list(
            allow_files = True,
            doc = "Files that the build takes in, by their labels, besides base images and their locks. Two files of one label are refused.",
        ),
        "images": attr.label_list(
            allow_files = True,
            aspects = [sbom_aspect],
            doc = "Images of partitions: the base images that they are made of, and the locks of these, are dependencies.",
        ),
        "out": attr.string(
            default = "provenance.intoto.json",
            doc = "Name of the file.",
        ),
        "parameters": attr.string_dict(
            doc = "What whoever asks for the build says, name to value; `version` comes by itself.",
        ),
        "subjects": attr.label_list(
            allow_files = True,
            mandatory = True,
            doc = "Images (as `image_file`) and files of the release, by the base name of their file.",
        ),
        "version": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "A file whose first line is the version.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
