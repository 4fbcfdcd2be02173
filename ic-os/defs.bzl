"""icos_build: one image of an operating system, from its root file system to the files of a release."""

load("//bzl:image.bzl", "efi_to_sign", "filled_template", "gpt_disk", "image_diff", "image_file", "image_manifest", "image_provenance", "image_report", "image_sbom", "image_tree", "image_vulnerabilities", "measured_boot", "merge_destinations", "qcow2_image", "sha256sums", "unlocked_note")
load("//bzl:media.bzl", "disk_flash")
load("//bzl:vm.bzl", "qemu_run")
load("//ic-os:inputs.bzl", "image_inputs")
load("//ic-os:oci.bzl", "oci_targets")
load("//ic-os:os.bzl", "in_env")
load("//ic-os:partitions.bzl", "STEP", "boot_partition", "root_partition", _TIMESTAMP = "TIMESTAMP")
load("//ic-os:secure_boot.bzl", "DB", "DBX", "KEK", "OWNER", "PK")
load("//ic-os:shared.bzl", "shared_parts", "shared_texts")
load("//ic-os:update.bzl", "update_targets", "update_trust")

# The time of everything in an image; the contexts use it, too.
TIMESTAMP = _TIMESTAMP

def icos_build(os, env, name = None, version = "//ic-os:version", tags = [], visibility = ["//visibility:public"]):
    """Declares the targets of one image in the calling package (an env).

    Files: disk.img, update.tar (docs/formats/update.md), SHA256SUMS, version.txt, manifest.json, packages.txt, sbom.spdx.json (docs/formats/sbom.md).
    `:NAME` is all of them, and so is the package by itself, `//ic-os/guestos/envs/dev`, if it is called as its env; `:report` is a page about the image (docs/report.md), `:provenance` says what the files were made from (docs/formats/provenance.md),
    `:vulnerabilities` lists known ones of what is inside (docs/guides/vulnerabilities.md); `:run` boots the disk, `:flash` writes it to a stick,
    `:diff` compares it with another or with that of a commit; `:units` lists the units enabled at boot. Not built by `...`: `:disk_qcow2`, `:disk_zst`, `:update_zst` (other forms), `:root_file`, `:boot_file` (single partitions),
    `:oci` (oci.tar, the root file system as an image for container engines), `:update_to_sign` (what is signed of update.tar), `:delta` (delta.tar, what
    is new since --//ic-os:delta_from), `:inputs` (what the image is made of, with digests), `:inputs_version` (the
    version that follows from that).

    The root file system is under dm-verity; the template `cmdline` knows its `{{ROOT_HASH}}` and `{{HASH_OFFSET}}`. Boot loader and
    system are signed by `--//ic-os:signer` (docs/signing.md); `:to_sign` is what to sign outside the build. `:measured` is what a TPM holds
    when a machine with `--//ic-os:platform_key`, `--//ic-os:exchange_key` and `--//ic-os:revoked` has started them (docs/formats/measured.md).

    Args:
      os: the system, of `operating_system`.
      env: name of one of its envs. Whoever takes the disk into another image knows it by `{"env": …}` (see `gpt_disk`).
      name: name of the target of all files; default: the system's.
      version: label of the version file; `":inputs_version"`: nobody gives one (docs/formats/update.md).
      tags: of the files, as ["manual"] for an image that `//...` shall not build.
      visibility: of the files.
    """
    common = dict(tags = tags, visibility = visibility)
    image = in_env(os, env)
    if os.partition_images:
        os.partition_images(name = "partition_images", os = os, env = env)
    hashes = shared_parts("kernel_tree", os, env)
    trust = update_trust("os_json", os, env, version) if os.slots else {}
    templates = shared_texts("template", os, env)
    image_inputs("inputs_version", os, image, env, templates, [":update_keys"] if os.slots else [])
    _root_tree(image, version, templates, trust)
    native.filegroup(
        name = "units",
        srcs = [":root_tree"],
        output_group = "units",
        **common
    )
    root_partition("root", os, hashes)
    boot_partition("boot", os, image, env)
    _to_sign("to_sign")
    _measured("measured")
    slot = "A_" if os.slots else ""
    images = {label: partition for partition, label in os.images.items()} | {":" + partition: partition for partition in os.empty_partitions} | {
        ":boot": slot + "boot",
        ":esp": "esp",
        ":grub": "grub",
        ":root": slot + "root",
    }
    _disk(image.partitions, os.ids["disk"], images, {"env": env}, common)
    if os.slots:
        update_targets("update", os, env, image.signed_updates, common)
    _release(name or os.name, os, env, image, version, images, common)
    oci_targets("oci", os, env, image, version)

