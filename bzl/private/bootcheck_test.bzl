"""bootcheck_test: a disk starts in a virtual machine and says what it should."""

load("//bzl/private:image_list.bzl", "image_list")
load("//bzl/private:tool_binary.bzl", "tool_test")

visibility(["//bzl/..."])

def bootcheck_test(name, disk, expect, until_off = False, within = 60, memory_mib = 1024, size = "large", tags = [], **kwargs):
    """Boots `disk` in QEMU and waits for texts on its serial console. No disk is written.

    KVM is used if a guest really runs on it, else QEMU's emulation. The guest has OVMF's firmware, two processors, a disk and no network.
    A kernel panic, an emergency shell or a firmware that finds nothing to boot end the wait at once. A failed test keeps the console's log:
    `bazel-testlogs/PACKAGE/NAME/test.outputs/console.log`.

    Args:
      name: name of the test.
      disk: label of the disk, an image with a plan.
      expect: texts that the console is to say, in this order.
      until_off: whether the guest is to switch itself off then.
      within: seconds that all of it may take on KVM; twelve times that where the guest is emulated.
      memory_mib: memory of the guest in MiB.
      size: size of the test.
      tags: of the test; the guest's memory and `no-remote-exec` are added.
      **kwargs: visibility, timeout, ….
    """
    list = name + "_disk"
    image_list(
        name = list,
        testonly = True,
        image = disk,
        tags = tags,
        visibility = ["//visibility:private"],
    )
    flags = ["--within", str(within), "--memory-mib", str(memory_mib)] + (["--until-off"] if until_off else [])
    tool_test(
        name = name,
        size = size,
        tool = "bootcheck",
        args = ["--disk", "$(rootpath :{})".format(list)] + flags + [quoted("--expect=" + text) for text in expect],
        data = [":" + list],
        # What the guest has, and 500 MiB for QEMU and the test; a worker elsewhere would not count it. Of processors a starting guest keeps little more
        # than one busy.
        tags = tags + ["no-remote-exec", "resources:memory:{}".format(memory_mib + 500)],
        **kwargs
    )

def quoted(word):
    """A word of `args`, which Bazel reads as a shell would and in which it expands `$`.

    Args:
      word: the word that the program is to get.

    Returns:
      string: what stands for it in `args`.
    """
    return "'" + word.replace("'", "'\\''").replace("$", "$$") + "'"
