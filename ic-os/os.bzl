"""operating_system: all that an operating system is, as one value."""

load("//bzl:image.bzl", "parse_destination")
load("//ic-os:kinds.bzl", "KINDS")

visibility(["//ic-os/...", "//tests/..."])

# What each env may have for itself: field to kind. It is put together with the same field of the whole.
_ENV_FIELDS = {
    "boot_args": "map",
    "build_args": "map",
    "components": "label map",
    "directories": "map",
    "packages": "labels",
    "programs": "label map",
    "signed_updates": "flag",
    "symlinks": "map",
    "templates": "label map",
}

# Field of the whole to kind.
_FIELDS = _ENV_FIELDS | {
    "boot_limit": "number",
    "boot_test": "dict",
    "cmdline": "label",
    "context": "label",
    "data_formats": "map",
    "early_components": "label map",
    "empty_partitions": "texts",
    "envs": "dict",
    "grub_config": "label",
    "holds": "map",
    "ids": "map",
    "images": "map",
    "initrd": "label map",
    "machine_state": "paths",
    "microcode": "flag",
    "partition_images": "macro",
    "partitions": "label",
    "shared": "package",
    "signer": "label",
    "slots": "flag",
    "steps": "texts",
}

# What a boot test is told: field to kind.
_BOOT_TEST_FIELDS = {
    "checks": "checks",
    "loader": "text",
    "memory_mib": "number",
    "root": "text",
    "shows": "texts",
    "takes_keys": "flag",
}

_BOOT_TEST_MANDATORY = ["memory_mib", "root"]

_MANDATORY = ["cmdline", "components", "envs", "grub_config", "ids", "initrd", "packages", "programs"]

_EMPTY = {
    "flag": True,
    "macro": None,
    "package": None,
    "paths": [],
    "label map": {},
    "labels": [],
    "map": {},
    "dict": {},
    "texts": [],
}

# What nothing of `os_shared` is made of: a system that differs in these alone shares it.
_NOT_SHARED = [
    "boot_args",
    "boot_test",
    "cmdline",
    "components",
    "data_formats",
    "directories",
    "images",
    "partition_images",
    "programs",
    "symlinks",
]

# The identifiers that every image has.
_IDS = ["boot", "disk", "esp", "grub", "root", "salt", "verity"]

def _kind_errors(where, fields, kinds):
    errors = []
    for field, value in fields.items():
        if field not in kinds:
            errors.append("{}: got field {}, want one of {}".format(where, repr(field), ", ".join(sorted(kinds))))
            continue
        wanted, fits = KINDS[kinds[field]]
        if not fits(value):
            errors.append("{}: {}: got {}, want {}".format(where, field, repr(value), wanted))
    return errors

def _keys_error(where, got, must, may = []):
    """What is wrong with these keys: those that `must` be there and those that `may`."""
    missing = [key for key in must if key not in got]
    if missing:
        return ["{}: got no {}, want all of {}".format(where, ", ".join(missing), ", ".join(must))]
    unknown = [key for key in got if key not in must and key not in may]
    if unknown:
        return ["{}: got {}, want no key but {}".format(where, ", ".join(unknown), ", ".join(sorted(must + may)))]
    return []

def os_errors(name, fields):
    """What is wrong with the fields of an operating system.

    Args:
      name: name of the system.
      fields: dict of its fields.

    Returns:
      list of string: each says system, field, what came and what was wanted.
    """
    missing = [field for field in _MANDATORY if field not in fields]
    errors = ["{}: got no field {}, want {}".format(name, field, KINDS[_FIELDS[field]][0]) for field in missing]
    errors += _kind_errors(name, fields, _FIELDS)
    if errors:
        return errors
    seen = fields.get("boot_test", {})
    errors += _kind_errors(name + ": boot_test", seen, _BOOT_TEST_FIELDS)
    if seen:
        errors += _keys_error(name + ": boot_test", seen, _BOOT_TEST_MANDATORY, seen.keys())
    errors += _keys_error(name + ": ids", fields["ids"], sorted(_IDS + fields.get("empty_partitions", [])), fields.get("images", {}).keys())
    for modules, when in fields["initrd"].items():
        if when not in ["at once", "for a device"]:
            errors.append("{}: initrd: {}: got {}, want \"at once\" or \"for a device\"".format(name, modules, repr(when)))
    if fields.get("boot_limit", 1) not in range(1, 10):
        errors.append("{}: boot_limit: got {}, want 1 to 9".format(name, fields["boot_limit"]))
    if not fields["envs"]:
        errors.append("{}: envs: got none, want one at least".format(name))
    for env, own in fields["envs"].items():
        where = "{}: envs: {}".format(name, env)
        if type(own) != "dict":
            errors.append("{}: got {}, want a dict of fields".format(where, repr(own)))
        else:
            errors += _kind_errors(where, own, _ENV_FIELDS)
    return errors

