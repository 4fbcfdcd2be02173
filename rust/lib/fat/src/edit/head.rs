//! How a volume that is there is divided, by its boot sector.

use base::as_usize;
use zerocopy::FromBytes;

use super::error::EditError;
use super::Place;
use crate::boot::{Bpb, FsInfo, Sector, WideBoot, SIGNATURE};
use crate::geometry::{offset, FIRST_CLUSTER, SECTOR_LEN};

/// Fewest clusters of FAT32 (section 3.5 of the specification). Ours have 16 more.
const FEWEST: u32 = 65525;
/// More clusters than these, a table of 64 MiB, no volume has that settings are kept on: it bounds the memory that is taken.
const MOST: u32 = 1 << 24;

/// The division; numbers of sectors unless named otherwise.
pub(crate) struct Head {
    /// The boot sector as it is.
    pub(crate) boot: Sector,
    pub(crate) reserved: u32,
    /// Copies of the table, 1 or more.
    pub(crate) copies: u32,
    /// Sectors of one.
    pub(crate) table: u32,
    /// Sectors of a cluster.
    pub(crate) cluster: u32,
    /// How many clusters there are.
    pub(crate) clusters: u32,
    /// The root directory's first cluster.
    pub(crate) root: u32,
    /// Where the clusters start.
    data: u32,
    info: Option<u32>,
    backup: Option<u32>,
}

impl Head {
    pub(crate) fn read(place: &Place<'_>) -> Result<Self, EditError> {
        let sector = place.sector(0)?;
        // A sector has as many bytes as its record.
        let boot = WideBoot::read_from_bytes(&sector[..]);
        let boot = boot.map_err(|_| EditError::unsupported("no boot sector"))?;
        if boot.signature != SIGNATURE {
            return Err(EditError::unsupported(
                "no boot sector of a FAT file system",
            ));
        }
        check(&boot)?;
        let (bpb, wide) = (&boot.bpb, &boot.wide);
        let reserved = u32::from(bpb.reserved_sectors.get());
        let (table, total) = (wide.table_32.get(), bpb.total_32.get());
        let (data, clusters) = clusters(&boot)?;
        let entries = u64::from(table) << 7;
        // Of more clusters than MOST nothing gets here.
        if u64::from(clusters) + 2 > entries {
            return Err(EditError::damaged(format!(
                "its table has {entries} entries for {clusters} clusters"
            )));
        }
        if offset(total) > place.len {
            let (want, have) = (offset(total), place.len);
            return Err(EditError::damaged(format!(
                "it says that it has {want} bytes, and there are {have}"
            )));
        }
        let inside =
            |number: u16| Some(u32::from(number)).filter(|number| (1..reserved).contains(number));
        Ok(Self {
            boot: sector,
            reserved,
            copies: u32::from(bpb.tables),
            table,
            cluster: u32::from(bpb.sectors_per_cluster),
            clusters,
            root: wide.root_cluster.get(),
            data,
            info: inside(wide.info_sector.get()),
            backup: inside(wide.backup_sector.get()),
        })
    }

    pub(crate) fn cluster_bytes(&self) -> u32 {
        // At most 128 sectors.
        self.cluster << SECTOR_LEN.ilog2()
    }

