"""Macros for the three kinds of Rust package here, so that every crate gets the same tests and checks."""

load("@rules_rust//rust:defs.bzl", "rust_binary", "rust_clippy", "rust_doc", "rust_library", "rust_test", "rustfmt_test")

_VISIBILITY = ["//visibility:public"]

# As in Cargo.toml: whoever depends on this module may have another default.
_EDITION = "2021"

# A sum that does not fit ends the program, in optimised builds too: never another number in an image.
_CHECKED = ["-Coverflow-checks=on"]

# The program runs on any Linux of its processor, whatever C library is there.
_STATIC = _CHECKED + [
    "-Ctarget-feature=+crt-static",
    "-Cstrip=symbols",
    # The linker remarks on functions of the C library that our programs don't call.
    "-Alinker_messages",
]

# What is compiled once and runs once takes less time as it is. The crates that a test calls are optimised, but for the one whose unit test it is.
_QUICK = ["-Copt-level=0"]

# As in Cargo.toml; what `--version` of every program prints.
_VERSION = "0.1.0"

def _checks(name, targets, tests):
    rustfmt_test(
        name = name + "_rustfmt_test",
        size = "small",
        targets = targets,
    )
    rust_clippy(
        name = name + "_clippy",
        testonly = True,
        deps = targets + tests,
    )

def _test_files(name, crate, deps, proc_macro_deps, test_srcs, test_data, rustc_env, size):
    """One rust_test per tests/*.rs; returns their names."""
    names = []
    for src in native.glob(["tests/*.rs"], allow_empty = True):
        test = "{}_{}_test".format(name, src.removeprefix("tests/").removesuffix(".rs").removesuffix("_test"))
        rust_test(
            name = test,
            size = size,
            srcs = [src] + test_srcs + native.glob(["tests/*/**/*.rs"], allow_empty = True),
            crate_root = src,
            data = test_data + native.glob(["tests/data/**"], allow_empty = True),
            proc_macro_deps = proc_macro_deps,
            rustc_env = rustc_env,
            rustc_flags = _QUICK,
            # A crate may be asked for by the library and by its tests.
            deps = {dep: None for dep in crate + deps}.keys(),
        )
        names.append(test)
    return names

def _tests(name, crate, deps, proc_macro_deps, test_deps, test_srcs, test_data, integration_data, rustc_env, size):
    """Unit tests in the sources, one test per tests/*.rs, clippy and rustfmt over all of it.

    Args:
      name: name of the crate or program.
      crate: what tests/*.rs link besides deps: the crate itself, if it is a library.
      deps: crates it uses.
      proc_macro_deps: procedural-macro crates it uses.
      test_deps: crates only its tests use.
      test_srcs: modules of tests/*.rs that lie elsewhere.
      test_data: files its tests read.
      integration_data: files only tests/*.rs read.
      rustc_env: environment tests/*.rs are compiled with.
      size: size of the tests.
    """
    unit = name + "_test"
    rust_test(
        name = unit,
        size = size,
        crate = ":" + name,
        rustc_flags = _QUICK,
        data = test_data + native.glob(["tests/data/**", "src/**/testdata/**"], allow_empty = True),
        deps = test_deps,
    )
    tests = _test_files(name, crate, deps + test_deps, proc_macro_deps, test_srcs, test_data + integration_data, rustc_env, size)
    _checks(name, [":" + name], [unit] + tests)

def rust_lib(name, deps = [], proc_macro_deps = [], test_deps = [], test_srcs = [], test_data = [], test_size = "small"):
    """A library crate with its unit tests, its tests/*.rs, clippy, rustfmt and its pages, `NAME_doc`.

    Args:
      name: crate name; sources are src/**/*.rs.
      deps: crates it uses.
      proc_macro_deps: procedural-macro crates it uses.
      test_deps: crates only its tests use.
      test_srcs: modules of its tests/*.rs that lie elsewhere.
      test_data: files its tests read.
      test_size: size of the tests.
    """
    rust_library(
        name = name,
        srcs = native.glob(["src/**/*.rs"]),
        edition = _EDITION,
        proc_macro_deps = proc_macro_deps,
        rustc_flags = _CHECKED,
        version = _VERSION,
        visibility = _VISIBILITY,
        deps = deps,
    )

    # A link that leads nowhere is an error.
    rust_doc(
        name = name + "_doc",
        crate = ":" + name,
        rustdoc_flags = ["-Dwarnings"],
    )
    _tests(name, [":" + name], deps, proc_macro_deps, test_deps, test_srcs, test_data, [], {}, test_size)

def rust_tool(name, deps = [], proc_macro_deps = []):
    """A build action's program from src/bin/NAME.rs: static, so that a set of them can be handed to others.

    Args:
      name: name of the program.
      deps: crates it uses.
      proc_macro_deps: procedural-macro crates it uses.
    """
    rust_binary(
        name = name,
        srcs = ["src/bin/{}.rs".format(name)],
        edition = _EDITION,
        proc_macro_deps = proc_macro_deps,
        rustc_flags = _STATIC,
        visibility = _VISIBILITY,
        deps = deps,
    )
    _checks(name, [":" + name], [])

def rust_tool_test(name, tools, size = "small", modules = [], compile_data = [], data = [], tags = [], deps = []):
    """A test that starts tools, with clippy and rustfmt.

    Args:
      name: name of the test; X_test is tests/X.rs.
      tools: names of the tools in the same package; cargo's variables say where they are.
      size: size of the test.
      modules: sources besides that one.
      compile_data: files that it includes.
      data: files that it reads.
      tags: its tags.
      deps: crates it uses.
    """
    src = "tests/{}.rs".format(name.removesuffix("_test"))
    rust_test(
        name = name,
        size = size,
        srcs = [src] + modules,
        compile_data = compile_data,
        crate_root = src,
        data = tools + data,
        rustc_env = {
            "CARGO_BIN_EXE_" + tool: "$(rootpath :{})".format(tool)
            for tool in tools
        },
        rustc_flags = _QUICK,
        tags = tags,
        deps = deps,
    )
    _checks(name, [":" + name], [])

def rust_program(name, deps = [], proc_macro_deps = [], test_deps = [], test_srcs = [], test_data = [], test_size = "small"):
    """A program that runs inside an image: static, so that it needs no library of the image's release.

    Args:
      name: name of the program; sources are src/**/*.rs.
      deps: crates it uses.
      proc_macro_deps: procedural-macro crates it uses.
      test_deps: crates only its tests use.
      test_srcs: modules of its tests/*.rs that lie elsewhere.
      test_data: files its tests read.
      test_size: size of the tests.
    """
    rust_binary(
        name = name,
        srcs = native.glob(["src/**/*.rs"]),
        edition = _EDITION,
        proc_macro_deps = proc_macro_deps,
        rustc_flags = _STATIC,
        visibility = _VISIBILITY,
        deps = deps,
    )
    _tests(
        name,
        [],
        deps,
        proc_macro_deps,
        test_deps,
        test_srcs,
        test_data,
        [":" + name],
        {"CARGO_BIN_EXE_" + name: "$(rootpath :{})".format(name)},
        test_size,
    )