def operating_system(name, **fields):
    """All that an operating system is. Labels are whole ones: packages of several folders use them.

    Args:
      name: name of the system, as "guestos": of its images, of its volumes, and of the locks' repositories.
      **fields: what it is made of. Mandatory ones are marked with a star.

        Root file system:
        `packages`*: list of the package lists of every image.
        `steps`: list of names of the scripts of //ic-os/common that the Dockerfile runs.
        `early_components`: label to path in the Dockerfile's build context, what RUN steps read.
        `build_args`: arguments of the Dockerfile.

        Laid over it late:
        `components`*: label to destination (see `image_tree`).
        `programs`*: label to destination, what is built here.
        `templates`: label to destination; filled from the partition table first, and with `{{ENV}}` and `{{STATE_MOUNTS}}`.
        `symlinks`: path to target.
        `directories`: path to mode, mount points among them.

        `machine_state`: list of folders that belong to the machine and not to a slot; those who fill in an /etc/fstab bind them there by
        `{{STATE_MOUNTS}}`, from the same paths below /data.

        Disk and boot:
        `partitions`: label of the partition table; default: //ic-os/NAME:partitions.csv.
        `data_formats`: kind of data that outlives upgrades to the number of the format that this version keeps it in, as text; see
        docs/formats/update.md.
        `slots`: whether there are two of boot and root (A_boot, A_root, …) and an update.tar; default: True.
        `empty_partitions`: list of partitions that have an ext4 file system with nothing in it, for the system to keep things there, named as the partition.
        `images`: partition to label, the content of partitions beside these, esp, grub, boot and root; labels of the env's package are well.
        `holds`: path of an image that this one holds, `PARTITION/PATH`, to the package of its system, as //ic-os/guestos: `:vulnerabilities` looks into these
        as well, in the same env.
        `partition_images`: macro with arguments name, os and env that declares these; default: none.
        `initrd`*: label of a list of kernel modules, one a line, to when they are loaded: `at once`, at every start, or `for a device` that asks for one. See
        `initrd_image`.
        `microcode`: whether processors' microcode, which the root file system has among its firmware, lies in front of the initrd; default: False.
        `cmdline`*: label of the template of the kernel's command line, one line, which knows `{{ROOT_HASH}}`, `{{HASH_OFFSET}}` and the `boot_args`. With
        slots it is filled in for each, and knows the slot's letter, too: `{{SLOT}}`, as in `{{partuuid:{{SLOT}}_root}}`.
        `boot_args`: key to text in `cmdline`; `EXTRA_BOOT_ARGS` is empty unless said.
        `boot_limit`: how often a slot is started without being confirmed before the other one is, 1 to 9; default: 3.
        `grub_config`*: label of the template of the boot loader's configuration, which is built into it.
        `signer`: label of the `efi_signer` of boot loader and kernel image; default: //ic-os:signer, the setting.
        `ids`*: fixed identifiers: disk, root, boot, verity (UUIDs), esp, grub (FAT volume ids), salt (hex), and one for each
        of `empty_partitions` (a UUID), and for each partition of `images` that wants one.

        `envs`*: name to dict of what an env adds, as `{"dev": DEV, "prod": PROD}`: fields boot_args, build_args, components, directories,
        packages, programs, signed_updates (whether nodes never take an update that nobody signed; default: True), symlinks, templates.
        `boot_test`: what `os_boot_test` is to see: dict of `memory_mib` and `root` (the partition of the root file system), and, as wanted,
        `loader` (what the boot loader says), `shows` (what is then on the console before anybody can log in, in this order), `checks` (what must
        hold inside: dicts of name, command and, unless success is enough, prints), `takes_keys` (production images let in who holds a key
        of a CONFIG medium).
        `context`: label of the package that calls `os_context`; default: //ic-os/NAME/context.
        `shared`: label of the package that calls `os_shared`; default: None, each image has all for itself.

    Returns:
      struct: name and all fields, those left out as empty.
    """
    errors = os_errors(name, fields)
    if errors:
        fail("\n".join(errors))
    empty = {field: _EMPTY[kind] for field, kind in _FIELDS.items() if kind in _EMPTY} | {"boot_limit": 3, "microcode": False}
    places = {
        "context": "//ic-os/{}/context".format(name),
        "partitions": "//ic-os/{}:partitions.csv".format(name),
        "signer": "//ic-os:signer",
    }
    return struct(name = name, **(places | empty | fields))

