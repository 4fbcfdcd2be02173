//! The guest's CONFIG medium: a FAT volume labelled `CONFIG` with `config.json` and `ssh_authorized_keys/`.
//!
//! The same configuration gives the same bytes. It is made anew before each start of QEMU, and by `guest_vm medium` for people.

use anyhow::Context;
use fat::Params;
use plan::{ImageSet, Reader};
use tree::{Entry, Input, Kind, Source, Stamp, Tree};

/// Volume label, by which the guest finds it.
const LABEL: &str = "CONFIG";
/// Serial number of the volume: "CONF".
const VOLUME_ID: u32 = 0x434f_4e46;
/// MiB: a configuration has at most four files of 256 KiB.
const SIZE_MIB: u64 = 2;
/// Nothing in it knows when it was made; FAT begins in 1980.
const MTIME: i64 = 315_532_800;

/// The bytes of a medium with `files`: path, content; folders come by themselves.
pub(crate) fn image(files: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<u8>> {
    let stamp = |mode| Stamp {
        mode,
        uid: 0,
        gid: 0,
        mtime: MTIME,
        mtime_nanos: 0,
    };
    let mut tree = Tree::new(stamp(0o755));
    let mut inputs = Vec::new();
    for (path, bytes) in files {
        if let Some((folder, _)) = path.rsplit_once('/') {
            if tree.get(folder.as_bytes()).is_none() {
                let entry = Entry::injected(Kind::Dir, stamp(0o755));
                tree.insert(folder.as_bytes(), entry, "the medium")?;
            }
        }
        let len = base::as_u64(bytes.len());
        let input = tree.add_input(Input { len });
        let source = Source {
            input,
            offset: 0,
            len,
        };
        let entry = Entry::injected(Kind::File(source), stamp(0o644));
        tree.insert(path.as_bytes(), entry, "the medium")?;
        inputs.push((path.clone(), bytes.clone()));
    }
    let lens: Vec<u64> = tree.inputs().iter().map(|input| input.len).collect();
    let params = Params {
        size_mib: SIZE_MIB,
        fat_type: None,
        volume_id: VOLUME_ID,
        label: LABEL.to_owned(),
        mtime: MTIME,
    };
    let plan = fat::layout(&tree, &ImageSet::of_lens(&lens)?, &params)
        .context("cannot lay out the guest's CONFIG medium")?;
    let mut image = vec![0; base::as_usize(plan.len())];
    Reader::new(plan, inputs)?.read_at(&mut image, 0)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    #[test]
    fn another_reader_finds_what_was_put_in() {
        let files = [
            ("config.json".to_owned(), b"{}\n".to_vec()),
            ("ssh_authorized_keys/admin".to_owned(), b"key\n".to_vec()),
            ("ssh_authorized_keys/backup".to_owned(), Vec::new()),
        ];
        let bytes = image(&files).unwrap();
        assert_eq!(bytes, image(&files).unwrap());
        let volume = fatfs::FileSystem::new(Cursor::new(bytes), fatfs::FsOptions::new()).unwrap();
        assert_eq!(volume.volume_label(), LABEL);
        for (path, want) in &files {
            let mut found = Vec::new();
            let mut file = volume.root_dir().open_file(path).unwrap();
            file.read_to_end(&mut found).unwrap();
            assert_eq!(&found, want);
        }
    }

    #[test]
    fn the_largest_configuration_fits() {
        let most = vec![b'x'; 256 << 10];
        let names = [
            "config.json",
            "ssh_authorized_keys/admin",
            "ssh_authorized_keys/backup",
            "ssh_authorized_keys/readonly",
        ];
        let files = names.map(|name| (name.to_owned(), most.clone()));
        image(&files).unwrap();
    }
}
