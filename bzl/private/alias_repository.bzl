"""alias_repository: one short name for the targets of many repositories."""

visibility(["//bzl/..."])

def _alias_repository_impl(rctx):
    rctx.file("BUILD.bazel", "".join(["""alias(
    name = "{0}",
    actual = "@{0}//:{1}",
    visibility = ["//visibility:public"],
)
""".format(name, rctx.attr.target) for name in rctx.attr.names]))

alias_repository = repository_rule(
    implementation = _alias_repository_impl,
    doc = "`:NAME` for `@NAME//:TARGET` of each of several repositories; nothing is fetched before a target is asked for.",
    attrs = {
        "names": attr.string_list(mandatory = True, doc = "Names of the repositories."),
        "target": attr.string(mandatory = True, doc = "Name of the target in each."),
    },
)
