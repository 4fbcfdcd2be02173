//! A FAT32 volume in memory, what is on it, and edits of it.

#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write as _};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use fat::{layout, Edit, EditError, FatType, Params, Volume};
use plan::{ImageSet, ReadAt, Reader};
use tree::Tree;

/// The smallest FAT32 that our layout makes.
pub(crate) const SIZE_MIB: u64 = 34;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A volume in memory: bytes that many share, and the sectors that were written to this one.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) base: Arc<Vec<u8>>,
    sectors: BTreeMap<u64, [u8; 512]>,
    pub(crate) at: u64,
}

impl Disk {
    pub(crate) fn new(base: Vec<u8>) -> Self {
        Self {
            base: Arc::new(base),
            sectors: BTreeMap::new(),
            at: 0,
        }
    }

    pub(crate) fn sector(&self, number: u64) -> [u8; 512] {
        match self.sectors.get(&number) {
            Some(sector) => *sector,
            None => self.base[number as usize * 512..][..512]
                .try_into()
                .unwrap(),
        }
    }

    pub(crate) fn write(&mut self, (number, sector): &(u64, [u8; 512])) {
        self.sectors.insert(*number, *sector);
    }

    pub(crate) fn write_all(&mut self, sectors: &[(u64, [u8; 512])]) {
        for sector in sectors {
            self.write(sector);
        }
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        let mut bytes = self.base.to_vec();
        for (number, sector) in &self.sectors {
            bytes[*number as usize * 512..][..512].copy_from_slice(sector);
        }
        bytes
    }
}

impl ReadAt for Disk {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut at = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let sector = self.sector(at / 512);
            let from = &sector[(at % 512) as usize..];
            let len = from.len().min(rest.len());
            rest[..len].copy_from_slice(&from[..len]);
            rest = &mut rest[len..];
            at += len as u64;
        }
        Ok(())
    }
}

impl Read for Disk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_exact_at(buffer, self.at)?;
        self.at += buffer.len() as u64;
        Ok(buffer.len())
    }
}

impl io::Write for Disk {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let number = self.at / 512;
        let (from, mut sector) = ((self.at % 512) as usize, self.sector(number));
        let len = buffer.len().min(512 - from);
        sector[from..from + len].copy_from_slice(&buffer[..len]);
        self.sectors.insert(number, sector);
        self.at += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.checked_add_signed(by).unwrap(),
            SeekFrom::End(by) => (self.base.len() as u64).checked_add_signed(by).unwrap(),
        };
        Ok(self.at)
    }
}

/// Everything on a volume, as crate fatfs reads it.
pub(crate) fn files(disk: &Disk) -> Files {
    fn walk(dir: &fatfs::Dir<'_, Disk>, above: &str, out: &mut Files) {
        for entry in dir.iter() {
            let entry = entry.unwrap();
            let path = format!("{above}/{}", entry.file_name());
            if entry.is_file() {
                let mut bytes = Vec::new();
                entry.to_file().read_to_end(&mut bytes).unwrap();
                out.insert(path, bytes);
            } else if ![".", ".."].contains(&entry.file_name().as_str()) {
                walk(&entry.to_dir(), &path, out);
                out.insert(path + "/", Vec::new());
            }
        }
    }
    let mut disk = disk.clone();
    disk.at = 0;
    let options = fatfs::FsOptions::new().update_accessed_date(false);
    let volume = fatfs::FileSystem::new(disk, options).unwrap();
    let mut out = Files::new();
    walk(&volume.root_dir(), "", &mut out);
    out
}

pub(crate) fn member(path: &str, data: Option<&[u8]>) -> archive::Entry {
    let kind = match data {
        Some(data) => archive::Kind::File {
            offset: 0,
            len: data.len() as u64,
        },
        None => archive::Kind::Dir,
    };
    archive::Entry::new(path, kind, 0o755)
}

