"""gpt_disk: a disk image from a partition table and partition contents, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "image_of", "image_providers", "inputs_of", "read_of")

visibility(["//bzl/..."])

def _gpt_disk_impl(ctx):
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    args = tool_args(ctx)
    args.add("--partitions", ctx.file.partitions)
    args.add("--disk-guid", ctx.attr.disk_guid)
    images = {}
    for target, name in ctx.attr.images.items():
        if name in images:
            fail("images: partition {} gets {} and {} ({})".format(name, images[name].label, target.label, ctx.label))
        images[name] = struct(image = image_of(target, "images", ctx.label), label = target.label)
    parts = [part.image for part in images.values()]
    for name, part in images.items():
        add_named(args, "--image", name, part.image.reference, ctx.label)
    args.add("--output", plan)
    run_tool(ctx, "mkdisk", args, [ctx.file.partitions] + read_of(parts), [plan], "MkDisk", "Laying out disk %{label}")
    return image_providers(ctx, plan, inputs_of(parts), ctx.attr.images.keys(), ctx.attr.properties)

gpt_disk = rule(
    implementation = _gpt_disk_impl,
    doc = "A disk image as a plan: a GPT laid out from partitions.csv and an image in each partition that has one.",
    attrs = {
        "disk_guid": attr.string(
            mandatory = True,
            doc = "GUID of the disk; never random.",
        ),
        "images": attr.label_keyed_string_dict(
            mandatory = True,
            allow_files = True,
            doc = "Image (a plan or a file) to the name of its partition.",
        ),
        "partitions": attr.label(
            mandatory = True,
            allow_single_file = [".csv"],
            doc = "The partition table (docs/formats/partitions.md).",
        ),
        "properties": attr.string_dict(
            doc = "What whoever takes the disk into another image is to know of it, as `{\"env\": \"prod\"}` (see `deployment_file`).",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
