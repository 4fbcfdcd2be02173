"""packed_tools: the toolchain's tools as one file, for modules that shall not compile them."""

load("//bzl:image.bzl", "image_file", "update_bundle")
load("//bzl/private:tool_binary.bzl", "tool_binary")
load("//bzl/private/providers:image_tools_info.bzl", "TOOLS")

visibility("private")

def packed_tools(name, out):
    """All tools of the toolchain in one tar, each under its name: `:NAME`.

    Args:
      name: name of the target.
      out: name of the file.
    """
    members = {}
    for tool in TOOLS:
        # A rename for the toolchain's program: an exec-configured one, so what actions run is not compiled again.
        tool_binary(
            name = "{}_{}".format(name, tool),
            tags = ["manual"],
            tool = tool,
            visibility = ["//visibility:private"],
        )
        members[":{}_{}".format(name, tool)] = tool
    update_bundle(
        name = name + "_tar",
        members = members,
        tags = ["manual"],
        timestamp = 0,
    )
    image_file(
        name = name,
        out = out,
        image = ":" + name + "_tar",
    )
