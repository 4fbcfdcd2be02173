"""What a system with two slots is upgraded by, and what it knows of itself and its signers."""

load("//bzl:image.bzl", "filled_template", "image_delta", "image_file", "update_bundle", "update_keys", "update_manifest", "update_signatures")
load("//ic-os:partitions.bzl", "STEP", "TIMESTAMP")

visibility(["//ic-os/..."])

def trusted_keys(name, signed_updates):
    """Whose signatures a system takes updates by.

    Args:
      name: name of the target.
      signed_updates: whether it never takes an update that nobody signed.
    """
    update_keys(
        name = name,
        allow_unsigned = not signed_updates,
        keys = ["//ic-os:update_keys"],
        threshold = "//ic-os:update_threshold",
        **STEP
    )

def update_trust(name, os, env, version):
    """What a system's root holds for updates: who it is, how often its boot loader tries a slot, and whose signatures count. Takes `:update_keys`.

    Args:
      name: name of the target of who it is.
      os: the system (see operating_system).
      env: name of one of its envs.
      version: label of the version file.

    Returns:
      dict: label to destination.
    """
    data_formats = {kind: int(number) for kind, number in os.data_formats.items()}
    filled_template(
        name = name,
        file_values = {version: "version"},
        template = "//ic-os:os.json.template",
        values = {
            # The number that its boot loader has (see `loader`).
            "BOOT_LIMIT": str(os.boot_limit),
            "DATA_FORMATS": json.encode(data_formats),
            "ENV": env,
            "OS": os.name,
        },
        **STEP
    )
    return {
        ":" + name: "/opt/ic/share/os.json",
        ":update_keys": "/opt/ic/share/update-keys.json",
    }

def update_targets(name, os, env, signed_updates, common):
    """The update bundle: `:update` (update.tar), `:update_zst`, `:update_to_sign`, and `:delta` (delta.tar) to //ic-os:delta_from.

    Args:
      name: name of the bundle.
      os: the system (see operating_system).
      env: name of one of its envs.
      signed_updates: whether a bundle that nobody signed fails the build.
      common: attributes of the files.
    """

    # Whole in a bundle of differences, too: which one a machine has to compare it with, its slots don't say.
    whole = {
        ":version": "VERSION.TXT",
        ":loader": "loader.efi",
    }
    images = {
        ":boot": "boot.img",
        ":root": "root.img",
    }
    signed = _signed(os, env, signed_updates, whole | images) | whole
    _tar(name, signed | images, common)
    for partition in ["boot", "root"]:
        image_delta(
            name = partition + "_delta",
            image = ":" + partition,
            member = partition + ".img",
            old = "//ic-os:delta_from",
            **STEP
        )
    _tar("delta", signed | {
        ":boot_delta": "boot.delta",
        ":root_delta": "root.delta",
    }, STEP)
    image_file(
        name = "update_zst",
        image = ":update_plan",
        out = "update.tar.zst",
        zstd_level = 3,
        **STEP
    )

def _signed(os, env, signed_updates, members):
    """The manifest and its signatures: label to member."""
    update_manifest(
        name = "update_manifest",
        data_formats = os.data_formats,
        env = env,
        expires = "//ic-os:update_expires",
        members = members,
        minimum_version = "//ic-os:update_minimum_version",
        os = os.name,
        out = "update_manifest.json",
        version = ":version",
        **STEP
    )
    native.filegroup(
        name = "update_to_sign",
        srcs = [":update_manifest"],
        **STEP
    )
    update_signatures(
        name = "update_signatures",
        allow_unsigned = not signed_updates,
        keys = ":update_keys",
        manifest = ":update_manifest",
        out = "update_manifest.json.sig",
        signatures = ["//ic-os:update_signatures"],
        signers = ["//ic-os:update_signers"],
        **STEP
    )
    return {
        ":update_manifest": "manifest.json",
        ":update_signatures": "manifest.json.sig",
    }

def _tar(name, members, common):
    update_bundle(
        name = name + "_plan",
        members = members,
        timestamp = TIMESTAMP,
        **STEP
    )
    image_file(
        name = name,
        image = ":{}_plan".format(name),
        out = name + ".tar",
        **common
    )
