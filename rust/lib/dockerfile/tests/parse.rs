//! What the reader takes and what it refuses, with the line it names.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use dockerfile::{parse, CopySource, Dockerfile, Instruction, Run, Vars};

fn read(text: &str) -> Dockerfile {
    parse("Dockerfile", text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The instructions of the last stage after `FROM b`.
fn steps(text: &str) -> Vec<Instruction> {
    let mut file = read(&format!("FROM b\n{text}"));
    file.stages
        .pop()
        .unwrap()
        .steps
        .into_iter()
        .map(|step| step.instruction)
        .collect()
}

fn run(text: &str) -> Run {
    match steps(text).pop().unwrap() {
        Instruction::Run(run) => run,
        other => panic!("{other:?}"),
    }
}

fn shell(text: &str) -> String {
    match run(text) {
        Run::Shell(script) => script,
        other => panic!("{other:?}"),
    }
}

#[test]
fn refusals_name_their_line() {
    let table: &[(&str, &str)] = &[
        ("", "Dockerfile: no FROM instruction"),
        ("# only a comment\n", "Dockerfile: no FROM instruction"),
        ("ARG A=1\n", "Dockerfile: no FROM instruction"),
        ("RUN x\n", "Dockerfile:1: RUN before the first FROM; only ARG may stand there"),
        ("FROM b\n\nCMD x\n", "Dockerfile:3: instruction CMD is not supported; supported are FROM, ARG, ENV, COPY, RUN, USER, WORKDIR, LABEL"),
        ("FROM b\nENTRYPOINT [\"x\"]\n", "Dockerfile:2: instruction ENTRYPOINT is not supported; supported are FROM, ARG, ENV, COPY, RUN, USER, WORKDIR, LABEL"),
        ("FROM b\nadd x y\n", "Dockerfile:2: instruction ADD is not supported; supported are FROM, ARG, ENV, COPY, RUN, USER, WORKDIR, LABEL"),
        ("FROM b\nRUN a \\\n # c\n\n b\nONBUILD RUN x\n", "Dockerfile:6: instruction ONBUILD is not supported; supported are FROM, ARG, ENV, COPY, RUN, USER, WORKDIR, LABEL"),
        ("FROM b\nFORM c\n", "Dockerfile:2: instruction FORM is not supported; supported are FROM, ARG, ENV, COPY, RUN, USER, WORKDIR, LABEL"),
        ("FROM --platform=x b\n", "Dockerfile:1: FROM --platform=x is not supported; the base image has one platform"),
        ("FROM b as\n", "Dockerfile:1: FROM: wanted IMAGE or IMAGE AS NAME, got \"b as\""),
        ("FROM b c\n", "Dockerfile:1: FROM: wanted IMAGE or IMAGE AS NAME, got \"b c\""),
        ("FROM b AS 9\n", "Dockerfile:1: FROM: \"9\" is no stage name; wanted a letter, then letters, digits, - _ . (not \"scratch\")"),
        ("FROM b AS x\nFROM c AS X\n", "Dockerfile:2: FROM: there is already a stage called x"),
        ("FROM b\nARG\n", "Dockerfile:2: ARG: wanted NAME or NAME=default, got nothing"),
        ("FROM b\nARG A-B=1\n", "Dockerfile:2: ARG: \"A-B\" is no variable name; wanted letters, digits and _"),
        ("FROM b\nENV A b\n", "Dockerfile:2: ENV: wanted NAME=value, got \"A\""),
        ("FROM b\nENV A=1 b\n", "Dockerfile:2: ENV: wanted NAME=value, got \"b\""),
        ("FROM b\nENV A=\"x\n", "Dockerfile:2: no closing double quote in \"\\\"x\""),
        ("FROM b\nENV A=${B\n", "Dockerfile:2: no closing } in \"${B\""),
        ("FROM b\nENV A=${B%x}\n", "Dockerfile:2: unsupported substitution ${B%…}; supported are :- - :+ + :? ? in \"${B%x}\""),
        ("FROM b\nENV A=${}\n", "Dockerfile:2: no variable name after ${ in \"${}\""),
        ("FROM b\nLABEL a\n", "Dockerfile:2: LABEL: wanted NAME=value, got \"a\""),
        ("FROM b\nUSER\n", "Dockerfile:2: USER: wanted user[:group], got nothing"),
        ("FROM b\nWORKDIR\n", "Dockerfile:2: WORKDIR: wanted a path, got nothing"),
        ("FROM b\nRUN\n", "Dockerfile:2: RUN: wanted a command, got nothing"),
        ("FROM b\nRUN []\n", "Dockerfile:2: RUN: the exec form names no program"),
        ("FROM b\nRUN --mount=type=cache,target=/x y\n", "Dockerfile:2: RUN --mount=type=cache,target=/x is not supported; a step has no network, no mounts and no devices (only --network=none is taken)"),
        ("FROM b\nRUN --network=host y\n", "Dockerfile:2: RUN --network=host is not supported; a step has no network, no mounts and no devices (only --network=none is taken)"),
        ("FROM b\nRUN cat <<EOF\nx\n", "Dockerfile:2: here-document <<EOF has no line EOF that ends it"),
        ("FROM b\nRUN cat <<EOF>/x\nx\nEOF\n", "Dockerfile:2: a here-document's delimiter must be a word of its own (put a blank after it) in \"<<EOF>/x\""),
        ("FROM b\nCOPY a\n", "Dockerfile:2: COPY: wanted sources and a destination, got \"a\""),
        ("FROM b\nCOPY a b c\n", "Dockerfile:2: COPY: several sources need a destination that is a directory and ends with /, got \"c\""),
        ("FROM b\nCOPY --link a b\n", "Dockerfile:2: COPY --link is not supported; supported are --from, --chown, --chmod"),
        ("FROM b\nCOPY --exclude=x a b\n", "Dockerfile:2: COPY --exclude=x is not supported; supported are --from, --chown, --chmod"),
        ("FROM b\nCOPY --chmod=u+x a b\n", "Dockerfile:2: COPY: --chmod=u+x: wanted an octal mode such as 0755"),
        ("FROM b\nCOPY --chmod=99999 a b\n", "Dockerfile:2: COPY: --chmod=99999: wanted an octal mode such as 0755"),
        ("FROM b\nCOPY --chown= a b\n", "Dockerfile:2: COPY: --chown has no value"),
        ("FROM b\nCOPY --from=a --from=b a b\n", "Dockerfile:2: COPY: --from given twice"),
        ("FROM b\nCOPY --from=$X a b\n", "Dockerfile:2: COPY: --from takes no variables: name a stage or give its number"),
        ("FROM b\nCOPY https://x/y z\n", "Dockerfile:2: COPY: source \"https://x/y\" is remote; a build has no network"),
        ("FROM b\nCOPY a <<EOF\nx\nEOF\n", "Dockerfile:2: COPY: the destination cannot be a here-document"),
        ("FROM b\nFROM b\nCOPY --from=0 <<EOF /x\nx\nEOF\n", "Dockerfile:3: COPY: a here-document cannot come --from a stage"),
        ("FROM b\nCOPY <<EOF /x\na \\n\nEOF\n", "Dockerfile:3: a backslash, which builders read differently here (quote the delimiter: <<\"EOF\") in \"here-document EOF\""),
        ("FROM b\nCOPY << EOF /x\na\nEOF\n", "Dockerfile:2: a blank after <<, which builders take in RUN only in \"<< EOF\""),
        ("FROM b\nCOPY <<\"../x\" /d/\na\n../x\n", "Dockerfile:2: COPY: here-document \"../x\" holds a /; wanted a file name without a folder"),
        ("FROM b\nRUN <<\"../../tmp/x\"\n#!/bin/sh\n../../tmp/x\n", "Dockerfile:2: RUN: here-document \"../../tmp/x\" holds a /; wanted a file name without a folder"),
        ("FROM b\nRUN <<..\n#!/bin/sh\n..\n", "Dockerfile:2: RUN: here-document \"..\" holds the name ..; wanted a file name without a folder"),
        ("FROM b\nRUN <</tmp/x\n#!/bin/sh\n/tmp/x\n", "Dockerfile:2: RUN: here-document \"/tmp/x\" begins with /; wanted a file name without a folder"),
        ("FROM b\r\nRUN <<EOF\r\ntouch o2\r\nEOF\r\n", "Dockerfile:3: a line of here-document EOF ends in CR LF, and builders keep the CR in what they make of it; save the file with LF line ends (in a git checkout: `eol=lf` in .gitattributes)"),
        ("FROM b\nCOPY <<'E' /x\na\nb\r\nE\n", "Dockerfile:4: a line of here-document E ends in CR LF, and builders keep the CR in what they make of it; save the file with LF line ends (in a git checkout: `eol=lf` in .gitattributes)"),
        ("FROM b\nRUN cat >f<<EOF\nif x\nEOF\n", "Dockerfile:2: line 3 is no instruction, and no builder reads a here-document here (put a blank before <<) in \">f<<EOF\""),
        ("FROM b\nRUN cat << EOF\nx\n", "Dockerfile:2: here-document <<EOF has no line EOF that ends it"),
        // As in Docker: words split at blanks first, so names with blanks need the JSON form.
        ("FROM b\nCOPY \"a b\" c/\n", "Dockerfile:2: no closing double quote in \"\\\"a\""),
        ("# escape=x\nFROM b\n", "Dockerfile:1: parser directive escape=x is not supported; wanted \\ or `"),
        ("# syntax=other/frontend\nFROM b\n", "Dockerfile:1: parser directive syntax=other/frontend is not supported; wanted docker/dockerfile:1"),
        ("# escape=`\n# escape=`\nFROM b\n", "Dockerfile:2: parser directive escape=` is not supported; wanted each directive once"),
        ("FROM b\nRUN \0\n", "Dockerfile:2: NUL character"),
    ];
    for (text, want) in table {
        let got = parse("Dockerfile", text.as_bytes())
            .map_or_else(|error| error.to_string(), |file| format!("{file:?}"));
        assert_eq!(&got, want, "{text}");
    }
    let not_text = parse("D", b"FROM b\n\nRUN \xff\n").unwrap_err();
    assert_eq!(not_text.to_string(), "D:3: not UTF-8 text");
}

#[test]
fn lines_are_joined_as_docker_does() {
    assert_eq!(shell("RUN a \\\n  b\n"), "a   b");
    assert_eq!(shell("RUN a \\  \n\n# c\n   # d\nb"), "a b");
    assert_eq!(shell("  run\ta"), "a");
    assert_eq!(shell("RUN a\\\\\nLABEL b=c\nRUN d"), "d");
    assert_eq!(shell("RUN a \\"), "a");
    assert_eq!(shell("RUN a\r\n"), "a");
    assert_eq!(shell("RUN [ -f x ] && y"), "[ -f x ] && y");
    assert_eq!(shell("RUN echo $((1<<2))"), "echo $((1<<2))");
    assert_eq!(shell("RUN cat <<<x"), "cat <<<x");
    let file = read("# syntax=docker/dockerfile:1.4\n# escape=`\n# check=skip=all\n\u{20}\nFROM b `\n AS `\n x\n");
    assert_eq!(file.stages[0].name.as_deref(), Some("x"));
    assert_eq!(file.stages[0].at.to_string(), "Dockerfile:5");
    assert_eq!(read("\u{feff}FROM b\n").stages.len(), 1);
}

#[test]
fn commands() {
    assert_eq!(
        run("RUN [\"a\", \"b \\\"\\u00e9\\ud83d\\ude00\\n\"]"),
        Run::Exec(vec!["a".into(), "b \"é😀\n".into()])
    );
    assert_eq!(shell("RUN [\"a\", ]"), "[\"a\", ]");
    assert_eq!(
        shell("RUN --network=none --security=sandbox a --b"),
        "a --b"
    );
    assert_eq!(shell("RUN <<EOF\na\n b\nEOF\n"), "a\n b\n");
    assert_eq!(shell("RUN <<-EOF\n\ta\n\t\tb\n\tEOF\n"), "a\nb\n");
    assert_eq!(
        shell("RUN cat <<A 3<<-'B' >x\n1\nA\n\t2\n\tB\n"),
        "cat <<A 3<<-'B' >x\n1\nA\n\t2\nB"
    );
    // A shell's here-document is the shell's, backslashes and references too.
    assert_eq!(
        shell("RUN <<EOF\nprintf 'a\\n' \\\n  \"${X%y}\"\nEOF\n"),
        "printf 'a\\n' \\\n  \"${X%y}\"\n"
    );
    assert_eq!(
        shell("RUN cat > /f << 'EOF'\nif x\nEOF\n"),
        "cat > /f << 'EOF'\nif x\nEOF"
    );
    assert_eq!(shell("RUN << EOF\na\nEOF\n"), "a\n");
    assert_eq!(shell("RUN cat <<- E\n\ta\n\tE\n"), "cat <<- E\n\ta\nE");
    assert_eq!(shell("RUN --network=none <<EOF\na\nEOF\n"), "a\n");
    assert_eq!(shell("RUN echo $((1 << 2))"), "echo $((1 << 2))");
    assert_eq!(shell("RUN a \\\r\n b\r\n"), "a  b");
    assert_eq!(
        run("RUN <<x.py\n#!/usr/bin/python3\nx\nx.py\n"),
        Run::Script {
            name: "x.py".into(),
            body: "#!/usr/bin/python3\nx\n".into()
        }
    );
}

#[test]
fn copies() {
    let Instruction::Copy(copy) = &steps("COPY --from=X --chown=$U:g [\"a b\", \"c/\"]").remove(0)
    else {
        panic!()
    };
    assert_eq!(copy.from.as_deref(), Some("X"));
    assert_eq!(copy.chown.as_ref().unwrap().to_string(), "${U}:g");
    assert!(matches!(&copy.sources[..], [CopySource::Path(path)] if path.to_string() == "a b"));
    assert_eq!(copy.dest.to_string(), "c/");
    let Instruction::Copy(copy) = &steps("COPY <<A <<\"B\" x /d/\n$V\nA\n$V\nB\n").remove(0) else {
        panic!()
    };
    let [CopySource::HereDoc(a), CopySource::HereDoc(b), CopySource::Path(_)] = &copy.sources[..]
    else {
        panic!("{copy:?}")
    };
    assert_eq!(
        (a.at.to_string(), a.body.as_str(), a.template.is_some()),
        ("Dockerfile:3".into(), "$V\n", true)
    );
    assert_eq!(
        (b.at.to_string(), b.body.as_str(), b.template.is_some()),
        ("Dockerfile:5".into(), "$V\n", false)
    );
}

#[test]
fn references_expand() {
    let vars: Vars = [("A", "1"), ("E", ""), ("AB", "2")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let table = [
        ("$A-$AB-${A}B-$Z", "1-2-1B-"),
        ("${Z:-d}${Z-d}${E:-d}${E-d}", "ddd"),
        ("${A:+x}${A+x}${E:+x}${E+x}${Z+x}", "xxx"),
        ("${Z:-${A}${Z:-\"q }\"}}", "1q }"),
        ("'$A'\"$A '\"\\$A\\\\", "$A1 '$A\\"),
        ("\"\\$A \\x \\\"\"", "$A \\x \""),
        ("a\\", "a"),
        ("$", "$"),
        ("$=x", "$=x"),
        ("$1$@", ""),
    ];
    for (word, want) in table {
        let got = dockerfile::Template::word(word, '\\').and_then(|word| word.expand(&vars));
        assert_eq!(got.as_deref(), Ok(want), "{word}");
    }
    let fail = |word: &str| {
        dockerfile::Template::word(word, '\\')
            .and_then(|word| word.expand(&vars))
            .unwrap_err()
    };
    assert_eq!(fail("${Z:?}"), "Z must be set and not empty");
    assert_eq!(fail("${Z?gone}"), "Z: gone");
    assert_eq!(
        fail(&format!("{}{}", "${A:-".repeat(20), "}".repeat(20))),
        "variable references nested deeper than 16"
    );
    assert_eq!(
        fail(&"${A:-".repeat(100_000)),
        "variable references nested deeper than 16"
    );
}
