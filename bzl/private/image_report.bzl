"""image_report: what an image is made of, as a page for people."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "write_list")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:why_info.bzl", "WhyInfo")

visibility(["//bzl/..."])

def _short_path(file):
    return file.short_path

def _is_note(file):
    return file.extension in ["why", "jsonl"]

def _note_path(file):
    return file.path if _is_note(file) else []

def _note_short_path(file):
    return file.short_path if _is_note(file) else []

def _archive_path(file):
    return file.path if file.extension == "tar" else []

def _archive_short_path(file):
    return file.short_path if file.extension == "tar" else []

def _add_notes(args, partition, info, note, archive):
    """Adds the notes on what is in a partition, and the archive that has its packages' records."""
    name = partition.replace("%", "%%") + "=%s"
    args.add_all(depset(transitive = [info.files, info.read]), before_each = "--notes", format_each = name, map_each = note)
    args.add_all(info.read, before_each = "--packages", format_each = name, map_each = archive)

def _partitions(ctx):
    """(name, WhyInfo) of the partitions whose images have notes."""
    return [(name, target[WhyInfo]) for target, name in ctx.attr.images.items() if WhyInfo in target]

def _manifest(ctx):
    found = [file for file in ctx.files.manifest if file.extension == "json"]
    if len(found) != 1:
        fail("manifest: {} has {} files named *.json, want exactly one ({})".format(ctx.attr.manifest.label, len(found), ctx.label))
    return found[0]

def _image_report_impl(ctx):
    disk = ctx.attr.disk[ImagePlanInfo]
    manifest = _manifest(ctx)
    partitions = _partitions(ctx)
    notes = [depset(transitive = [info.files, info.read]) for _, info in partitions]
    sbom = [ctx.file.sbom] if ctx.file.sbom else []

    page = ctx.outputs.out
    args = tool_args(ctx)
    args.add("--image", disk.image)
    args.add("--manifest", manifest)
    for name, info in partitions:
        _add_notes(args, name, info, _note_path, _archive_path)
    args.add_all(sbom, before_each = "--sbom")
    args.add("--output", page)
    read = depset([disk.image, disk.plan, manifest] + sbom, transitive = [disk.inputs] + notes)
    run_tool(ctx, "mkreport", args, read, [page], "MkReport", "Writing the report of %{label}")

    # The same by places among runfiles, for `bazel run`.
    image = ctx.actions.declare_file(ctx.label.name + "_disk.image")
    write_list(ctx, image, disk.plan, disk.inputs, _short_path)
    flags = ctx.actions.args()
    flags.set_param_file_format("multiline")
    flags.add_all([image], before_each = "--image", map_each = _short_path)
    flags.add_all([manifest], before_each = "--manifest", map_each = _short_path)
    for name, info in partitions:
        _add_notes(flags, name, info, _note_short_path, _archive_short_path)
    flags.add_all(sbom, before_each = "--sbom", map_each = _short_path)
    ctx.actions.write(ctx.outputs.flags, flags)
    tool = ctx.toolchains[TOOLCHAIN_TYPE].image_tools.mkreport.executable
    program = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = program, target_file = tool, is_executable = True)
    return [DefaultInfo(
        executable = program,
        files = depset([page]),
        # As lists: runfiles take no depset in preorder.
        runfiles = ctx.runfiles(
            [program, tool, image, disk.plan, manifest, ctx.outputs.flags] + disk.inputs.to_list() + sbom,
            transitive_files = depset(transitive = notes),
        ),
    )]

_image_report = rule(
    implementation = _image_report_impl,
    doc = "A page about a disk; run, it takes what no build knows as well.",
    attrs = {
        "disk": attr.label(
            mandatory = True,
            providers = [ImagePlanInfo],
            doc = "The disk.",
        ),
        "flags": attr.output(
            mandatory = True,
            doc = "The flags of the program that is run, one a line.",
        ),
        "images": attr.label_keyed_string_dict(
            allow_files = True,
            doc = "Image to the name of its partition, as of the disk; their notes say what was injected.",
        ),
        "manifest": attr.label(
            mandatory = True,
            doc = "The image's `image_manifest`.",
        ),
        "out": attr.output(
            mandatory = True,
            doc = "The page.",
        ),
        "sbom": attr.label(
            allow_single_file = [".json"],
            doc = "Bill of materials of the image, SPDX 2.x as JSON; default: none.",
        ),
    },
    executable = True,
    toolchains = [TOOLCHAIN_TYPE],
)

def image_report(name, disk, images, manifest, out = "report.html", sbom = None, **kwargs):
    """`:NAME` is a page about a disk: partitions to scale, what takes the space as treemaps, packages, largest files, what was injected.

    The page is one file without script that fetches nothing. Contents of files are not read, so it takes a second or two to make.
    `bazel run :NAME -- --output FILE` writes it elsewhere, with more in it as wanted: `--previous MANIFEST` (what differs from an older image),
    `--profile FILE` (what a build took, of Bazel's profile), `--sbom FILE`.

    Args:
      name: name of the target.
      disk: label of the disk, an image with a plan.
      images: dict of image (a label) to the name of its partition, as `gpt_disk` has it: their notes say what was injected.
      manifest: label of the image's `image_manifest`.
      out: name of the page.
      sbom: label of a bill of materials (SPDX 2.x as JSON) to count in it.
      **kwargs: visibility, tags.
    """
    _image_report(
        name = name,
        args = ["@$(rootpath :{}.flags)".format(name)],
        disk = disk,
        flags = name + ".flags",
        images = images,
        manifest = manifest,
        out = out,
        sbom = sbom,
        **kwargs
    )
