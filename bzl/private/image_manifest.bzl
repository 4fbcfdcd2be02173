"""image_manifest: what an image is made of, for people and programs."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "image_of", "images_of")
load("//bzl/private:unlocked.bzl", "container_note", "unlocked_aspect", "unlocked_bases")

visibility(["//bzl/..."])

def _image_manifest_impl(ctx):
    manifest = ctx.actions.declare_file(ctx.attr.out)
    packages = ctx.actions.declare_file(ctx.attr.packages_out)
    args = tool_args(ctx)
    args.add("--name", ctx.attr.image_name)
    args.add("--version-file", ctx.file.version)
    args.add("--partitions", ctx.file.partitions)
    unlocked = unlocked_bases(ctx.attr.images.keys() + ctx.attr.artifacts)
    lock = ([base.built for base in unlocked if base.lock == ctx.file.lock] or [ctx.file.lock])[0]
    args.add("--lock", lock)
    notes = [base.note for base in unlocked]
    if container_note(ctx):
        note = ctx.actions.declare_file(ctx.label.name + ".container.txt")
        ctx.actions.write(note, container_note(ctx) + "\n")
        notes.append(note)
    args.add_all(notes, before_each = "--unlocked")
    images = [(name, image_of(target, "images", ctx.label)) for target, name in ctx.attr.images.items()]
    artifacts = [image for target in ctx.attr.artifacts for image in images_of(target)]
    for name, image in images:
        add_named(args, "--image", name, image.digest, ctx.label)
    for image in artifacts:
        add_named(args, "--artifact", image.name, image.digest, ctx.label)
    args.add("--output", manifest)
    args.add("--packages-output", packages)
    digests = [image.digest for _, image in images] + [image.digest for image in artifacts]
    read = [ctx.file.version, ctx.file.partitions, lock] + notes + digests
    run_tool(ctx, "mkmanifest", args, read, [manifest, packages], "MkManifest", "Writing the manifest of %{label}")
    return [DefaultInfo(files = depset([manifest, packages]))]

image_manifest = rule(
    implementation = _image_manifest_impl,
    doc = "manifest.json (partitions, sizes, digests, packages) and packages.txt (name, version, architecture a line).",
    attrs = {
        "artifacts": attr.label_list(
            allow_files = True,
            aspects = [unlocked_aspect],
            doc = "Images (as `image_file`) and files to list with size and digest, by the base name of their file.",
        ),
        "image_name": attr.string(
            mandatory = True,
            doc = "Name of the image.",
        ),
        "images": attr.label_keyed_string_dict(
            allow_files = True,
            aspects = [unlocked_aspect],
            doc = "Image (a plan or a file) to the name of its partition.",
        ),
        "lock": attr.label(
            mandatory = True,
            allow_single_file = [".json"],
            doc = "The package lock.",
        ),
        "out": attr.string(
            default = "manifest.json",
            doc = "Name of the manifest.",
        ),
        "packages_out": attr.string(
            default = "packages.txt",
            doc = "Name of the package list.",
        ),
        "partitions": attr.label(
            mandatory = True,
            allow_single_file = [".csv"],
            doc = "The partition table.",
        ),
        "version": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "A file whose first line is the image's version.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
