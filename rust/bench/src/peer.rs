//! The crate mkext4, used as its own example uses it: the tree is declared, laid out, and files are copied one by one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{anyhow, bail, Context, Result};
use mkext4::sink::FileSink;
use mkext4::{FsBuilder, InodeCount, InodeHandle, Meta, Options, SpecialKind, ROOT};
use tree::{Entry, Kind, Source, Tree};

const MIB: u64 = 1 << 20;
const UUID: [u8; 16] = [0x42; 16];
const EPOCH: i64 = 1_704_067_200;

pub(crate) fn mkext4(tar: &Path, size_mib: u64, output: &Path) -> Result<()> {
    let file = File::open(tar).with_context(|| format!("cannot open {}", tar.display()))?;
    let len = file.metadata()?.len();
    let tree = Tree::from_tar(archive::index(&file)?, len)?;
    let size = match size_mib {
        0 => estimate(&tree),
        mib => mib.saturating_mul(MIB),
    };
    let mut options = Options::new(size, UUID, EPOCH);
    options.reserved_percent = 0;
    let inodes = u32::try_from(tree.entries().len())?.saturating_add(16);
    options.inodes = InodeCount::Exact(inodes);
    let mut builder = FsBuilder::new(options)?;
    let fills = declare(&tree, &mut builder)?;
    let layout = builder.seal()?;
    let mut sink = FileSink::create(output, layout.image_len())?;
    let mut writer = layout.writer(&mut sink)?;
    for (handle, source) in fills {
        let mut data = &file;
        data.seek(SeekFrom::Start(source.offset))?;
        writer.fill(handle, &mut data.take(source.len))?;
    }
    writer.finish()?;
    Ok(())
}

/// Blocks of files and inodes, the least journal, and a little more.
fn estimate(tree: &Tree) -> u64 {
    let mut bytes = 16u64.saturating_mul(MIB);
    for entry in tree.entries().values() {
        let len = entry.kind.file_len().unwrap_or(0);
        bytes = bytes.saturating_add(len.next_multiple_of(4096));
        bytes = bytes.saturating_add(if entry.kind == Kind::Dir { 8192 } else { 512 });
    }
    bytes.saturating_add(bytes / 20).next_multiple_of(MIB)
}

/// Declares all of the tree; what comes back are the files with data.
fn declare(tree: &Tree, builder: &mut FsBuilder) -> Result<Vec<(InodeHandle, Source)>> {
    let mut handles: BTreeMap<&[u8], InodeHandle> = BTreeMap::new();
    let mut fills = Vec::new();
    for (path, entry) in tree.entries() {
        if path.is_empty() {
            builder.set_meta(ROOT, meta(entry)?)?;
            handles.insert(path, ROOT);
            continue;
        }
        let text =
            std::str::from_utf8(path).context("the crate takes no other names than UTF-8")?;
        let (dir, name) = text.rsplit_once('/').unwrap_or(("", text));
        let known = |path: &[u8]| handles.get(path).copied();
        let dir = known(dir.as_bytes()).ok_or_else(|| anyhow!("'{dir}' is missing"))?;
        if let Kind::HardLink { target } = &entry.kind {
            let file = known(target).ok_or_else(|| anyhow!("the file of '{text}' is missing"))?;
            builder.hardlink(dir, name, file)?;
            continue;
        }
        let handle = one(builder, dir, name, entry)?;
        for (name, value) in &entry.xattrs {
            builder.set_xattr(handle, std::str::from_utf8(name)?, value)?;
        }
        match &entry.kind {
            Kind::File(source) if source.len > 0 => fills.push((handle, *source)),
            Kind::Sparse(_) => bail!("'{text}' has holes, which the crate does not make"),
            _ => {}
        }
        handles.insert(path, handle);
    }
    Ok(fills)
}

fn one(
    builder: &mut FsBuilder,
    dir: InodeHandle,
    name: &str,
    entry: &Entry,
) -> Result<InodeHandle> {
    let meta = meta(entry)?;
    let special = match &entry.kind {
        Kind::Dir => return Ok(builder.mkdir(dir, name, meta)?),
        Kind::File(_) | Kind::Sparse(_) => {
            let len = entry.kind.file_len().unwrap_or(0);
            return Ok(builder.file(dir, name, meta, len)?);
        }
        Kind::Symlink { target } => {
            return Ok(builder.symlink(dir, name, std::str::from_utf8(target)?, meta)?)
        }
        Kind::Char { major, minor } => SpecialKind::Char {
            major: *major,
            minor: *minor,
        },
        Kind::Block { major, minor } => SpecialKind::Block {
            major: *major,
            minor: *minor,
        },
        Kind::Fifo => SpecialKind::Fifo,
        Kind::HardLink { .. } => bail!("'{name}' is no file of its own"),
    };
    Ok(builder.mknod(dir, name, meta, special)?)
}

fn meta(entry: &Entry) -> Result<Meta> {
    let stamp = entry.stamp;
    let mode = u16::try_from(stamp.mode)?;
    let time = (stamp.mtime, stamp.mtime_nanos);
    Ok(Meta::new(mode, stamp.uid, stamp.gid, time))
}
