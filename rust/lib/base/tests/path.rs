//! What an input names lands below the folder, or is refused with the reason.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use base::path::{check, check_name, join, join_name, Problem, UnsafePath, Wanted};
use proptest::prelude::*;

#[test]
fn what_is_refused_and_why() {
    for (text, problem) in [
        ("", Problem::Empty),
        ("a\0b", Problem::Nul),
        ("/", Problem::Absolute),
        ("/etc/passwd", Problem::Absolute),
        ("//x", Problem::Absolute),
        ("..", Problem::Climbs),
        ("../x", Problem::Climbs),
        ("a/../b", Problem::Climbs),
        ("a/..", Problem::Climbs),
        (".", Problem::Dot),
        ("./a", Problem::Dot),
        ("a/.", Problem::Dot),
        ("a//b", Problem::EmptyName),
        ("a/", Problem::EmptyName),
    ] {
        let error = UnsafePath {
            name: text.into(),
            problem,
            wanted: Wanted::Path,
        };
        assert_eq!(join(Path::new("/d"), text), Err(error), "{text:?}");
    }
    let slash = check_name(OsStr::new("a/b")).unwrap_err();
    assert_eq!(slash.problem, Problem::Slash);
}

#[test]
fn what_is_taken() {
    for name in ["a", "...", "..a", "a..", ".a", " ", "a\nb", "\u{fc}"] {
        let path = Path::new("/d").join(name);
        assert_eq!(join_name(Path::new("/d"), name), Ok(path.clone()));
        assert_eq!(join(Path::new("/d"), name), Ok(path));
    }
    assert_eq!(join(Path::new("d"), "a/b"), Ok("d/a/b".into()));
    let bytes = OsStr::from_bytes(b"\xff/x");
    assert_eq!(check(bytes), Ok(Path::new(bytes)));
}

#[test]
fn the_text_says_what_came_and_what_was_wanted() {
    let text = |error: UnsafePath| error.to_string();
    assert_eq!(
        text(join_name(Path::new("/d"), "../x").unwrap_err()),
        r#""../x" holds a /; wanted a file name without a folder"#
    );
    assert_eq!(
        text(join(Path::new("/d"), "a/../\u{1b}x").unwrap_err()),
        r#""a/../\u{1b}x" holds the name ..; wanted a path below a folder, such as a/b"#
    );
}

proptest! {
    /// Whatever is taken is made of ordinary names, in the only spelling that they have.
    #[test]
    fn nothing_escapes(bytes in prop::collection::vec(prop::sample::select(&b"/.a\0\xff"[..]), 0..12)) {
        let text = OsStr::from_bytes(&bytes);
        let folder = Path::new("/some/folder");
        let Ok(path) = join(folder, text) else { return Ok(()) };
        let rest = path.strip_prefix(folder).unwrap();
        prop_assert!(rest.components().all(|c| matches!(c, Component::Normal(_))));
        let again: Vec<&[u8]> = rest.components().map(|c| c.as_os_str().as_bytes()).collect();
        prop_assert_eq!(&again.join(&b'/'), &bytes);
        prop_assert_eq!(join_name(folder, text).is_ok(), again.len() == 1);
    }
}
