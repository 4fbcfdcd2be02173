"""rule_reference: the pages of this folder, from the docstrings of the toolkit's .bzl files."""

load("@bazel_skylib//rules:diff_test.bzl", "diff_test")
load("@bazel_skylib//rules:native_binary.bzl", "native_binary")

visibility(["//docs/..."])

def _rendered_page_impl(ctx):
    page = ctx.actions.declare_file(ctx.label.name + ".md")
    args = ctx.actions.args()
    args.add_joined("--page", [page, ctx.file.extracted], join_with = "=")
    ctx.actions.run(
        executable = ctx.executable._ruledoc,
        arguments = [args],
        inputs = [ctx.file.extracted],
        outputs = [page],
        mnemonic = "RuleDoc",
        progress_message = "Rendering %{output}",
    )
    return [DefaultInfo(files = depset([page]))]

_rendered_page = rule(
    implementation = _rendered_page_impl,
    doc = "The reference of one .bzl file as Markdown.",
    attrs = {
        "extracted": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "A `starlark_doc_extract`.",
        ),
        "_ruledoc": attr.label(
            default = "//rust/tools:ruledoc",
            executable = True,
            cfg = "exec",
        ),
    },
)

def rule_reference(name, pages, deps):
    """A page for each file, a test that it is up to date, and `:update`, which writes all of them.

    Args:
      name: name of the target that updates.
      pages: dict of page to the label of its .bzl file.
      deps: labels of all .bzl files that these load.
    """
    here = native.package_name()
    update = []
    extracts = []
    for page, src in pages.items():
        stem = page.removesuffix(".md")
        native.starlark_doc_extract(
            name = stem + "_extracted",
            src = src,
            deps = deps,
        )
        _rendered_page(
            name = stem + "_rendered",
            extracted = ":" + stem + "_extracted",
        )
        diff_test(
            name = stem + "_test",
            size = "small",
            failure_message = "The page does not say what the docstrings say. Mend it: bazel run //{}:{}".format(here, name),
            file1 = page,
            file2 = ":" + stem + "_rendered",
        )
        update.append("--page={}/{}=$(rootpath :{}_extracted)".format(here, page, stem))
        extracts.append(":" + stem + "_extracted")
    native_binary(
        name = name,
        src = "//rust/tools:ruledoc",
        out = name + "_bin",
        args = ["--update"] + update,
        data = extracts,
    )