def os_with(os, name = None, **fields):
    """Another operating system, which differs in some fields.

    It shares what images of the first one share (`shared`) unless it differs in what that is made of.

    Args:
      os: operating_system.
      name: name of the other; default: the same.
      **fields: fields in place of its own.

    Returns:
      struct: as of operating_system.
    """
    own = {field: getattr(os, field) for field in _FIELDS}
    if name or [field for field in fields if field not in _NOT_SHARED]:
        own["shared"] = None
    return operating_system(name or os.name, **(own | fields))

def env_error(os, env):
    """What is wrong with the name of an env.

    Args:
      os: operating_system.
      env: name of an env.

    Returns:
      string: the error; None if there is such an env.
    """
    if env not in os.envs:
        return "{}: env: got {}, want one of {}".format(os.name, repr(env), ", ".join(os.envs))
    return None

def _said_by(os, env, own):
    """Path of a destination to the field that has it."""
    said_by = {}
    for field in ["components", "programs", "templates"]:
        for who, values in [(os.name, getattr(os, field)), ("{}, env {}".format(os.name, env), own[field])]:
            for label, value in values.items():
                said_by[parse_destination(value, label).path] = "{} of {}".format(field, who)
    for field in ["directories", "symlinks"]:
        for path in getattr(os, field):
            said_by[path] = "{} of {}".format(field, os.name)
        for path in own[field]:
            said_by[path] = "{} of {}, env {}".format(field, os.name, env)
    return said_by

def in_env(os, env):
    """An operating system in one env.

    Args:
      os: operating_system.
      env: name of an env.

    Returns:
      struct: boot_args, build_args, directories, packages, symlinks: those of the whole and of the env together; signed_updates: whether both want it; files, templates: lists of
      maps of label to destination; programs: list of labels; said_by: path of a destination to the field that has it; rootfs, lock, partitions: labels.
    """
    error = env_error(os, env)
    if error:
        fail(error)
    own = {field: os.envs[env].get(field, _EMPTY[kind]) for field, kind in _ENV_FIELDS.items()}
    return struct(
        boot_args = {"EXTRA_BOOT_ARGS": ""} | os.boot_args | own["boot_args"],
        build_args = os.build_args | own["build_args"],
        directories = os.directories | own["directories"],
        files = [os.programs, own["programs"], os.components, own["components"]],
        lock = "{}:packages.{}.lock.json".format(os.context, env),
        packages = os.packages + own["packages"],
        partitions = os.partitions,
        programs = {label: None for label in os.programs.keys() + own["programs"].keys()}.keys(),
        rootfs = "{}:rootfs-{}".format(os.context, env),
        said_by = _said_by(os, env, own),
        signed_updates = os.signed_updates and own["signed_updates"],
        symlinks = os.symlinks | own["symlinks"],
        templates = [os.templates, own["templates"]],
    )
