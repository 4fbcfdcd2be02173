"""oci_image: an image for container engines, as one archive."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "pair", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_of", "image_providers", "inputs_of", "read_of")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")

visibility(["//bzl/..."])

def _oci_image_impl(ctx):
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    where = "of {}".format(ctx.label)
    layers = [image_of(target, "layers", ctx.label) for target in ctx.attr.layers]
    if not layers:
        fail("layers: got none, want one at least ({})".format(ctx.label))
    args = tool_args(ctx)
    for layer in layers:
        args.add("--layer", layer.reference)
        args.add("--digest", layer.digest)
    args.add("--name", line(ctx.attr.image_name, "image_name " + where))
    args.add("--version-file", ctx.file.version)
    args.add("--architecture", line(ctx.attr.architecture, "architecture " + where))
    for key, value in sorted(ctx.attr.labels.items()):
        args.add("--label", pair(key, value, "labels " + where))
    for word in ctx.attr.command:
        args.add("--command", line(word, "command " + where))
    args.add("--stop-signal", line(ctx.attr.stop_signal, "stop_signal " + where))
    args.add("--mtime", str(ctx.attr.timestamp))
    args.add("--output", plan)
    read = read_of(layers) + [layer.digest for layer in layers] + [ctx.file.version]
    run_tool(ctx, "mkoci", args, read, [plan], "MkOci", "Laying out OCI archive %{label}")
    return image_providers(ctx, plan, inputs_of(layers), ctx.attr.layers)

oci_image = rule(
    implementation = _oci_image_impl,
    doc = """An archive of an OCI image layout with one image, as a plan: what `podman load`, `skopeo copy oci-archive:…` and `docker load` take.

Layers are not compressed: their bytes are those of the inputs, and the digest of each is that of its plan (`DigestInfo`).""",
    attrs = {
        "architecture": attr.string(
            default = "amd64",
            doc = "Architecture, in Debian's terms.",
        ),
        "command": attr.string_list(
            doc = "What a container starts with if nobody says otherwise; default: nothing.",
        ),
        "image_name": attr.string(
            mandatory = True,
            doc = "What the image is called once it is loaded; the version becomes its tag, with `_` for `+`.",
        ),
        "labels": attr.string_dict(
            doc = "Labels beside org.opencontainers.image.version.",
        ),
        "layers": attr.label_list(
            mandatory = True,
            allow_files = True,
            doc = "The layers, the lowest first: tars, or images that are (`tree_layer`).",
        ),
        "stop_signal": attr.string(
            doc = "The signal that ends a container, as \"SIGRTMIN+3\"; default: the engine's own.",
        ),
        "timestamp": attr.int(
            mandatory = True,
            doc = "When the image says that it was created, and the time of the archive's members, in seconds since 1970.",
        ),
        "version": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "File whose first line is the version.",
        ),
    },
    provides = [ImagePlanInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
