rust_tool(
    name = "mkrootfs",
    deps = [
        "//rust/lib/archive",
        "//rust/lib/cli",
        "//rust/lib/dockerfile",
        "//rust/lib/sandbox",
        "@crates//:anyhow",
        "@crates//:clap",
    ],
)

rust_tool(
    name = "treecmp",
    deps = [
        "//rust/lib/archive",
        "//rust/lib/cli",
        "@crates//:anyhow",
        "@crates//:clap",
        "@crates//:sha2",
    ],
)
