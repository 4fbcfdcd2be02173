//! Reading FAT12, FAT16 and FAT32 with long names.
//!
//! Spec: Microsoft's "FAT: General Overview of On-Disk Format", 1.03; names of fields as there. Nothing that stands in the image
//! is believed: chains of clusters end at the first cluster that another one has ([`Claims`]), so that neither a loop nor two
//! files with the same content cost more than the image's length.

mod boot;
mod dir;
mod walk;

use crate::bytes::{index, long, u16_at, u32_at};
use crate::claims::Claims;
use crate::error::{damage, damaged, Error, Fault};
use crate::image::{Cached, Window, CHUNK};
use crate::listing::Listing;
use crate::model::{Parameter, Run};

use boot::{Boot, Kind};

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
    listing.len = boot.len().min(window.len());
    if boot.len() > window.len() {
        listing.problem(format!(
            "the file system is {} bytes long, there are {}",
            boot.len(),
            window.len()
        ));
    }
    let mut reader = Reader {
        cache: Cached::new(window),
        claims: Claims::new(boot.clusters.saturating_add(2)),
        boot,
    };
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

struct Reader<'a> {
    cache: Cached<'a>,
    boot: Boot,
    claims: Claims,
}

impl Reader<'_> {
    /// The table's entry for `cluster`, without the reserved bits of FAT32.
    fn next(&mut self, cluster: u64) -> Result<u32, Fault> {
        let (at, len) = self.boot.entry(cluster);
        let bytes = self.cache.bytes(at, len)?;
        Ok(match self.boot.kind {
            Kind::Fat12 if cluster % 2 == 0 => u32::from(u16_at(&bytes, 0) & 0xfff),
            Kind::Fat12 => u32::from(u16_at(&bytes, 0) >> 4),
            Kind::Fat16 => u16_at(&bytes, 0).into(),
            Kind::Fat32 => u32_at(&bytes, 0) & 0x0fff_ffff,
        })
    }

    /// The clusters from `first` on as runs, at most as many as `max` bytes need. Each is claimed.
    fn chain(&mut self, first: u64, max: u64) -> Result<Vec<Run>, Fault> {
        let size = self.boot.cluster_size;
        let mut runs: Vec<Run> = Vec::new();
        let (mut cluster, mut at) = (first, 0u64);
        while at < max {
            if cluster < 2 || cluster >= self.boot.clusters.saturating_add(2) {
                return Err(damage!("the chain of cluster {first} leads to {cluster}"));
            }
            self.claims.take(cluster, 1)?;
            let from = self.boot.position(cluster);
            let len = size.min(max.saturating_sub(at));
            match runs.last_mut() {
                Some(run) if run.from.saturating_add(run.len) == from => {
                    run.len = run.len.saturating_add(len);
                }
                _ => runs.push(Run { at, len, from }),
            }
            at = at.saturating_add(len);
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
        let end = self.boot.clusters.saturating_add(2);
        let (mut cluster, mut free, mut look) = (2u64, 0u64, 2u64);
        while cluster < end {
            if cluster >= look {
                let zeros = window.zeros(self.boot.entry(cluster).0);
                let known = self.boot.kind.entries_in(zeros);
                let known = known.min(end.saturating_sub(cluster));
                free = free.saturating_add(known);
                cluster = cluster.saturating_add(known);
                // Asking costs more than reading an entry.
                look = cluster.saturating_add(if known > 0 { 1 } else { 4096 });
                continue;
            }
            if self.next(cluster)? == 0 {
                free = free.saturating_add(1);
            }
            cluster = cluster.saturating_add(1);
        }
        Ok(free)
    }

    /// Whether all copies of the table are alike, as far as they are to be.
    fn compare_tables(&mut self) -> Result<(), Fault> {
        let window = self.cache.window();
        let size = self.boot.table_size;
        if !self.boot.mirrored {
            return Ok(());
        }
        for copy in 1..self.boot.tables {
            let skip = u64::from(copy).saturating_mul(size);
            let other = self.boot.table.saturating_add(skip);
            let mut at = 0;
            while at < size {
                let (here, there) = (self.boot.table.saturating_add(at), other.saturating_add(at));
                let zeros = window.zeros(here).min(window.zeros(there));
                if zeros > 0 {
                    at = at.saturating_add(zeros);
                    continue;
                }
                let len = index(CHUNK.min(size.saturating_sub(at)));
                if window.bytes(here, len)? != window.bytes(there, len)? {
                    return Err(damage!("copy {copy} of the table differs from the first"));
                }
                at = at.saturating_add(long(len));
            }
        }
        Ok(())
    }
}
