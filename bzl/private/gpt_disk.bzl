"""gpt_disk: a disk image from a partition table and partition contents."""

load("//bzl/private:image_tools.bzl", "BIG_OUTPUT", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private/providers:fs_image_info.bzl", "FsImageInfo")

visibility(["//bzl/..."])

def _gpt_disk_impl(ctx):
    disk = ctx.actions.declare_file(ctx.attr.out or ctx.label.name + ".img")
    args = tool_args(ctx)
    args.add("--partitions", ctx.file.partitions)
    args.add("--disk-guid", ctx.attr.disk_guid)
    inputs = [ctx.file.partitions]
    claimed = {}
    for target, name in ctx.attr.images.items():
        if name in claimed:
            fail("images: partition {} gets {} and {} ({})".format(name, claimed[name], target.label, ctx.label))
        claimed[name] = target.label
        image = target[FsImageInfo].image
        args.add_joined("--image", [name, image], join_with = "=")
        inputs.append(image)
    args.add("--output", disk)
    run_tool(
        ctx,
        "mkdisk",
        args,
        inputs = inputs,
        outputs = [disk],
        mnemonic = "MkDisk",
        progress = "Assembling disk %{label}",
        requirements = BIG_OUTPUT,
    )
    return [DefaultInfo(files = depset([disk]))]

gpt_disk = rule(
    implementation = _gpt_disk_impl,
    doc = "A raw, sparse disk image: a GPT laid out from partitions.csv and an image in each partition that has one.",
    attrs = {
        "disk_guid": attr.string(
            mandatory = True,
            doc = "GUID of the disk; never random.",
        ),
        "images": attr.label_keyed_string_dict(
            mandatory = True,
            providers = [FsImageInfo],
            doc = "Image to the name of its partition.",
        ),
        "out": attr.string(
            doc = "Name of the file; default: NAME.img.",
        ),
        "partitions": attr.label(
            mandatory = True,
            allow_single_file = [".csv"],
            doc = "The partition table (docs/formats/partitions.md).",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
