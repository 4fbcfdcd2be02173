"""sandbox_probe: runs the probe as an action, which writes what it could reach."""

visibility(["//tests/sandbox/..."])

def _sandbox_probe_impl(ctx):
    report = ctx.actions.declare_file(ctx.label.name + ".txt")
    args = ctx.actions.args()
    args.add(report)
    args.add_all(ctx.files.srcs, format_each = "present=%s")
    args.add_all(ctx.attr.absent, format_each = "absent=%s")
    if not ctx.attr.sandboxed:
        args.add("open")
    ctx.actions.run(
        executable = ctx.executable._probe,
        arguments = [args],
        inputs = ctx.files.srcs,
        outputs = [report],
        mnemonic = "SandboxProbe",
        progress_message = "Looking around in the sandbox %{label}",
        # What is asked is what Bazel's sandbox on this machine hides: no worker elsewhere can say. The counter-check never comes from a
        # cache: what it sees is no input.
        execution_requirements = {"no-remote-exec": "1"} if ctx.attr.sandboxed else {
            "no-cache": "1",
            "no-remote-exec": "1",
            "no-sandbox": "1",
        },
    )
    return [DefaultInfo(files = depset([report]), runfiles = ctx.runfiles([report]))]

sandbox_probe = rule(
    implementation = _sandbox_probe_impl,
    doc = "A report of what an action reaches: network, processes, files. For report_test.rs.",
    attrs = {
        "absent": attr.string_list(
            doc = "Paths below the execution root that the action must not see.",
        ),
        "sandboxed": attr.bool(
            default = True,
            doc = "False: the counter-check, which runs without the sandbox and must see the `absent` paths.",
        ),
        "srcs": attr.label_list(
            allow_files = True,
            doc = "Files that the action must see.",
        ),
        "_probe": attr.label(
            default = "//tests/sandbox:probe",
            cfg = "exec",
            executable = True,
        ),
    },
)
