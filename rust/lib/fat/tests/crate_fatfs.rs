//! The crate `fatfs` reads what we lay out: names, contents, times, labels of FAT12, 16 and 32.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use fat::{layout, FatType, Params};
use plan::{ImageSet, Reader};
use tree::{Entry, Input, Kind, Source, Stamp, Tree};

const CONTENT: &[u8] = b"the one input of all files";
/// Path, and how much of the content it has; nothing for a folder.
const SCENE: [(&str, Option<u64>); 6] = [
    ("EFI", None),
    ("EFI/BOOT", None),
    ("EFI/BOOT/BOOTX64.EFI", Some(26)),
    ("EFI/BOOT/a long name with blanks.cfg", Some(3)),
    ("empty", Some(0)),
    ("straße", Some(9)),
];

fn tree() -> Tree {
    let stamp = Stamp {
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtime_nanos: 0,
    };
    let mut tree = Tree::new(stamp);
    let len = u64::try_from(CONTENT.len()).unwrap();
    let input = tree.add_input(Input { len });
    for (path, len) in SCENE {
        let kind = len.map_or(Kind::Dir, |len| {
            Kind::File(Source {
                input,
                offset: 0,
                len,
            })
        });
        let entry = Entry::injected(kind, stamp);
        tree.insert(path.as_bytes(), entry, "test").unwrap();
    }
    tree
}

type Folder<'a> = fatfs::Dir<'a, Cursor<Vec<u8>>>;

fn walk(dir: &Folder<'_>, at: &str, found: &mut BTreeMap<String, Option<Vec<u8>>>) {
    for entry in dir.iter() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name == "." || name == ".." {
            continue;
        }
        let path = format!("{at}{name}");
        if entry.is_dir() {
            walk(&entry.to_dir(), &format!("{path}/"), found);
            found.insert(path, None);
            continue;
        }
        let mut bytes = Vec::new();
        entry.to_file().read_to_end(&mut bytes).unwrap();
        found.insert(path, Some(bytes));
    }
}

#[test]
fn it_reads_ours() {
    let tree = tree();
    let len = u64::try_from(CONTENT.len()).unwrap();
    let want: BTreeMap<String, Option<Vec<u8>>> = SCENE
        .iter()
        .map(|(path, len)| {
            let content = len.map(|len| {
                let content = CONTENT.iter().take(usize::try_from(len).unwrap());
                content.copied().collect()
            });
            ((*path).to_owned(), content)
        })
        .collect();
    for (size_mib, fat_type, kind) in [
        (2, FatType::Fat12, fatfs::FatType::Fat12),
        (16, FatType::Fat16, fatfs::FatType::Fat16),
        (64, FatType::Fat32, fatfs::FatType::Fat32),
    ] {
        let params = Params {
            size_mib,
            fat_type: Some(fat_type),
            volume_id: 0x1234_abcd,
            label: "DATA".into(),
            mtime: 1_700_000_000,
        };
        let plan = layout(&tree, &ImageSet::of_lens(&[len]).unwrap(), &params).unwrap();
        let named = vec![(String::new(), CONTENT.to_vec())];
        let reader = Reader::new(plan, named).unwrap();
        let mut bytes = vec![0; usize::try_from(reader.len()).unwrap()];
        reader.read_at(&mut bytes, 0).unwrap();
        let fs = fatfs::FileSystem::new(Cursor::new(bytes), fatfs::FsOptions::new()).unwrap();
        assert_eq!((fs.fat_type(), fs.volume_id()), (kind, 0x1234_abcd));
        let label = fs.read_volume_label_from_root_dir().unwrap();
        assert_eq!(label.as_deref(), Some("DATA"));
        let mut found = BTreeMap::new();
        walk(&fs.root_dir(), "", &mut found);
        assert_eq!(found, want);
    }
}