    /// One more than the largest number of a cluster.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "there are at most 2^24 clusters"
    )]
    pub(crate) fn end(&self) -> u32 {
        self.clusters + FIRST_CLUSTER
    }

    /// Offset in bytes of a cluster that there is.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "read() found that all clusters lie within `total` sectors, a u32; sectors become bytes as u64"
    )]
    pub(crate) fn cluster_offset(&self, cluster: u32) -> u64 {
        offset(self.data + (cluster - FIRST_CLUSTER) * self.cluster)
    }

    /// The bytes of these clusters, one after the other.
    pub(crate) fn clusters_of(
        &self,
        place: &Place<'_>,
        clusters: &[u32],
    ) -> Result<Vec<u8>, EditError> {
        let one = as_usize(u64::from(self.cluster_bytes()));
        let mut bytes = Vec::new();
        // As many as the volume has at most.
        bytes.resize_with(clusters.iter().map(|_| one).sum(), || 0);
        for (cluster, part) in clusters.iter().zip(bytes.chunks_mut(one)) {
            place.read(part, self.cluster_offset(*cluster))?;
        }
        Ok(bytes)
    }

    /// Where the boot sector and its copy, if it is one, are to be changed so that the root directory begins at `root`.
    pub(crate) fn with_root(
        &self,
        place: &Place<'_>,
        root: u32,
    ) -> Result<(Sector, Option<(u32, Sector)>), EditError> {
        let boot = rooted(&self.boot, root);
        let Some(number) = self.backup else {
            return Ok((boot, None));
        };
        let have = place.sector(number)?;
        // What is not the same but for the root is no copy of this one.
        let is_copy = rooted(&have, root) == boot && have != boot;
        Ok((boot, is_copy.then_some((number, boot))))
    }

    /// FSInfo and its copy, where there are such.
    pub(crate) fn infos(&self, place: &Place<'_>) -> Result<Vec<(u32, FsInfo)>, EditError> {
        let Some(info) = self.info else {
            return Ok(Vec::new());
        };
        let copy = self.backup.and_then(|backup| backup.checked_add(info));
        let copy = copy.filter(|number| *number < self.reserved);
        let mut found = Vec::new();
        for number in [Some(info), copy].into_iter().flatten() {
            let sector = place.sector(number)?;
            if let Ok(info) = FsInfo::read_from_bytes(&sector[..]) {
                if info.lead == *b"RRaA" && info.structure == *b"rrAa" {
                    found.push((number, info));
                }
            }
        }
        Ok(found)
    }
}

/// The sector that the clusters start at, and how many there are.
fn clusters(boot: &WideBoot) -> Result<(u32, u32), EditError> {
    let (bpb, total) = (&boot.bpb, boot.bpb.total_32.get());
    let data = boot.wide.table_32.get().checked_mul(bpb.tables.into());
    let data = data.and_then(|tables| tables.checked_add(bpb.reserved_sectors.get().into()));
    let room = data.and_then(|data| total.checked_sub(data));
    let clusters = room.and_then(|room| room.checked_div(bpb.sectors_per_cluster.into()));
    let small = || EditError::damaged(format!("{total} sectors have no room for its tables"));
    let (data, clusters) = data.zip(clusters).ok_or_else(small)?;
    if clusters < FEWEST {
        let found = format!("a FAT file system of {clusters} clusters, which is FAT12 or FAT16");
        return Err(EditError::unsupported(found));
    }
    if clusters > MOST {
        let found = format!(
            "a FAT file system of {clusters} clusters, more than the {MOST} that are taken"
        );
        return Err(EditError::unsupported(found));
    }
    Ok((data, clusters))
}

/// Refuses what is no FAT32, or none of which all tables are in use.
fn check(boot: &WideBoot) -> Result<(), EditError> {
    let Bpb {
        bytes_per_sector,
        sectors_per_cluster,
        reserved_sectors,
        tables,
        table_16,
        root_records,
        total_32,
        ..
    } = &boot.bpb;
    let sector = bytes_per_sector.get();
    if !sector.is_power_of_two()
        || !sectors_per_cluster.is_power_of_two()
        || *tables == 0
        || reserved_sectors.get() == 0
    {
        return Err(EditError::unsupported("no FAT file system"));
    }
    if sector != SECTOR_LEN {
        return Err(EditError::unsupported(format!(
            "a FAT file system with sectors of {sector} bytes"
        )));
    }
    if table_16.get() != 0 || root_records.get() != 0 || total_32.get() == 0 {
        return Err(EditError::unsupported("a FAT12 or FAT16 file system"));
    }
    let (flags, version) = (boot.wide.flags.get(), boot.wide.version.get());
    if flags & 0x80 != 0 || version != 0 {
        let found = format!("a FAT32 file system with flags {flags:#x} and version {version}");
        return Err(EditError::unsupported(found));
    }
    Ok(())
}

/// The boot sector with another root directory.
fn rooted(boot: &Sector, root: u32) -> Sector {
    let mut boot = *boot;
    // Where WideBoot has it.
    for (to, from) in boot.iter_mut().skip(ROOT_AT).zip(root.to_le_bytes()) {
        *to = from;
    }
    boot
}

const ROOT_AT: usize =
    std::mem::offset_of!(WideBoot, wide) + std::mem::offset_of!(crate::boot::Wide, root_cluster);
const _: () = assert!(ROOT_AT == 44);

#[cfg(test)]
mod tests {
    use super::*;

