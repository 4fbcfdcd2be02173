"""Analysis tests of texts from templates."""

load("//bzl:image.bzl", "filled_template", "filled_templates")
load(":subject_tests.bzl", "subject_tests")

_ARGV = {
    "one": ("FillTemplate", ["--partitions bzl/tests/partitions.csv --set A=1 --set-file B=bzl/tests/one.txt --output "]),
    "several": ("FillTemplate", ["--template bzl/tests/two.txt --set A=1 --each SLOT --each-output A=", "_text_A --each-output B=", "_text_B"]),
}

_REFUSED = {
    "several_again": "each: got A, want a key that is not in values or file_values",
    "several_lines": "is \"a\\nb\", want a value without a line break",
    "several_pair": "each_value of @@//bzl/tests:template_test_subject_several_pair: got name \"A=B\", want one without '='",
    "several_short": "each_value: got [\"A\"], want as many as outs, 2",
}

def _subjects(prefix):
    manual = dict(tags = ["manual"])
    filled_template(
        name = prefix + "one",
        file_values = {"one.txt": "B"},
        partitions = "partitions.csv",
        template = "two.txt",
        values = {"A": "1"},
        **manual
    )
    several = dict(template = "two.txt", values = {"A": "1"}, **manual)
    texts = [prefix + "text_" + slot for slot in ["A", "B"]]
    filled_templates(name = prefix + "several", each = "SLOT", each_value = ["A", "B"], outs = texts, **several)
    for refused, each, values in [
        ("several_again", "A", ["A", "B"]),
        ("several_lines", "a\nb", ["A", "B"]),
        ("several_pair", "SLOT", ["A", "A=B"]),
        ("several_short", "SLOT", ["A"]),
    ]:
        outs = ["{}{}_{}".format(prefix, refused, slot) for slot in ["A", "B"]]
        filled_templates(name = prefix + refused, each = each, each_value = values, outs = outs, **several)

def template_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    _subjects(prefix)
    native.test_suite(name = name, tests = subject_tests(name, prefix, argv = _ARGV, refused = _REFUSED))
