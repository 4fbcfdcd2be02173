"""image_tree: files laid late over a root file system."""

load("//bzl/private:destinations.bzl", "check_path", "destinations_of", "parse_owner", "source_name")
load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_of", "images_of", "inputs_of", "read_of", "write_list")
load("//bzl/private:why.bzl", "label_text", "note", "why_of")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

def _claim(claims, path, by, label):
    if path in claims:
        fail("{} is claimed by {} and by {} ({})".format(path, claims[path], by, label))
    claims[path] = by

def _file_name(image, target, dest, label):
    """What a file is called in a folder."""
    if not image.has_name and dest.split(":")[0].endswith("/"):
        fail("files: {} is an image without a file name of its own, want its whole path for {} ({})".format(target.label, repr(dest), label))
    return image.name

def _entries(ctx):
    """(manifest entries sorted by destination, images in the order of the entries that have one, labels by destination)."""
    claims = {}
    entries = {}
    contents = {}
    labels = {}
    for target, value in ctx.attr.files.items():
        images = images_of(target)
        names = [_file_name(image, target, value, ctx.label) for image in images]
        for image, dest in zip(images, destinations_of(value, names, "files: {}".format(target.label))):
            _claim(claims, dest.path, str(target.label) if image.is_list else source_name(target, image.reference), ctx.label)
            entries[dest.path] = {"dest": dest.path, "gid": dest.gid, "mode": dest.mode, "src": image.reference.path, "uid": dest.uid}
            contents[dest.path] = image
            labels[dest.path] = label_text(target.label if image.is_list else image.reference.owner)
    for path, mode in ctx.attr.directories.items():
        check_path(path, "directories")
        owner = parse_owner(mode, "directories: {}".format(path))
        _claim(claims, path, "a directory", ctx.label)
        entries[path] = {"dest": path, "dir": True, "gid": owner.gid, "mode": owner.mode, "uid": owner.uid}
    for path, target in ctx.attr.symlinks.items():
        check_path(path, "symlinks")
        _claim(claims, path, "a link to " + target, ctx.label)
        entries[path] = {"dest": path, "symlink": target}
    return [entries[path] for path in sorted(entries)], [contents[path] for path in sorted(contents)], labels

def _notes(ctx, entries, labels):
    """Who put what where, as text."""
    lines = []
    for entry in entries:
        dest = entry["dest"]
        attribute = "directories" if entry.get("dir") else "symlinks" if "symlink" in entry else "files"
        lines.append(note(
            "injected",
            by = ctx.attr.said_by.get(dest) or ctx.attr.said_by.get(dest[:dest.rfind("/") + 1], attribute),
            dest = dest,
            label = labels.get(dest),
            src = entry.get("src"),
            tree = label_text(ctx.label),
        ))
    return "".join([line + "\n" for line in lines])

def _fit_of(ctx, tree, manifest, contents):
    """Checks programs against the root file system that they are laid over, beside everything else; what was checked, as text."""
    fit = ctx.actions.declare_file(ctx.label.name + ".fit.txt")
    args = tool_args(ctx)
    args.add("--tree", tree)
    args.add("--output", fit)

    # Contents of images are not looked at: only their lists stand in the tree's.
    inputs = [tree, manifest] + [content.reference for content in contents]
    run_tool(ctx, "checkfit", args, inputs, [fit], "CheckFit", "Checking programs of %{label}")
    return fit

def _image_tree_impl(ctx):
    entries, contents, labels = _entries(ctx)
    files = ctx.actions.declare_file(ctx.label.name + ".files.jsonl")
    ctx.actions.write(files, "".join([json.encode(entry) + "\n" for entry in entries]))
    manifest = ctx.actions.declare_file(ctx.label.name + ".tree.jsonl")
    outputs = [manifest]
    args = tool_args(ctx)
    inputs = [files] + read_of(contents)
    if ctx.file.rootfs:
        args.add("--base", ctx.file.rootfs)
        inputs.append(ctx.file.rootfs)
        contents = [image_of(ctx.attr.rootfs, "rootfs", ctx.label)] + contents
    args.add("--files", files)
    args.add("--mtime", str(ctx.attr.timestamp))
    units = None
    if ctx.attr.preset_all:
        units = ctx.actions.declare_file(ctx.label.name + ".units.txt")
        outputs.append(units)
        args.add("--preset-all")
        args.add("--units-output", units)
    args.add("--output", manifest)
    run_tool(ctx, "inject", args, inputs, outputs, "InjectTree", "Injecting files into %{label}")
    tree = ctx.actions.declare_file(ctx.label.name + ".tree")
    write_list(ctx, tree, manifest, [content.reference for content in contents])
    why = ctx.actions.declare_file(ctx.label.name + ".why")
    ctx.actions.write(why, _notes(ctx, entries, labels))

    # Without a root file system there is no loader and no library to fit.
    fits = [_fit_of(ctx, tree, manifest, contents)] if ctx.file.rootfs else []
    made_of = ctx.attr.files.keys() + ([ctx.attr.rootfs] if ctx.attr.rootfs else [])
    return [
        DefaultInfo(files = depset([manifest])),
        TreeInfo(
            inputs = inputs_of(contents),
            manifest = manifest,
            # Sizes stand in the manifest: no content is read, so a file that changes and keeps its size moves nothing.
            read = [tree, manifest] + [file for content in contents if content.is_list for file in content.read],
            tree = tree,
            units = units,
        ),
        why_of(made_of, [why]),
        OutputGroupInfo(
            fit = depset(fits),
            units = depset([units] if units else []),
            _validation = depset(fits),
        ),
    ]

image_tree = rule(
    implementation = _image_tree_impl,
    doc = """A tree: a root file system's tar with files, directories and links laid over it, and units enabled by preset.

No byte of a file is copied: the result is a manifest that names where each file's bytes lie. This is the seam of late
injection: a changed file re-runs nothing before it.

Programs and libraries that are laid over a root file system are checked against its loader and libraries, beside the build of whatever takes
the tree: one that would not start there fails it, with what it wants and what the image has. Output group `fit` lists what was checked.
Programs of the root file system itself are not: whether they still start with a library that replaces one of theirs, nothing here says.""",
    attrs = {
        "directories": attr.string_dict(
            doc = "Directories to make, path to `mode[:uid:gid]`, as `\"/boot/config\": \"0755\"`.",
        ),
        "files": attr.label_keyed_string_dict(
            allow_files = True,
            doc = "File to `path[:mode[:uid:gid]]`; mode is 0755 for programs and scripts by their path (bin, sbin, .sh), else 0644. " +
                  "A colon of the path is written `\\:`. " +
                  "A path with a slash at its end is a folder: every file of the target, as a `filegroup`, goes there by its base name. " +
                  "An image with a plan becomes a file with the image's content, sparse where the image is zero.",
        ),
        "preset_all": attr.bool(
            doc = "Enable exactly the units that the tree's preset files name, as `systemctl preset-all` does.",
        ),
        "rootfs": attr.label(
            allow_single_file = [".tar"],
            doc = "The root file system: a `dockerfile_rootfs`; default: an empty tree.",
        ),
        "said_by": attr.string_dict(
            doc = "Path of a destination to what to call the map that has it, for `imgdump why`; default: the name of the attribute.",
        ),
        "symlinks": attr.string_dict(
            doc = "Symbolic links to make, path to target.",
        ),
        "timestamp": attr.int(
            mandatory = True,
            doc = "Modification time of what is injected, in seconds since 1970.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
