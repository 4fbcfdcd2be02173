"""Analysis tests of the other rules: mnemonic, tool flags, execution requirements, refusals."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:debian.bzl", "debian_base_image")
load("//bzl:image.bzl", "block_hashes", "deployment_file", "dockerfile_rootfs", "ext4_image", "gpt_disk", "grubenv_file", "image_file", "image_list", "image_manifest", "image_report", "image_tree", "qcow2_image", "sha256sums", "update_bundle", "verity_image", "vfat_image")
load(":subject_tests.bzl", "subject_tests")

def _list_test_impl(ctx):
    env = analysistest.begin(ctx)
    runfiles = [f.short_path for f in analysistest.target_under_test(env)[DefaultInfo].default_runfiles.files.to_list()]
    asserts.true(env, "bzl/tests/rootfs.tar" in runfiles, "the plan's input is among {}".format(runfiles))
    asserts.equals(env, 3, len(runfiles), "list, plan and input")
    return analysistest.end(env)

_list_test = analysistest.make(_list_test_impl)

def _block_hashes_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = [a for a in analysistest.target_actions(env) if a.mnemonic == "HashBlocks"]
    hashed = [[f.path for f in a.inputs.to_list() if f.extension in ["tar", "txt"]] for a in actions]
    asserts.equals(env, [[path] for path in ctx.attr.hashed], hashed)
    return analysistest.end(env)

def _context_test_impl(ctx):
    env = analysistest.begin(ctx)
    written = [a for a in analysistest.target_actions(env) if a.mnemonic == "FileWrite"][0].content
    asserts.equals(env, "".join([line + "\n" for line in [
        "a:b\tbzl/tests/two.txt\t0755",
        "e/one\tbzl/tests/one.txt\t0644",
        "f/one.txt\tbzl/tests/one.txt\t0644",
        "f/two.txt\tbzl/tests/two.txt\t0644",
    ]]), written)
    return analysistest.end(env)

def _why_test_impl(ctx):
    env = analysistest.begin(ctx)
    written = [
        a.content
        for a in analysistest.target_actions(env)
        if a.mnemonic == "FileWrite" and a.outputs.to_list()[0].extension == "why"
    ]
    asserts.equals(env, 1, len(written), "one file of notes")
    notes = []
    for line in written[0].splitlines():
        fields = json.decode(line)

        # What is made has a folder of the configuration in its path.
        notes.append(" ".join([name + "=" + value.split("/bin/")[-1] for name, value in sorted(fields.items())]))
    asserts.equals(env, ctx.attr.notes, notes)
    return analysistest.end(env)

_why_test = analysistest.make(_why_test_impl, attrs = {"notes": attr.string_list(mandatory = True)})

_context_test = analysistest.make(_context_test_impl)

_block_hashes_test = analysistest.make(_block_hashes_test_impl, attrs = {"hashed": attr.string_list(mandatory = True)})

_UUID = "00000000-0000-4000-8000-000000000001"

# subject: (mnemonic, parts of the command line). An image is named by its list, a digest by its file.
_ARGV = {
    # The tree lies beside the output.
    "base": ("MkBase", ["--work-dir bazel-out/", "/bin/bzl/tests --output-tar bazel-out/"]),
    "deployment": ("MkDeployment", ["--set env=dev --image inner=", "disk.fsverity --image-set inner:env=dev --output"]),
    "disk": ("MkDisk", ["--partitions bzl/tests/partitions.csv", "--disk-guid " + _UUID, "--image root=", "ext4.image "]),
    "ext4": ("MkExt4", ["tree.tree ", "--subdir boot", "--exclude a --exclude b", "--size-mib 8", "--hash-seed " + _UUID, "--mtime 1"]),
    "ext4_partition": ("MkExt4", ["--partitions bzl/tests/partitions.csv --partition root"]),
    "fat": ("MkFat", ["tree.tree ", "--volume-id 12345678", "--label DATA", "--size-mib 2"]),
    "fat_partition": ("MkFat", ["--partitions bzl/tests/partitions.csv --partition root", "--label DATA"]),
    "file": ("WriteImage", ["--image bazel-out/", "disk.image --output", "file.img"]),
    "file_zstd": ("WriteImage", ["--zstd=3 --digest-output", "file_zstd.zst.digest --output", "file_zstd.zst"]),
    "grubenv": ("MkGrubenv", ["--set a=1 --set b=2"]),
    "manifest": ("MkManifest", ["--image root=", "ext4.digest ", "--artifact one.txt=bzl/tests/one.txt "]),
    "hash": ("HashImage", ["hash.image --output", "hash.digest"]),
    "hash_fsverity": ("HashFsverity", ["--fsverity --image", "hash_fsverity.image --output", "hash_fsverity.fsverity"]),
    "nested": ("MkExt4", ["nested_tree.tree "]),
    "qcow2": ("MkQcow2", ["disk.image --output"]),
    "report": ("MkReport", ["disk.image --manifest ", "manifest.json --notes root=", "tree.why ", "--sbom bzl/tests/lock.json --output ", "report.html"]),
    "rootfs": ("MkRootfs", ["--work-dir bazel-out/", "/bin/bzl/tests --output bazel-out/"]),
    "sums": ("MkChecksums", ["--image one.txt=bzl/tests/one.txt ", "file.img=", "disk.digest "]),
    "update": ("MkBundle", ["--member first=bzl/tests/two.txt ", "--member second=", "ext4.image "]),
    "blocks": ("HashBlocks", ["--salt ab --archive --input bzl/tests/rootfs.tar --output ", "blocks.blocks/bzl/tests/rootfs.tar.blocks"]),
    "blocks_text": ("HashBlocks", ["--salt ab --input bzl/tests/one.txt --output "]),
    "verity": ("MkVerity", ["ext4.image --input bzl/tests/rootfs.tar --hashes ", "verity.blocks/bzl/tests/rootfs.tar.blocks ", "--salt ab", "--uuid " + _UUID]),
    "verity_shared": ("MkVerity", ["--input bzl/tests/rootfs.tar --hashes ", "blocks.blocks/bzl/tests/rootfs.tar.blocks --input bzl/tests/one.txt --hashes ", "blocks_text.blocks/bzl/tests/one.txt.blocks --salt"]),
}

# subject: the notes beside it, as `name=value` of each line.
_WHY = {
    "disk": [
        "is=input label=//bzl/tests:rootfs.tar path=bzl/tests/rootfs.tar",
        "is=file path=bzl/tests/rules_test_subject_tree.why",
    ],
    "file": [
        "is=image path=bzl/tests/rules_test_subject_disk.image",
        "is=file path=bzl/tests/rules_test_subject_disk.why",
    ],
    "nested_tree": ["by=files dest=/images/fat.img is=injected label=//bzl/tests:rules_test_subject_fat src=bzl/tests/rules_test_subject_fat.image tree=//bzl/tests:rules_test_subject_nested_tree"],
    "rootfs": [
        "base=bzl/tests/rules_test_subject_base.tar dockerfile=bzl/tests/two.txt is=rootfs path=bzl/tests/rules_test_subject_rootfs.tar steps=bzl/tests/rules_test_subject_rootfs.steps.jsonl",
        "is=context label=//bzl/tests:one.txt path=one.txt rootfs=bzl/tests/rules_test_subject_rootfs.tar",
    ],
    "said": [
        "by=links dest=/a is=injected tree=//bzl/tests:rules_test_subject_said",
        "by=directories dest=/d is=injected tree=//bzl/tests:rules_test_subject_said",
        "by=programs dest=/usr/one.txt is=injected label=//bzl/tests:one.txt src=bzl/tests/one.txt tree=//bzl/tests:rules_test_subject_said",
    ],
}

def _subjects(prefix):
    common = dict(tags = ["manual"], timestamp = 1, tree = prefix + "tree")
    manual = dict(tags = ["manual"])
    for case, context in {
        "rootfs_modes": {
            ":several": "f/",
            "one.txt": "e/one",
            "two.txt": "a\\:b:0755",
        },
        "rootfs_absolute": {"one.txt": "/one"},
        "rootfs_several": {":several": "early"},
        "rootfs_tab": {"one.txt": "o\tne"},
        "rootfs_twice": {
            "one.txt": "one",
            "two.txt": "one:0755",
        },
    }.items():
        dockerfile_rootfs(name = prefix + case, base = prefix + "base", context = context, dockerfile = "one.txt", pin_command = "x", timestamp = 1, **manual)
    image_tree(name = prefix + "tree", rootfs = "rootfs.tar", timestamp = 1, **manual)
    ext4_image(name = prefix + "ext4", exclude = ["a", "b"], size_mib = 8, subdir = "boot", uuid = _UUID, **common)
    ext4_image(name = prefix + "ext4_partition", partition = "root", partitions = "partitions.csv", uuid = _UUID, **common)
    ext4_image(name = prefix + "ext4_free", free_percent = 5, partition = "root", partitions = "partitions.csv", uuid = _UUID, **common)
    ext4_image(name = prefix + "ext4_negative", size_mib = -1, uuid = _UUID, **common)
    ext4_image(name = prefix + "ext4_lines", exclude = ["a\n--label"], size_mib = 0, uuid = _UUID, **common)
    vfat_image(name = prefix + "fat_lines", label = "A\nB", size_mib = 2, volume_id = "12345678", **common)
    vfat_image(name = prefix + "fat", label = "DATA", size_mib = 2, volume_id = "12345678", **common)
    vfat_image(name = prefix + "fat_partition", label = "DATA", partition = "root", partitions = "partitions.csv", volume_id = "12345678", **common)
    vfat_image(name = prefix + "fat_half", label = "DATA", partition = "root", volume_id = "12345678", **common)
    vfat_image(name = prefix + "fat_twice", label = "DATA", partition = "root", partitions = "partitions.csv", size_mib = 2, volume_id = "12345678", **common)
    vfat_image(name = prefix + "fat_empty", label = "DATA", size_mib = 0, volume_id = "12345678", **common)
    verity_image(name = prefix + "verity", image = prefix + "ext4", salt = "ab", uuid = _UUID, **manual)
    block_hashes(name = prefix + "blocks", salt = "ab", srcs = ["rootfs.tar"], **manual)
    block_hashes(name = prefix + "blocks_text", salt = "ab", srcs = ["one.txt"], **manual)
    image_tree(name = prefix + "verity_tree", files = {"one.txt": "/one", "two.txt": "/two"}, rootfs = "rootfs.tar", timestamp = 1, **manual)
    ext4_image(name = prefix + "verity_ext4", size_mib = 8, timestamp = 1, tree = prefix + "verity_tree", uuid = _UUID, **manual)
    for case, salt in {"verity_salt": "abcd", "verity_shared": "ab"}.items():
        verity_image(name = prefix + case, block_hashes = [prefix + "blocks", prefix + "blocks_text"], image = prefix + "verity_ext4", salt = salt, uuid = _UUID, **manual)
    gpt_disk(name = prefix + "disk", disk_guid = _UUID, images = {prefix + "ext4": "root"}, partitions = "partitions.csv", properties = {"env": "dev"}, **manual)
    gpt_disk(
        name = prefix + "disk_twice",
        disk_guid = _UUID,
        images = {
            prefix + "ext4": "root",
            prefix + "fat": "root",
        },
        partitions = "partitions.csv",
        **manual
    )
    deployment_file(
        name = prefix + "deployment",
        image_name = "outer",
        images = {prefix + "disk": "inner"},
        out = prefix + "deployment.json",
        properties = {"env": "dev"},
        version = "one.txt",
        **manual
    )
    deployment_file(
        name = prefix + "deployment_mixed",
        image_name = "outer",
        images = {prefix + "disk": "inner"},
        properties = {"env": "prod"},
        version = "one.txt",
        **manual
    )
    image_file(name = prefix + "file", image = prefix + "disk", **manual)
    image_file(name = prefix + "file_zstd", image = prefix + "disk", out = prefix + "file_zstd.zst", zstd_level = 3, **manual)
    image_file(name = prefix + "file_of_nothing", image = prefix + "tree", **manual)
    image_list(name = prefix + "list", image = prefix + "disk", **manual)
    qcow2_image(name = prefix + "hash", image = prefix + "disk", **manual)
    qcow2_image(name = prefix + "hash_fsverity", image = prefix + "disk", **manual)
    qcow2_image(name = prefix + "qcow2", image = prefix + "disk", **manual)
    image_tree(name = prefix + "nested_tree", files = {prefix + "fat": "/images/fat.img"}, rootfs = "rootfs.tar", timestamp = 1, **manual)
    image_tree(
        name = prefix + "said",
        directories = {"/d": "0755"},
        files = {"one.txt": "/usr/"},
        said_by = {"/a": "links", "/usr/": "programs"},
        symlinks = {"/a": "b"},
        timestamp = 1,
        **manual
    )
    ext4_image(name = prefix + "nested", size_mib = 0, timestamp = 1, tree = prefix + "nested_tree", uuid = _UUID, **manual)
    image_manifest(
        name = prefix + "manifest",
        artifacts = ["one.txt"],
        image_name = "image",
        images = {prefix + "ext4": "root"},
        lock = "lock.json",
        out = prefix + "manifest.json",
        packages_out = prefix + "packages.txt",
        partitions = "partitions.csv",
        version = "one.txt",
        **manual
    )
    image_report(
        name = prefix + "report",
        disk = prefix + "disk",
        images = {prefix + "ext4": "root"},
        manifest = prefix + "manifest",
        out = prefix + "report.html",
        sbom = "lock.json",
        **manual
    )
    image_report(name = prefix + "report_manifest", disk = prefix + "disk", images = {}, manifest = prefix + "grubenv", out = prefix + "report_manifest.html", **manual)
    debian_base_image(name = prefix + "base", debs = prefix + "manifest", lock = "lock.json", timestamp = 1, work_on_disk = True, **manual)
    dockerfile_rootfs(
        name = prefix + "rootfs",
        base = prefix + "base",
        context = {"one.txt": "one.txt"},
        dockerfile = "two.txt",
        pin_command = "pin",
        timestamp = 1,
        work_on_disk = True,
        **manual
    )
    grubenv_file(name = prefix + "grubenv_equals", values = {"a=b": "1"}, **manual)
    grubenv_file(name = prefix + "grubenv_lines", values = {"a": "1\n--output"}, **manual)
    update_bundle(name = prefix + "update_equals", members = {"two.txt": "a=b"}, timestamp = 1, **manual)
    grubenv_file(name = prefix + "grubenv", values = {"b": "2", "a": "1"}, **manual)
    sha256sums(name = prefix + "sums", out = prefix + "sums", srcs = ["one.txt", prefix + "file"], **manual)
    update_bundle(
        name = prefix + "update",
        members = {
            "two.txt": "first",
            prefix + "ext4": "second",
        },
        timestamp = 1,
        **manual
    )

_REFUSED = {
    "deployment_mixed": "has env dev, want prod as the whole",
    "disk_twice": "images: partition root gets",
    "ext4_free": "free_percent: got 5, want none: the size is given",
    "ext4_lines": "is \"a\\n--label\", want a value without a line break",
    "ext4_negative": "size_mib: got -1, want at least 0, or a partition whose size it is",
    "fat_empty": "size_mib: got 0, want at least 1, or a partition whose size it is",
    "fat_half": "partition: got \"root\" and partitions: got None, want both or none",
    "fat_lines": "is \"A\\nB\", want a value without a line break",
    "fat_twice": "size_mib: got 2, want none: the size is that of partition root",
    "file_of_nothing": "does not have mandatory providers: 'ImagePlanInfo'",
    "grubenv_equals": "got name \"a=b\", want one without '=' and line break",
    "grubenv_lines": "a is \"1\\n--output\", want a value without a line break",
    "report_manifest": "has 0 files named *.json, want exactly one",
    "rootfs_absolute": "got path \"/one\", want one that is relative to the context",
    "rootfs_several": "has 2 files, and \"early\" is the path of one; a folder for several has a slash at its end: \"early/\"",
    "rootfs_tab": "want no tab and no line break in it",
    "rootfs_twice": "context: one is claimed by",
    "verity_salt": "subject_blocks has salt \"ab\", want \"abcd\" (",
    "update_equals": "got an image called \"a=b\", want a name without '=' and line break",
}

def rules_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    _subjects(prefix)
    tests = subject_tests(name, prefix, argv = _ARGV, refused = _REFUSED)
    for subject, notes in _WHY.items():
        test = "{}_{}_why".format(name, subject)
        _why_test(name = test, notes = notes, target_under_test = prefix + subject)
        tests.append(test)
    _context_test(name = name + "_context", target_under_test = prefix + "rootfs_modes")
    _list_test(name = name + "_list", target_under_test = prefix + "list")

    # What others have hashed is not hashed again, and what is no archive has no action of its own.
    for subject, hashed in {"verity": ["bzl/tests/rootfs.tar"], "verity_shared": []}.items():
        test = "{}_{}_hashed".format(name, subject)
        _block_hashes_test(name = test, hashed = hashed, target_under_test = prefix + subject)
        tests.append(test)
    native.test_suite(name = name, tests = tests + [name + "_context", name + "_list"])
