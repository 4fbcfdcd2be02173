//! What is written is what the plan says, sparse, and nothing is left of what fails.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

use std::fs::{self, File};
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::fs::{symlink, FileExt, MetadataExt};
use std::path::Path;

use materialize::{Error, Options, Output};
use plan::{Builder, Input, Plan, Reader};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// A piece of a random image.
#[derive(Clone, Debug)]
enum Piece {
    Zero(u64),
    Inline(u8, usize),
    Source(u32, u64, u64),
}

const INPUT: u64 = 3 << 20;

fn piece() -> impl Strategy<Value = Piece> {
    let len = prop_oneof![1..600u64, 4000..9000u64, 60_000..1_500_000u64];
    let start = prop_oneof![0..INPUT, (0..INPUT / 4096).prop_map(|block| block * 4096)];
    prop_oneof![
        2 => len.clone().prop_map(Piece::Zero),
        // To the next block: what follows is aligned.
        2 => Just(Piece::Zero(0)),
        1 => (any::<u8>(), 1..6000usize).prop_map(|(byte, len)| Piece::Inline(byte, len)),
        5 => (0..2u32, start, len).prop_map(|(input, start, len)| {
            Piece::Source(input, start, len.min(INPUT - start))
        }),
    ]
}

fn build(pieces: &[Piece]) -> Plan {
    let mut builder = Builder::new(vec![Input::of_len(INPUT); 2]);
    for piece in pieces {
        match *piece {
            Piece::Zero(0) => {
                let next = builder.position().next_multiple_of(4096);
                builder.zero_to(next).unwrap();
            }
            Piece::Zero(len) => builder.zero(len).unwrap(),
            Piece::Inline(byte, len) => builder.inline(&vec![byte; len]).unwrap(),
            Piece::Source(input, start, len) => builder.source(input, start, len).unwrap(),
        }
    }
    builder.finish().unwrap()
}

/// Two inputs: one without zeros, one with blocks of zeros.
fn inputs(dir: &Path) -> [std::path::PathBuf; 2] {
    let paths = [dir.join("dense"), dir.join("sparse")];
    let mut n = 1u32;
    let mut noise = || {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        n.to_be_bytes()[0] | 1
    };
    let dense: Vec<u8> = (0..INPUT).map(|_| noise()).collect();
    let mut sparse = dense.clone();
    for block in sparse.chunks_mut(4096).step_by(3) {
        block.fill(0);
    }
    fs::write(&paths[0], dense).unwrap();
    fs::write(&paths[1], sparse).unwrap();
    paths
}

/// The image through memory.
fn bytes(reader: &Reader) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(reader.len()).unwrap()];
    reader.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn options(threads: usize, digest: bool) -> Options<'static> {
    Options {
        threads: NonZeroUsize::new(threads).unwrap(),
        digest,
        ..Options::default()
    }
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_file_is_the_image(pieces in prop::collection::vec(piece(), 0..40), threads in 1..5usize, digest: bool) {
        let dir = tempfile::tempdir().unwrap();
        let reader = Reader::open(build(&pieces), &inputs(dir.path())).unwrap();
        let want = bytes(&reader);
        let file = tempfile::tempfile_in(dir.path()).unwrap();
        let sum = materialize::write(&reader, &file, &options(threads, digest)).unwrap();
        let mut got = vec![9; want.len()];
        file.read_exact_at(&mut got, 0).unwrap();
        prop_assert_eq!(file.metadata().unwrap().len(), reader.len());
        prop_assert!(got == want);
        prop_assert_eq!(sum, digest.then(|| Sha256::digest(&want).into()));
    }

    #[test]
    fn the_compressed_file_is_the_image(pieces in prop::collection::vec(piece(), 0..20), digest: bool) {
        let dir = tempfile::tempdir().unwrap();
        let reader = Reader::open(build(&pieces), &inputs(dir.path())).unwrap();
        let file = tempfile::tempfile_in(dir.path()).unwrap();
        let sum = materialize::compress(&reader, &file, 1, &options(3, digest)).unwrap();
        let len = file.metadata().unwrap().len();
        let mut compressed = vec![0; usize::try_from(len).unwrap()];
        file.read_exact_at(&mut compressed, 0).unwrap();
        prop_assert_eq!(sum, digest.then(|| Sha256::digest(&compressed).into()));
        prop_assert!(seekable::decompress(compressed, u64::MAX).unwrap() == bytes(&reader));
    }
}

