"""disk_tool: a `bazel run` target of a tool that takes a disk by its plan."""

load("//bzl/private:image_list.bzl", "image_list")
load("//bzl/private:tool_binary.bzl", "tool_binary")

visibility(["//bzl/..."])

def disk_tool(name, tool, flag, disk, args, data = [], **kwargs):
    """Declares `:NAME`, which runs `tool` on `disk`; no image is written for it.

    Args:
      name: name of the target.
      tool: name of the tool, a field of ImageToolsInfo.
      flag: its flag that takes the disk, such as `--image`.
      disk: label of the disk, an image with a plan.
      args: list of string, further flags of the tool.
      data: labels of files that these name.
      **kwargs: visibility, tags.
    """
    list = name + "_disk"
    image_list(
        name = list,
        image = disk,
        **kwargs
    )
    tool_binary(
        name = name,
        tool = tool,
        args = [flag, "$(rootpath :{})".format(list)] + args,
        data = [":" + list] + data,
        **kwargs
    )
