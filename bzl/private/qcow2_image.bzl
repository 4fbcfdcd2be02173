"""qcow2_image: an image in QEMU's own format, as a plan."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_providers")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")

visibility(["//bzl/..."])

def _qcow2_image_impl(ctx):
    image = ctx.attr.image[ImagePlanInfo]
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    args = tool_args(ctx)
    args.add("--image", image.image)
    args.add("--output", plan)
    run_tool(ctx, "mkqcow2", args, [image.image, image.plan], [plan], "MkQcow2", "Laying out qcow2 image %{label}")
    return image_providers(ctx, plan, image.inputs, [ctx.attr.image])

qcow2_image = rule(
    implementation = _qcow2_image_impl,
    doc = "An image as qcow2 version 3 without its zeros, for QEMU and for upload to clouds; write it with `image_file`.",
    attrs = {
        "image": attr.label(
            mandatory = True,
            providers = [ImagePlanInfo],
            doc = "The image.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
