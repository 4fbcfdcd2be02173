"""image_sbom: what is inside an image, as an SPDX document."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "image_of", "images_of")
load("//bzl/private:sbom_aspect.bzl", "sbom_aspect")
load("//bzl/private:why.bzl", "label_text", "note")
load("//bzl/private/providers:sbom_info.bzl", "SbomInfo")
load("//bzl/private/providers:why_info.bzl", "WhyInfo")

visibility(["//bzl/..."])

def _base_line(base):
    return note("base", digest = base.digest.path, label = base.label, lock = base.lock.path, tar = base.tar.path)

def _crate_line(crate):
    manifest = crate.manifest.path if crate.manifest else None
    return note("crate", deps = crate.deps, label = crate.label, manifest = manifest, name = crate.name, version = crate.version)

def _disk_line(disk):
    return note("disk", digest = disk.digest.path, image = disk.image.path)

def _input_line(file):
    return note("input", label = label_text(file.owner), path = file.path)

def _program_line(program):
    return note("program", deps = program.deps, label = program.label, name = program.name, path = program.file.path, version = program.version)

def _write_parts(ctx, out, infos, inputs, lines):
    """Writes what the image is made of, a line each."""
    args = ctx.actions.args()
    args.set_param_file_format("multiline")
    args.add_all(lines)
    args.add_all(depset(transitive = [info.bases for info in infos]), map_each = _base_line)
    args.add_all(depset(transitive = [info.crates for info in infos]), map_each = _crate_line)
    args.add_all(depset(transitive = [info.programs for info in infos]), map_each = _program_line)
    args.add_all(depset(transitive = [info.disks for info in infos]), map_each = _disk_line)
    args.add_all(inputs, map_each = _input_line)
    ctx.actions.write(out, args)

def _image_sbom_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out)
    parts = ctx.actions.declare_file(ctx.label.name + ".parts.jsonl")

    # A file of the source tree has none.
    infos = [target[SbomInfo] for target in ctx.attr.images if SbomInfo in target]
    lines, read, inputs = [], [], []
    for target, name in ctx.attr.images.items():
        partition = target[SbomInfo].partition if SbomInfo in target else None
        if partition:
            lines.append(note(
                "partition",
                exclude = partition.exclude,
                label = partition.label,
                name = name,
                subdir = partition.subdir,
                tree = partition.tree.tree.path,
            ))
            read += partition.tree.read
            inputs.append(partition.tree.inputs)
        else:
            image = image_of(target, "images", ctx.label)
            lines.append(note("raw", image = image.reference.path, label = label_text(target.label), name = name))
            read += image.read
            inputs.append(image.inputs)
    inputs = depset(transitive = inputs)
    _write_parts(ctx, parts, infos, inputs, lines)
    notes = [target[WhyInfo] for target in ctx.attr.images if WhyInfo in target]
    note_files = depset(transitive = [note.files for note in notes])
    artifacts = [image for target in ctx.attr.artifacts for image in images_of(target)]
    args = tool_args(ctx)
    args.add("--name", line(ctx.attr.image_name, "image_name of {}".format(ctx.label)))
    args.add("--version-file", ctx.file.version)
    args.add("--timestamp", str(ctx.attr.timestamp))
    for image in artifacts:
        add_named(args, "--artifact", image.name, image.digest, ctx.label)
    args.add("--parts", parts)
    args.add_all(note_files, before_each = "--notes")
    if ctx.file.cargo_lock:
        args.add("--cargo-lock", ctx.file.cargo_lock)
    if ctx.file.toolchain_lock:
        args.add("--toolchain-lock", ctx.file.toolchain_lock)
    if ctx.attr.license:
        args.add("--license", line(ctx.attr.license, "license of {}".format(ctx.label)))
    args.add("--output", out)
    own = [ctx.file.version, parts] + [image.digest for image in artifacts] + ctx.files.cargo_lock + ctx.files.toolchain_lock + read
    transitive = [note_files, inputs] + [note.read for note in notes] + [info.files for info in infos]
    run_tool(ctx, "mksbom", args, depset(own, transitive = transitive), [out], "MkSbom", "Writing the bill of materials of %{label}")
    return [DefaultInfo(files = depset([out]))]

image_sbom = rule(
    implementation = _image_sbom_impl,
    doc = """What is inside an image, as an SPDX 2.3 document (docs/formats/sbom.md).

Every regular file of every partition with its digests and its owner: a Debian package (with source, licence and digest), a program built
here (down to its crates), what a map lays over the root file system, or a step of a Dockerfile. A file without an owner is an error. A `gpt_disk`
that is a file of the image, as in an installer, is a package with the digest that it has already: what is in it is for a document of its own to say.""",
    attrs = {
        "artifacts": attr.label_list(
            allow_files = True,
            doc = "Files that the image is published as, as its disk; of one the document has name and digest.",
        ),
        "cargo_lock": attr.label(
            allow_single_file = True,
            doc = "The Cargo.lock that has the digests of the programs' crates.",
        ),
        "image_name": attr.string(
            mandatory = True,
            doc = "Name of the image.",
        ),
        "images": attr.label_keyed_string_dict(
            allow_files = True,
            aspects = [sbom_aspect],
            mandatory = True,
            doc = "Image (a plan or a file) to the name of its partition.",
        ),
        "license": attr.string(
            doc = "Licence of what is made here, as an SPDX expression; none: the document doesn't say.",
        ),
        "out": attr.string(
            default = "sbom.spdx.json",
            doc = "Name of the document.",
        ),
        "timestamp": attr.int(
            mandatory = True,
            doc = "Time of the document in seconds since 1970: the image's own.",
        ),
        "toolchain_lock": attr.label(
            allow_single_file = [".json"],
            doc = "Lock of the packages that the programs are built with: those that static programs link (libc6-dev, libgcc-N-dev, libstd-rust-dev) are listed.",
        ),
        "version": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "A file whose first line is the image's version.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
