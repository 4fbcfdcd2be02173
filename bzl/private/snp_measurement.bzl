"""snp_measurement: what the attestation report of a virtual machine says when QEMU starts a kernel under AMD SEV-SNP."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_of")

visibility(["//bzl/..."])

def _snp_measurement_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out or ctx.label.name + ".json")
    if ctx.attr.vcpus < 1:
        fail("vcpus: got {}, want 1 at least ({})".format(ctx.attr.vcpus, ctx.label))
    given = {"firmware": ctx.attr.firmware, "initrd": ctx.attr.initrd, "kernel": ctx.attr.kernel}
    images = {name: image_of(target, name, ctx.label) for name, target in given.items() if target}
    args = tool_args(ctx)
    for name, image in images.items():
        args.add("--" + name, image.reference)
    files = []
    if ctx.file.cmdline:
        args.add("--cmdline", ctx.file.cmdline)
        files.append(ctx.file.cmdline)
    args.add("--vcpus", ctx.attr.vcpus)
    args.add("--vcpu-type", line(ctx.attr.vcpu_type, "vcpu_type of {}".format(ctx.label)))
    args.add("--guest-features", line(ctx.attr.guest_features, "guest_features of {}".format(ctx.label)))
    args.add("--output", out)
    read = depset(
        files + [file for image in images.values() for file in image.read],
        transitive = [image.inputs for image in images.values()],
    )
    run_tool(ctx, "mksnp", args, read, [out], "MkSnp", "Measuring the launch of %{label}")
    return [DefaultInfo(files = depset([out]))]

snp_measurement = rule(
    implementation = _snp_measurement_impl,
    doc = """The launch measurement of a virtual machine under AMD SEV-SNP whose kernel QEMU starts directly (docs/formats/snp.md): its attestation
report has it, signed by the processor.

QEMU puts the hashes of kernel, initrd and command line into the firmware's memory (`kernel-hashes=on`), and the firmware starts nothing else: so
the measurement vouches for all four.""",
    attrs = {
        "cmdline": attr.label(
            allow_single_file = True,
            doc = "File with the kernel's command line (`-append`), one line; default: none.",
        ),
        "firmware": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The firmware, a file or a plan (`tree_file`): OVMF that checks these hashes, as `OVMF.amdsev.fd` of Debian's package ovmf.",
        ),
        "guest_features": attr.string(
            default = "0x1",
            doc = "The machine's SEV_FEATURES, hexadecimal; default: SEV-SNP alone. A newer KVM swaps debug registers, too: 0x21.",
        ),
        "initrd": attr.label(
            allow_single_file = True,
            doc = "The initrd (`-initrd`), a file or a plan; default: none.",
        ),
        "kernel": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The kernel (`-kernel`), a file or a plan (`tree_file`, `signed_efi`).",
        ),
        "out": attr.string(
            doc = "Name of the file; default: NAME.json.",
        ),
        "vcpu_type": attr.string(
            default = "EPYC-v4",
            doc = "Type of the virtual processors, as QEMU calls it (`-cpu`): EPYC, EPYC-Rome, EPYC-Milan, EPYC-Genoa, EPYC-Turin and their versions.",
        ),
        "vcpus": attr.int(
            mandatory = True,
            doc = "Number of virtual processors (`-smp`), 1 to 4096.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
