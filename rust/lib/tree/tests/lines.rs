//! Manifests at the edges of what is right.

use tree::Tree;

const HEAD: &str = r#"{"tree":3,"inputs":[{"len":100},{"len":100}]}"#;

/// What is said about a manifest of these lines; in them `$` stands for the usual stamp, and where no layer is given it is 0.
fn read(head: &str, lines: &[&str]) -> Result<(), String> {
    let stamp = r#""mode":"0644","uid":0,"gid":0,"mtime":0"#;
    let mut text = format!("{head}\n");
    for line in lines {
        let layer = if line.contains("\"layer\"") {
            ""
        } else {
            ",\"layer\":0"
        };
        text += &format!("{{{}{layer}}}\n", line.replace('$', stamp));
    }
    Tree::read(text.as_bytes())
        .map(drop)
        .map_err(|error| error.to_string())
}

const ROOT: &str = r#""path":"","type":"dir",$"#;

#[test]
fn lines_that_are_refused() {
    let longest = "x".repeat(256);
    let component = format!(r#""path":"{longest}","type":"dir",$"#);
    let key = format!(r#""path":"a","type":"fifo",$,"xattrs":{{"{longest}":""}}"#);
    let target = format!(
        r#""path":"a","type":"symlink",$,"target":"{}""#,
        "x".repeat(4096)
    );
    for (lines, want) in [
        (
            &[r#""path":"","type":"fifo",$"#][..],
            "line 2: the root is not a directory",
        ),
        (
            &[
                ROOT,
                r#""path":"a","type":"fifo",$"#,
                r#""path":"a/b","type":"fifo",$"#,
            ],
            "line 4: the parent is no directory",
        ),
        (
            &[
                ROOT,
                r#""path":"a","type":"dir",$,"layer":1"#,
                r#""path":"a/b","type":"fifo",$"#,
            ],
            "line 4: the parent has a later layer",
        ),
        (
            &[
                ROOT,
                r#""path":"a","type":"file",$,"source":[0,0,1],"layer":1"#,
                r#""path":"b","type":"hardlink",$,"target":"a""#,
            ],
            "line 4: the file of the link has a later layer",
        ),
        (
            &[ROOT, &component],
            "line 3: has a component of more than 255 bytes",
        ),
        (&[ROOT, &key], "line 3: bad name of an xattr"),
        (
            &[ROOT, r#""path":"a","type":"fifo",$,"xattrs":{"":""}"#],
            "line 3: bad name of an xattr",
        ),
        (
            &[
                ROOT,
                r#""path":"a","type":"fifo",$,"xattrs":{"a\u0000":""}"#,
            ],
            "line 3: bad name of an xattr",
        ),
        (
            &[ROOT, &target],
            "line 3: has a target of more than 4095 bytes",
        ),
        (
            &[ROOT, r#""path":"a","type":"symlink",$,"target":"a\u0000""#],
            "line 3: has a NUL byte in its target",
        ),
        (
            &[
                ROOT,
                r#""path":"a","type":"file",$,"source":[0,0,1],"sparse":[9,[]]"#,
            ],
            "line 3: 'source' and 'sparse' exclude each other",
        ),
        (
            &[ROOT, r#""path":"a","type":"file",$"#],
            "line 3: 'source' or 'sparse' is missing",
        ),
        (
            &[ROOT, r#""path":"a","type":"fifo",$,"source":[0,0,1]"#],
            "line 3: 'source' and 'sparse' belong to files only",
        ),
        (
            &[ROOT, r#""path":"a","type":"fifo",$,"sparse":[9,[]]"#],
            "line 3: 'source' and 'sparse' belong to files only",
        ),
        (
            &[ROOT, r#""path":"a","type":"fifo",$,"rdev":[1,3]"#],
            "line 3: 'rdev' belongs to devices, and to all of them",
        ),
        (
            &[ROOT, r#""path":"a","type":"door",$"#],
            "line 3: unknown 'type'",
        ),
        (
            &[
                ROOT,
                r#""path":"a","type":"fifo","mode":"0648","uid":0,"gid":0,"mtime":0"#,
            ],
            "line 3: 'mode' is not four octal digits",
        ),
    ] {
        assert_eq!(read(HEAD, lines), Err(format!("manifest {want}")));
    }
    // The range that is over another one may be anywhere among them.
    let lines = [
        ROOT,
        r#""path":"a","type":"file",$,"source":[0,0,10]"#,
        r#""path":"b","type":"file",$,"source":[0,20,10]"#,
        r#""path":"c","type":"fifo",$,"over":[0,29,1],"layer":1"#,
    ];
    let want = "'b' and 'c' overlap in input 0 at byte 29";
    assert_eq!(read(HEAD, &lines), Err(want.to_owned()));
}

#[test]
fn lines_that_are_taken() {
    let longest = "x".repeat(255);
    let component = format!(r#""path":"{longest}","type":"dir",$"#);
    let key = format!(r#""path":"a","type":"fifo",$,"xattrs":{{"{longest}":""}}"#);
    let target = format!(
        r#""path":"a","type":"symlink",$,"target":"{}""#,
        "x".repeat(4095)
    );
    for lines in [
        &[ROOT, &component][..],
        &[ROOT, &key],
        &[ROOT, &target],
        &[
            ROOT,
            r#""path":"a","type":"fifo",$,"mtime_nanos":999999999"#,
        ],
        &[ROOT, r#""path":"a","type":"file",$,"sparse":[9,[]]"#],
        &[
            ROOT,
            r#""path":"a","type":"file",$,"sparse":[9,[[0,0,0,3]]]"#,
        ],
        // To the last byte; beside each other; in another input; an empty one among them.
        &[
            ROOT,
            r#""path":"a","type":"file",$,"source":[0,0,10]"#,
            r#""path":"b","type":"file",$,"source":[0,10,90]"#,
            r#""path":"c","type":"file",$,"source":[1,5,10]"#,
            r#""path":"d","type":"file",$,"source":[0,5,0]"#,
        ],
        &[
            ROOT,
            r#""path":"a","type":"dir",$,"layer":1"#,
            r#""path":"a/b","type":"file",$,"source":[0,0,1],"layer":1"#,
            r#""path":"a/c","type":"hardlink",$,"target":"a/b","layer":1"#,
        ],
    ] {
        assert_eq!(read(HEAD, lines), Ok(()), "{lines:?}");
    }
    // What had no bytes needs no input.
    let over = [
        ROOT,
        r#""path":"a","type":"fifo",$,"over":[0,0,0],"layer":1"#,
    ];
    assert_eq!(read(r#"{"tree":3,"inputs":[]}"#, &over), Ok(()));
}
