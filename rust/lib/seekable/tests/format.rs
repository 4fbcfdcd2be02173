//! Compressed images against zstd's own program, from the middle, and as somebody else may have made them.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::num::NonZeroUsize;
use std::process::Command;

use plan::{Builder, Input, Reader as Image};
use proptest::prelude::*;
use seekable::{compress, decompress, Error, Params, Reader};

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
    Seekable(#[from] Error),
    #[error("the sink is full")]
    Full,
}

fn image(bytes: &[u8], zeros: u64) -> Image<Vec<u8>> {
    let len = u64::try_from(bytes.len()).unwrap();
    let mut builder = Builder::new(vec![Input::of_len(len)]);
    builder.source(0, 0, len).unwrap();
    builder.zero(zeros).unwrap();
    let input = ("input".to_owned(), bytes.to_vec());
    Image::new(builder.finish().unwrap(), vec![input]).unwrap()
}

fn packed(image: &Image<Vec<u8>>, frame_size: u32, threads: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let params = Params {
        frame_size,
        ..Params::default()
    };
    let threads = NonZeroUsize::new(threads).unwrap();
    compress(image, params, threads, |bytes, _| {
        out.extend_from_slice(bytes);
        Ok::<(), Failed>(())
    })
    .unwrap();
    out
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap()
}

/// Bytes of which a part repeats.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        (any::<u8>(), 0..20_000usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn from_the_middle(bytes in bytes(), zeros in 0..30_000u64, size in 1..9000u32, threads in 2..6usize, at: u16, len in 0..5000usize) {
        // Not a frame for every byte of a large image.
        let size = size.max(u32::try_from(bytes.len() / 200).unwrap());
        let image = image(&bytes, zeros);
        let file = packed(&image, size, threads);
        prop_assert!(file == packed(&image, size, 1));
        let mut whole = bytes;
        whole.resize(whole.len() + usize::try_from(zeros).unwrap(), 0);
        prop_assert!(decompress(file.clone(), u64::MAX).unwrap() == whole);
        prop_assert!(zstd::decode_all(&file[..]).unwrap() == whole);
        let from = usize::from(at).min(whole.len());
        let to = (from + len).min(whole.len());
        let len = length(&file);
        let reader = Reader::open(file, len).unwrap();
        prop_assert_eq!(reader.len(), length(&whole));
        let mut got = vec![9; to - from];
        reader.read_at(&mut got, u64::try_from(from).unwrap()).unwrap();
        prop_assert!(got == whole[from..to]);
        let mut one = [0];
        let error = reader.read_at(&mut one, reader.len()).unwrap_err();
        let outside = matches!(error, Error::OutsideImage { .. });
        prop_assert!(outside);
    }

    /// Whatever is changed, it is an error or the same image: frames have checksums.
    #[test]
    fn damaged(bytes in bytes(), at: prop::sample::Index, flip in 1..=255u8, cut: prop::sample::Index) {
        let image = image(&bytes, 100);
        let file = packed(&image, 4096, 1);
        let whole = decompress(file.clone(), u64::MAX).unwrap();
        let mut bad = file.clone();
        bad[at.index(file.len())] ^= flip;
        if let Ok(got) = decompress(bad, 1 << 20) {
            prop_assert!(got == whole);
        }
        prop_assert!(decompress(file[..cut.index(file.len())].to_vec(), 1 << 20).is_err());
    }

    #[test]
    fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..200), frames in 0..20u32, descriptor in prop_oneof![Just(0u8), Just(0x80), any::<u8>()]) {
        let _ = decompress(bytes.clone(), 1 << 20);
        // With a footer, so that more of it is looked at.
        let mut file = vec![0x5e, 0x2a, 0x4d, 0x18];
        let size = u32::try_from(bytes.len()).unwrap() + 9;
        file.extend_from_slice(&size.to_le_bytes());
        file.extend_from_slice(&bytes);
        file.extend_from_slice(&frames.to_le_bytes());
        file.push(descriptor);
        file.extend_from_slice(&0x8F92_EAB1u32.to_le_bytes());
        let _ = decompress(file, 1 << 20);
    }
}