#[test]
fn zeros_are_holes() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(vec![Input::of_len(INPUT); 2]);
    builder.zero(64 << 30).unwrap();
    builder.source(1, 0, INPUT).unwrap();
    builder.zero(1 << 20).unwrap();
    let reader = Reader::open(builder.finish().unwrap(), &inputs(dir.path())).unwrap();
    let file = tempfile::tempfile_in(dir.path()).unwrap();
    materialize::write(&reader, &file, &Options::default()).unwrap();
    let metadata = file.metadata().unwrap();
    assert_eq!(metadata.len(), (64 << 30) + INPUT + (1 << 20));
    // Every third block of that input is zero.
    let blocks = metadata.blocks() * 512;
    assert!(
        blocks <= INPUT / 3 * 2 + (64 << 10),
        "{blocks} bytes are used"
    );
}

#[test]
fn an_output_is_whole_or_absent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let output = Output::create(&path).unwrap();
    output.file().write_all_at(b"half", 0).unwrap();
    // A killed process would leave what is there now.
    assert_eq!(entries(dir.path()), [""; 0]);
    drop(output);
    assert_eq!(entries(dir.path()), [""; 0]);
    for text in ["first", "second"] {
        let output = Output::create(&path).unwrap();
        output.file().write_all(text.as_bytes()).unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(entries(dir.path()), ["out"]);
    }
    // As any new file, but that nobody else may write to it.
    let usual = File::create(dir.path().join("usual")).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().mode(),
        usual.metadata().unwrap().mode() & !0o022
    );
}

#[test]
fn refused_outputs() {
    let dir = tempfile::tempdir().unwrap();
    let [dense, sparse] = inputs(dir.path());
    let reader = Reader::open(build(&[]), &[&dense, &sparse]).unwrap();
    let link = dir.path().join("link");
    fs::hard_link(&sparse, &link).unwrap();
    let soft = dir.path().join("soft");
    symlink(&dense, &soft).unwrap();
    for path in [&dense, &link, &soft] {
        let output = Output::create(path).unwrap();
        let error = output.check_inputs(&reader, &[]).unwrap_err();
        assert!(matches!(error, Error::OutputIsInput { .. }), "{error}");
    }
    let plan = dir.path().join("plan");
    fs::write(&plan, b"plan").unwrap();
    let output = Output::create(&plan).unwrap();
    output.check_inputs(&reader, &[]).unwrap();
    let error = output.check_inputs(&reader, &[&plan]).unwrap_err();
    let name = plan.display();
    assert_eq!(
        error.to_string(),
        format!("the output {name} is also an input: {name}")
    );
    let error = Output::create(dir.path()).unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    let error = Output::create(Path::new("/dev/null")).unwrap_err();
    assert!(matches!(error, Error::NotAFile { .. }), "{error}");
    let error = Output::create(&dir.path().join("no/such/folder")).unwrap_err();
    assert!(matches!(error, Error::Create { .. }), "{error}");
}

#[test]
fn inputs_that_change() {
    let dir = tempfile::tempdir().unwrap();
    let [dense, sparse] = inputs(dir.path());
    let plan = build(&[Piece::Source(0, 0, INPUT), Piece::Source(1, 0, INPUT)]);
    let open = || Reader::open(plan.clone(), &[&dense, &sparse]).unwrap();

    // Written to while the first ranges are done.
    let reader = open();
    let touch = |_| {
        let file = File::options().write(true).open(&dense).unwrap();
        file.write_all_at(b"x", 7).unwrap();
    };
    let options = Options {
        progress: &touch,
        ..options(1, true)
    };
    let file = tempfile::tempfile_in(dir.path()).unwrap();
    let error = materialize::write(&reader, &file, &options).unwrap_err();
    let want = format!("{} changed while it was read", dense.display());
    assert_eq!(error.to_string(), want);
    let file = tempfile::tempfile_in(dir.path()).unwrap();
    let error = materialize::compress(&reader, &file, 1, &options).unwrap_err();
    assert_eq!(error.to_string(), want);

    // Truncated after it was opened.
    let reader = open();
    let input = File::options().write(true).open(&sparse).unwrap();
    input.set_len(INPUT - 1).unwrap();
    let file = tempfile::tempfile_in(dir.path()).unwrap();
    let error = materialize::write(&reader, &file, &Options::default()).unwrap_err();
    let want = format!("{} became shorter while it was read", sparse.display());
    assert_eq!(error.to_string(), want);
}

#[test]
fn a_full_device() {
    let dir = tempfile::tempdir().unwrap();
    let reader = Reader::open(build(&[Piece::Source(0, 0, 5000)]), &inputs(dir.path())).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let error = materialize::compress(&reader, &full, 1, &Options::default()).unwrap_err();
    let Error::Write { at: 0, source } = error else {
        panic!("{error}");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
}
