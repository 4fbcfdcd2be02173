"""image_toolchain: the set of tools behind the toolkit's toolchain type."""

load("//bzl/private/providers:image_tools_info.bzl", "ImageToolsInfo", "TOOLS")

def _image_toolchain_impl(ctx):
    tools = {name: getattr(ctx.attr, name)[DefaultInfo].files_to_run for name in TOOLS}
    return [platform_common.ToolchainInfo(image_tools = ImageToolsInfo(**tools))]

image_toolchain = rule(
    implementation = _image_toolchain_impl,
    doc = "Declares a set of image tools; register it through `toolchain(toolchain_type = \"//bzl/toolchain:toolchain_type\")`.",
    attrs = {
        name: attr.label(mandatory = True, executable = True, cfg = "exec", doc = "The program that " + doc + ".")
        for name, doc in TOOLS.items()
    },
)

def source_built_toolchain(name):
    """The tools as built from rust/tools.

    Args:
      name: name of the image_toolchain.
    """
    image_toolchain(name = name, **{tool: "//rust/tools:" + tool for tool in TOOLS})
