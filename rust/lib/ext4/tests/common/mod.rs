//! Trees and images in memory, and the readers that check them.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use ext4::{layout, Error, Layout, Params, Size};
use mkext4::reader::Fs;
use mkext4::spec::Inode;
use plan::{ImageSet, Plan, Reader};
use tree::{Entry, Kind, Source, Stamp, Tree};

pub(crate) const UUID: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const SEED: &str = "11111111-2222-4333-8444-666666666666";
pub(crate) const NOW: i64 = 1_700_000_000;
pub(crate) const SMALLEST: Size = Size::Smallest { free_percent: 0 };

/// Of what is injected.
pub(crate) const STAMP: Stamp = Stamp {
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 7,
    mtime_nanos: 0,
};

pub(crate) fn params(size: Size) -> Params {
    Params {
        size,
        uuid: UUID.into(),
        hash_seed: SEED.into(),
        label: "root".into(),
        mtime: NOW,
        journal: false,
    }
}

/// A tree in the making, with one input that holds all contents.
#[derive(Clone, Default)]
pub(crate) struct Scene {
    pub(crate) entries: Vec<archive::Entry>,
    pub(crate) data: Vec<u8>,
}

impl Scene {
    pub(crate) fn add(
        &mut self,
        path: impl AsRef<[u8]>,
        kind: archive::Kind,
        mode: u32,
    ) -> &mut archive::Entry {
        self.entries
            .push(archive::Entry::new(path.as_ref(), kind, mode));
        self.entries.last_mut().unwrap()
    }

    pub(crate) fn dir(&mut self, path: impl AsRef<[u8]>) -> &mut archive::Entry {
        self.add(path, archive::Kind::Dir, 0o755)
    }

    pub(crate) fn file(&mut self, path: impl AsRef<[u8]>, data: &[u8]) -> &mut archive::Entry {
        let offset = self.data.len() as u64;
        self.data.extend_from_slice(data);
        let len = data.len() as u64;
        self.add(path, archive::Kind::File { offset, len }, 0o644)
    }

    /// A file of `len` bytes with holes, of which `parts` says where its data is.
    pub(crate) fn holes(
        &mut self,
        path: impl AsRef<[u8]>,
        len: u64,
        parts: &[(u64, Vec<u8>)],
    ) -> &mut archive::Entry {
        let mut pieces = Vec::new();
        for (at, data) in parts {
            pieces.push(archive::Piece {
                at: *at,
                len: data.len() as u64,
                offset: self.data.len() as u64,
            });
            self.data.extend_from_slice(data);
        }
        self.add(path, archive::Kind::Sparse { len, pieces }, 0o644)
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        let target = target.into();
        self.add(path, archive::Kind::HardLink { target }, 0o644);
    }

    pub(crate) fn symlink(&mut self, path: &str, target: &str) {
        let target = target.into();
        self.add(path, archive::Kind::Symlink { target }, 0o777);
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::from_tar(self.entries.clone(), self.data.len() as u64).unwrap()
    }
}

/// A file of the first bytes of an input.
pub(crate) fn first_of(input: usize, len: u64) -> Kind {
    Kind::File(Source {
        input,
        offset: 0,
        len,
    })
}

pub(crate) fn insert(tree: &mut Tree, path: &str, kind: Kind) {
    let entry = Entry::injected(kind, STAMP);
    tree.insert(path.as_bytes(), entry, "x").unwrap();
}

/// Bytes without a zero.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64 ^ len as u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0] | 1
    };
    (0..len).map(|_| step()).collect()
}

/// Lays `tree` out over its own inputs.
pub(crate) fn plain(tree: &Tree, params: &Params) -> Result<Layout, Error> {
    let lens: Vec<u64> = tree.inputs().iter().map(|input| input.len).collect();
    layout(tree, &ImageSet::of_lens(&lens).unwrap(), params)
}

