"""image_golden_test: an image is what a checked-in text says."""

load("//bzl/private:image_list.bzl", "image_list")
load("//bzl/private:tool_binary.bzl", "tool_binary", "tool_test")

visibility(["//bzl/..."])

def image_golden_test(name, image, golden, args = [], size = "small", **kwargs):
    """Compares the dump of an image (see `imgdump --help`) with a text; `bazel run :NAME.update` writes the text anew.

    Nothing is written or mounted: the image is read through its plan.

    Args:
      name: name of the test.
      image: label of an image with a plan.
      golden: label of the text.
      args: further flags of imgdump.
      size: size of the test.
      **kwargs: tags, visibility.
    """
    list = name + "_image"
    image_list(name = list, image = image, testonly = True, **kwargs)
    accept = "'--accept-with=bazel run //{}:{}.update'".format(native.package_name(), name)
    arguments = args + [accept, "--golden", "$(rootpath {})".format(golden), "$(rootpath :{})".format(list)]
    common = dict(
        tool = "imgdump",
        data = [golden, ":" + list],
        **kwargs
    )
    tool_test(
        name = name,
        size = size,
        args = arguments,
        **common
    )
    tool_binary(
        name = name + ".update",
        testonly = True,
        args = arguments + ["--update"],
        **common
    )
