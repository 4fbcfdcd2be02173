"""dockerfile_rootfs: a Dockerfile executed on a base image."""

load("//bzl/private:destinations.bzl", "context_paths_of", "source_name")
load("//bzl/private:image_tools.bzl", "OWN_NAMESPACES", "TOOLCHAIN_TYPE", "pair", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "digest_info")
load("//bzl/private:why.bzl", "label_text", "note", "why_of")
load("//bzl/private/providers:base_image_info.bzl", "BaseImageInfo")

visibility(["//bzl/..."])

def _context_lines(ctx):
    """Lines `path in context TAB path on disk TAB mode`, and labels by path in context; a path claimed twice is an error."""
    lines = {}
    labels = {}
    claims = {}
    for target, value in ctx.attr.context.items():
        files = target[DefaultInfo].files.to_list()
        places = context_paths_of(value, [file.basename for file in files], "context: {}".format(target.label))
        for file, place in zip(files, places):
            by = source_name(target, file)
            if place.path in claims:
                fail("context: {} is claimed by {} and by {} ({})".format(place.path, claims[place.path], by, ctx.label))
            claims[place.path] = by
            lines[place.path] = "\t".join([place.path, file.path, place.mode])
            labels[place.path] = label_text(file.owner)
    return [lines[path] for path in sorted(lines)], labels

def _notes(ctx, rootfs, base, steps, labels):
    """What the root file system was made of, as text."""
    lines = [note("rootfs", base = base.path, dockerfile = ctx.file.dockerfile.short_path, path = rootfs.path, steps = steps.path)]
    lines += [note("context", label = labels[path], path = path, rootfs = rootfs.path) for path in sorted(labels)]
    return "".join([line + "\n" for line in lines])

def _dockerfile_rootfs_impl(ctx):
    base = ctx.attr.base[BaseImageInfo]
    rootfs = ctx.actions.declare_file(ctx.label.name + ".tar")
    context = ctx.actions.declare_file(ctx.label.name + ".context")
    context_lines, labels = _context_lines(ctx)
    ctx.actions.write(context, "".join([line + "\n" for line in context_lines]))
    steps = ctx.actions.declare_file(ctx.label.name + ".steps.jsonl")
    why = ctx.actions.declare_file(ctx.label.name + ".why")
    ctx.actions.write(why, _notes(ctx, rootfs, base.tar, steps, labels))
    args = tool_args(ctx)
    args.add("--dockerfile", ctx.file.dockerfile)
    args.add("--context", context)
    args.add("--base-tar", base.tar)
    args.add("--base-digest", base.digest)
    args.add("--base-packages", base.packages)
    if base.unlocked:
        args.add("--base-unlocked", base.unlocked.note)
    for key, value in sorted(ctx.attr.build_args.items()):
        args.add("--build-arg", pair(key, value, "build_args of {}".format(ctx.label)))
    for key, path in sorted(ctx.attr.file_build_args.items()):
        args.add("--build-arg-file", pair(key, path, "file_build_args of {}".format(ctx.label)))
    args.add("--pin-command", ctx.attr.pin_command)
    args.add("--timestamp", str(ctx.attr.timestamp))
    if ctx.attr.work_on_disk:
        # Beside the output: the one folder of a disk that an action may write to.
        args.add("--work-dir", rootfs.dirname)
    args.add("--output", rootfs)
    args.add("--provenance-output", steps)
    run_tool(
        ctx,
        "mkrootfs",
        args,
        inputs = [ctx.file.dockerfile, context, base.tar, base.digest, base.packages] + ctx.files.context + ([base.unlocked.note] if base.unlocked else []),
        outputs = [rootfs, steps],
        mnemonic = "MkRootfs",
        progress = "Executing the Dockerfile of %{label}",
        # Why not in the sandbox: RUN steps chown to the image's users, and each runs in namespaces of its own.
        requirements = OWN_NAMESPACES,
    )
    return [
        DefaultInfo(files = depset([rootfs])),
        digest_info(ctx, rootfs, depset([rootfs])),
        why_of([], [why], [base.tar, steps]),
    ]

dockerfile_rootfs = rule(
    implementation = _dockerfile_rootfs_impl,
    doc = """The root file system that a Dockerfile makes of a base image, as a normalised tar.

Executed strictly (docs/dockerfile.md): an instruction that is not supported is an error with file and line. No network,
clean environment, only the declared context visible.""",
    attrs = {
        "base": attr.label(
            mandatory = True,
            providers = [BaseImageInfo],
            doc = "The image that `FROM ${BASE_IMAGE}` means; its digest must be the one that the reference pins, unless it is unlocked.",
        ),
        "build_args": attr.string_dict(
            doc = "Values of ARGs, as `docker build --build-arg`.",
        ),
        "context": attr.label_keyed_string_dict(
            mandatory = True,
            allow_files = True,
            doc = "File to `path[:mode]` in the build context; mode is 0644 unless said, whatever the file has in the source tree. " +
                  "A colon of the path is written `\\:`. " +
                  "A path with a slash at its end is a folder: every file of the target goes there by its base name.",
        ),
        "dockerfile": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The Dockerfile.",
        ),
        "file_build_args": attr.string_dict(
            doc = "Name of an ARG to the path of a context file whose first line is its value.",
        ),
        "pin_command": attr.string(
            mandatory = True,
            doc = "The command that updates the pinned base digest; named in the error when it doesn't match.",
        ),
        "timestamp": attr.int(
            mandatory = True,
            doc = "SOURCE_DATE_EPOCH in seconds; no file is newer.",
        ),
        "work_on_disk": attr.bool(
            doc = "Make the tree on the disk that holds the output, not in memory: for trees that memory does not hold. The output is the same.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
