//! Digests of images: what is counted as progress, and where reading failed.

use super::*;

const LEN: u64 = 9 << 20;

fn image(file: &str, fsverity: String) -> Image {
    Image {
        name: file.to_owned(),
        file: file.to_owned(),
        version: "1".to_owned(),
        env: None,
        size: LEN,
        fsverity,
        state: State::Unverified,
    }
}

/// An image with 5 bytes in the middle of holes, and another of data alone.
#[test]
fn progress_is_of_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["holes", "data"] {
        let file = File::create(dir.path().join(name)).unwrap();
        file.set_len(LEN).unwrap();
        match name {
            "holes" => file.write_all_at(b"bytes", 5 << 20).unwrap(),
            _ => file.write_all_at(&vec![7; 9 << 20], 0).unwrap(),
        }
    }
    let digest = |name: &str| FsverityDigest::open(&dir.path().join(name)).unwrap();
    let mut holes = image("holes", digest("holes").to_string());
    let mut data = image("data", digest("holes").to_string());
    let mut told = Vec::new();
    let mut progress = |done, of| told.push((done, of));
    let found = wrong_digests(dir.path(), &[&mut holes, &mut data], &mut progress);
    assert_eq!(found.first(), Some(&None));
    let text = found.get(1).unwrap().as_ref().unwrap();
    let want = format!("fs-verity digest is {}, want ", digest("data"));
    assert!(text.contains(&want), "{text}");
    let (first, last) = (told.first().unwrap(), told.last().unwrap());
    assert_eq!((first.0, first.1, last.0), (0, last.1, last.1));
    // All of the one; of the other a block or so, where the file system knows holes.
    assert!(last.1 > LEN && last.1 < LEN + (1 << 20), "{last:?}");
    assert!(told.is_sorted(), "{told:?}");
}

#[test]
fn a_file_that_becomes_shorter_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("image");
    std::fs::write(&path, vec![7; 9 << 20]).unwrap();
    let (sender, _receiver) = std::sync::mpsc::channel();
    let opened = Opened::open(&path, sender);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    let text = wrong_digest(&path, &image("image", String::new()), opened).unwrap();
    let want = format!("{} became shorter while it was read", path.display());
    assert_eq!(text, want);
}

#[test]
fn a_failure_to_read_says_where() {
    let dir = tempfile::tempdir().unwrap();
    // Open for writing alone.
    let file = File::create(dir.path().join("image")).unwrap();
    let (done, _receiver) = std::sync::mpsc::channel();
    let error = Counted { file, done }
        .read_exact_at(&mut [0; 8], 4096)
        .unwrap_err();
    let want = "at byte 4096: Bad file descriptor (os error 9)";
    assert_eq!(error.to_string(), want);
}