/// As our images have it at first, with things that stay.
pub(crate) fn fresh(fat_type: FatType) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = archive::Writer::new(Vec::new());
    let long = vec![7; 5000];
    let members: [(&str, Option<&[u8]>); 8] = [
        ("", None),
        ("System Volume Information", None),
        ("System Volume Information/IndexerVolumeGuid", Some(b"{1}")),
        ("config.ini", Some(b"#hostname=\n")),
        ("readme first.txt", Some(&long)),
        ("ssh_authorized_keys", None),
        ("ssh_authorized_keys/deep", None),
        ("ssh_authorized_keys/deep/README", Some(b"keys\n")),
    ];
    for (path, data) in members {
        writer
            .append(&member(path, data), data.unwrap_or(&[]))
            .unwrap();
    }
    let bytes = writer.finish().unwrap();
    let path = dir.path().join("base.tar");
    std::fs::write(&path, &bytes).unwrap();
    let index = archive::index(std::fs::File::open(&path).unwrap()).unwrap();
    let tree = Tree::from_tar(index, bytes.len() as u64).unwrap();
    let params = Params {
        size_mib: SIZE_MIB,
        fat_type: Some(fat_type),
        volume_id: 0x5e70_c0f6,
        label: "CONFIG".into(),
        mtime: 1_700_000_000,
    };
    let plan = layout(&tree, &ImageSet::open(&[&path]).unwrap(), &params).unwrap();
    let reader = Reader::open(plan, &[&path]).unwrap();
    let mut image = vec![0; reader.len() as usize];
    reader.read_at(&mut image, 0).unwrap();
    image
}

pub(crate) fn disk() -> Disk {
    static FRESH: OnceLock<Disk> = OnceLock::new();
    FRESH
        .get_or_init(|| Disk::new(fresh(FatType::Fat32)))
        .clone()
}

pub(crate) fn edit(
    disk: &Disk,
    puts: &[(&str, &[u8])],
    removes: &[&str],
) -> Result<Edit, EditError> {
    let len = disk.base.len() as u64;
    let mut volume = Volume::open(disk, 0, len)?;
    for path in removes {
        volume.remove(path);
    }
    for (path, bytes) in puts {
        volume.put(path, bytes)?;
    }
    volume.finish()
}

/// The steps as single sectors.
pub(crate) fn steps(edit: &Edit) -> [Vec<(u64, [u8; 512])>; 3] {
    edit.steps().map(|step| {
        let pieces = step.iter().flat_map(|(at, bytes)| {
            assert_eq!((at % 512, bytes.len() % 512), (0, 0));
            (at / 512..).zip(bytes.chunks(512))
        });
        pieces
            .map(|(number, bytes)| (number, bytes.try_into().unwrap()))
            .collect()
    })
}

pub(crate) fn applied(mut disk: Disk, edit: &Edit) -> Disk {
    for step in steps(edit) {
        disk.write_all(&step);
    }
    disk
}

/// What the files are afterwards.
pub(crate) fn wanted(disk: &Disk, puts: &[(&str, &[u8])], removes: &[&str]) -> Files {
    let mut want = files(disk);
    for path in removes {
        want.remove(&format!("/{path}"));
    }
    for (path, bytes) in puts {
        let mut parts: Vec<&str> = path.split('/').collect();
        parts.pop();
        if !parts.is_empty() {
            want.insert(format!("/{}/", parts.join("/")), Vec::new());
        }
        want.insert(format!("/{path}"), bytes.to_vec());
    }
    want
}

/// Nothing is left of an edit that was cut: no cluster in use that no file has, no copy that differs.
pub(crate) fn assert_tidy(disk: &Disk) {
    let again = edit(disk, &[], &[]).unwrap();
    assert!(again.is_empty(), "{again:?}");
}

pub(crate) fn fsck(disk: &Disk) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("volume");
    std::fs::File::create(&path)
        .unwrap()
        .write_all(&disk.content())
        .unwrap();
    let fsck = Command::new("/usr/sbin/fsck.fat")
        .args(["-n", "-V"])
        .arg(&path)
        .output();
    let done = fsck.expect("/usr/sbin/fsck.fat (package dosfstools)");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}");
    for word in ["Reclaimed", "differ", "rong", "unused", "Dirty"] {
        assert!(!said.contains(word), "{said}");
    }
}
