"""efi_signer: a certificate, and what makes signatures by its key."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private/providers:efi_signer_info.bzl", "EfiSignerInfo")

visibility(["//bzl/..."])

# What a boot loader's script does not take as it is between double quotes, where the notice goes.
_SPECIAL = ["\"", "$", "\\", "`"]

def _efi_signer_impl(ctx):
    if ctx.file.key and ctx.attr.program:
        fail("key and program: got both, want one of them or none ({})".format(ctx.label))
    if ctx.attr.arguments and not ctx.attr.program:
        fail("arguments: got {} without a program ({})".format(ctx.attr.arguments, ctx.label))
    where = "of {}".format(ctx.label)
    pgp_key = ctx.actions.declare_file(ctx.label.name + ".pgp")
    args = tool_args(ctx)
    certificates = [ctx.file.certificate] + ctx.files.trusted
    args.add_all(certificates, before_each = "--certificate")
    args.add("--output", pgp_key)
    run_tool(ctx, "mkpgpkey", args, certificates, [pgp_key], "MkPgpKey", "Writing the OpenPGP keys of %{label}")
    for character in _SPECIAL:
        if character in ctx.attr.notice:
            fail("notice: got {}, want text without {} ({})".format(repr(ctx.attr.notice), " ".join(_SPECIAL), ctx.label))
    notice = ctx.actions.declare_file(ctx.label.name + ".notice")
    ctx.actions.write(notice, line(ctx.attr.notice, "notice " + where) + "\n")
    return [
        DefaultInfo(files = depset([ctx.file.certificate])),
        EfiSignerInfo(
            arguments = [line(argument, "arguments " + where) for argument in ctx.attr.arguments],
            certificate = ctx.file.certificate,
            key = ctx.file.key,
            notice = ctx.attr.notice,
            program = ctx.attr.program[DefaultInfo].files_to_run if ctx.attr.program else None,
        ),
        OutputGroupInfo(
            certificate = depset([ctx.file.certificate]),
            notice = depset([notice]),
            pgp_key = depset([pgp_key]),
        ),
    ]

efi_signer = rule(
    implementation = _efi_signer_impl,
    doc = """Who signs EFI programs: a certificate of an RSA key, and the key, or a program that has it, or neither.

With neither, signatures come from outside the build (docs/signing.md). Output groups: `pgp_key`, the keys of `certificate` and `trusted` as OpenPGP
packets in one file, for GRUB's `--pubkey`; `certificate`; `notice`, a file of one line, which is empty without a notice.""",
    attrs = {
        "arguments": attr.string_list(
            doc = "Arguments of the program.",
        ),
        "certificate": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "X.509 certificate, PEM or DER, of an RSA key of 2048, 3072 or 4096 bits.",
        ),
        "key": attr.label(
            allow_single_file = True,
            doc = "The private key, PEM, PKCS#8 or PKCS#1, not encrypted. It is an input of actions: for keys that need no protection.",
        ),
        "notice": attr.string(
            doc = "One line to be shown when something is signed by it, and on the console of what is, without double quotes, dollar signs, backslashes and backquotes; default: none.",
        ),
        "program": attr.label(
            executable = True,
            cfg = "exec",
            doc = "A program that signs: it gets the digest, 32 bytes, on standard input and writes the raw RSA signature (PKCS#1 v1.5, " +
                  "SHA-256) to standard output. It runs in an action, without network.",
        ),
        "trusted": attr.label_list(
            allow_files = True,
            doc = "Certificates of others whose systems this signer's boot loaders start, too: of the next signer before a change, of the last one after it. " +
                  "They sign nothing here.",
        ),
    },
    provides = [EfiSignerInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
