"""How rules hand images to tools and to each other.

On a command line an image is one path: of a list (NAME.image) or of a plain file. A tool that puts images together numbers their
inputs by first appearance; a depset in preorder of the same images in the same order lists the same files in the same order.
"""

load("//bzl/private:image_tools.bzl", "run_tool", "tool_args")
load("//bzl/private:why.bzl", "image_why")
load("//bzl/private/providers:digest_info.bzl", "DigestInfo")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")

visibility(["//bzl/..."])

def write_list(ctx, out, head, rest, map_each = None):
    """Writes a list: a path a line.

    Args:
      ctx: rule context.
      out: File to write.
      head: File of the first line.
      rest: list or depset of File: the other lines.
      map_each: what to write of a File; default: its path.
    """
    lines = ctx.actions.args()
    lines.set_param_file_format("multiline")
    lines.add_all([head], map_each = map_each)
    lines.add_all(rest, map_each = map_each)
    ctx.actions.write(out, lines)

def _hashed(ctx, image, read, out, mnemonic, flags = []):
    digest = ctx.actions.declare_file(out)
    args = tool_args(ctx)
    args.add_all(flags)
    args.add("--image", image)
    args.add("--output", digest)
    run_tool(ctx, "hashimage", args, read, [digest], mnemonic, "Hashing image %{label}")
    return digest

def digest_info(ctx, image, read, name = None, digest = None):
    """Declares the digests of an image; the action of each runs only if somebody asks for it.

    Args:
      ctx: rule context; the rule has TOOLCHAIN_TYPE among its toolchains.
      image: File: a list, or a file as it is.
      read: depset of File: all that is read for it.
      name: what their files are called, without the extension; default: the rule's name.
      digest: File: the SHA-256, if somebody else makes it.

    Returns:
      DigestInfo
    """
    name = name or ctx.label.name
    return DigestInfo(
        digest = digest or _hashed(ctx, image, read, name + ".digest", "HashImage"),
        fsverity = _hashed(ctx, image, read, name + ".fsverity", "HashFsverity", ["--fsverity"]),
    )

def image_providers(ctx, plan, inputs, made_of, properties = {}, notes = [], named = []):
    """What a rule returns that made the plan of an image.

    Args:
      ctx: rule context; the rule has TOOLCHAIN_TYPE among its toolchains.
      plan: File: the plan.
      inputs: depset of File in preorder: the plan's inputs.
      made_of: list of Target: what was laid out, for the notes on the image.
      properties: dict: as in ImagePlanInfo.
      notes: list of File: notes of the rule's own.
      named: list of File: what these name.

    Returns:
      list of providers: DefaultInfo, ImagePlanInfo, DigestInfo, WhyInfo.
    """
    image = ctx.actions.declare_file(ctx.label.name + ".image")
    write_list(ctx, image, plan, inputs)

    return [
        DefaultInfo(files = depset([plan])),
        ImagePlanInfo(image = image, inputs = inputs, plan = plan, properties = properties),
        digest_info(ctx, image, depset([image, plan], transitive = [inputs])),
        image_why(ctx, inputs, made_of, notes, named),
    ]

def _plain(file, digest, fsverity):
    # What a name says to a tool must be true of the file.
    if file.extension in ["image", "digest", "fsverity"]:
        fail("{}: a plain file named *.{} is read as a list or digest of an image; give it another name".format(file.short_path, file.extension))
    return struct(
        digest = digest,
        fsverity = fsverity,
        has_name = True,
        inputs = depset([file], order = "preorder"),
        is_list = False,
        name = file.basename,
        read = [file],
        reference = file,
    )

def images_of(target):
    """The images that a target stands for: the one of its plan, or its files as they are.

    Args:
      target: Target.

    Returns:
      list of struct: name (base name of the file); has_name (bool: whether that is the name of a file, not of a plan); reference (File: what to name to a tool); is_list (bool: whether that is a list); read (list of File: what a tool
      reads that lays the image out within another); inputs (depset of File in preorder); digest (File to name to a tool that
      wants the digest: of a plain file without DigestInfo the file itself); fsverity (likewise, of the other digest).
    """
    files = target[DefaultInfo].files.to_list()
    if ImagePlanInfo in target:
        info = target[ImagePlanInfo]
        return [struct(
            digest = target[DigestInfo].digest,
            fsverity = target[DigestInfo].fsverity,
            has_name = files[0] != info.plan,
            inputs = info.inputs,
            is_list = True,
            name = files[0].basename,
            read = [info.image, info.plan],
            reference = info.image,
        )]
    if DigestInfo in target:
        return [_plain(files[0], target[DigestInfo].digest, target[DigestInfo].fsverity)]
    return [_plain(file, file, file) for file in files]

def image_of(target, attribute, label):
    """The one image that a target stands for.

    Args:
      target: Target.
      attribute: attribute it was given in, for errors.
      label: of the rule, for errors.

    Returns:
      struct: as in images_of.
    """
    images = images_of(target)
    if len(images) != 1:
        fail("{}: {} has {} files, want exactly one ({})".format(attribute, target.label, len(images), label))
    return images[0]

def inputs_of(images):
    """The inputs of an image made of others.

    Args:
      images: list of structs of images_of, in the order in which the tool gets them.

    Returns:
      depset of File in preorder.
    """
    return depset(transitive = [image.inputs for image in images], order = "preorder")

def read_of(images):
    """What a tool reads that lays images out in another one.

    Args:
      images: list of structs of images_of.

    Returns:
      list of File: lists and plans; of plain files the file itself, whose length counts.
    """
    return [file for image in images for file in image.read]

def add_named(args, flag, name, file, where):
    """Adds `FLAG NAME=FILE`.

    Args:
      args: Args to add to.
      flag: the flag.
      name: what the file is called.
      file: File.
      where: label, for errors.
    """
    if not name or "=" in name or "\n" in name:
        fail("got an image called {}, want a name without '=' and line break: {} ({})".format(repr(name), file.short_path, where))
    args.add(flag)
    args.add(file, format = name.replace("%", "%%") + "=%s")
