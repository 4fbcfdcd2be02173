"""What an operating system's value refuses: each error says system, field, what came and what was wanted."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//ic-os:os.bzl", "env_error", "in_env", "os_errors", "os_with")
load(":defs.bzl", "NEWOS")

_GOOD = {
    "cmdline": "//x:cmdline.template",
    "components": {"//x:motd": "/etc/motd"},
    "envs": {"prod": {}},
    "grub_config": "//x:grub.cfg.template",
    "ids": {id: "1" for id in ["boot", "disk", "esp", "grub", "root", "salt", "verity"]},
    "initrd": {"//x:modules": "for a device"},
    "packages": ["//x:packages.common"],
    "programs": {"//x:server": "/bin/server"},
}

# name of the case: (fields in place of good ones, the error)
_REFUSED = {
    "boot_test": ({"boot_test": {"memory_mib": 1, "root": "root", "show": []}}, "x: boot_test: got field \"show\", want one of checks, loader, memory_mib, root, shows, takes_keys"),
    "boot_test_checks": (
        {"boot_test": {"checks": [{"name": "a"}], "memory_mib": 1, "root": "root"}},
        "x: boot_test: checks: got [{\"name\": \"a\"}], want a list of dicts with name, command and perhaps prints",
    ),
    "boot_test_memory": ({"boot_test": {"root": "root"}}, "x: boot_test: got no memory_mib, want all of memory_mib, root"),
    "env_field": ({"envs": {"dev": {"ids": {}}}}, "x: envs: dev: got field \"ids\", want one of boot_args, build_args, components, directories, packages, programs, signed_updates, symlinks, templates"),
    "env_kind": ({"envs": {"dev": {"packages": "//x:p"}}}, "x: envs: dev: packages: got \"//x:p\", want a list of labels that begin with //"),
    "env_none": ({"envs": {}}, "x: envs: got none, want one at least"),
    "env_text": ({"envs": {"dev": "prod"}}, "x: envs: dev: got \"prod\", want a dict of fields"),
    "field": (
        {"component": {}},
        "x: got field \"component\", want one of boot_args, boot_limit, boot_test, build_args, cmdline, components, context, data_formats, directories, early_components, empty_partitions, envs, " +
        "grub_config, holds, ids, images, initrd, machine_state, microcode, packages, partition_images, partitions, programs, shared, signed_updates, signer, slots, steps, symlinks, templates",
    ),
    "id_missing": ({"ids": {"boot": "1"}}, "x: ids: got no disk, esp, grub, root, salt, verity, want all of boot, disk, esp, grub, root, salt, verity"),
    "id_of_empty": ({"empty_partitions": ["config"]}, "x: ids: got no config, want all of boot, config, disk, esp, grub, root, salt, verity"),
    "id_unknown": ({"ids": _GOOD["ids"] | {"data": "1"}}, "x: ids: got data, want no key but boot, disk, esp, grub, root, salt, verity"),
    "initrd": ({"initrd": {"//x:modules": "later"}}, "x: initrd: //x:modules: got \"later\", want \"at once\" or \"for a device\""),
    "label": ({"packages": ["packages.common"]}, "x: packages: got [\"packages.common\"], want a list of labels that begin with //"),
    "map": ({"components": {"motd": "/etc/motd"}}, "x: components: got {\"motd\": \"/etc/motd\"}, want a dict of labels that begin with // to text"),
    "machine_state": ({"machine_state": ["/var/lib/a b"]}, "x: machine_state: got [\"/var/lib/a b\"], want a list of absolute paths, each once, without blanks, dots or a slash at the end"),
    "machine_state_twice": ({"machine_state": ["/a", "/a"]}, "x: machine_state: got [\"/a\", \"/a\"], want a list of absolute paths, each once, without blanks, dots or a slash at the end"),
    "machine_state_up": ({"machine_state": ["/a/../b"]}, "x: machine_state: got [\"/a/../b\"], want a list of absolute paths, each once, without blanks, dots or a slash at the end"),
    "missing": ({"programs": None}, "x: programs: got None, want a dict of labels that begin with // to text"),
    "shared": ({"shared": "guestos"}, "x: shared: got \"guestos\", want a label of a package, that begins with //, or None"),
    "slots": ({"slots": "A"}, "x: slots: got \"A\", want True or False"),
}

def _refused_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, [], os_errors("x", _GOOD))
    asserts.equals(env, [], os_errors("x", _GOOD | {"ids": _GOOD["ids"] | {"data": "1"}, "images": {"data": ":data"}}))
    for case, (fields, want) in _REFUSED.items():
        asserts.equals(env, [want], os_errors("x", _GOOD | fields), case)
    asserts.equals(
        env,
        ["x: got no field {}, want {}".format(field, want) for field, want in {
            "cmdline": "a label that begins with //",
            "components": "a dict of labels that begin with // to text",
            "envs": "a dict",
            "grub_config": "a label that begins with //",
            "ids": "a dict of text to text",
            "initrd": "a dict of labels that begin with // to text",
            "packages": "a list of labels that begin with //",
            "programs": "a dict of labels that begin with // to text",
        }.items()],
        os_errors("x", {}),
    )
    asserts.equals(env, "newos: env: got \"qa\", want one of prod", env_error(NEWOS, "qa"))
    return unittest.end(env)

_refused_test = unittest.make(_refused_test_impl)

def _env_test_impl(ctx):
    env = unittest.begin(ctx)
    os = os_with(
        NEWOS,
        name = "other",
        boot_args = {"A": "1", "B": "1"},
        envs = {"qa": {"boot_args": {"B": "2"}, "packages": ["//x:packages.qa"]}},
        packages = ["//x:packages.common"],
    )
    asserts.equals(env, "other", os.name)
    asserts.equals(env, NEWOS.ids, os.ids)
    image = in_env(os, "qa")
    asserts.equals(env, {"A": "1", "B": "2", "EXTRA_BOOT_ARGS": ""}, image.boot_args)
    asserts.equals(env, ["//x:packages.common", "//x:packages.qa"], image.packages)
    asserts.equals(env, "//ic-os/guestos/context:packages.qa.lock.json", image.lock)
    asserts.equals(env, "//ic-os/guestos/context:rootfs-qa", image.rootfs)

    # What images share they share only while it is the same.
    asserts.equals(env, None, NEWOS.shared)
    shares = os_with(NEWOS, shared = "//x")
    asserts.equals(env, "//x", os_with(shares, boot_args = {}, components = {}, programs = {}).shared)
    asserts.equals(env, None, os_with(shares, boot_limit = 1).shared)
    asserts.equals(env, None, os_with(shares, signed_updates = False).shared)
    asserts.equals(env, None, os_with(shares, partitions = "//x:partitions.csv").shared)
    asserts.equals(env, None, os_with(shares, templates = {}).shared)
    asserts.equals(env, None, os_with(shares, name = "y").shared)
    asserts.equals(env, "//y", os_with(shares, name = "y", shared = "//y").shared)
    return unittest.end(env)

_env_test = unittest.make(_env_test_impl)

def os_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    unittest.suite(name, _env_test, _refused_test)
