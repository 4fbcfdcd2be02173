"""Notes for `imgdump why`, reports and bills of materials: small files that are written beside images, and that no image is made of (docs/formats/why.md)."""

load("//bzl/private/providers:why_info.bzl", "WhyInfo")

visibility(["//bzl/..."])

def note(what, **fields):
    """A line of a file of notes.

    Args:
      what: what it is about.
      **fields: what is said.

    Returns:
      string: one line of JSON; fields that are None are left out.
    """
    return json.encode({"is": what} | {name: value for name, value in fields.items() if value != None})

def label_text(label):
    """A label as people write it.

    Args:
      label: Label.

    Returns:
      string: without the repository's name for one of the main repository.
    """
    return str(label).removeprefix("@@") if str(label).startswith("@@//") else str(label)

def _input_note(file):
    return note("input", label = label_text(file.owner), path = file.path)

def _file_note(file):
    return note("file", path = file.path)

def _image_note(file):
    return note("image", path = file.path)

def why_of(targets, files = [], read = [], why = None):
    """The notes of a target.

    Args:
      targets: list of Target that it is made of.
      files: list of File: its own notes.
      read: list of File: what they name.
      why: File: the notes on its own image.

    Returns:
      WhyInfo.
    """
    others = [target[WhyInfo] for target in targets if WhyInfo in target]
    return WhyInfo(
        files = depset(files, transitive = [other.files for other in others]),
        read = depset(read, transitive = [other.read for other in others]),
        why = why,
    )

def image_why(ctx, inputs, targets, files = [], read = []):
    """Writes NAME.why beside NAME.image.

    Args:
      ctx: rule context.
      inputs: depset of File: the image's inputs.
      targets: list of Target that the image is made of.
      files: list of File: further notes on it.
      read: list of File: what they name.

    Returns:
      WhyInfo.
    """
    why = ctx.actions.declare_file(ctx.label.name + ".why")
    info = why_of(targets, files, read, why = why)
    lines = ctx.actions.args()
    lines.set_param_file_format("multiline")
    lines.add_all(inputs, map_each = _input_note)
    lines.add_all(info.files, map_each = _file_note)
    ctx.actions.write(why, lines)
    return info

def file_why(ctx, out, image, target):
    """Writes the notes of a file that an image was written to.

    Args:
      ctx: rule context.
      out: File: the file.
      image: File: the list of the image.
      target: Target of the image.

    Returns:
      list of provider: WhyInfo, and an output group with all that the notes name, which is built whenever the file is.
    """
    why = ctx.actions.declare_file(out.basename + ".why", sibling = out)
    info = why_of([target])
    own = target[WhyInfo].why if WhyInfo in target else None
    owns = [own] if own else []
    lines = ctx.actions.args()
    lines.set_param_file_format("multiline")
    lines.add_all([image], map_each = _image_note)
    lines.add_all(owns, map_each = _file_note)
    ctx.actions.write(why, lines)
    return [
        WhyInfo(files = info.files, read = info.read, why = own),
        OutputGroupInfo(_hidden_top_level_INTERNAL_ = depset([why, image] + owns, transitive = [info.files, info.read])),
    ]
