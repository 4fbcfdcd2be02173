//! Partition tables: that of an image, that of a disk, and that which a disk gets, whose last partition takes the rest.

use std::ops::Range;

use ::inspect::{Gpt, Image};
use base::as_usize;
use partitions::{parse_guid, Layout, Partition, Placed, MIB, SECTOR};
use uuid::Uuid;

/// What the copy of the table takes at the end of a disk: 128 entries and the header.
pub(crate) const BACKUP: u64 = 33 * SECTOR;
/// The last partition ends at a multiple of this, as systemd-repart has it: it finds nothing left to do.
const GRAIN: u64 = 4096;
/// Where the first partition of an image begins at the earliest; before it there is only the table.
pub(crate) const FIRST: u64 = MIB;

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) guid: Uuid,
    pub(crate) layout: Layout,
}

impl Table {
    /// The table of an image that was made here: nothing but this table lies before the first partition, and writing it again would
    /// give the same bytes. Anything else could not be made larger without losing something, and is refused.
    pub(crate) fn of_image(image: &dyn Image) -> Result<Self, String> {
        let gpt = ::inspect::table(image).map_err(|error| cli::chain(&error))?;
        let gpt = gpt.ok_or("no partition table")?;
        if let Some(problem) = gpt.problems.first() {
            return Err(problem.clone());
        }
        let table = Self::of(&gpt, image.len())?;
        let mut want = vec![0; as_usize(FIRST)];
        let mut there = want.clone();
        let read = |buffer: &mut [u8], at| {
            image
                .read_at(buffer, at)
                .map_err(|error| cli::chain(&error))
        };
        read(&mut there, 0)?;
        for (at, bytes) in table.parts()? {
            let start = as_usize(at);
            let place = want
                .get_mut(start..)
                .and_then(|rest| rest.get_mut(..bytes.len()));
            if let Some(place) = place {
                place.copy_from_slice(&bytes);
                continue;
            }
            let mut copy = vec![0; bytes.len()];
            read(&mut copy, at)?;
            if copy != bytes {
                return Err("its copy of the partition table is not the one we write".to_owned());
            }
        }
        let first = table
            .layout
            .partitions
            .iter()
            .map(|p| p.start)
            .min()
            .unwrap_or(0);
        match want == there && first >= FIRST {
            true => Ok(table),
            false => Err(format!(
                "its first {FIRST} bytes hold something beside a partition table of ours"
            )),
        }
    }

    /// That of a disk of `size` bytes, as `inspect` read it.
    pub(crate) fn of(gpt: &Gpt, size: u64) -> Result<Self, String> {
        if gpt.sector_size != SECTOR {
            return Err(format!(
                "its sectors have {} bytes, want {SECTOR}",
                gpt.sector_size
            ));
        }
        let guid = |text: &str| parse_guid(text).ok_or_else(|| format!("GUID {text}"));
        let mut placed = Vec::new();
        for (line, found) in (1_usize..).zip(&gpt.partitions) {
            let name = String::from_utf8(found.name.0.clone());
            let partition = Partition {
                name: name.map_err(|_| format!("the name of partition {line} is no text"))?,
                start: Some(found.start()),
                size: found.size(),
                type_guid: guid(&found.type_guid)?,
                uuid: guid(&found.uuid)?,
                description: String::new(),
                line,
            };
            placed.push(Placed {
                number: found.number,
                start: found.start(),
                partition,
            });
        }
        Ok(Self {
            guid: guid(&gpt.guid)?,
            layout: Layout {
                disk_size: size,
                partitions: placed,
            },
        })
    }

    /// The table's parts by their place on the disk: whole sectors each, of which none is in two. The second is the first header.
    pub(crate) fn parts(&self) -> Result<[(u64, Vec<u8>); 5], String> {
        let parts = disk::table(&self.layout, self.guid).map_err(|error| cli::chain(&error))?;
        Ok(parts.map(|(at, mut bytes)| {
            let whole = bytes.len().next_multiple_of(as_usize(SECTOR));
            bytes.resize(whole, 0);
            (at, bytes)
        }))
    }

    /// Place of the partition `name`.
    pub(crate) fn place(&self, name: &str) -> Result<Range<u64>, String> {
        let placed = self
            .layout
            .get(name)
            .ok_or_else(|| format!("no partition {name}"))?;
        range(placed)
    }

    /// The last partition, which takes the rest of a disk.
    fn last(&self) -> Option<&Placed> {
        self.layout.partitions.iter().max_by_key(|p| p.start)
    }

    /// Whether the last partition is called `name`.
    pub(crate) fn ends_with(&self, name: &str) -> Result<(), String> {
        match self.last() {
            Some(last) if last.partition.name == name => Ok(()),
            Some(last) => Err(format!(
                "its last partition is {}, want {name}",
                last.partition.name
            )),
            None => Err(format!("no partition, want {name}")),
        }
    }

