"""published_base_image: a base image that was fetched from a registry."""

load("//bzl/private/providers:published_base_image_info.bzl", "PublishedBaseImageInfo")

# The repositories of bzl/base_images_extension.bzl load this.
visibility("public")

def _published_base_image_impl(ctx):
    return [
        DefaultInfo(files = depset([ctx.file.tar, ctx.file.config, ctx.file.manifest])),
        PublishedBaseImageInfo(
            config = ctx.file.config,
            digest = ctx.attr.digest,
            manifest = ctx.file.manifest,
            tar = ctx.file.tar,
        ),
    ]

published_base_image = rule(
    implementation = _published_base_image_impl,
    doc = "The files of a base image that was fetched; what `debian_base_image` takes in place of packages.",
    attrs = {
        "config": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The OCI image configuration.",
        ),
        "digest": attr.string(
            mandatory = True,
            doc = "The digest that is pinned, `sha256:…`.",
        ),
        "manifest": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The OCI manifest.",
        ),
        "tar": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The layer.",
        ),
    },
)
