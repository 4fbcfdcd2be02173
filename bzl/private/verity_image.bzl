"""verity_image: an image with its dm-verity hash tree behind it, as a plan."""

load("//bzl/private:block_hashes.bzl", "hash_blocks")
load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers")
load("//bzl/private/providers:block_hashes_info.bzl", "BlockHashesInfo")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:verity_info.bzl", "VerityInfo")

visibility(["//bzl/..."])

def _known(ctx, inputs):
    """[(input, its block hashes)] in the order of the inputs.

    Root file systems and other archives are always hashed by an action of their own. Everything else that no `block_hashes` has MkVerity reads and
    hashes itself: an action costs as much as hashing 50 MB.
    """
    given = {}
    for target in ctx.attr.block_hashes:
        info = target[BlockHashesInfo]
        if info.salt != ctx.attr.salt:
            fail("block_hashes: {} has salt {}, want {} ({})".format(target.label, repr(info.salt), repr(ctx.attr.salt), ctx.label))
        given |= info.hashes
    archives = [file for file in inputs if file.extension == "tar" and file.path not in given]
    given |= hash_blocks(ctx, archives, ctx.attr.salt)
    return [(file, given[file.path]) for file in inputs if file.path in given]

def _verity_image_impl(ctx):
    data = ctx.attr.image[ImagePlanInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    root_hash = ctx.actions.declare_file(ctx.label.name + ".roothash")
    hash_offset = ctx.actions.declare_file(ctx.label.name + ".hash_offset")
    hash_area = ctx.actions.declare_file(ctx.label.name + ".hash_area")
    args = tool_args(ctx)
    args.add("--image", data.image)

    # Flattened on purpose: some tens of files.
    known = _known(ctx, data.inputs.to_list())
    hashes = [hashes for _, hashes in known]
    for file, of_file in known:
        args.add("--input", file)
        args.add("--hashes", of_file)
    args.add("--salt", ctx.attr.salt)
    args.add("--uuid", ctx.attr.uuid)
    args.add("--output", plan)
    args.add("--hash-area-output", hash_area)
    args.add("--root-hash-output", root_hash)
    args.add("--hash-offset-output", hash_offset)
    run_tool(
        ctx,
        "mkverity",
        args,
        inputs = depset([data.image, data.plan] + hashes, transitive = [data.inputs]),
        outputs = [plan, hash_area, root_hash, hash_offset],
        mnemonic = "MkVerity",
        progress = "Computing the dm-verity tree of %{label}",
    )

    # The tree is ranges of the block hashes; what of it and of the superblock is nowhere else is a file of its own, the plan's last input: it'd be
    # in every plan that this one is put into.
    inputs = depset(transitive = [data.inputs, depset(hashes + [hash_area], order = "preorder")], order = "preorder")
    return image_providers(ctx, plan, inputs, [ctx.attr.image]) + [
        VerityInfo(hash_offset = hash_offset, root_hash = root_hash),
        OutputGroupInfo(hash_offset = depset([hash_offset]), root_hash = depset([root_hash])),
    ]

verity_image = rule(
    implementation = _verity_image_impl,
    doc = """An image with a dm-verity superblock and hash tree behind its data (format 1, SHA-256, blocks of 4096 bytes).

Output groups `root_hash` and `hash_offset` hold what the kernel command line wants. Block hashes are kept of each archive (*.tar), as the root
file system is one, and of what `block_hashes` names: a change costs hashing what changed, all files beside these, and the upper levels of the tree.""",
    attrs = {
        "block_hashes": attr.label_list(
            providers = [BlockHashesInfo],
            doc = "Targets of `block_hashes` with the same salt: what of their files is in the image is not hashed again, and the hash area does " +
                  "not repeat its digests. For large files, and for what several images have.",
        ),
        "image": attr.label(
            mandatory = True,
            providers = [ImagePlanInfo],
            doc = "The image to protect.",
        ),
        "salt": attr.string(
            mandatory = True,
            doc = "Salt of every hash, hexadecimal, at most 256 bytes; never random.",
        ),
        "uuid": attr.string(
            mandatory = True,
            doc = "UUID of the verity superblock; never random.",
        ),
    },
    provides = [ImagePlanInfo, VerityInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