/// Images of plans that are all over `inputs`, as lists in `folder`.
pub(crate) fn listed(folder: &Path, plans: &[Plan], inputs: &[&str]) -> ImageSet {
    let lists = plans.iter().enumerate().map(|(at, plan)| {
        let (file, list) = (
            folder.join(at.to_string()),
            folder.join(format!("{at}.image")),
        );
        std::fs::write(&file, plan.encode()).unwrap();
        std::fs::write(
            &list,
            format!("{}\n{}\n", file.display(), inputs.join("\n")),
        )
        .unwrap();
        list
    });
    ImageSet::open(&lists.collect::<Vec<_>>()).unwrap()
}

/// The image of `plan`, over bytes that were there before.
pub(crate) fn bytes(plan: &Plan, inputs: &[Vec<u8>]) -> Vec<u8> {
    let named = inputs.iter().map(|input| (String::new(), input.clone()));
    let reader = Reader::new(plan.clone(), named.collect()).unwrap();
    let mut bytes = vec![0xa5; plan.len() as usize];
    for (at, chunk) in bytes.chunks_mut(1 << 20).enumerate() {
        reader.read_at(chunk, (at as u64) << 20).unwrap();
    }
    bytes
}

/// Runs a program of e2fsprogs; nothing if this machine does not have it.
pub(crate) fn run(program: &str, args: &[&str]) -> Option<String> {
    let path = Path::new("/usr/sbin").join(program);
    if !path.exists() {
        eprintln!("skipped: there is no {program} here");
        return None;
    }
    let output = Command::new(path).args(args).env("LC_ALL", "C").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {said}");
    Some(said)
}

/// e2fsck finds nothing to say about the image.
pub(crate) fn fsck(image: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), image).unwrap();
    run("e2fsck", &["-f", "-n", file.path().to_str().unwrap()]);
}

/// Numbers of all inodes by path, `lost+found` of our making left out.
pub(crate) fn walk(fs: &Fs<&[u8]>) -> BTreeMap<Vec<u8>, (u32, u8)> {
    let mut found = BTreeMap::from([(Vec::new(), (2, 2))]);
    let mut todo = vec![(Vec::new(), 2)];
    while let Some((path, number)) = todo.pop() {
        for entry in fs.read_dir(number).unwrap() {
            if entry.name == b"." || entry.name == b".." || entry.inode == 0 {
                continue;
            }
            let mut child = path.clone();
            if !child.is_empty() {
                child.push(b'/');
            }
            child.extend(entry.name);
            if entry.file_type == 2 {
                todo.push((child.clone(), entry.inode));
            }
            assert!(found
                .insert(child, (entry.inode, entry.file_type))
                .is_none());
        }
    }
    found
}

/// What a file's bytes are.
pub(crate) fn content(inputs: &[Vec<u8>], kind: &Kind) -> Vec<u8> {
    let mut bytes = vec![0; kind.file_len().unwrap() as usize];
    for (at, source) in kind.pieces() {
        let (at, start, len) = (at as usize, source.offset as usize, source.len as usize);
        bytes[at..at + len].copy_from_slice(&inputs[source.input][start..start + len]);
    }
    bytes
}

