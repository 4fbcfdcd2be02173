"""subject_tests: for each subject of a suite what its action is told, or why it is refused."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load(":fails_test.bzl", "fails_test")

def _argv_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = [a for a in analysistest.target_actions(env) if a.mnemonic == ctx.attr.action]
    asserts.equals(env, 1, len(actions), "one action " + ctx.attr.action)
    line = " ".join(actions[0].argv)
    for part in ctx.attr.parts:
        asserts.true(env, part in line, "{} in {}".format(repr(part), line))
    return analysistest.end(env)

argv_test = analysistest.make(
    _argv_test_impl,
    attrs = {
        "action": attr.string(mandatory = True),
        "parts": attr.string_list(mandatory = True),
    },
)

def subject_tests(name, prefix, argv = {}, refused = {}):
    """Declares a test for each subject: an argv_test, or a fails_test.

    Args:
      name: what their names begin with.
      prefix: what the names of their subjects begin with.
      argv: dict of subject to (mnemonic of its action, what its command line has to hold).
      refused: dict of subject to the text of its refusal.

    Returns:
      list of string: their names.
    """
    for subject, (action, parts) in argv.items():
        argv_test(name = "{}_{}".format(name, subject), action = action, parts = parts, target_under_test = prefix + subject)
    for subject, message in refused.items():
        fails_test(name = "{}_{}".format(name, subject), message = message, target_under_test = prefix + subject)
    return ["{}_{}".format(name, subject) for subject in argv.keys() + refused.keys()]
