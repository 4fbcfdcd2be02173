"""fails_test: an analysis test that wants its subject refused, with a given text."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

def _fails_test_impl(ctx):
    env = analysistest.begin(ctx)
    asserts.expect_failure(env, ctx.attr.message)
    return analysistest.end(env)

fails_test = analysistest.make(
    _fails_test_impl,
    expect_failure = True,
    attrs = {"message": attr.string(mandatory = True)},
)
