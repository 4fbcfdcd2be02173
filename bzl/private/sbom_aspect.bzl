"""The aspect that finds what an image is made of: programs with their crates, base images, trees."""

load("//bzl/private:why.bzl", "label_text")
load("//bzl/private/providers:base_image_info.bzl", "BaseImageInfo")
load("//bzl/private/providers:digest_info.bzl", "DigestInfo")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")
load("//bzl/private/providers:sbom_info.bzl", "SbomInfo")
load("//bzl/private/providers:tree_info.bzl", "TreeInfo")

visibility(["//bzl/..."])

# From an image to what is in it. Not `images`, by which a disk has its partitions: a disk in an image has a document of its own, and here its digest is enough.
_ATTRS = ["base", "deps", "files", "image", "init", "initrd_image", "rootfs", "srcs", "stub_tree", "tree"]

# rust_library and the like: known by the rule's name, so that this toolkit loads nothing for it.
_CRATES = ["rust_library", "rust_static_library", "rust_shared_library"]
_PROGRAMS = ["rust_binary"]

_FILE_SYSTEMS = ["ext4_image", "vfat_image"]
_DISKS = ["gpt_disk"]

def _others(rule):
    """What the targets say that the rule's attributes name."""
    found = []
    for name in _ATTRS:
        value = getattr(rule.attr, name, None)
        targets = value.keys() if type(value) == "dict" else value if type(value) == "list" else [value]
        found += [target[SbomInfo] for target in targets if type(target) == "Target" and SbomInfo in target]
    return found

def _crate_name(ctx):
    """What the registry calls a crate; crate_universe notes it where the target has another name."""
    for tag in getattr(ctx.rule.attr, "tags", []):
        if tag.startswith("crate-name="):
            return tag.removeprefix("crate-name=")
    return ctx.label.name

def _manifest(ctx):
    """The Cargo.toml of a crate from a registry, whose repository is the crate's folder."""
    for file in getattr(ctx.rule.files, "compile_data", []):
        if file.basename == "Cargo.toml" and file.dirname == "/".join([part for part in [ctx.label.workspace_root, ctx.label.package] if part]):
            return file
    return None

def _linked(rule):
    return [target[SbomInfo].crate for target in getattr(rule.attr, "deps", []) if SbomInfo in target and target[SbomInfo].crate]

def _partition(ctx):
    """The tree of a file system, behind dm-verity or not."""
    attr = ctx.rule.attr
    if ctx.rule.kind in _FILE_SYSTEMS:
        return struct(
            exclude = attr.exclude,
            label = label_text(attr.tree.label),
            subdir = attr.subdir,
            tree = attr.tree[TreeInfo],
        )
    return attr.image[SbomInfo].partition if ctx.rule.kind == "verity_image" else None

def _sbom_aspect_impl(target, ctx):
    others = _others(ctx.rule)
    label = label_text(ctx.label)
    bases, crates, disks, files, programs = [], [], [], [], []
    crate = None
    if ctx.rule.kind in _CRATES:
        crate = label
        manifest = _manifest(ctx)
        crates.append(struct(
            # Frozen: a list could still change, and no depset takes one.
            deps = tuple(_linked(ctx.rule)),
            label = label,
            manifest = manifest,
            name = _crate_name(ctx),
            version = ctx.rule.attr.version,
        ))
        files += [manifest] if manifest else []
    elif ctx.rule.kind in _PROGRAMS:
        program = target[DefaultInfo].files_to_run.executable
        programs.append(struct(
            deps = tuple(_linked(ctx.rule)),
            file = program,
            label = label,
            name = ctx.label.name,
            # The rule's default says nothing.
            version = None if ctx.rule.attr.version == "0.0.0" else ctx.rule.attr.version,
        ))
        files.append(program)
    elif ctx.rule.kind in _DISKS:
        disk = struct(digest = target[DigestInfo].digest, image = target[ImagePlanInfo].image)
        disks.append(disk)
        files.append(disk.digest)
    if BaseImageInfo in target:
        base = target[BaseImageInfo]
        bases.append(struct(digest = base.digest, label = label, lock = base.lock, tar = base.tar))
        files += [base.digest, base.lock, base.tar]

    # Its bytes are others than those of what it was made from, so that no image has these for inputs.
    made_from = [ctx.rule.attr.tree[TreeInfo].inputs] if ctx.rule.kind == "initrd_image" else []
    return [SbomInfo(
        bases = depset(bases, transitive = [other.bases for other in others]),
        crate = crate,
        crates = depset(crates, transitive = [other.crates for other in others]),
        disks = depset(disks, transitive = [other.disks for other in others]),
        files = depset(files, transitive = made_from + [other.files for other in others]),
        partition = _partition(ctx),
        programs = depset(programs, transitive = [other.programs for other in others]),
    )]

sbom_aspect = aspect(
    implementation = _sbom_aspect_impl,
    doc = "Finds what an image is made of (see SbomInfo).",
    attr_aspects = _ATTRS,
)
