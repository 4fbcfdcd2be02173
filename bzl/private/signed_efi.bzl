"""signed_efi: an EFI program with its signatures, as a plan; efi_to_sign: what to sign outside the build."""

load("//bzl/private:image_tools.bzl", "TOOLCHAIN_TYPE", "line", "run_tool", "tool_args")
load("//bzl/private:plans.bzl", "image_of", "image_providers")
load("//bzl/private/providers:efi_signer_info.bzl", "EfiSignerInfo")
load("//bzl/private/providers:image_plan_info.bzl", "ImagePlanInfo")

visibility(["//bzl/..."])

def _program_args(ctx, image, signer):
    """Arguments that say which program is signed, and by whose key; and what is read for them."""
    args = tool_args(ctx)
    args.add("--image", image.reference)
    args.add("--name", line(ctx.attr.image_name or ctx.label.name, "image_name of {}".format(ctx.label)))
    args.add("--certificate", signer.certificate)
    return args, depset([signer.certificate] + image.read, transitive = [image.inputs])

def _request(ctx, image, signer):
    """What is to be signed; made only if somebody asks for it."""
    out = ctx.actions.declare_file(ctx.label.name + ".to_sign.json")
    args, read = _program_args(ctx, image, signer)
    if ctx.attr.detached:
        args.add("--detached")
    args.add("--output", out)
    run_tool(ctx, "mktosign", args, read, [out], "EfiToSign", "Hashing EFI program %{label}")
    return out

def _add_signer(ctx, args, signer):
    """Adds signatures from outside, or what makes them; with none of both mksigned says what to do. Returns files that are read, and programs."""
    if ctx.files.signatures:
        args.add_all(ctx.files.signatures, before_each = "--signatures")
        return ctx.files.signatures, []
    if signer.key:
        args.add("--key", signer.key)
        return [signer.key], []
    if signer.program:
        args.add("--program", signer.program.executable)
        args.add_all(signer.arguments, format_each = "--program-arg=%s")
        return [], [signer.program]
    return [], []

def _signed_efi_impl(ctx):
    signer = ctx.attr.signer[EfiSignerInfo]
    if ctx.attr.show_notice and signer.notice:
        # Whoever builds it must see it, whatever was built before.
        # buildifier: disable=print
        print("{}: {}".format(ctx.label, signer.notice))
    image = image_of(ctx.attr.image, "image", ctx.label)
    args, read = _program_args(ctx, image, signer)
    files, tools = _add_signer(ctx, args, signer)
    plan = ctx.actions.declare_file(ctx.label.name + ".plan")
    outputs = [plan]
    args.add("--output", plan)
    if ctx.attr.detached:
        outputs.append(ctx.actions.declare_file(ctx.label.name + ".sig"))
        args.add("--detached-output", outputs[1])
    run_tool(ctx, "mksigned", args, depset(files, transitive = [read]), outputs, "SignEfi", "Signing EFI program %{label}", tools = tools)
    return image_providers(ctx, plan, image.inputs, [ctx.attr.image]) + [
        OutputGroupInfo(
            sig = depset(outputs[1:]),
            to_sign = depset([_request(ctx, image, signer)]),
        ),
    ]

signed_efi = rule(
    implementation = _signed_efi_impl,
    doc = """An EFI program with an Authenticode signature (SHA-256, RSA), which firmware with Secure Boot checks.

Signatures come from the signer, in an action; or from outside the build, by `signatures`: then no key enters any action. Each is verified
against the certificate. The same image and key are the same bytes: there is no signing time.

Output groups: `to_sign`, what is to be signed outside the build (docs/formats/signing.md); `sig`, with `detached`: the OpenPGP
signature of the signed program, NAME.sig.""",
    attrs = {
        "detached": attr.bool(
            doc = "Make a detached OpenPGP signature by the same key, too, for GRUB's `pgp` module.",
        ),
        "image": attr.label(
            mandatory = True,
            allow_single_file = True,
            doc = "The EFI program: a plan (`uki_image`) or a file, not signed yet.",
        ),
        "image_name": attr.string(
            doc = "What it is called in `to_sign` and messages; default: the target's name.",
        ),
        "show_notice": attr.bool(
            doc = "Print the signer's notice, if it has one, when this is analysed.",
        ),
        "signatures": attr.label(
            # A target without files is none: a flag's default.
            allow_files = True,
            doc = "Signatures made outside the build, one file or more; with any, the signer's key or program is not used. Default: none.",
        ),
        "signer": attr.label(
            mandatory = True,
            providers = [EfiSignerInfo],
            doc = "An `efi_signer`.",
        ),
    },
    provides = [ImagePlanInfo],
    toolchains = [TOOLCHAIN_TYPE],
)

def _efi_to_sign_impl(ctx):
    requests = []
    for target in ctx.attr.srcs:
        if OutputGroupInfo not in target or not hasattr(target[OutputGroupInfo], "to_sign"):
            fail("srcs: {} is no signed_efi ({})".format(target.label, ctx.label))
        requests.append(target[OutputGroupInfo].to_sign)
    return [DefaultInfo(files = depset(transitive = requests))]

efi_to_sign = rule(
    implementation = _efi_to_sign_impl,
    doc = """What is to be signed of several EFI programs: a JSON file for each (docs/formats/signing.md), to be given to `signdigests` outside
the build. Needs no key and no signature.""",
    attrs = {
        "srcs": attr.label_list(
            mandatory = True,
            doc = "Targets of `signed_efi`.",
        ),
    },
)