/// `zstd` itself decompresses it, and its own tool of the format lists it where there is one.
#[test]
fn zstd_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| n.to_be_bytes()[2]).collect();
    let image = image(&bytes, 5_000_000);
    let path = dir.path().join("x.zst");
    std::fs::write(&path, packed(&image, 1 << 20, 3)).unwrap();
    let out = dir.path().join("x");
    let zstd = |args: &[&str]| {
        let mut command = Command::new("zstd");
        command.args(args).arg(&path).arg("-o").arg(&out);
        command.output()
    };
    let done = match zstd(&["-q", "-d"]) {
        Ok(done) => done,
        Err(error) => return eprintln!("nothing tested: zstd: {error}"),
    };
    assert!(done.status.success(), "{done:?}");
    let got = std::fs::read(&out).unwrap();
    assert_eq!(got.len(), bytes.len() + 5_000_000);
    assert!(got[..bytes.len()] == bytes && got[bytes.len()..].iter().all(|byte| *byte == 0));
}

#[test]
fn layout() {
    let file = packed(&image(b"some bytes, and then zeros", 40_000), 16 << 10, 2);
    let table = file.len() - 8 - 3 * 8 - 9;
    assert_eq!(
        &file[table..table + 8],
        [0x5e, 0x2a, 0x4d, 0x18, 33, 0, 0, 0]
    );
    let len = length(&file);
    let reader = Reader::open(file.clone(), len).unwrap();
    assert_eq!(reader.len(), 40_026);
    assert_eq!(&file[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    let empty = packed(&image(b"", 0), 16 << 10, 2);
    assert_eq!(empty.len(), 17);
    assert_eq!(decompress(empty, 0).unwrap(), b"");
}

#[test]
fn refused_parameters() {
    let image = image(b"x", 0);
    let one = NonZeroUsize::MIN;
    let sink = |_: &[u8], _: u64| Ok::<(), Failed>(());
    let with = |level, frame_size| {
        let params = Params { level, frame_size };
        compress(&image, params, one, sink).unwrap_err().to_string()
    };
    assert_eq!(with(23, 4096), "compression level 23: want 1 to 22");
    assert_eq!(with(0, 4096), "compression level 0: want 1 to 22");
    assert_eq!(with(3, 0), "frames of 0 bytes: want 1 to 67108864");
    assert_eq!(
        with(3, 1 << 27),
        "frames of 134217728 bytes: want 1 to 67108864"
    );
    let full = compress(&image, Params::default(), one, |_, _| Err(Failed::Full));
    assert!(matches!(full, Err(Failed::Full)));
}

#[test]
fn refused_files() {
    let file = packed(&image(&[7; 5000], 0), 1000, 1);
    let refused = |file: &[u8]| decompress(file.to_vec(), u64::MAX).unwrap_err().to_string();
    let end = file.len();
    assert_eq!(
        refused(&file[..10]),
        "not a seekable zstd file: at byte 0: too short for a seek table"
    );
    let with = |at: usize, byte: u8| {
        let mut file = file.clone();
        file[at] = byte;
        refused(&file)
    };
    assert_eq!(
        with(end - 1, 0),
        format!(
            "not a seekable zstd file: at byte {}: the magic number of a seek table is missing",
            end - 4
        )
    );
    assert_eq!(
        with(end - 5, 4),
        format!(
            "not a seekable zstd file: at byte {}: seek table descriptor 0x04 has reserved bits",
            end - 5
        )
    );
    assert_eq!(
        with(end - 6, 0xff),
        format!(
            "not a seekable zstd file: at byte {}: a seek table of 4278190085 frames does not fit",
            end - 9
        )
    );
    let table = end - 9 - 5 * 8 - 8;
    assert_eq!(
        with(end - 9, 4),
        format!("not a seekable zstd file: at byte {}: no skippable frame of the seek table's size starts here", table + 8)
    );
    // The table says that a frame holds more than it does, or more than anybody should hold.
    assert_eq!(
        with(table + 12, 0xe9),
        "frame 0 is damaged: it holds 1000 bytes, not 1001"
    );
    assert_eq!(
        with(table + 15, 0x80),
        "frame 0 holds 2147484648 bytes, more than 67108864 are not supported"
    );
    // A bit of the checksum of the first frame.
    let first = usize::from(file[table + 8]);
    assert!(with(first - 1, file[first - 1] ^ 1).starts_with("frame 0 is damaged: "));
}