/// Both independent readers see `tree` in `image`; `inputs` are those of the tree.
pub(crate) fn same(tree: &Tree, inputs: &[Vec<u8>], image: &[u8]) {
    let fs = Fs::open(image).unwrap();
    assert_eq!(fs.verify().unwrap(), []);
    let mut found = walk(&fs);
    if tree.get(b"lost+found").is_none() {
        assert_eq!(found.remove(&b"lost+found"[..]), Some((11, 2)));
    }
    let wanted: Vec<&Vec<u8>> = tree.entries().keys().collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted);
    let mut links: BTreeMap<u32, u16> = BTreeMap::new();
    for (number, _) in found.values() {
        *links.entry(*number).or_default() += 1;
    }
    let view = ext4_view::Ext4::load(Box::new(image.to_vec())).unwrap();
    for (path, (number, file_type)) in &found {
        let entry = tree.inode(path).unwrap();
        let inode = fs.inode(*number).unwrap();
        let name = path.escape_ascii();
        let (kind, word) = match &entry.kind {
            Kind::File(_) | Kind::Sparse(_) => {
                assert_eq!(Some(inode.size), entry.kind.file_len(), "{name}");
                let data = fs.read_file(*number).unwrap();
                assert!(data == content(inputs, &entry.kind), "{name}");
                (1, 0x8000)
            }
            Kind::Dir => (2, 0x4000),
            Kind::Char { major, minor } => {
                assert_eq!(inode.dev_numbers(), Some((*major, *minor)), "{name}");
                (3, 0x2000)
            }
            Kind::Block { major, minor } => {
                assert_eq!(inode.dev_numbers(), Some((*major, *minor)), "{name}");
                (4, 0x6000)
            }
            Kind::Fifo => (5, 0x1000),
            Kind::Symlink { target } => {
                assert_eq!(&fs.symlink_target(*number).unwrap(), target, "{name}");
                (7, 0xa000)
            }
            Kind::HardLink { .. } => unreachable!(),
        };
        assert_eq!(*file_type, kind, "{name}");
        let stamp = entry.stamp;
        assert_eq!(u32::from(inode.mode), word | stamp.mode, "{name}");
        assert_eq!((inode.uid, inode.gid), (stamp.uid, stamp.gid), "{name}");
        if kind != 2 {
            assert_eq!(inode.links_count, links[number], "{name}");
        }
        let time = Inode::timestamp(inode.mtime, inode.mtime_extra);
        let (seconds, nanos) = match stamp.mtime {
            late if late >= NOW => (NOW, 0),
            early if early < -(1 << 31) => (-(1 << 31), 0),
            seconds => (seconds, stamp.mtime_nanos),
        };
        assert_eq!(time, (seconds, nanos), "{name}");
        let made = Inode::timestamp(inode.crtime, inode.crtime_extra);
        assert_eq!(made, (NOW, 0), "{name}");
        let xattrs = fs.xattrs(*number).unwrap().into_iter();
        let xattrs: BTreeMap<_, _> = xattrs
            .map(|x| (x.full_name().unwrap(), x.value))
            .filter(|(name, _)| !name.starts_with(b"system.posix_acl"))
            .collect();
        let mut wanted = entry.xattrs.clone();
        wanted.retain(|name, _| !name.starts_with(b"system.posix_acl"));
        assert_eq!(xattrs, wanted, "{name}");
        // ext4-view knows no times before 1970, and looks at those of directories on the way.
        let ends =
            (0..=path.len()).filter(|at| *at == 0 || path.get(*at).is_none_or(|b| *b == b'/'));
        let mut way = ends.map(|end| tree.inode(&path[..end]).unwrap().stamp.mtime);
        if way.all(|mtime| mtime >= 0) {
            seen_by_view(&view, path, &entry.kind, inputs);
        }
    }
}

/// Looked up by path (which takes the hash) and read by ext4-view.
fn seen_by_view(view: &ext4_view::Ext4, path: &[u8], kind: &Kind, inputs: &[Vec<u8>]) {
    let full = [b"/", path].concat();
    let at = ext4_view::Path::try_from(&full[..]).unwrap();
    match kind {
        Kind::File(_) | Kind::Sparse(_) => {
            let data = view.read(at).unwrap();
            assert!(data == content(inputs, kind));
        }
        Kind::Symlink { target } => {
            let read = view.read_link(at).unwrap();
            assert_eq!(read, ext4_view::PathBuf::try_from(&target[..]).unwrap());
        }
        Kind::Dir => drop(view.read_dir(at).unwrap().map(Result::unwrap).count()),
        _ => assert!(view.exists(at).unwrap()),
    }
}
