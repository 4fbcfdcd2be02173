"""How the rules run their tools: arguments in a parameter file, one toolchain, one mnemonic per tool."""

visibility(["//bzl/..."])

TOOLCHAIN_TYPE = "//bzl/toolchain:toolchain_type"

def tool_args(ctx):
    """Arguments that reach the tool in a file, whatever their number.

    Args:
      ctx: rule context.

    Returns:
      Args: to be filled and given to run_tool.
    """
    args = ctx.actions.args()
    args.use_param_file("@%s", use_always = True)
    args.set_param_file_format("multiline")
    return args

def line(value, where):
    """A value that is one argument; refuses one of several lines, each of which the tool would take for an argument.

    Args:
      value: text.
      where: what the value is, for errors.

    Returns:
      string: the value.
    """
    if "\n" in value:
        fail("{} is {}, want a value without a line break: arguments reach the tool one a line".format(where, repr(value)))
    return value

def pair(name, value, where):
    """`NAME=VALUE` for a tool's flag; refuses what the tool would read otherwise.

    Args:
      name: what stands before the `=`; a name with one of its own cannot be said.
      value: text.
      where: attribute and label, for errors.

    Returns:
      string: the argument.
    """
    if not name or "=" in name or "\n" in name:
        fail("{}: got name {}, want one without '=' and line break".format(where, repr(name)))
    return "{}={}".format(name, line(value, "{}: {}".format(where, name)))

def run_tool(ctx, tool, args, inputs, outputs, mnemonic, progress, requirements = {}, tools = []):
    """Runs one of the toolchain's tools.

    Args:
      ctx: rule context; the rule has TOOLCHAIN_TYPE among its toolchains.
      tool: name of the tool, a field of ImageToolsInfo.
      args: Args from tool_args.
      inputs: list or depset of File.
      outputs: list of File.
      mnemonic: the action's mnemonic, verb and noun.
      progress: what the action does, for the user; `%{label}` is filled in by Bazel.
      requirements: execution requirements.
      tools: list of FilesToRunProvider: programs that the tool runs.
    """
    ctx.actions.run(
        executable = getattr(ctx.toolchains[TOOLCHAIN_TYPE].image_tools, tool),
        arguments = [args],
        inputs = inputs,
        outputs = outputs,
        mnemonic = mnemonic,
        progress_message = progress,
        execution_requirements = requirements,
        tools = tools,
        toolchain = TOOLCHAIN_TYPE,
    )

# For the two actions that need many uids, mounts and namespaces of their own: Bazel's sandbox has one uid. Each isolates itself.
OWN_NAMESPACES = {
    "no-remote-exec": "1",
    "no-sandbox": "1",
}
