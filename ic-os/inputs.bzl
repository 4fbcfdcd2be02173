"""image_inputs: what an image is made of, and the version that follows from it."""

load("//bzl:image.bzl", "inputs_version")
load("//ic-os:partitions.bzl", "STEP", "TIMESTAMP")

visibility(["//ic-os/..."])

def image_inputs(name, os, image, env, templates, made):
    """`:NAME`, a version file: the version that follows from all inputs of an image but the version; and `:inputs`, their list with digests.

    What counts is what is given to the build, not the tools that put it together. Nothing here may depend on the version.

    Args:
      name: name of the target.
      os: the system (see operating_system).
      image: the system in one env (see in_env).
      env: name of the env.
      templates: label of the text of a filled template to its destination.
      made: list of labels that the env makes for the root, without the version in them.
    """
    inputs = [label for destinations in image.files for label in destinations] + [
        # Boot loader and stub, with their configuration and the key of whoever signs.
        ":loader_rootfs",
        "//ic-os:sbat.csv",
        "//ic-os:signer_certificate",
        image.partitions,
        image.rootfs,
        os.cmdline,
    ] + templates.keys() + made + os.images.values()
    if os.slots:
        # What it makes has the version in it.
        inputs.append("//ic-os:os.json.template")
    inputs_version(
        name = name,
        # One may be there twice.
        srcs = {label: None for label in inputs}.keys(),
        settings = json.encode({
            "boot_args": image.boot_args,
            "boot_limit": os.boot_limit,
            "data_formats": os.data_formats,
            "directories": image.directories,
            "empty_partitions": os.empty_partitions,
            "env": env,
            "files": image.files,
            "ids": os.ids,
            "name": os.name,
            "signed_updates": image.signed_updates,
            "slots": os.slots,
            "symlinks": image.symlinks,
            "templates": templates,
            "timestamp": TIMESTAMP,
        }),
        **STEP
    )
    native.filegroup(
        name = "inputs",
        srcs = [":" + name],
        output_group = "inputs",
        **STEP
    )
