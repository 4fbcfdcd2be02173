"""What is made of packages that are not the locked ones says so: which those are, from any image on."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private/providers:base_image_info.bzl", "BaseImageInfo")

visibility(["//bzl/..."])

UnlockedInfo = provider(
    doc = "The base images of something that have other packages than the locked ones.",
    fields = {"bases": "depset of struct: `lock`, the File that locks them; `built`, the File that names what is there; `note`, a File with a line for each that differs."},
)

def _targets(value):
    """The targets in the value of an attribute."""
    if type(value) == "Target":
        return [value]
    if type(value) == "list":
        return [each for each in value if type(each) == "Target"]
    if type(value) == "dict":
        return [each for each in value.keys() + value.values() if type(each) == "Target"]
    return []

def _unlocked_aspect_impl(target, ctx):
    own = []
    if BaseImageInfo in target and target[BaseImageInfo].unlocked:
        base = target[BaseImageInfo]
        own.append(struct(lock = base.unlocked.lock, built = base.lock, note = base.unlocked.note))
    transitive = [
        found[UnlockedInfo].bases
        for name in dir(ctx.rule.attr)
        for found in _targets(getattr(ctx.rule.attr, name))
        if UnlockedInfo in found
    ]
    return [UnlockedInfo(bases = depset(own, transitive = transitive))]

unlocked_aspect = aspect(
    implementation = _unlocked_aspect_impl,
    doc = "Finds base images with other packages than the locked ones, along every attribute.",
    attr_aspects = ["*"],
)

def unlocked_bases(targets):
    """Base images that something is made of and that have other packages than the locked ones.

    Args:
      targets: list of Target, of an attribute with unlocked_aspect.

    Returns:
      list of struct: `lock`, `built` and `note` (see UnlockedInfo).
    """
    return depset(transitive = [target[UnlockedInfo].bases for target in targets if UnlockedInfo in target]).to_list()

def container_note(ctx):
    """What a build container of other packages than its lock's is a reason to say (ci/container/setup.sh sets that word).

    Args:
      ctx: a rule's.

    Returns:
      string: a line without its end, or empty.
    """
    if ctx.var.get("build_container") == "unlocked":
        return "unlocked: the build container, whose packages are not those of its lock"
    return ""

def _unlocked_note_impl(ctx):
    note = ctx.actions.declare_file(ctx.label.name + ".txt")
    bases = unlocked_bases(ctx.attr.images)
    container = container_note(ctx)
    if not bases:
        ctx.actions.write(note, "\n" + container if container else "")
        return [DefaultInfo(files = depset([note]))]
    template = ctx.actions.declare_file(ctx.label.name + ".template")
    ctx.actions.write(template, "".join(["\n{{note%d}}" % number for number in range(len(bases))]) + ("\n" + container if container else "") + "\n")
    args = tool_args(ctx)
    args.add("--template", template)
    for number, base in enumerate(bases):
        args.add_joined("--set-file", ["note%d" % number, base.note], join_with = "=")
    args.add("--output", note)
    run_tool(ctx, "substitute", args, [template] + [base.note for base in bases], [note], "FillTemplate", "Noting what is unlocked of %{label}")
    return [DefaultInfo(files = depset([note]))]

unlocked_note = rule(
    implementation = _unlocked_note_impl,
    doc = """A text on which packages of images are not the locked ones: empty, or a line break and a line for each, `unlocked: …`.

They are not where the archive has moved on and a build was not told to stop at that (docs/guides/archive.md). Put to a version, this text
leaves it as it is, or marks it.""",
    attrs = {
        "images": attr.label_list(
            allow_files = True,
            aspects = [unlocked_aspect],
            mandatory = True,
            doc = "The images. All that they are made of counts.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
