//! No input makes the reader panic, and it sees what another reader sees.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use dockerfile::{parse, plan, Context, Ignore, Vars};
use proptest::prelude::*;

/// Text with the pieces that matter to a Dockerfile.
fn dockerfile_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "FROM ",
        "b",
        " AS ",
        "x",
        "\n",
        "\\\n",
        "RUN ",
        "COPY ",
        "ENV ",
        "ARG ",
        "LABEL ",
        "USER ",
        "WORKDIR ",
        "a=b",
        "\"",
        "'",
        "$A",
        "${A",
        "}",
        ":-",
        ":+",
        "<<EOF",
        "<<-'E F'",
        "EOF",
        "\nEOF\n",
        "[\"a\",",
        "\"b\"]",
        "--from=0 ",
        "--chmod=7 ",
        "#",
        " ",
        "\t",
        "# escape=`\n",
        "`\n",
        "\\",
        "*",
        "[",
        "/",
        "..",
        "é",
        "\r\n",
        "\\u12",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in dockerfile_text()) {
        if let Ok(file) = parse("D", text.as_bytes()) {
            let _ = plan(&file, &Vars::new());
        }
    }

    #[test]
    fn no_valid_head_panics(text in dockerfile_text()) {
        if let Ok(file) = parse("D", format!("ARG A=1\nFROM b AS s\n{text}").as_bytes()) {
            let _ = plan(&file, &Vars::new());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse("D", &bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = Context::parse("L", &text);
        if let Ok(ignore) = Ignore::parse("I", &text) {
            let _ = ignore.excludes(&text);
        }
    }

    /// Where both take a file without here-documents, both see the same instructions on the same lines.
    #[test]
    fn another_reader_agrees(text in dockerfile_text()) {
        let text = format!("FROM b AS s\n{}", text.replace("<<", "<"));
        let (Ok(ours), Ok(theirs)) = (parse("D", text.as_bytes()), parse_dockerfile::parse(&text)) else {
            return Ok(());
        };
        let ours: Vec<usize> = ours.stages.iter().map(|stage| stage.steps.len()).collect();
        let theirs: Vec<usize> = theirs.stages().map(|stage| stage.instructions.len()).collect();
        prop_assert_eq!(ours, theirs, "{}", text);
    }
}
