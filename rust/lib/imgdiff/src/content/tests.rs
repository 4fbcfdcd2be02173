//! Bounds, ends of lines, and what lies outside of parts.

use super::*;

fn told(old: &[u8], new: &[u8]) -> (Option<Content>, Vec<String>) {
    let mut notes = Vec::new();
    let content = in_memory(old, new, &Options::default(), &mut notes);
    (content, notes)
}

#[test]
fn ends_of_lines() {
    let unix = "line\n".repeat(MOST_LINES);
    let dos = unix.replace('\n', "\r\n");
    assert_eq!(between(&unix, &dos), MOST_LINES);
    let more = |text: &str| format!("{text}{text}");
    assert_eq!(
        lines(
            more(&unix).as_bytes(),
            more(&dos).as_bytes(),
            &Options::default()
        ),
        None
    );
    // A carriage return is no end of a line.
    assert_eq!(between("a\rb\rc", "a\rb\rd"), 1);
    let (content, _) = told(b"a\nb\n", b"a\nb\r\n");
    let Some(Content::Text { lines, .. }) = content else {
        panic!("{content:?}");
    };
    assert_eq!(lines, ["@@ -1,2 +1,2 @@", " a", "-b", "+b\\u{d}"]);
}

#[test]
fn many_words() {
    let many = b"a ".repeat(MOST_LINES);
    let some = words(&many, b"b");
    assert!(matches!(some, Some(Content::Words { .. })), "{some:?}");
    let more = [&many[..], b"c"].concat();
    assert_eq!(words(&more, b"b"), None);
}

#[test]
fn many_members() {
    let member = |name: &str| {
        let mut out = b"070701".to_vec();
        for number in [0; 11] {
            out.extend(format!("{number:08X}").bytes());
        }
        out.extend(format!("{:08X}{:08X}{name}\0", name.len() + 1, 0).bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out
    };
    let archive = |count: usize, last: &str| {
        let members = member("a").repeat(count);
        [members, member(last), member("TRAILER!!!")].concat()
    };
    let most = cpio::MOST;
    let (content, notes) = told(&archive(most - 1, "b"), &archive(most - 1, "c"));
    assert!(
        matches!(content, Some(Content::Parts { .. })),
        "{content:?}"
    );
    assert_eq!(notes, [""; 0]);
    let (content, notes) = told(&archive(most, "b"), &archive(most, "c"));
    let Some(Content::Bytes(bytes)) = content else {
        panic!("{content:?}");
    };
    assert_eq!(bytes.count, 1);
    let want = format!(
        "an archive (cpio) that does not end as one does, or has more than {most} members, is compared by its bytes"
    );
    assert_eq!(notes, [want]);
}

fn section(at: usize, bytes: &[u8]) -> (String, Piece<'_>) {
    let values = Values::new();
    (at.to_string(), Piece { values, at, bytes })
}

fn parts_of(a: &[(String, Piece<'_>)], b: &[(String, Piece<'_>)]) -> Vec<Part> {
    parts(a, b, |_, a, b| (a != b).then(|| plain(a, b)).flatten())
}

#[test]
fn outside_of_sections() {
    let (old, new) = (b"head..AAAA.BBtail", b"Head..AAAC.BBTail");
    // One in another, one without bytes far behind, in any order.
    let of = |bytes: &'static [u8]| {
        vec![
            section(11, &bytes[11..13]),
            section(1000, b""),
            section(6, &bytes[6..10]),
            section(7, &bytes[7..8]),
        ]
    };
    let (a, b) = (of(old), of(new));
    assert_eq!(outside(old, &a), b"head...tail");
    let found = parts_of(&a, &b);
    let content = of_program("elf", found, (old, &a), (new, &b));
    let Some(Content::Parts { parts, .. }) = content else {
        panic!("{content:?}");
    };
    let names: Vec<_> = parts.iter().map(|part| &part.name[..]).collect();
    assert_eq!(names, ["6", "outside of sections"]);
    let Some(Content::Bytes(bytes)) = parts[1].content.as_deref() else {
        panic!("{parts:?}");
    };
    assert_eq!((bytes.first, bytes.count), (Some(0), 2));
    // The same outside: no word of it.
    let new = b"head..AAAC.BBtail";
    let b = of(new);
    let found = parts_of(&a, &b);
    let content = of_program("elf", found, (old, &a), (new, &b));
    let Some(Content::Parts { parts, .. }) = content else {
        panic!("{content:?}");
    };
    assert_eq!(parts.len(), 1, "{parts:?}");
}
