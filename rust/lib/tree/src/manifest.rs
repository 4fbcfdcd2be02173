//! The manifest's lines: their fields, and writing them.

use std::collections::BTreeMap;
use std::io::Write;

use base::base64;
use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Kind};
use crate::error::Error;
use crate::name;
use crate::tree::Tree;

/// The format's number, in the first line.
pub(crate) const VERSION: u32 = 3;

/// The first line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) tree: u32,
    pub(crate) inputs: Vec<HeadInput>,
}

/// One input in the first line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadInput {
    pub(crate) len: u64,
}

/// Where in its file a piece lies, and input, offset and length of its bytes.
pub(crate) type LinePiece = (u64, usize, u64, u64);

/// Every other line.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) path: String,
    #[serde(rename = "type")]
    pub(crate) word: String,
    pub(crate) mode: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) mtime_nanos: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<(usize, u64, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sparse: Option<(u64, Vec<LinePiece>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rdev: Option<(u32, u32)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) xattrs: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) over: Option<(usize, u64, u64)>,
    pub(crate) layer: u8,
}

impl Tree {
    /// Writes the manifest. Equal trees give equal bytes.
    pub fn write(&self, mut out: impl Write) -> Result<(), Error> {
        let inputs = self.inputs.iter();
        let head = Head {
            tree: VERSION,
            inputs: inputs.map(|input| HeadInput { len: input.len }).collect(),
        };
        put(&mut out, &head)?;
        for (path, entry) in &self.entries {
            put(&mut out, &line(path, entry))?;
        }
        out.flush().map_err(Error::io("write the manifest"))
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_zero(nanos: &u32) -> bool {
    *nanos == 0
}

fn put(out: &mut impl Write, line: &impl Serialize) -> Result<(), Error> {
    let io = || Error::io("write the manifest");
    serde_json::to_writer(&mut *out, line).map_err(|e| io()(e.into()))?;
    out.write_all(b"\n").map_err(io())
}

fn line(path: &[u8], entry: &Entry) -> Line {
    let (mut source, mut sparse, mut target, mut rdev) = (None, None, None, None);
    match &entry.kind {
        Kind::Sparse(s) => {
            let pieces = s.pieces.iter();
            let pieces = pieces.map(|(at, s)| (*at, s.input, s.offset, s.len));
            sparse = Some((s.len, pieces.collect()));
        }
        Kind::File(s) => source = Some((s.input, s.offset, s.len)),
        Kind::Symlink { target: t } | Kind::HardLink { target: t } => {
            target = Some(name::display(t));
        }
        Kind::Char { major, minor } | Kind::Block { major, minor } => rdev = Some((*major, *minor)),
        Kind::Dir | Kind::Fifo => {}
    }
    let xattrs = entry.xattrs.iter();
    Line {
        path: name::display(path),
        word: entry.kind.word().to_owned(),
        mode: format!("{:04o}", entry.stamp.mode),
        uid: entry.stamp.uid,
        gid: entry.stamp.gid,
        mtime: entry.stamp.mtime,
        mtime_nanos: entry.stamp.mtime_nanos,
        source,
        sparse,
        target,
        rdev,
        xattrs: xattrs
            .map(|(key, value)| (name::display(key), base64::encode(value)))
            .collect(),
        over: entry.over.map(|s| (s.input, s.offset, s.len)),
        layer: entry.layer,
    }
}