    impl Head {
        /// Of a volume with clusters of so many sectors, whose tables end with sector 100.
        pub(crate) fn plain(cluster: u32) -> Self {
            Self {
                boot: [0; 512],
                reserved: 8,
                copies: 2,
                table: 46,
                cluster,
                clusters: 5000,
                root: 2,
                data: 100,
                info: Some(1),
                backup: Some(6),
            }
        }
    }

    #[test]
    fn clusters_lie_behind_each_other() {
        for (cluster, at, want) in [(1, 2, 100), (1, 5, 103), (8, 2, 100), (8, 5, 124)] {
            let sector = Head::plain(cluster).cluster_offset(at) / 512;
            assert_eq!(sector, want);
        }
    }

    /// A copy lies as far behind the one as the boot sectors do, and before the tables; either says by two words what it is.
    #[test]
    fn infos_say_what_they_are() {
        let numbers = |head: &Head, words: [[u8; 4]; 2]| {
            let mut image = vec![0; 8 * 512];
            for number in [1, 7] {
                let info = number * 512;
                image[info..info + 4].copy_from_slice(&words[0]);
                image[info + 484..info + 488].copy_from_slice(&words[1]);
            }
            let place = Place {
                image: &image,
                start: 0,
                len: 8 * 512,
            };
            let found = head.infos(&place).unwrap().into_iter();
            found.map(|(number, _)| number).collect::<Vec<_>>()
        };
        let (lead, structure) = (*b"RRaA", *b"rrAa");
        let mut head = Head::plain(1);
        assert_eq!(numbers(&head, [lead, structure]), [1, 7]);
        assert!(numbers(&head, [lead, lead]).is_empty());
        assert!(numbers(&head, [structure, structure]).is_empty());
        head.reserved = 7;
        assert_eq!(numbers(&head, [lead, structure]), [1]);
        head.backup = None;
        assert_eq!(numbers(&head, [lead, structure]), [1]);
        head.info = None;
        assert!(numbers(&head, [lead, structure]).is_empty());
    }

    /// A boot sector of a volume with 100 sectors before its clusters, and so many sectors in all.
    fn boot(total: u32) -> WideBoot {
        let mut boot = WideBoot::read_from_bytes(&[0; 512]).unwrap();
        boot.bpb.bytes_per_sector = 512.into();
        boot.bpb.sectors_per_cluster = 2;
        boot.bpb.reserved_sectors = 8.into();
        boot.bpb.tables = 2;
        boot.bpb.total_32 = total.into();
        boot.wide.table_32 = 46.into();
        boot
    }

    #[test]
    fn so_many_clusters_are_taken() {
        let of = |count: u32| clusters(&boot(100 + 2 * count));
        for count in [65_525, 1 << 24] {
            assert_eq!(of(count).unwrap(), (100, count));
        }
        for (count, why) in [
            (65_524, "which is FAT12 or FAT16"),
            ((1 << 24) + 1, "more than the 16777216 that are taken"),
        ] {
            let error = of(count).unwrap_err().to_string();
            let want = format!("a FAT file system of {count} clusters, {why}, ");
            assert!(error.starts_with(&want), "{error}");
        }
    }

    /// Each field by itself tells that this is something else.
    #[test]
    fn other_volumes_are_refused() {
        check(&boot(1 << 20)).unwrap();
        type Change = (fn(&mut WideBoot), &'static str);
        let changes: [Change; 9] = [
            (
                |boot| boot.bpb.bytes_per_sector = 513.into(),
                "no FAT file system",
            ),
            (
                |boot| boot.bpb.sectors_per_cluster = 3,
                "no FAT file system",
            ),
            (|boot| boot.bpb.tables = 0, "no FAT file system"),
            (
                |boot| boot.bpb.reserved_sectors = 0.into(),
                "no FAT file system",
            ),
            (
                |boot| boot.bpb.table_16 = 1.into(),
                "a FAT12 or FAT16 file system",
            ),
            (
                |boot| boot.bpb.root_records = 1.into(),
                "a FAT12 or FAT16 file system",
            ),
            (
                |boot| boot.bpb.total_32 = 0.into(),
                "a FAT12 or FAT16 file system",
            ),
            (
                |boot| boot.wide.flags = 0x80.into(),
                "a FAT32 file system with flags 0x80 and version 0",
            ),
            (
                |boot| boot.wide.version = 1.into(),
                "a FAT32 file system with flags 0x0 and version 1",
            ),
        ];
        for (change, want) in changes {
            let mut boot = boot(1 << 20);
            change(&mut boot);
            let error = check(&boot).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{want}, ")), "{error}");
        }
    }
}
