"""The `image_tools` module extension: the toolkit's tools, built by somebody else and taken by their digest. Nothing of them is compiled then.

```starlark
image_tools = use_extension("@icos_images//bzl:tools_extension.bzl", "image_tools")
image_tools.prebuilt(
    sha256 = "…",
    url = "https://…/image-tools.tar",
)
use_repo(image_tools, "image_tools")

register_toolchains("@image_tools//:toolchain")
```

`bazel build //bzl/toolchain:prebuilt //bzl/toolchain:prebuilt_sha256` in the toolkit's own checkout makes the file and its digest. The set and
the rules belong to one commit. `bazel run @image_tools//:imgdump` runs a tool of it.
"""

load("//bzl/private/providers:image_tools_info.bzl", "TOOLS")

def _prebuilt_impl(rctx):
    url = rctx.attr.url
    if "://" not in url:
        url = "file://" + (url if url.startswith("/") else "{}/{}".format(rctx.workspace_root, url))
    rctx.download_and_extract(url, output = "bin", sha256 = rctx.attr.sha256)
    missing = [tool for tool in TOOLS if not rctx.path("bin/" + tool).exists]
    if missing:
        fail("{} has no {}: it was made by another version of the toolkit than these rules, make it anew".format(rctx.attr.url, ", ".join(missing)))
    result = rctx.execute(["chmod", "-R", "a+rx", "bin"])
    if result.return_code != 0:
        fail("chmod: " + result.stderr)
    lines = [
        "load(\"{}\", \"image_tools\")".format(Label("//bzl/toolchain:image_toolchain.bzl")),
        "",
        "exports_files({})".format(["bin/" + tool for tool in TOOLS]),
        "",
        "image_tools(name = \"toolchain\", tools = \"bin/{}\")",
    ]
    for tool in TOOLS:
        lines.append("alias(name = \"{0}\", actual = \"bin/{0}\", visibility = [\"//visibility:public\"])".format(tool))
    rctx.file("BUILD.bazel", "\n".join(lines) + "\n")

_prebuilt = repository_rule(
    implementation = _prebuilt_impl,
    doc = "A set of prebuilt tools.",
    attrs = {
        "sha256": attr.string(mandatory = True, doc = "SHA-256 of the file, hexadecimal."),
        "url": attr.string(mandatory = True, doc = "Address or path of the file."),
    },
)

_prebuilt_tag = tag_class(
    doc = "The tools of one file as a repository with a target for each tool and `:toolchain`.",
    attrs = {
        "name": attr.string(default = "image_tools", doc = "Name of the repository."),
        "sha256": attr.string(mandatory = True, doc = "SHA-256 of the file, hexadecimal; another content is refused."),
        "url": attr.string(mandatory = True, doc = "Where the file is: an address, an absolute path, or a path from the root of the main repository. It may have been compressed (.tar.gz)."),
    },
)

def _image_tools_impl(mctx):
    # Which tools run is the root module's choice.
    for module in mctx.modules:
        for tag in module.tags.prebuilt if module.is_root else []:
            _prebuilt(name = tag.name, sha256 = tag.sha256, url = tag.url)
    return mctx.extension_metadata(reproducible = True)

image_tools = module_extension(
    implementation = _image_tools_impl,
    doc = "Repositories of prebuilt tools; tags of the root module count, others don't.",
    tag_classes = {"prebuilt": _prebuilt_tag},
)
