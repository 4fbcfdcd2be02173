"""filled_template: a text file from a template, a partition table and keys; filled_templates: one for each value of a key."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "pair", "run_tool", "tool_args")

visibility(["//bzl/..."])

def _fill(ctx, outputs, where):
    """Declares the action; `where(args)` adds the flags that say which text goes where."""
    args = tool_args(ctx)
    args.add("--template", ctx.file.template)
    inputs = [ctx.file.template]
    if ctx.file.partitions:
        args.add("--partitions", ctx.file.partitions)
        inputs.append(ctx.file.partitions)
    for key, value in sorted(ctx.attr.values.items()):
        args.add("--set", pair(key, value, "values of {}".format(ctx.label)))
    for target, key in ctx.attr.file_values.items():
        file = target[DefaultInfo].files.to_list()[0]
        pair(key, "", "file_values of {}".format(ctx.label))
        args.add_joined("--set-file", [key, file], join_with = "=")
        inputs.append(file)
    where(args)
    run_tool(ctx, "substitute", args, inputs, outputs, "FillTemplate", "Filling template %{label}")
    return [DefaultInfo(files = depset(outputs))]

def _filled_template_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out or ctx.label.name)
    return _fill(ctx, [out], lambda args: args.add("--output", out))

def _filled_templates_impl(ctx):
    outs = ctx.outputs.outs
    if len(outs) != len(ctx.attr.each_value):
        fail("each_value: got {}, want as many as outs, {} ({})".format(ctx.attr.each_value, len(outs), ctx.label))
    if ctx.attr.each in ctx.attr.values or ctx.attr.each in ctx.attr.file_values.values():
        fail("each: got {}, want a key that is not in values or file_values ({})".format(ctx.attr.each, ctx.label))

    def where(args):
        args.add("--each", line(ctx.attr.each, "each of {}".format(ctx.label)))
        for value, out in zip(ctx.attr.each_value, outs):
            pair(value, "", "each_value of {}".format(ctx.label))
            args.add_joined("--each-output", [value, out], join_with = "=")

    return _fill(ctx, outs, where)

_ATTRS = {
    "file_values": attr.label_keyed_string_dict(
        allow_files = True,
        doc = "File to the key that stands for its content, without the last newline.",
    ),
    "partitions": attr.label(
        allow_single_file = [".csv"],
        doc = "The partition table (docs/formats/partitions.md).",
    ),
    "template": attr.label(
        mandatory = True,
        allow_single_file = True,
        doc = "The template.",
    ),
    "values": attr.string_dict(
        doc = "Keys and their values, of one line each; text of several lines comes from a file, by `file_values`.",
    ),
}

filled_template = rule(
    implementation = _filled_template_impl,
    doc = """A text file from a template: `{{KEY}}` from `values` and `file_values`, and from the partition table, for the partition NAME,
`{{partuuid:NAME}}`, `{{start:NAME}}` and `{{size:NAME}}` (bytes), `{{number:NAME}}` (from 1) and `{{type:NAME}}`.
A key may stand in a key, one deep: `{{partuuid:{{SLOT}}_root}}`.

A key that nothing answers is an error with its line. Two braces that are to stay are written `{{"{{"}}`.""",
    attrs = _ATTRS | {
        "out": attr.string(
            doc = "Name of the file; default: the target's.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)

filled_templates = rule(
    implementation = _filled_templates_impl,
    doc = """Several text files from one template (see `filled_template`), in one action: one for each value of a key.""",
    attrs = _ATTRS | {
        "each": attr.string(
            mandatory = True,
            doc = "The key.",
        ),
        "each_value": attr.string_list(
            allow_empty = False,
            mandatory = True,
            doc = "Its values, one for each of `outs`.",
        ),
        "outs": attr.output_list(
            allow_empty = False,
            mandatory = True,
            doc = "The files.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
