//! Reading FAT12, FAT16 and FAT32 with long names.
//!
//! Spec: Microsoft's "FAT: General Overview of On-Disk Format", 1.03; names of fields as there. Nothing that stands in the image
//! is believed: chains of clusters end at the first cluster that another one has ([`Claims`]), so that neither a loop nor two
//! files with the same content cost more than the image's length.

mod boot;
mod dir;
mod locate;
mod walk;

use crate::bytes::{array, Number};
use crate::claims::Claims;
use crate::error::{damage, damaged, Error, Fault};
use crate::image::{Cached, Window, CHUNK};
use crate::listing::Listing;
use crate::model::Parameter;
use crate::names::Name;
use crate::span::{append, Run, Span};
use base::{as_usize, past};

use boot::{Boot, Kind};
pub(crate) use locate::regions;

/// Whether the boot sector is one.
pub(crate) fn is_here(window: Window<'_>) -> Result<bool, Error> {
    Ok(damaged(Boot::read(window))?.is_ok())
}

/// Reads everything but the contents of files.
pub(crate) fn read(window: Window<'_>) -> Result<Listing<'_>, Error> {
    let mut listing = Listing::new(window.source());
    let boot = match damaged(Boot::read(window))? {
        Ok(boot) => boot,
        Err(problem) => {
            listing.problem(problem);
            return Ok(listing);
        }
    };
    listing.parameters = boot.parameters();
    listing.len = boot.len.min(window.len());
    if boot.len > window.len() {
        listing.problem(format!(
            "the file system is {} bytes long, there are {}",
            boot.len,
            window.len()
        ));
    }
    let mut reader = Reader::new(window, boot);
    if let Err(problem) = damaged(reader.compare_tables())? {
        listing.problem(problem);
    }
    match damaged(reader.free_clusters())? {
        Ok(free) => {
            let free = Parameter::Number(free);
            listing.parameters.push(("free-clusters", free));
        }
        Err(problem) => listing.problem(format!("the table: {problem}")),
    }
    walk::walk(&mut reader, &mut listing)?;
    Ok(listing)
}

/// The label, if it is a FAT file system and has one: the root directory's, which is the one that people see and change, else the boot
/// sector's. A directory that can't be read has none.
pub(crate) fn label(window: Window<'_>) -> Result<Option<Option<Name>>, Error> {
    let Ok(boot) = damaged(Boot::read(window))? else {
        return Ok(None);
    };
    let other = boot.label();
    let mut reader = Reader::new(window, boot);
    let label = damaged(walk::label(&mut reader))?.ok().flatten();
    // Formatters say so that there is none.
    let real = |label: &Name| !label.0.is_empty() && label.0 != b"NO NAME";
    Ok(Some(label.or(other).filter(real)))
}

struct Reader<'a> {
    cache: Cached<'a>,
    boot: Boot,
    claims: Claims,
}

impl<'a> Reader<'a> {
    fn new(window: Window<'a>, boot: Boot) -> Self {
        Self {
            cache: Cached::new(window),
            claims: Claims::new(boot.clusters.end()),
            boot,
        }
    }

    /// The table's entry for `cluster`, without the reserved bits of FAT32.
    fn next(&mut self, cluster: u64) -> Result<u32, Fault> {
        let (at, len) = self.boot.entry(cluster)?;
        let bytes = self.cache.bytes(at, len)?;
        let short = || array(&bytes, 0).map(u16::from_le_bytes);
        Ok(match self.boot.kind {
            Kind::Fat12 if cluster % 2 == 0 => u32::from(short()? & 0xfff),
            Kind::Fat12 => u32::from(short()? >> 4),
            Kind::Fat16 => short()?.into(),
            Kind::Fat32 => u32::from_le_bytes(array(&bytes, 0)?) & 0x0fff_ffff,
        })
    }

    /// The clusters from `first` on as runs, at most as many as `max` bytes need. Each is claimed.
    fn chain(&mut self, first: u64, max: u64) -> Result<Vec<Run>, Fault> {
        let (size, clusters) = (self.boot.cluster_size, self.boot.clusters);
        let mut runs: Vec<Run> = Vec::new();
        let mut cluster = first;
        for piece in Run::whole(Span::up_to(max)).pieces(size) {
            if !(clusters.start()..clusters.end()).contains(&cluster) {
                return Err(damage!("the chain of cluster {first} leads to {cluster}"));
            }
            self.claims.take(cluster, 1)?;
            let at = piece.at();
            let from = self.boot.position(cluster)?;
            append(&mut runs, Run::new(at.start(), at.len(), from)?);
            let next = self.next(cluster)?;
            if next >= self.boot.kind.end() {
                break;
            }
            cluster = next.into();
        }
        Ok(runs)
    }

    /// Counts the entries of the table that are zero. Where the table is known to be zero it is not read: it may be a hole of 1 GiB.
    fn free_clusters(&mut self) -> Result<u64, Fault> {
        let window = self.cache.window();
        let mut rest = self.boot.clusters;
        let (mut free, mut look) = (0u64, rest.start());
        while !rest.is_empty() {
            let cluster = rest.start();
            if cluster >= look {
                let zeros = window.zeros(self.boot.entry(cluster)?.0);
                let known = rest.first(self.boot.kind.entries_in(zeros)).len();
                free = free.plus(known)?;
                rest = rest.skip(known);
                // Asking costs more than reading an entry.
                look = rest.start().plus(if known > 0 { 1 } else { 4096 })?;
                continue;
            }
            if self.next(cluster)? == 0 {
                free = past(free, 1);
            }
            rest = rest.skip(1);
        }
        Ok(free)
    }

    /// Whether all copies of the table are alike, as far as they are to be.
    fn compare_tables(&mut self) -> Result<(), Fault> {
        let window = self.cache.window();
        let first = self.boot.table;
        if !self.boot.mirrored {
            return Ok(());
        }
        for copy in 1..self.boot.tables {
            let other = first.start().plus(first.len().times(copy.into())?)?;
            let mut rest = Run::new(first.start(), first.len(), other)?;
            while !rest.is_empty() {
                let (here, there) = (rest.at().start(), rest.from().start());
                let zeros = window.zeros(here).min(window.zeros(there));
                if zeros > 0 {
                    rest = rest.skip(zeros);
                    continue;
                }
                let len = CHUNK.min(rest.len());
                if window.bytes(here, as_usize(len))? != window.bytes(there, as_usize(len))? {
                    return Err(damage!("copy {copy} of the table differs from the first"));
                }
                rest = rest.skip(len);
            }
        }
        Ok(())
    }
}
