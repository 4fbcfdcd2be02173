"""image_vulnerabilities: a `bazel run` target that compares a bill of materials with advisories."""

load("//bzl/private:tool_binary.bzl", "tool_binary")

visibility(["//bzl/..."])

def image_vulnerabilities(name, sbom, holds = {}, args = [], **kwargs):
    """`bazel run :NAME -- --advisories FILE` lists known vulnerabilities of what is in an image; nothing is fetched.

    Exit status 1 if one is of severity `high` (`--fail-on`) or worse and not allowed (`--allow`); docs/guides/vulnerabilities.md. Flags after
    `--`: `bazel run :NAME -- --help` lists them.

    Args:
      name: name of the target.
      sbom: label of the bill of materials, an `image_sbom`.
      holds: path to label: for an image that this one holds as a file, `PARTITION/PATH` as `sbom` names it, its own bill of materials. What it has is
        listed with its path. Of one that is left out nothing but its name is listed.
      args: further flags of advisories.
      **kwargs: visibility, tags.
    """
    tool_binary(
        name = name,
        tool = "advisories",
        args = ["--sbom", "$(rootpath {})".format(sbom)] +
               ["--holds={}=$(rootpath {})".format(path, held) for path, held in holds.items()] +
               args,
        data = [sbom] + holds.values(),
        **kwargs
    )
