//! Units and presets of systemd, and links between them: what is planned can be applied.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tree::{Entry, Input, Kind, Source, Stamp, Tree};

const DIRS: [&str; 6] = [
    "etc",
    "etc/systemd",
    "etc/systemd/system",
    "usr/lib/systemd",
    "usr/lib/systemd/system",
    "usr/lib/systemd/system-preset",
];
const FILES: [&str; 8] = [
    "usr/lib/systemd/system-preset/50-a.preset",
    "usr/lib/systemd/system/a.service",
    "usr/lib/systemd/system/b@.service",
    "usr/lib/systemd/system/c.socket",
    "usr/lib/systemd/system/d.target",
    "etc/systemd/system/a.service",
    "etc/systemd/system/b@1.service",
    "etc/systemd/system-preset",
];

// The parts between bytes 0xff are the files; one that begins with 0xfe is a link.
fuzz_target!(|data: &[u8]| {
    let stamp = Stamp {
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtime_nanos: 0,
    };
    let mut tree = Tree::new(stamp);
    let input = tree.add_input(Input {
        len: data.len() as u64,
    });
    for dir in ["usr", "usr/lib"].into_iter().chain(DIRS) {
        let entry = Entry::injected(Kind::Dir, stamp);
        tree.insert(dir.as_bytes(), entry, "here").expect("once");
    }
    let mut offset = 0u64;
    for (path, bytes) in FILES.iter().zip(data.split(|byte| *byte == 0xff)) {
        let len = bytes.len() as u64;
        let kind = match bytes {
            [0xfe, target @ ..] if !target.is_empty() => Kind::Symlink {
                target: target.to_vec(),
            },
            _ => Kind::File(Source { input, offset, len }),
        };
        offset += len + 1;
        let _ = tree.insert(path.as_bytes(), Entry::injected(kind, stamp), "here");
    }
    let read = |source: Source| {
        let start = source.offset as usize;
        Ok(data[start..start + source.len as usize].to_vec())
    };
    if let Ok(plan) = systemd::preset_all(&tree, read) {
        let _ = plan.apply(&mut tree, 0);
        let _ = systemd::enabled(&tree);
    }
});
