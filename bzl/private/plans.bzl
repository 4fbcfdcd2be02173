"""How rules hand images to tools: as plans, with the positions that their inputs have in the image being made."""

load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")

visibility(["//bzl/..."])

def images_of(target):
    """The images that a target stands for: the one of its plan, or its files as they are.

    Args:
      target: Target.

    Returns:
      list of struct: name (base name of the file), plan (File, None for a plain file), file (File, None for a plan), inputs
      (depset of File in preorder).
    """
    files = target[DefaultInfo].files.to_list()
    if ImagePlanInfo in target:
        info = target[ImagePlanInfo]
        return [struct(file = None, inputs = info.inputs, name = files[0].basename, plan = info.plan)]
    return [
        struct(file = file, inputs = depset([file], order = "preorder"), name = file.basename, plan = None)
        for file in files
    ]

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

def merge(images):
    """The inputs of an image made of others.

    Args:
      images: list of structs of images_of, or of ImagePlanInfo.

    Returns:
      struct: inputs (depset of File in preorder), positions (dict of path to position).
    """
    inputs = depset(transitive = [image.inputs for image in images], order = "preorder")

    # Flattened on purpose: a plan knows its inputs by their positions in this very list, some tens of files.
    return struct(inputs = inputs, positions = {file.path: at for at, file in enumerate(inputs.to_list())})

def add_reference(args, flag, image, positions, name = None):
    """Adds `FLAG [NAME=]PLAN:0,3,4`, or `FLAG [NAME=]FILE::3` for a plain file.

    Args:
      args: Args to add to.
      flag: the flag.
      image: struct of images_of, or ImagePlanInfo.
      positions: dict of path to position, from merge.
      name: what the image is called; None for no name.
    """
    if name != None and ("=" in name or "\n" in name):
        fail("got an image called {}, want a name without '=' and line break: {}".format(repr(name), (image.plan or image.file).short_path))
    numbers = ",".join([str(positions[file.path]) for file in image.inputs.to_list()])
    pattern = "%s" if name == None else name.replace("%", "%%") + "=%s"
    args.add(flag)
    args.add_joined([image.plan or image.file, numbers], join_with = ":" if image.plan else "::", format_joined = pattern)

def plans_of(images):
    """The plan files among images: what a tool that only lays out has to read.

    Args:
      images: list of structs of images_of, or of ImagePlanInfo.

    Returns:
      list of File: plans; of plain files the file itself, whose length counts.
    """
    return [image.plan or image.file for image in images]
