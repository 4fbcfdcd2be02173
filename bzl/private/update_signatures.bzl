"""update_signatures: who signed the manifest of an update bundle."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "run_tool", "tool_args")

visibility(["//bzl/..."])

def _update_signatures_impl(ctx):
    out = ctx.actions.declare_file(ctx.attr.out or ctx.label.name + ".sig")
    args = tool_args(ctx)
    args.add("--manifest", ctx.file.manifest)
    args.add("--keys", ctx.file.keys)
    inputs = [ctx.file.manifest, ctx.file.keys]
    tools = []
    if ctx.files.signatures:
        args.add_all(ctx.files.signatures, before_each = "--signature")
        inputs += ctx.files.signatures
    else:
        for target in ctx.attr.signers:
            program = target[DefaultInfo].files_to_run
            files = target[DefaultInfo].files.to_list()
            if len(files) == 1 and files[0].extension == "key":
                args.add("--key", files[0])
                inputs += files
            elif program and program.executable:
                args.add("--signer", program.executable)
                tools.append(program)
            else:
                fail("signers: {} is neither a private key (*.key) nor a program ({})".format(target.label, ctx.label))
        if not ctx.attr.signers and ctx.attr.allow_unsigned:
            args.add("--allow-unsigned")
    args.add("--output", out)
    run_tool(ctx, "signupdate", args, inputs, [out], "SignUpdate", "Signing update bundle %{label}", tools = tools)
    return [DefaultInfo(files = depset([out]))]

update_signatures = rule(
    implementation = _update_signatures_impl,
    doc = """manifest.json.sig of an update bundle (docs/formats/update.md): signatures over the bytes of its manifest, each checked against the keys.

Signatures that were made elsewhere are taken as they are, and nothing is signed here then; so no private key needs to be where the build is
(docs/signing.md). Fewer than the keys' threshold fail the build.""",
    attrs = {
        "allow_unsigned": attr.bool(
            default = False,
            doc = "Whether there may be neither signatures nor signers; then the list is empty.",
        ),
        "keys": attr.label(
            mandatory = True,
            allow_single_file = [".json"],
            doc = "Whose signatures count, of `update_keys`.",
        ),
        "manifest": attr.label(
            mandatory = True,
            allow_single_file = [".json"],
            doc = "What is signed, of `update_manifest`.",
        ),
        "out": attr.string(
            doc = "Name of the file; default: NAME.sig.",
        ),
        "signatures": attr.label_list(
            allow_files = True,
            doc = "Signatures made elsewhere: files of 64 bytes, in any order.",
        ),
        "signers": attr.label_list(
            allow_files = True,
            cfg = "exec",
            doc = "Who signs here, unless there are signatures: ed25519 private keys (*.key, PEM), or programs that read the manifest from their " +
                  "standard input and write 64 bytes.",
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
