"""deployment_file: a description of images that travel inside another one."""

load("@bazel_skylib//rules:common_settings.bzl", "BuildSettingInfo")
load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "pair", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "add_named", "image_of")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")

visibility(["//bzl/..."])

def _check(name, target, ctx):
    """Refuses an image that says of itself what the whole says otherwise."""
    for key, value in target[ImagePlanInfo].properties.items():
        want = ctx.attr.properties.get(key, value)
        if value != want:
            fail("images: {} ({}) has {} {}, want {} as the whole ({})".format(name, target.label, key, value, want, ctx.label))

def _deployment_file_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out)
    args = tool_args(ctx)
    args.add("--name", ctx.attr.image_name)
    args.add("--version-file", ctx.file.version)
    for key, value in sorted(ctx.attr.properties.items()):
        args.add("--set", pair(key, value, "properties of {}".format(ctx.label)))
    if ctx.attr.expires and ctx.attr.expires[BuildSettingInfo].value:
        args.add("--set", pair("expires", ctx.attr.expires[BuildSettingInfo].value, "expires of {}".format(ctx.label)))
    images = {}
    properties = {}
    for target, name in ctx.attr.images.items():
        if ":" in name:
            fail("images: got name {} for {}, want one without a colon ({})".format(repr(name), target.label, ctx.label))
        images[name] = image_of(target, "images", ctx.label)
        properties[name] = ctx.attr.properties
        if ImagePlanInfo in target:
            _check(name, target, ctx)
            properties[name] = ctx.attr.properties | target[ImagePlanInfo].properties
    for name, image in images.items():
        add_named(args, "--image", name, image.fsverity, ctx.label)
        for key, value in sorted(properties[name].items()):
            args.add("--image-set", "{}:{}={}".format(name, key, value))
    args.add("--output", out)
    read = [ctx.file.version] + [image.fsverity for image in images.values()]
    run_tool(ctx, "mkdeployment", args, read, [out], "MkDeployment", "Describing the images of %{label}")
    return [DefaultInfo(files = depset([out]))]

deployment_file = rule(
    implementation = _deployment_file_impl,
    doc = """deployment.json (docs/formats/deployment.md): names, versions, sizes and digests of images that an installation medium carries.

The images are not read: their digests are those of `DigestInfo`.""",
    attrs = {
        "expires": attr.label(
            providers = [BuildSettingInfo],
            doc = "A string_flag: property `expires` of the whole, from when on it is too old, as 2027-01-31; empty or none: never.",
        ),
        "image_name": attr.string(
            mandatory = True,
            doc = "Name of the whole.",
        ),
        "images": attr.label_keyed_string_dict(
            mandatory = True,
            allow_files = True,
            doc = "Image (a plan or a file) to its name; its file is called NAME.img.",
        ),
        "out": attr.string(
            default = "deployment.json",
            doc = "Name of the file.",
        ),
        "properties": attr.string_dict(
            doc = "What else is to be known of the whole and of each image, as `{\"env\": \"prod\"}`. " +
                  "An image that says otherwise of itself (`gpt_disk.properties`) is refused.",
        ),
        "version": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "A file whose first line is the version of the whole and of its images.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
