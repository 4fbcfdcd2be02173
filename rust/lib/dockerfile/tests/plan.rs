//! Stages, variables and paths after planning; ignore files, contexts, pins and accounts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::type_complexity,
    missing_docs,
    reason = "tests"
)]

use dockerfile::{
    parse, plan, Accounts, ActionKind, At, Base, BaseImage, Context, CopyAction, Ignore, Pin, Plan,
    Run, RunAction, SourceAction, Vars, DEFAULT_PATH,
};

fn vars(pairs: &[(&str, &str)]) -> Vars {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn planned(text: &str, args: &[(&str, &str)]) -> Plan {
    plan(&parse("D", text.as_bytes()).unwrap(), &vars(args))
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refused(text: &str, args: &[(&str, &str)]) -> String {
    plan(&parse("D", text.as_bytes()).unwrap(), &vars(args))
        .unwrap_err()
        .to_string()
}

fn runs(plan: &Plan) -> Vec<&RunAction> {
    let actions = plan.stages.iter().flat_map(|stage| &stage.actions);
    actions
        .filter_map(|action| {
            if let ActionKind::Run(run) = &action.kind {
                Some(run)
            } else {
                None
            }
        })
        .collect()
}

fn copy(text: &str) -> CopyAction {
    let plan = planned(&format!("FROM b\n{text}"), &[]);
    match plan
        .stages
        .last()
        .unwrap()
        .actions
        .last()
        .unwrap()
        .kind
        .clone()
    {
        ActionKind::Copy(copy) => copy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_needed_stages() {
    let plan = planned(
        "ARG I=img\nFROM ${I} AS a\nFROM nothing AS unused\nRUN x\nFROM scratch AS data\nFROM A AS c\nCOPY --from=DATA / /d\nFROM c\nCOPY --from=0 x y\n",
        &[],
    );
    let got: Vec<_> = plan
        .stages
        .iter()
        .map(|stage| (stage.index, stage.base.clone()))
        .collect();
    let want = [
        (0, Base::Image("img".into())),
        (2, Base::Scratch),
        (3, Base::Stage(0)),
        (4, Base::Stage(3)),
    ];
    assert_eq!(got, want);
}

#[test]
fn variables() {
    let text = "ARG G=g H\nARG I=${G}i\nFROM ${I}\nRUN one\nARG G\nARG H=h${G}\nARG K\nENV E=$H\nENV E=e F=$E PATH=/x:$PATH\nRUN two\nUSER u$F\nWORKDIR /w\nWORKDIR ../v/$E\nRUN three\n";
    let plan = planned(text, &[("K", "k")]);
    assert_eq!(plan.stages[0].base, Base::Image("gi".into()));
    let [one, two, three] = runs(&plan)[..] else {
        panic!()
    };
    assert_eq!(*one.env, vars(&[("PATH", DEFAULT_PATH)]));
    let path = format!("/x:{DEFAULT_PATH}");
    assert_eq!(
        *two.env,
        vars(&[
            ("PATH", &path),
            ("G", "g"),
            ("H", "hg"),
            ("K", "k"),
            ("E", "e"),
            ("F", "hg")
        ])
    );
    assert_eq!(
        (three.user.as_deref(), three.workdir.as_str()),
        (Some("uhg"), "/v/e")
    );
    assert_eq!(two.command, Run::Shell("two".into()));
    assert_eq!(
        runs(&planned(text, &[("G", "1"), ("H", "2")]))[1].env["H"],
        "2"
    );
    // A child stage has its parent's values.
    let plan = planned(
        "FROM i AS a\nARG X=1\nENV Y=2\nUSER 5\nWORKDIR /w\nLABEL l=$Y\nFROM a\nRUN z\n",
        &[],
    );
    let run = runs(&plan)[0];
    assert_eq!(
        (
            run.env["X"].as_str(),
            run.env["Y"].as_str(),
            run.user.as_deref(),
            run.workdir.as_str()
        ),
        ("1", "2", Some("5"), "/w")
    );
    assert_eq!(plan.stages[1].config.labels["l"], "2");
}

#[test]
fn refusals() {
    let table: &[(&str, &[(&str, &str)], &str)] = &[
        ("ARG B\nFROM ${B}\n", &[], "D:2: FROM ${B}: expands to nothing; give a build argument or a default for B"),
        ("FROM b\n", &[("X", "1")], "build argument X is not declared by any ARG in D"),
        ("FROM b\nARG TARGETARCH\n", &[], "D:2: ARG: TARGETARCH is not set by itself; give --build-arg TARGETARCH=…"),
        ("FROM b\nENV A=1\nARG A=2\n", &[], "D:3: ARG: A is already set by ENV; builders differ in which one wins"),
        ("FROM b\nENV A=\"${B:?no B}\"\n", &[], "D:2: B: no B in \"${B:?no B}\""),
        ("FROM b\nCOPY --from=x a b\n", &[], "D:2: COPY: --from=x is no earlier stage (files of other images cannot be copied)"),
        ("FROM b AS x\nCOPY --from=x a b\n", &[], "D:2: COPY: --from=x is stage 0, this is stage 0: only earlier ones can be copied from"),
        ("FROM b\nCOPY --from=7 a b\n", &[], "D:2: COPY: --from=7 is no earlier stage (files of other images cannot be copied)"),
        ("FROM b\nCOPY ../a b\n", &[], "D:2: COPY: source \"../a\" lies outside of what is copied from"),
        ("FROM b\nCOPY a/../../b b\n", &[], "D:2: COPY: source \"a/../../b\" lies outside of what is copied from"),
        ("FROM b\nCOPY $A b\n", &[], "D:2: COPY: a source expands to nothing"),
        ("FROM b\nENV A=x\nCOPY a b $A\n", &[], "D:3: COPY: several sources need a destination that is a directory and ends with /, got \"x\""),
        ("FROM b\nENV A=rwx\nCOPY --chmod=$A a b\n", &[], "D:3: COPY: --chmod=rwx: wanted an octal mode such as 0755"),
        ("FROM b\nCOPY --chown=a:b:c a b\n", &[], "D:2: COPY --chown: wanted user or user:group, got \"a:b:c\""),
        ("FROM b\nUSER a b\n", &[], "D:2: USER: wanted user or user:group, got \"a b\""),
        ("FROM b\nUSER $X\n", &[], "D:2: USER: wanted user or user:group, got \"\""),
        ("FROM b\nCOPY a[ /x\n", &[], "D:2: COPY: source \"a[\": [ without ] in \"a[\""),
        ("FROM b\nENV P=d/[z-]\nCOPY $P /x\n", &[], "D:3: COPY: source \"d/[z-]\": [ without ] in \"[z-]\""),
        ("FROM b\nCOPY d/b\\\\ /x\n", &[], "D:2: COPY: source \"d/b\\\\\": it ends in a backslash in \"b\\\\\""),
        ("FROM b\nWORKDIR $X\n", &[], "D:2: WORKDIR: the path expands to nothing"),
    ];
    for (text, args, want) in table {
        assert_eq!(&refused(text, args), want, "{text}");
    }
}

/// Names and values that multiply are refused where they become too much, whatever the instruction.
#[test]
fn variables_do_not_multiply() {
    let bomb = |name: &str, instruction: &str| {
        let mut text = format!("{instruction} {name}0=aaaaaaaaaaaaaaaa\n");
        for n in 1..9 {
            let before = format!("${{{name}{}}}", n - 1).repeat(16);
            text.push_str(&format!("{instruction} {name}{n}={before}\n"));
        }
        text
    };
    let long = "more than 131071 bytes after expansion in \"${A3}${A3}";
    for text in [
        format!("FROM b\n{}", bomb("A", "ENV")),
        format!("FROM b\n{}", bomb("A", "ARG")),
        format!("{}FROM b\n", bomb("A", "ARG")),
    ] {
        let error = refused(&text, &[]);
        assert!(error.contains(long) && error.len() < 400, "{error}");
    }
    let head = format!("FROM b\nENV A={}\n", "x".repeat(60_000));
    for (step, line, instruction) in [
        ("LABEL a=$A$A$A\n", 3, "131071 bytes"),
        ("LABEL $A$A$A=a\n", 3, "131071 bytes"),
        ("USER $A$A$A\n", 3, "131071 bytes"),
        ("WORKDIR $A$A$A\n", 3, "131071 bytes"),
        ("COPY $A$A$A x\n", 3, "131071 bytes"),
        ("COPY x ${Z:-$A$A$A}\n", 3, "131071 bytes"),
        ("ENV B=${Z:?$A$A$A}\n", 3, "131071 bytes"),
    ] {
        let error = refused(&format!("{head}{step}"), &[]);
        assert!(error.starts_with(&format!("D:{line}: ")), "{error}");
        assert!(error.contains(instruction), "{error}");
    }
    // Many of what is large, each for itself within its limit.
    let doc = format!("COPY <<E /x\n{}\nE\n", "$A".repeat(2000));
    let error = refused(&format!("{head}{doc}"), &[]);
    assert!(
        error.starts_with("D:4: more than ") && error.ends_with("here-document E\""),
        "{error}"
    );
    let many = |step: &str| format!("{head}{}", step.repeat(3000));
    for step in [
        "ENV B=$A\nRUN a\n",
        "USER $A\nRUN a\n",
        "WORKDIR $A\nRUN a\n",
        "FROM b\nARG C=1\nENV A=$C$C\nRUN x\n",
    ] {
        let text = many(step);
        match plan(&parse("D", text.as_bytes()).unwrap(), &Vars::new()) {
            Ok(plan) => assert!(runs(&plan).len() <= 3000),
            Err(error) => assert!(error.to_string().contains("67108864 bytes"), "{error}"),
        }
    }
    let error = refused(&many("ENV B=$A\nRUN a\n"), &[]);
    assert!(error.contains("with this instruction"), "{error}");
    // Steps without a change between them cost nothing.
    assert_eq!(runs(&planned(&many("RUN a\n"), &[])).len(), 3000);
}

/// Work is by length, not by its square.
#[test]
fn long_files_are_read_in_time() {
    let flags = format!("FROM b\nRUN {}x\n", "--network=none ".repeat(100_000));
    parse("D", flags.as_bytes()).unwrap();
    let stages: String = (0..50_000).map(|n| format!("FROM b AS s{n}\n")).collect();
    planned(&stages, &[]);
    let steps = format!("FROM b\n{}", "ENV A=1\n".repeat(100_000));
    planned(&steps, &[]);
}

#[test]
fn copy_paths() {
    let path = |text: &str| SourceAction::Path(text.to_owned());
    let got = copy("WORKDIR /w\nENV D=d\nCOPY --chmod=$M${N:-0640} ./a//b/../c /e/$D/\n");
    assert_eq!(
        (got.sources, got.dest.as_str(), got.chmod),
        (vec![path("a/c")], "/e/d/", Some(0o640))
    );
    assert_eq!(
        copy("WORKDIR /w\nCOPY / .\n"),
        CopyAction {
            from: None,
            chown: None,
            chmod: None,
            sources: vec![path("")],
            dest: "/w/".into()
        }
    );
    assert_eq!(copy("WORKDIR /w\nCOPY a x/..\n").dest, "/w");
    assert_eq!(copy("COPY a ../../x\n").dest, "/x");
    let got = copy("ENV V=v\nCOPY <<A <<'B' /d/\n$V '$V'\nA\n$V\nB\n");
    let inline = |name: &str, content: &str| SourceAction::Inline {
        name: name.into(),
        content: content.into(),
    };
    assert_eq!(got.sources, [inline("A", "v 'v'\n"), inline("B", "$V\n")]);
}

#[test]
fn dockerignore() {
    // (patterns, what they leave out, what they leave in)
    let table: &[(&str, &[&str], &[&str])] = &[
        ("a", &["a", "a/b", "a/b/c"], &["b", "ab", "b/a", "A"]),
        ("/a/", &["a", "a/b"], &["b/a"]),
        ("*", &["a", "a/b"], &[]),
        (
            "*.md\n!README.md",
            &["x.md"],
            &["README.md", "d/x.md", "xmd"],
        ),
        ("**/*.md", &["x.md", "d/x.md", "d/e/x.md"], &["x.mdx"]),
        ("*/b", &["a/b", "a/b/c"], &["b", "a/a/b"]),
        ("*/*/b*", &["x/y/b", "x/y/bz"], &["x/b", "b"]),
        ("a?", &["ab"], &["a", "abc", "a/"]),
        ("**/foo", &["foo", "a/foo", "a/b/foo", "foo/x"], &["afoo"]),
        ("foo/**", &["foo/x", "foo/x/y"], &["foo", "xfoo/y"]),
        ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["a/xb", "ab"]),
        ("[a-c]x\n[^d]y", &["ax", "cx", "ey"], &["dx", "dy", "/y"]),
        ("# c\n\n  d  \n!", &[], &[]),
        (
            "d\n!d/keep\nd/keep/not",
            &["d/x", "d/keep/not", "d/keep/not/z"],
            &["d/keep", "d/keep/yes"],
        ),
        (
            "*\n!early\n!packages.*",
            &["x", "x/early"],
            &["early", "early/a", "packages.common"],
        ),
        ("\\#x\na\\*b", &["#x", "a*b"], &["x", "axb"]),
        ("a.b+(c)", &["a.b+(c)"], &["axb+(c)", "a.bb(c)"]),
        (".\n/\n./q/../r", &["r"], &["a", "q"]),
        ("../x", &[], &["x"]),
        ("dé?", &["déa"], &["dé"]),
    ];
    for (patterns, out, kept) in table {
        let ignore = match Ignore::parse(".dockerignore", patterns) {
            Ok(ignore) => ignore,
            Err(error) => {
                assert_eq!(
                    error.to_string(),
                    ".dockerignore:4: pattern \"!\": ! without a pattern"
                );
                continue;
            }
        };
        for path in *out {
            assert!(
                ignore.excludes(path),
                "{patterns:?} should leave out {path}"
            );
        }
        for path in *kept {
            assert!(!ignore.excludes(path), "{patterns:?} should keep {path}");
        }
    }
    let error = |text| Ignore::parse("I", text).unwrap_err().to_string();
    assert_eq!(error("a\n[b"), "I:2: pattern \"[b\": [ without ]");
    assert_eq!(
        error("b\\"),
        "I:1: pattern \"b\\\\\": it ends in a backslash"
    );
    // No pattern takes more than tokens times characters.
    let many = Ignore::parse("I", &"*a".repeat(500)).unwrap();
    assert!(!many.excludes(&"a".repeat(499)));
}

#[test]
fn contexts() {
    let context = Context::parse("L", "a\tsrc/a\t0600\n\nd/b\tsrc/b\n").unwrap();
    let files: Vec<_> = context
        .files()
        .map(|(path, file)| (path, file.source.to_str().unwrap(), file.mode))
        .collect();
    assert_eq!(files, [("a", "src/a", 0o600), ("d/b", "src/b", 0o644)]);
    let error = |text| Context::parse("L", text).unwrap_err().to_string();
    assert_eq!(
        error("a\n"),
        "L:1: wanted PATH<TAB>SOURCE or PATH<TAB>SOURCE<TAB>MODE, got \"a\""
    );
    assert_eq!(error("a\tb\trw\n"), "L:1: \"rw\" is no octal mode");
    assert_eq!(
        error("../a\tb\n"),
        "L:1: \"../a\" is no relative path inside the context"
    );
    assert_eq!(
        error("/a\tb\n"),
        "L:1: \"/a\" is no relative path inside the context"
    );
    for twice in ["a\tb\na\tc\n", "a\tb\na/x\tc\n", "a/x\tb\na\tc\n"] {
        assert!(
            error(twice).starts_with("L:2: \"a")
                && error(twice).ends_with("is declared twice, or below another file")
        );
    }
}

#[test]
fn pins() {
    let (good, other) = ("ab".repeat(32), "cd".repeat(32));
    let base = BaseImage {
        digest: format!("sha256:{good}\n"),
        packages: "- - w\na 1 x\nb 2 y\nc 3 z\n".into(),
    };
    let at = At {
        file: "D".into(),
        line: 4,
    };
    let none = Pin {
        text: None,
        command: None,
        unlocked: false,
    };
    base.check(&at, &format!("n@sha256:{good}"), &none).unwrap();
    let image = format!("n@sha256:{other}");
    let error = |image: &str, pin: &Pin| base.check(&at, image, pin).unwrap_err().to_string();
    assert_eq!(
        error("debian:13", &none),
        "D:4: FROM debian:13: wanted an earlier stage, scratch, or NAME@sha256:HEX"
    );
    let head = format!("D:4: FROM {image}: the base image built here is sha256:{good}");
    assert_eq!(error(&image, &none), head);
    let pin = |packages: &str| Pin {
        text: Some(format!("{image}\n{packages}")),
        command: Some("make pin".into()),
        unlocked: false,
    };
    let tail = "; if that is meant, update the pin: make pin";
    assert_eq!(
        error(&image, &pin("- - v\na 1 x\nb 1 y\nc 3 q\nd 4 w\n")),
        format!("{head}; packages that differ from the pin: files of no package, b 2 (pinned 1), c 3 (other content), d (pinned, not here){tail}")
    );
    assert_eq!(
        error(&image, &pin("- - w\nb 2 y\nc 3 z\n")),
        format!("{head}; packages that differ from the pin: a 1 (not pinned){tail}")
    );
    assert_eq!(
        error(&image, &pin("- - w\na 1 x\nb 2 y\nc 3 z\n")),
        format!(
            "{head}; its packages are the pinned ones, so the way it is made has changed{tail}"
        )
    );
    assert_eq!(
        error(&image, &pin("")),
        format!("{head}; the pin lists no packages to compare{tail}")
    );
    let many: String = (0..20).map(|n| format!("p{n:02} 1 x\n")).collect();
    assert!(error(&image, &pin(&many)).contains("p05 (pinned, not here), and 14 more; if"));
    // No pin knows what is made of other packages than the locked ones. A FROM without a digest is none all the same.
    let unlocked = Pin {
        unlocked: true,
        ..none
    };
    base.check(&at, &image, &unlocked).unwrap();
    assert!(error("debian:13", &unlocked).contains("wanted an earlier stage"));
}

#[test]
fn accounts() {
    let accounts = Accounts {
        passwd: "root:x:0:0:root:/root:/bin/sh\nbad\napp:x:1000:1005::/home/app:\nno:x:7:8:::\n"
            .into(),
        group: "root:x:0:\nstaff:x:50:app\n".into(),
    };
    let user = |text: &str| {
        accounts
            .user(text)
            .map(|user| (user.uid, user.gid, user.home))
    };
    assert_eq!(user("app"), Ok((1000, 1005, "/home/app".into())));
    assert_eq!(user("1000"), Ok((1000, 1005, "/home/app".into())));
    assert_eq!(user("app:staff"), Ok((1000, 50, "/home/app".into())));
    assert_eq!(user("4:3"), Ok((4, 3, "/".into())));
    assert_eq!(user("4"), Ok((4, 0, "/".into())));
    assert_eq!(user("no"), Ok((7, 8, "/".into())));
    assert_eq!(
        user("x"),
        Err("user \"x\" is not in the image's /etc/passwd".into())
    );
    assert_eq!(
        user("app:x"),
        Err("group \"x\" is not in the image's /etc/group".into())
    );
    assert_eq!(accounts.owner("1000"), Ok((1000, 1000)));
    assert_eq!(accounts.owner("app"), Ok((1000, 1005)));
    assert_eq!(accounts.owner("6:staff"), Ok((6, 50)));
    assert!(accounts.owner("4294967295").is_err());
}
