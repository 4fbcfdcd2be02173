"""Analysis tests of unified kernel images and signing: which actions there are, what reaches them, refusals."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")
load("//bzl:image.bzl", "efi_signer", "efi_to_sign", "image_tree", "measured_boot", "signed_efi", "snp_measurement", "tree_file", "uki_image")
load(":subject_tests.bzl", "subject_tests")

def _actions_test_impl(ctx):
    env = analysistest.begin(ctx)
    actions = {a.mnemonic: a for a in analysistest.target_actions(env)}
    for name, parts in ctx.attr.has.items():
        asserts.true(env, name in actions, "an action {} among {}".format(name, actions.keys()))
        line = " ".join(actions[name].argv) if name in actions else ""
        for part in parts:
            asserts.true(env, part in line, "{} in {}".format(repr(part), line))
    for name, parts in ctx.attr.has_no.items():
        for part in parts:
            asserts.false(env, part in " ".join(actions[name].argv), "{} in what {} is told".format(part, name))
    for file in ctx.attr.reads_not:
        for name, action in actions.items():
            read = [f.short_path for f in action.inputs.to_list()]
            asserts.false(env, file in read, "{} among what {} reads".format(file, name))
    return analysistest.end(env)

_actions_test = analysistest.make(
    _actions_test_impl,
    attrs = {
        "has": attr.string_list_dict(doc = "Mnemonic to what its command line has."),
        "has_no": attr.string_list_dict(doc = "Mnemonic to what its command line has not."),
        "reads_not": attr.string_list(doc = "Files that no action reads."),
    },
)

# Target to what its actions are.
_ACTIONS = {
    "measured": dict(
        has = {"MkPcrs": [
            "signed.image --kernel ",
            "--owner 11111111-2222-3333-4444-555555555555 --pk bzl/tests/one.txt --kek bzl/tests/two.txt --db bzl/tests/one.txt --dbx bzl/tests/lock.json",
            "measured.json",
        ]},
    ),
    "measured_alone": dict(
        # A dbx without files is none.
        has = {"MkPcrs": ["--db bzl/tests/one.txt --output "]},
    ),
    "signed": dict(
        has = {
            "EfiToSign": ["--name kernel.efi", "--detached"],
            "SignEfi": ["--name kernel.efi", "--key bzl/tests/two.txt", "--detached-output"],
        },
    ),
    "signed_by_program": dict(
        has = {"SignEfi": ["--program ", "--program-arg=-a --program-arg=b"]},
        reads_not = ["bzl/tests/two.txt"],
    ),
    "signed_outside": dict(
        # Signatures are given: the key that the signer has is in no action.
        has = {"SignEfi": ["--signatures bzl/tests/lock.json"]},
        has_no = {"SignEfi": ["--key", "--program"]},
        reads_not = ["bzl/tests/two.txt"],
    ),
    "signed_outside_of_program": dict(
        # Nor is its program asked.
        has = {"SignEfi": ["--signatures bzl/tests/lock.json"]},
        has_no = {"SignEfi": ["--key", "--program"]},
    ),
    "snp": dict(
        has = {"MkSnp": [
            "--firmware bzl/tests/two.txt --initrd bzl/tests/one.txt --kernel ",
            "signed.image --cmdline bzl/tests/one.txt --vcpus 2 --vcpu-type EPYC-v4 --guest-features 0x1 --output ",
        ]},
    ),
    "to_be_signed": dict(
        # Nobody has signed: what is to be signed can be built all the same.
        has = {"EfiToSign": ["--certificate bzl/tests/one.txt"]},
        has_no = {"SignEfi": ["--key", "--program", "--signatures"]},
    ),
    "trusted": dict(
        # All of them in one file, whoever signs first.
        has = {"MkPgpKey": ["--certificate bzl/tests/one.txt --certificate bzl/tests/two.txt --output "]},
    ),
    "tree_file": dict(
        has = {"MkFile": ["--path boot/vmlinuz"]},
    ),
    "uki": dict(
        has = {"MkUki": [
            "--kernel boot/vmlinuz",
            "--cmdline bzl/tests/one.txt --os-release-path etc/os-release",
            "--profile-cmdline bzl/tests/one.txt --profile-text ID=A;TITLE=Slot A --profile-cmdline bzl/tests/two.txt --profile-text ID=B",
        ]},
    ),
}

_REFUSED = {
    "measured_lists": "has 2 files, want one or none",
    "signer_arguments": "arguments: got [\"-a\"] without a program",
    "signer_both": "key and program: got both, want one of them or none",
    "signer_notice": "want text without \" $ \\ `",
    "snp_none": "vcpus: got 0, want 1 at least",
    "to_sign_other": "is no signed_efi",
    "uki_os_release": "os_release and os_release_path: got both, want one of them",
    "uki_semicolon": "got \"ID=A;B\" for @@//bzl/tests:one.txt, want lines KEY=VALUE without a semicolon",
}

def _subjects(prefix):
    manual = dict(tags = ["manual"])
    program = "//rust/tools:signdigests"
    image_tree(name = prefix + "tree", rootfs = "rootfs.tar", timestamp = 1, **manual)
    efi_signer(name = prefix + "key", certificate = "one.txt", key = "two.txt", **manual)
    efi_signer(name = prefix + "program", arguments = ["-a", "b"], certificate = "one.txt", program = program, **manual)
    efi_signer(name = prefix + "nobody", certificate = "one.txt", **manual)
    efi_signer(name = prefix + "trusted", certificate = "one.txt", trusted = ["two.txt"], **manual)
    efi_signer(name = prefix + "signer_both", certificate = "one.txt", key = "two.txt", program = program, **manual)
    efi_signer(name = prefix + "signer_notice", certificate = "one.txt", notice = "don't \"$run\"", **manual)
    efi_signer(name = prefix + "signer_arguments", arguments = ["-a"], certificate = "one.txt", **manual)
    tree_file(name = prefix + "tree_file", path = "boot/vmlinuz", tree = prefix + "tree", **manual)
    uki = dict(cmdline = "one.txt", stub_tree = prefix + "tree", tree = prefix + "tree", **manual)
    profiles = {
        "one.txt": "ID=A\nTITLE=Slot A",
        "two.txt": "ID=B",
    }
    uki_image(name = prefix + "uki", os_release_path = "etc/os-release", profiles = profiles, **uki)
    uki_image(name = prefix + "uki_semicolon", profiles = {"one.txt": "ID=A;B"}, **uki)
    uki_image(name = prefix + "uki_os_release", os_release = "one.txt", os_release_path = "a", **uki)
    native.filegroup(name = prefix + "nothing", **manual)
    signed = dict(image = prefix + "uki", **manual)
    signed_efi(name = prefix + "signed", detached = True, image_name = "kernel.efi", signatures = prefix + "nothing", signer = prefix + "key", **signed)
    signed_efi(name = prefix + "signed_by_program", signer = prefix + "program", **signed)
    signed_efi(name = prefix + "signed_outside", signatures = "lock.json", signer = prefix + "key", **signed)
    signed_efi(name = prefix + "signed_outside_of_program", signatures = "lock.json", signer = prefix + "program", **signed)
    signed_efi(name = prefix + "to_be_signed", signer = prefix + "nobody", **signed)
    efi_to_sign(name = prefix + "to_sign_other", srcs = [prefix + "tree"], **manual)

    _measured_subjects(prefix)

def _measured_subjects(prefix):
    manual = dict(tags = ["manual"])
    native.filegroup(name = prefix + "two_files", srcs = ["one.txt", "two.txt"], **manual)
    keys = dict(db = "one.txt", kek = "two.txt", owner = "11111111-2222-3333-4444-555555555555", pk = "one.txt", **manual)
    image = prefix + "signed"
    measured_boot(name = prefix + "measured", dbx = "lock.json", kernel = image, loaders = [image], **keys)
    measured_boot(name = prefix + "measured_alone", dbx = prefix + "nothing", kernel = image, **keys)
    measured_boot(name = prefix + "measured_lists", dbx = prefix + "two_files", kernel = image, **keys)
    snp = dict(cmdline = "one.txt", firmware = "two.txt", initrd = "one.txt", kernel = image, **manual)
    snp_measurement(name = prefix + "snp", vcpus = 2, **snp)
    snp_measurement(name = prefix + "snp_none", vcpus = 0, **snp)

def efi_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    prefix = name + "_subject_"
    _subjects(prefix)
    tests = subject_tests(name, prefix, refused = _REFUSED)
    for subject, wanted in _ACTIONS.items():
        test = "{}_{}".format(name, subject)
        _actions_test(name = test, target_under_test = prefix + subject, **wanted)
        tests.append(test)
    native.test_suite(name = name, tests = tests)
