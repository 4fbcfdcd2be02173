"""image_toolchain: the set of tools behind the toolkit's toolchain type; built from source, or prebuilt.

`//bzl/toolchain:prebuilt` packs the tools; the module extension in `//bzl:tools_extension.bzl` takes the pack into another module.
"""

load("//bzl/private/providers:image_tools_info.bzl", "ImageToolsInfo", "TOOLS")

def _image_toolchain_impl(ctx):
    tools = {name: getattr(ctx.attr, name)[DefaultInfo].files_to_run for name in TOOLS}
    return [platform_common.ToolchainInfo(image_tools = ImageToolsInfo(**tools))]

image_toolchain = rule(
    implementation = _image_toolchain_impl,
    doc = "Declares a set of image tools; register it through `toolchain(toolchain_type = \"//bzl/toolchain:toolchain_type\")`.",
    attrs = {
        name: attr.label(mandatory = True, executable = True, allow_files = True, cfg = "exec", doc = "The program that " + doc + ".")
        for name, doc in TOOLS.items()
    },
)

def image_tools(name, tools, visibility = ["//visibility:public"]):
    """A set of tools, and the `toolchain` to register: `:NAME`. They run on x86-64 Linux.

    Args:
      name: name of the toolchain.
      tools: pattern of the labels; `{}` stands for a tool's name.
      visibility: of the toolchain.
    """
    image_toolchain(
        name = name + "_tools",
        visibility = ["//visibility:private"],
        **{tool: tools.format(tool) for tool in TOOLS}
    )
    native.toolchain(
        name = name,
        exec_compatible_with = [
            "@platforms//cpu:x86_64",
            "@platforms//os:linux",
        ],
        toolchain = ":" + name + "_tools",
        toolchain_type = Label("//bzl/toolchain:toolchain_type"),
        visibility = visibility,
    )
