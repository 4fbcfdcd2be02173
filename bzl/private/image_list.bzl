"""image_list: an image for programs that run, as `bazel run` and `bazel test` start them."""

load("//bzl/private:plans.bzl", "write_list")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")

visibility(["//bzl/..."])

def _image_list_impl(ctx):
    info = ctx.attr.image[ImagePlanInfo]
    out = ctx.actions.declare_file(ctx.label.name + ".image")
    write_list(ctx, out, info.plan, info.inputs, _short_path)
    return [DefaultInfo(
        files = depset([out]),
        # As a list: runfiles take no depset in preorder.
        runfiles = ctx.runfiles([out, info.plan] + info.inputs.to_list()),
    )]

def _short_path(file):
    return file.short_path

image_list = rule(
    implementation = _image_list_impl,
    doc = """NAME.image: the plan and its inputs by their places among runfiles, a path a line.

Programs that take an image take such a list, too (`imgdump`, `runvm`, boot tests): nothing is written for them.""",
    attrs = {
        "image": attr.label(
            mandatory = True,
            providers = [ImagePlanInfo],
            doc = "The image.",
        ),
    },
)
