//! A tree as a tar archive, for programs that read nothing else.

use std::io::{self, Write};

use crate::entry::{Entry, Kind};
use crate::error::Error;
use crate::name;
use crate::sources::Sources;
use crate::tree::Tree;

impl Tree {
    /// All paths in the order in which writers place them: layer 0 before layer 1, each in byte order of the paths.
    /// A directory comes before what lies in it, a file before its hard links.
    pub fn placement(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        let layer = |wanted| {
            let entries = self.entries.iter();
            let entries = entries.filter(move |(_, entry)| (entry.layer == 0) == wanted);
            entries.map(|(path, entry)| (path.as_slice(), entry))
        };
        layer(true).chain(layer(false))
    }

    /// Writes the tree as an archive, entries in the order of [`Tree::placement`].
    pub fn write_tar<W: Write>(&self, sources: &Sources, out: W) -> Result<W, Error> {
        let mut writer = archive::Writer::new(out);
        for (path, entry) in self.placement() {
            // Readers give a file what the last of its names says: let all of them say the same.
            let member = member(path, &entry.kind, self.inode(path).unwrap_or(entry));
            let written = match &entry.kind {
                Kind::File(source) => writer.append(&member, sources.content(*source)?),
                Kind::Sparse(sparse) => writer.append(&member, sources.pieces(sparse)?),
                _ => writer.append(&member, io::empty()),
            };
            written.map_err(|source| Error::Tar {
                path: name::shown(path),
                source,
            })?;
        }
        writer.finish().map_err(|source| Error::Tar {
            path: String::new(),
            source,
        })
    }
}

fn member(path: &[u8], kind: &Kind, inode: &Entry) -> archive::Entry {
    let kind = match kind {
        Kind::File(source) => archive::Kind::File {
            offset: 0,
            len: source.len,
        },
        Kind::Sparse(sparse) => {
            let pieces = sparse.pieces.iter();
            let pieces = pieces.map(|(at, source)| archive::Piece {
                at: *at,
                len: source.len,
                offset: 0,
            });
            archive::Kind::Sparse {
                len: sparse.len,
                pieces: pieces.collect(),
            }
        }
        Kind::Dir => archive::Kind::Dir,
        Kind::Symlink { target } => archive::Kind::Symlink {
            target: target.clone(),
        },
        Kind::HardLink { target } => archive::Kind::HardLink {
            target: target.clone(),
        },
        Kind::Char { major, minor } => archive::Kind::Char {
            major: *major,
            minor: *minor,
        },
        Kind::Block { major, minor } => archive::Kind::Block {
            major: *major,
            minor: *minor,
        },
        Kind::Fifo => archive::Kind::Fifo,
    };
    let mut member = archive::Entry::new(path, kind, inode.stamp.mode);
    member.uid = inode.stamp.uid;
    member.gid = inode.stamp.gid;
    member.mtime = inode.stamp.mtime;
    member.mtime_nanos = inode.stamp.mtime_nanos;
    member.xattrs.clone_from(&inode.xattrs);
    member
}