    /// The same table on a disk of `size` bytes, of which the last partition has the rest.
    pub(crate) fn on(&self, size: u64) -> Result<Self, String> {
        let small = || format!("{size} bytes are too small for its partitions");
        let last = self.last().ok_or("no partition")?.clone();
        let end = size.checked_sub(BACKUP).ok_or_else(small)? & !(GRAIN - 1);
        let grown = end.checked_sub(last.start).ok_or_else(small)?;
        if grown < last.partition.size {
            return Err(small());
        }
        let mut table = self.clone();
        table.layout.disk_size = size;
        for placed in &mut table.layout.partitions {
            if placed.number == last.number {
                placed.partition.size = grown;
            }
        }
        Ok(table)
    }

    /// Whether a disk with the table `old` has the partitions of this one in the same places, the last one at least as large; what
    /// differs if not.
    pub(crate) fn same_places(&self, old: &Self) -> Result<(), String> {
        let (ours, theirs) = (&self.layout.partitions, &old.layout.partitions);
        if ours.len() != theirs.len() {
            return Err(format!(
                "it has {} partitions, this medium's image {}",
                theirs.len(),
                ours.len()
            ));
        }
        let last = self.last().map(|last| last.number);
        for (our, their) in ours.iter().zip(theirs) {
            let (a, b) = (&our.partition, &their.partition);
            let name = &a.name;
            if (a.uuid, a.type_guid) != (b.uuid, b.type_guid) || our.number != their.number {
                return Err(format!(
                    "its partition {} is not {name} of this medium's image",
                    their.number
                ));
            }
            let larger = Some(our.number) == last && b.size >= a.size;
            if our.start != their.start || (a.size != b.size && !larger) {
                return Err(format!(
                    "its partition {name} is {} bytes from byte {}, in this medium's image {} from {}",
                    b.size, their.start, a.size, our.start
                ));
            }
        }
        Ok(())
    }
}

fn range(placed: &Placed) -> Result<Range<u64>, String> {
    let end = placed.start.checked_add(placed.partition.size);
    Ok(placed.start..end.ok_or("a partition without an end")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::testing::{guest_image, host_image, GUEST_CSV, HOST_CSV};

    #[test]
    fn images_of_ours_are_taken_and_grown() {
        for (csv, image) in [(HOST_CSV, host_image()), (GUEST_CSV, guest_image())] {
            let table = Table::of_image(&image).unwrap();
            assert_eq!(table.layout.partitions.len(), csv.lines().count() - 1);
            for size in [20 * MIB, 40 * MIB + 512, (40 << 20) + 5 * 512] {
                let grown = table.on(size).unwrap();
                let last = grown.last().unwrap();
                let end = range(last).unwrap().end;
                assert!(end % GRAIN == 0 && end <= size - BACKUP && end > size - BACKUP - GRAIN);
                table.same_places(&grown).unwrap();
                assert!(grown
                    .parts()
                    .unwrap()
                    .iter()
                    .all(|(_, b)| b.len() % 512 == 0));
            }
            let end = range(table.last().unwrap()).unwrap().end;
            let least = end.next_multiple_of(GRAIN) + BACKUP;
            assert!(table.on(least).is_ok());
            assert!(table.on(least - 512).unwrap_err().contains("too small"));
            assert!(table.on(5).unwrap_err().contains("too small"));
        }
    }

    #[test]
    fn other_images_are_refused() {
        let good = host_image();
        let changed = |change: fn(&mut Vec<u8>)| {
            let mut image = good.clone();
            change(&mut image);
            Table::of_image(&image).unwrap_err()
        };
        let error = changed(|image| image[..1024].fill(0));
        assert!(
            error.contains("only one copy of the table is good"),
            "{error}"
        );
        let error = changed(|image| image[600_000] = 1);
        assert!(
            error.contains("first 1048576 bytes hold something"),
            "{error}"
        );
        let error = changed(|image| image[100] = 1);
        assert!(
            error.contains("first 1048576 bytes hold something"),
            "{error}"
        );
        let error = changed(|image| image.fill(0));
        assert_eq!(error, "no partition table");
    }

    #[test]
    fn what_differs_is_said() {
        let table = Table::of_image(&host_image()).unwrap();
        let differs = |change: fn(&mut Table)| {
            let mut old = table.clone();
            change(&mut old);
            table.same_places(&old).unwrap_err()
        };
        assert!(differs(|t| t.layout.partitions[1].partition.size += 512)
            .contains("its partition config is "));
        assert!(
            differs(|t| t.layout.partitions[1].start += 512).contains("its partition config is ")
        );
        assert!(
            differs(|t| t.layout.partitions[0].partition.uuid = Uuid::from_u128(1))
                .contains("partition 1 is not esp")
        );
        assert!(differs(|t| drop(t.layout.partitions.pop()))
            .contains("it has 3 partitions, this medium's image 4"));
        assert!(differs(|t| t.layout.partitions[3].partition.size -= 512)
            .contains("its partition guestos is "));
    }
}
