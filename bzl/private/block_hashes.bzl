"""block_hashes: digests of files' blocks, for several images under dm-verity."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "images_of", "inputs_of")
load("//bzl/private/providers:block_hashes_info.bzl", "BlockHashesInfo")

visibility(["//bzl/..."])

def hash_blocks(ctx, files, salt):
    """Block hashes of some files, an action for each, so that a changed one costs hashing that one.

    Args:
      ctx: rule context; the rule has TOOLCHAIN_TYPE among its toolchains.
      files: list of File.
      salt: the salt of every hash, hexadecimal.

    Returns:
      dict of File by string: as in BlockHashesInfo.
    """
    hashes = {}
    for file in files:
        # By the file's own name: a new one among them leaves the others' hashes where they are.
        out = ctx.actions.declare_file("{}.blocks/{}.blocks".format(ctx.label.name, file.short_path.replace("../", "external/")))
        args = tool_args(ctx)
        args.add("--salt", salt)
        if file.extension == "tar":
            args.add("--archive")
        args.add("--input", file)
        args.add("--output", out)
        run_tool(ctx, "hashblocks", args, [file], [out], "HashBlocks", "Hashing blocks of {}".format(file.short_path))
        hashes[file.path] = out
    return hashes

def _block_hashes_impl(ctx):
    images = [image for target in ctx.attr.srcs for image in images_of(target)]
    hashes = hash_blocks(ctx, inputs_of(images).to_list(), ctx.attr.salt)
    return [
        DefaultInfo(files = depset(hashes.values())),
        BlockHashesInfo(hashes = hashes, salt = ctx.attr.salt),
    ]

block_hashes = rule(
    implementation = _block_hashes_impl,
    doc = """Digests of files' blocks, made once for every `verity_image` of the same salt that names this target and that they get into: a root file
system, programs, whatever is large. Images then have ranges of these files in their hash areas instead of bytes of their own, so a hundred images of
one base cost as much as what differs.""",
    attrs = {
        "salt": attr.string(
            mandatory = True,
            doc = "Salt of every hash, hexadecimal, as that of the images.",
        ),
        "srcs": attr.label_list(
            mandatory = True,
            allow_files = True,
            doc = "Files; of an image with a plan its inputs.",
        ),
    },
    provides = [BlockHashesInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
