"""verity_image: an image with its dm-verity hash tree behind it, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:verity_info.bzl", "VerityInfo")

visibility(["//bzl/..."])

def _hash_blocks(ctx, files):
    """Block hashes of some inputs, in their order."""

    # By the file's own name: a new input among them leaves the others' hashes where they are.
    outs = [ctx.actions.declare_file("{}.blocks/{}.blocks".format(ctx.label.name, file.short_path.replace("../", "external/"))) for file in files]
    args = tool_args(ctx)
    args.add("--salt", ctx.attr.salt)
    args.add_all(files, before_each = "--input")
    args.add_all(outs, before_each = "--output")
    more = " and {} more".format(len(files) - 1) if len(files) > 1 else ""
    run_tool(ctx, "hashblocks", args, files, outs, "HashBlocks", "Hashing blocks of {}{}".format(files[0].short_path, more))
    return outs

def _all_hashes(ctx, files):
    """Block hashes of all inputs, in their order.

    What is made has an action of its own, so that a changed program costs hashing that program, and so has an archive, a root file system.
    Other source files of one package, which are configuration, share one: an action costs more than hashing all of them, most of all on a
    worker elsewhere.
    """
    groups = {}
    for file in files:
        alone = not file.is_source or file.extension == "tar"
        groups.setdefault(file.path if alone else str(file.owner.same_package_label("sources")), []).append(file)
    hashes = {}
    for group in groups.values():
        hashes |= dict(zip([file.path for file in group], _hash_blocks(ctx, group)))
    return [hashes[file.path] for file in files]

def _verity_image_impl(ctx):
    data = ctx.attr.image[ImagePlanInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    root_hash = ctx.actions.declare_file(ctx.label.name + ".roothash")
    hash_offset = ctx.actions.declare_file(ctx.label.name + ".hash_offset")
    hash_area = ctx.actions.declare_file(ctx.label.name + ".hash_area")
    args = tool_args(ctx)
    args.add("--image", data.image)

    # Flattened on purpose: some tens of files.
    hashes = _all_hashes(ctx, data.inputs.to_list())
    args.add_all(hashes, before_each = "--hashes")
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

    # Superblock and tree are a file of their own, the plan's last input: they'd be in every plan that this one is put into.
    inputs = depset(transitive = [data.inputs, depset([hash_area])], order = "preorder")
    return image_providers(ctx, plan, inputs, [ctx.attr.image]) + [
        VerityInfo(hash_offset = hash_offset, root_hash = root_hash),
        OutputGroupInfo(hash_offset = depset([hash_offset]), root_hash = depset([root_hash])),
    ]

verity_image = rule(
    implementation = _verity_image_impl,
    doc = """An image with a dm-verity superblock and hash tree behind its data (format 1, SHA-256, blocks of 4096 bytes).

Output groups `root_hash` and `hash_offset` hold what the kernel command line wants. Block hashes are kept per input file,
so a changed file costs hashing that file (a source file: those of its package, too), and the upper levels of the tree.""",
    attrs = {
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