def _to_sign(name):
    """What to sign outside the build."""
    efi_to_sign(
        name = name,
        srcs = [
            ":loader",
            ":uki",
        ],
        **STEP
    )

def _measured(name):
    """What a TPM holds when the image has started, NAME.json."""
    measured_boot(
        name = name,
        db = DB,
        dbx = DBX,
        kek = KEK,
        kernel = ":uki",
        loaders = [":loader"],
        owner = OWNER,
        pk = PK,
        **STEP
    )

def _root_tree(image, version, templates, trust):
    """`:root_tree`: all that is laid over the root file system."""
    image_tree(
        name = "root_tree",
        directories = image.directories,
        files = merge_destinations(
            templates,
            trust,
            {
                image.partitions: "/opt/ic/share/partitions.csv",
                version: "/opt/ic/share/version.txt",
            },
            *image.files
        ),
        preset_all = True,
        rootfs = image.rootfs,
        said_by = image.said_by,
        symlinks = image.symlinks,
        timestamp = TIMESTAMP,
        **STEP
    )

def _disk(partitions, guid, images, properties, common):
    """The disk: laid out, and in the forms that it is written in."""
    gpt_disk(
        name = "disk_plan",
        disk_guid = guid,
        images = images,
        partitions = partitions,
        properties = properties,
        **STEP
    )
    image_file(
        name = "disk",
        image = ":disk_plan",
        out = "disk.img",
        **common
    )
    image_file(
        name = "disk_zst",
        image = ":disk_plan",
        out = "disk.img.zst",
        zstd_level = 3,
        **STEP
    )
    qcow2_image(
        name = "disk_qcow2_plan",
        image = ":disk_plan",
        **STEP
    )
    image_file(
        name = "disk_qcow2",
        image = ":disk_qcow2_plan",
        out = "disk.qcow2",
        **STEP
    )
    qemu_run(
        name = "run",
        disk = ":disk_plan",
        **common
    )
    disk_flash(
        name = "flash",
        disk = ":disk_plan",
        **common
    )
    image_diff(
        name = "diff",
        built_by = "run",
        disk = ":disk_plan",
        **common
    )

def _release(name, os, env, image, version, images, common):
    """What goes beside the images, and all of it as one target."""
    unlocked_note(
        name = "unlocked",
        images = [":disk_plan"],
        **STEP
    )
    filled_template(
        name = "version",
        file_values = {
            version: "version",
            ":unlocked": "unlocked",
        },
        out = "version.txt",
        template = "//ic-os:version.template",
        **common
    )
    image_manifest(
        name = "manifest",
        image_name = os.name,
        images = images,
        lock = image.lock,
        partitions = image.partitions,
        version = version,
        **common
    )
    image_report(
        name = "report",
        disk = ":disk_plan",
        images = images,
        manifest = ":manifest",
        sbom = ":sbom",
        **common
    )
    image_sbom(
        name = "sbom",
        artifacts = [":disk"],
        cargo_lock = "//rust:Cargo.lock",
        image_name = "{}-{}".format(os.name, env),
        images = images,
        license = "Apache-2.0",
        timestamp = TIMESTAMP,
        toolchain_lock = "//ci/container:packages.lock.json",
        version = version,
        **common
    )
    files = [":disk", ":manifest", ":sbom", ":version"] + ([":update"] if os.slots else [])
    sha256sums(
        name = "sums",
        srcs = files,
        **common
    )
    _provenance(os, env, image, version, images, files, common)
    native.filegroup(
        name = name,
        srcs = files + [":sums"],
        **common
    )

    # What people ask for: //ic-os/<os>/envs/<env>.
    if name != env and native.package_name().split("/")[-1] == env:
        native.alias(name = env, actual = ":" + name, **common)

def _provenance(os, env, image, version, images, files, common):
    """What the release was made from, and what is known of what is inside."""
    image_provenance(
        name = "provenance",
        build_type = "urn:icos-images:image-build:1",
        builder = "urn:icos-images:builder:1",
        dependencies = [
            ":inputs",
            "//ci/container:packages.lock.json",
            "//rust:Cargo.lock",
            "//rust/crates:crates.json",
            image.partitions,
        ],
        images = images.keys(),
        parameters = {
            "env": env,
            "os": os.name,
            "target": "//{}".format(native.package_name()),
        },
        subjects = files,
        version = version,
        **common
    )
    image_vulnerabilities(
        name = "vulnerabilities",
        holds = {path: "{}/envs/{}:sbom".format(package, env) for path, package in os.holds.items()},
        sbom = ":sbom",
        **common
    )
