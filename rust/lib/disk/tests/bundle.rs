//! Bundles, read back by this project's index, GNU tar and Python's tarfile.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]

use std::fs;
use std::io::Cursor;
use std::process::Command;

use disk::{bundle, Image};
use plan::{Builder, Input, Piece, Reader};
use proptest::prelude::*;

/// A member made of the bytes of input `position` between some the plan holds and zeros.
fn image(inputs: &[Input], position: u32, head: &[u8], zeros: u64) -> Image {
    let mut builder = Builder::new(inputs);
    builder.inline(head).unwrap();
    builder
        .source(position, 0, inputs[position as usize].len)
        .unwrap();
    builder.zero(zeros).unwrap();
    Image {
        path: "member".into(),
        plan: builder.finish().unwrap(),
    }
}

const PYTHON: &str = r#"
import sys, tarfile
with tarfile.open(sys.argv[1]) as t:
    for m in t:
        sys.stdout.buffer.write(b"%s %o %d %d %d\n" % (m.name.encode(), m.mode, m.uid, m.gid, m.mtime))
        sys.stdout.buffer.write(t.extractfile(m).read())
"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn others_read_it(parts in prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 0..40), 0_usize..9000, 0_u64..9000), 1..6), mtime in 0_i64..1 << 34)
    {
        let mut members = Vec::new();
        let inputs: Vec<Input> = parts.iter().map(|(_, source, _)| Input::of_len(*source as u64)).collect();
        let mut listed = Vec::new();
        let mut said = Vec::new();
        let mut want = Vec::new();
        for (n, (head, source, zeros)) in parts.iter().enumerate() {
            let data = vec![n as u8 + 1; *source];
            let name = format!("some/{}.img", "m".repeat(n * 31 + 1));
            members.push((name.clone(), image(&inputs, n as u32, head, *zeros)));
            let mut bytes = head.clone();
            bytes.extend_from_slice(&data);
            bytes.resize(bytes.len() + *zeros as usize, 0);
            listed.extend_from_slice(format!("{name}\n").as_bytes());
            said.extend_from_slice(format!("{name} 644 0 0 {mtime}\n").as_bytes());
            said.extend_from_slice(&bytes);
            want.push((data, bytes));
        }
        let plan = bundle(&members, mtime, inputs.into()).unwrap();
        let data = want.iter().map(|(data, _)| ("data".to_owned(), data.clone()));
        let reader = Reader::new(plan, data.collect()).unwrap();
        let mut tar = vec![1; reader.len() as usize];
        reader.read_at(&mut tar, 0).unwrap();

        let index = archive::index(Cursor::new(&tar)).unwrap();
        prop_assert_eq!(index.len(), members.len());
        for (entry, (_, bytes)) in index.iter().zip(&want) {
            let archive::Kind::File { offset, len } = entry.kind else {
                return Err(TestCaseError::fail("not a file"));
            };
            prop_assert!(offset % 4096 == 0 || len == 0);
            prop_assert_eq!(&tar[offset as usize..(offset + len) as usize], &bytes[..]);
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("update.tar");
        fs::write(&path, &tar).unwrap();
        let out = Command::new("python3").args(["-c", PYTHON]).arg(&path).output().unwrap();
        prop_assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        prop_assert!(out.stdout == said);
        for (flag, want) in [("-tf", listed), ("-xOf", want.iter().flat_map(|(_, b)| b.clone()).collect())] {
            let out = Command::new("tar").arg(flag).arg(&path).output().unwrap();
            prop_assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
            prop_assert!(out.stdout == want);
        }
    }
}

#[test]
fn large_members_are_small_plans() {
    let len = 64 << 30;
    let inputs = [Input::of_len(len)];
    let members = [("root.img".to_owned(), image(&inputs, 0, b"", 0))];
    let plan = bundle(&members, 0, inputs.into()).unwrap();
    assert!(plan.encode().len() < 8192);
    let sources: Vec<_> = plan
        .extents()
        .filter(|extent| matches!(extent.piece, Piece::Source { .. }))
        .collect();
    assert_eq!((sources.len(), sources[0].start % 4096), (1, 0));
}

#[test]
fn refused() {
    let one = |name: &str| (name.to_owned(), image(&[Input::of_len(1)], 0, b"x", 0));
    let inputs = || [Input::of_len(1)].into();
    let error = bundle(&[one("a"), one("a")], 0, inputs()).unwrap_err();
    assert_eq!(error.to_string(), "member \"a\" was given already");
    let error = bundle(&[one("../a")], 0, inputs()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot archive `../a`: path climbs with `..`"
    );
}
