"""os_boot_test: an image boots in QEMU and is what its system says."""

load("@bazel_skylib//rules:native_binary.bzl", "native_test")
load("@bazel_skylib//rules:write_file.bzl", "write_file")
load("//bzl:image.bzl", "image_list")
load("//ic-os:secure_boot.bzl", "DB", "DBX", "KEK", "OWNER", "PK")

visibility(["//ic-os/...", "//tests/..."])

# What QEMU and the test take beside the guest's memory.
_OWN_MEMORY_MIB = 500

def _secure_boot(scenario, package):
    """Production images boot with Secure Boot, development ones with it and without; a TPM then holds what was predicted.

    Args:
      scenario: name of the scenario.
      package: package with the image's targets.

    Returns:
      (list of string, list of string): flags, and labels that they name.
    """
    if scenario not in ["prod", "prod-install", "refusals", "upgrade", "fallback"]:
        return [], []
    labels = [PK, KEK, DB, DBX]
    flags = ["--secure-boot", OWNER] + ["$(rootpath {})".format(key) for key in [PK, KEK, DB]] + ["--dbx=$(rootpath {})".format(DBX)]
    if scenario == "prod":
        measured = package + ":measured"
        return flags + ["--measured=$(rootpath {})".format(measured)], labels + [measured]
    if scenario == "refusals":
        requests = package + ":to_sign"
        return flags + ["--to-sign", "$(rootpaths {})".format(requests)], labels + [requests]
    return flags, labels

def os_boot_test(name, os, env, scenario = None, package = None, disk = None, memory_mib = None, timeout = "long", readmes = [], args = [], data = [], tags = []):
    """Declares a boot test (docs/testing.md). It needs no more than the system's value and its images.

    Args:
      name: name of the test.
      os: the system, of `operating_system`: its `boot_test` says what is to be seen; without one `rust/os/boot_test` knows the system by its name.
      env: the env of the image.
      scenario: dev, prod, verity, refusals, upgrade, fallback, install, prod-install or exact; default: the env.
      package: package with the image's targets; default: the calling one.
      disk: label of the disk, if it is to be another one than the plan of `:disk_plan`.
      memory_mib: memory of the guest, where `boot_test` does not say it.
      timeout: of the test; several starts of an emulated machine may take longer than the default allows.
      readmes: labels of Markdown files whose lists the running system is compared with (docs/testing.md).
      args: further flags of the test.
      data: labels that these name.
      tags: further tags of the test, as ["manual"].
    """
    package = package or "//" + native.package_name()
    if not disk:
        disk = name + "_disk"
        image_list(
            name = disk,
            image = package + ":disk_plan",
            tags = ["manual"],
        )
    scenario = scenario or env
    secure_boot, secure_boot_data = _secure_boot(scenario, package)
    system, described = os.name, []
    if os.boot_test:
        write_file(
            name = name + "_os",
            out = name + "_os.json",
            content = [json.encode_indent({"name": os.name, "slots": os.slots} | os.boot_test), ""],
            tags = ["manual"],
        )
        described = [name + "_os"]
        system = "$(rootpath {})".format(described[0])
    native_test(
        name = name,
        size = "large",
        timeout = timeout,
        src = "//rust/os/boot_test",
        out = name + "_bin",
        args = [
            "--os",
            system,
            "--scenario",
            scenario,
            "--disk",
            "$(rootpath {})".format(disk),
            "--version-file",
            "$(rootpath {}:version)".format(package),
            "--units",
            "$(rootpath {}:units)".format(package),
        ] + ["--readme=$(rootpath {})".format(readme) for readme in readmes] + secure_boot + args,
        data = data + described + readmes + secure_boot_data + [
            disk,
            package + ":units",
            package + ":version",
        ],
        # A boot keeps little more than one processor busy, whatever the guest has: as many run at a time as there are processors, and
        # memory. A worker elsewhere would not count that, and would need what the image is made of.
        tags = tags + [
            "no-remote-exec",
            "resources:memory:{}".format((memory_mib or os.boot_test["memory_mib"]) + _OWN_MEMORY_MIB),
        ],
    )
