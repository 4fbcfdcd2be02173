"""measured_boot: what a TPM's registers will hold when an image has started."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_of")

visibility(["//bzl/..."])

def _measured_boot_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out or ctx.label.name + ".json")
    loaders = [image_of(target, "loaders", ctx.label) for target in ctx.attr.loaders]
    kernel = image_of(ctx.attr.kernel, "kernel", ctx.label)
    args = tool_args(ctx)
    for loader in loaders:
        args.add("--loader", loader.reference)
    args.add("--kernel", kernel.reference)
    args.add("--owner", line(ctx.attr.owner, "owner of {}".format(ctx.label)))
    args.add("--pk", ctx.file.pk)
    args.add("--kek", ctx.file.kek)
    args.add("--db", ctx.file.db)
    if len(ctx.files.dbx) > 1:
        fail("dbx: {} has {} files, want one or none ({})".format(ctx.attr.dbx.label, len(ctx.files.dbx), ctx.label))
    args.add_all(ctx.files.dbx, before_each = "--dbx")
    args.add("--output", out)
    images = loaders + [kernel]
    files = [ctx.file.pk, ctx.file.kek, ctx.file.db] + ctx.files.dbx
    read = depset(
        files + [file for image in images for file in image.read],
        transitive = [image.inputs for image in images],
    )
    run_tool(ctx, "mkpcrs", args, read, [out], "MkPcrs", "Predicting the measurements of %{label}")
    return [DefaultInfo(files = depset([out]))]

measured_boot = rule(
    implementation = _measured_boot_impl,
    doc = """What a TPM holds when these programs have started with Secure Boot: PCR 4, 7, 11 and 12 of the SHA-256 bank for each profile of the
kernel image, each with what was measured into it (docs/formats/measured.md). Attestation compares a quote with it, and secrets are sealed to it.

Firmware has one certificate each in PK, KEK and db, those given here. It starts the first of its boot entries; one that failed before
would be measured, too.""",
    attrs = {
        "db": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "Certificate that signed the programs, PEM or DER, of an RSA key: the only one in the machine's db.",
        ),
        "dbx": attr.label(
            # A target without files is none: a flag's default.
            allow_files = True,
            doc = "A file with what the machine's variable dbx holds, EFI signature lists; default: it is empty or not there.",
        ),
        "kek": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "Certificate of the key exchange key, PEM or DER, of an RSA key: the only one in the machine's KEK.",
        ),
        "kernel": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The signed unified kernel image over systemd's stub: a plan (`signed_efi`) or a file.",
        ),
        "loaders": attr.label_list(
            allow_files = True,
            doc = "Signed EFI programs that firmware loads before the kernel image, in this order: plans (`signed_efi`) or files; default: none.",
        ),
        "out": attr.string(
            doc = "Name of the file; default: NAME.json.",
        ),
        "owner": attr.string(
            mandatory = True,
            doc = "GUID that the machine's PK, KEK and db name as the owner of their certificates; it means nothing, but is measured.",
        ),
        "pk": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "Certificate of the platform key, PEM or DER, of an RSA key.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
