//! FAT32 volumes with some bytes changed, into which files are put: what is taken can be read again, and nothing is left over.
#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use fat::{layout, FatType, Params, Volume};
use libfuzzer_sys::fuzz_target;
use plan::{ImageSet, Plan, ReadAt, Reader};
use tree::{Entry, Kind, Source, Stamp, Tree};

const SIZE_MIB: u64 = 34;
/// Sectors that have structures: boot sectors and FSInfo, both tables, the first clusters.
const STRUCTURES: [u64; 5] = [0, 6, 32, 32 + 536, 32 + 2 * 536];

/// A file in a folder and one beside it.
static FRESH: LazyLock<Reader<Vec<u8>>> = LazyLock::new(|| {
    let stamp = Stamp {
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtime_nanos: 0,
    };
    let mut tree = Tree::new(stamp);
    let input = tree.add_input(tree::Input { len: 1500 });
    let (offset, len) = (0, 1500);
    for (path, kind) in [
        (&b"ssh_authorized_keys"[..], Kind::Dir),
        (
            b"ssh_authorized_keys/backup",
            Kind::File(Source { input, offset, len }),
        ),
        (b"config.ini", Kind::File(Source { input, offset, len })),
    ] {
        let entry = Entry::injected(kind, stamp);
        tree.insert(path, entry, "a file").unwrap();
    }
    let params = Params {
        size_mib: SIZE_MIB,
        fat_type: Some(FatType::Fat32),
        volume_id: 1,
        label: "CONFIG".to_owned(),
        mtime: 0,
    };
    let plan: Plan = layout(&tree, &ImageSet::of_lens(&[1500]).unwrap(), &params).unwrap();
    Reader::new(plan, vec![("input".to_owned(), vec![7; 1500])]).unwrap()
});

/// The volume with changed bytes and written sectors.
struct Changed(BTreeMap<u64, u8>);

impl ReadAt for Changed {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FRESH.read_exact_at(buffer, offset)?;
        for (at, byte) in self.0.range(offset..offset + buffer.len() as u64) {
            buffer[(at - offset) as usize] = *byte;
        }
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let mut volume = Changed(BTreeMap::new());
    for change in data.chunks_exact(4).take(64) {
        let [place, high, low, byte] = change else {
            return;
        };
        let start = STRUCTURES[usize::from(*place) % STRUCTURES.len()] * 512;
        let at = u64::from(u16::from_le_bytes([*low, *high])) % 4096;
        volume.0.insert(start + at, *byte);
    }
    let len = SIZE_MIB << 20;
    let Ok(mut open) = Volume::open(&volume, 0, len) else {
        return;
    };
    let content = data.repeat(20);
    if open.put("ssh_authorized_keys/admin", &content).is_err() {
        return;
    }
    let Ok(edit) = open.finish() else {
        return;
    };
    for (at, bytes) in edit.steps().into_iter().flatten() {
        volume.0.extend((*at..).zip(bytes.iter().copied()));
    }
    let after = Volume::open(&volume, 0, len).unwrap();
    assert_eq!(
        after.get("ssh_authorized_keys/admin").unwrap().as_ref(),
        Some(&content)
    );
    assert!(after.finish().unwrap().is_empty());
});
