//! Formats that are told by their first or last bytes and not read any further: what each is called, and what reads it.

use crate::bytes::{array, is_zero, Fields};
use crate::error::{damaged, Error};
use crate::image::Window;

/// What is lost by not reading a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// An image, in another form: it has to be unpacked before it can be looked into.
    Image,
    /// Files, partitions or volumes of which a dump knows nothing.
    Files,
    /// Nothing that a dump would show.
    Nothing,
}

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// In one word, as a dump has it.
    pub(crate) name: &'static str,
    /// With an article.
    pub(crate) what: &'static str,
    /// What to do about it.
    pub(crate) advice: &'static str,
    holds: Holds,
}

impl Format {
    /// Whether there is an image inside.
    pub(crate) fn is_wrapping(self) -> bool {
        self.holds == Holds::Image
    }

    /// What a dump has to say of it.
    pub(crate) fn unread(self) -> Option<String> {
        let Self { what, advice, .. } = self;
        (self.holds != Holds::Nothing).then(|| format!("this is {what}: {advice}"))
    }
}

/// Where the bytes are that tell a format.
#[derive(Clone, Copy)]
enum At {
    /// So many bytes from the start.
    Start(u64),
    /// So many bytes before the end.
    End(u64),
}

use At::{End, Start};
use Holds::{Files, Image, Nothing};

type Row = (
    At,
    &'static [u8],
    &'static str,
    Holds,
    &'static str,
    &'static str,
);

/// Place, bytes, name, what it holds, what it is and what to do. The first that fits counts.
#[rustfmt::skip]
const MAGIC: &[Row] = &[
    (Start(0), b"\x1f\x8b\x08", "gzip", Image, "a gzip stream", "decompress it first, with gzip -d"),
    (Start(0), b"\xfd7zXZ\0", "xz", Image, "an xz stream", "decompress it first, with xz -d"),
    (Start(0), b"\x28\xb5\x2f\xfd", "zstd", Image, "a zstd stream", "decompress it first, with zstd -d"),
    (Start(0), b"\x5e\x2a\x4d\x18", "zstd", Image, "a zstd stream", "decompress it first, with zstd -d"),
    (Start(0), b"BZh", "bzip2", Image, "a bzip2 stream", "decompress it first, with bzip2 -d"),
    (Start(0), b"\x04\x22\x4d\x18", "lz4", Image, "an lz4 stream", "decompress it first, with lz4 -d"),
    (Start(0), b"\x02\x21\x4c\x18", "lz4", Image, "an lz4 stream", "decompress it first, with lz4 -d"),
    (Start(0), b"LZIP", "lzip", Image, "an lzip stream", "decompress it first, with lzip -d"),
    (Start(0), b"\x5d\0\0", "lzma", Image, "an lzma stream", "decompress it first, with xz -d --format=lzma"),
    (Start(0), b"QFI\xfb", "qcow2", Image, "a qcow2 image", "convert it first, with qemu-img convert -O raw"),
    (Start(0), b"QED\0", "qed", Image, "a qed image", "convert it first, with qemu-img convert -O raw"),
    (Start(0), b"KDMV", "vmdk", Image, "a vmdk image", "convert it first, with qemu-img convert -O raw"),
    (Start(0), b"COWD", "vmdk", Image, "a vmdk image", "convert it first, with qemu-img convert -O raw"),
    (Start(0), b"# Disk DescriptorFile", "vmdk", Image, "the description of a vmdk image", "convert it first, with qemu-img convert -O raw"),
    (Start(0), b"vhdxfile", "vhdx", Image, "a vhdx image", "convert it first, with qemu-img convert -O raw"),
    (Start(0), b"conectix", "vhd", Image, "a vhd image", "convert it first, with qemu-img convert -f vpc -O raw"),
    (Start(64), b"\x7f\x10\xda\xbe", "vdi", Image, "a vdi image", "convert it first, with qemu-img convert -O raw"),
    (Start(0), b"WithoutFreeSpace", "parallels", Image, "a Parallels image", "convert it first, with qemu-img convert -f parallels -O raw"),
    (Start(0), b"WithouFreSpacExt", "parallels", Image, "a Parallels image", "convert it first, with qemu-img convert -f parallels -O raw"),
    (Start(0), b"\x3a\xff\x26\xed", "android-sparse", Image, "an Android sparse image", "convert it first, with simg2img"),
    (Start(0), b"IMGPLAN\0", "plan", Image, "a plan", "give its list, NAME.image"),
    (Start(0), b"BLKHASH\0", "blockhashes", Nothing, "the block hashes of an input", "mkverity takes it"),
    (Start(0), b"IMGCHNG\0", "changes", Image, "changes to an image", "give them with --persist to what runs or serves that image"),
    (Start(0), b"PK\x03\x04", "zip", Image, "a zip archive", "unpack it first, with unzip"),
    (Start(0), b"7z\xbc\xaf\x27\x1c", "7z", Image, "a 7z archive", "unpack it first, with 7z x"),
    (Start(0), b"Rar!\x1a\x07", "rar", Image, "a rar archive", "unpack it first, with unrar x"),
    (Start(0), b"!<arch>\n", "ar", Files, "an ar archive, as Debian packages are", "list it with ar t, or dpkg-deb -c"),
    (Start(0), b"\xed\xab\xee\xdb", "rpm", Files, "an rpm package", "list it with rpm -qpl"),
    (Start(0), b"070701", "cpio", Files, "a cpio archive, as an initrd is", "list it with cpio -t"),
    (Start(0), b"070702", "cpio", Files, "a cpio archive, as an initrd is", "list it with cpio -t"),
    (Start(257), b"ustar", "tar", Files, "a tar archive", "list it with tar -t"),
    (Start(0), b"\x7fELF", "elf", Files, "an ELF program", "look into it with readelf -a"),
    (Start(0), b"\xd0\x0d\xfe\xed", "devicetree", Files, "a device tree, or a FIT image", "look into it with fdtdump"),
    (Start(0), b"LUKS\xba\xbe", "luks", Files, "a LUKS volume, which is encrypted", "open it with cryptsetup, and look into what that shows"),
    (Start(0x218), b"LVM2 001", "lvm2", Files, "an LVM physical volume", "activate it with vgchange, and look into its volumes"),
    (Start(0), b"\xfc\x4e\x2b\xa9", "mdraid", Files, "a member of a Linux RAID", "assemble it with mdadm, and look into what that shows"),
    (Start(4096), b"\xfc\x4e\x2b\xa9", "mdraid", Files, "a member of a Linux RAID", "assemble it with mdadm, and look into what that shows"),
    (Start(0), b"integrt\0", "integrity", Files, "a dm-integrity volume", "open it with integritysetup, and look into what that shows"),
    (Start(0), b"verity\0\0", "verity", Nothing, "a hash tree of dm-verity", "veritysetup dump shows it"),
    (Start(512), b"EFI PART", "gpt", Files, "a disk inside of a partition", "cut it out, and look into it alone"),
    (Start(0), b"hsqs", "squashfs", Files, "a squashfs file system", "list it with unsquashfs -ll"),
    (Start(0), b"sqsh", "squashfs", Files, "a squashfs file system", "list it with unsquashfs -ll"),
    (Start(1024), b"\xe2\xe1\xf5\xe0", "erofs", Files, "an erofs file system", "list it with dump.erofs --ls --path=/, unpack it with fsck.erofs --extract"),
    (Start(0), b"\x45\x3d\xcd\x28", "cramfs", Files, "a cramfs file system", "unpack it with fsck.cramfs --extract"),
    (Start(0), b"-rom1fs-", "romfs", Files, "a romfs file system", "mount it to look into it"),
    (Start(0), b"XFSB", "xfs", Files, "an xfs file system", "look into it with xfs_db, or mount it"),
    (Start(0x1_0040), b"_BHRfS_M", "btrfs", Files, "a btrfs file system", "look into it with btrfs restore --list-only, or mount it"),
    (Start(1024), b"\x10\x20\xf5\xf2", "f2fs", Files, "an f2fs file system", "look into it with dump.f2fs, or mount it"),
    (Start(3), b"NTFS    ", "ntfs", Files, "an NTFS file system", "list it with ntfsls"),
    (Start(3), b"EXFAT   ", "exfat", Files, "an exFAT file system, which is no FAT", "mount it to look into it"),
    (Start(0x8000), b"JFS1", "jfs", Files, "a JFS file system", "mount it to look into it"),
    (Start(0x1_0034), b"ReIsEr", "reiserfs", Files, "a ReiserFS file system", "mount it to look into it"),
    (Start(0x8001), b"CD001", "iso9660", Files, "an ISO 9660 file system", "list it with xorriso -indev IMAGE -find, or 7z l"),
    (Start(0x8001), b"BEA01", "udf", Files, "a UDF file system", "list it with 7z l"),
    (Start(4086), b"SWAPSPACE2", "swap", Nothing, "a swap area", "swaplabel shows its label"),
    (Start(0xfff6), b"SWAPSPACE2", "swap", Nothing, "a swap area", "swaplabel shows its label"),
    (End(512), b"conectix", "vhd", Image, "a vhd image", "convert it first, with qemu-img convert -f vpc -O raw"),
    (End(512), b"koly", "dmg", Image, "a dmg image", "convert it first, with qemu-img convert -f dmg -O raw"),
];

/// The format that `window` is of, if it is a known one.
pub(crate) fn find(window: Window<'_>) -> Result<Option<Format>, Error> {
    for (place, magic, name, holds, what, advice) in MAGIC {
        let at = match place {
            Start(at) => Some(*at),
            End(before) => window.len().checked_sub(*before),
        };
        let Some(at) = at else {
            continue;
        };
        if damaged(window.bytes(at, magic.len()))?.is_ok_and(|bytes| bytes == *magic) {
            return Ok(Some(Format {
                name,
                what,
                advice,
                holds: *holds,
            }));
        }
    }
    Ok(match damaged(window.array(0))? {
        Ok(sector) if is_pe(window, &sector)? => Some(Format {
            name: "pe",
            what: "an EFI program, perhaps a unified kernel image",
            advice: "look into it with objdump -h; objcopy -O binary --only-section=.cmdline takes a part out",
            holds: Files,
        }),
        Ok(sector) if is_mbr(window, &sector) => Some(Format {
            name: "mbr",
            what: "a disk with an MBR partition table, and without a GPT",
            advice: "list its partitions with sfdisk -l, and look into what each one has after cutting it out with dd",
            holds: Files,
        }),
        _ => None,
    })
}

/// A program of Windows and EFI: the old header says where the new one is.
fn is_pe(window: Window<'_>, sector: &[u8; 512]) -> Result<bool, Error> {
    if !sector.starts_with(b"MZ") {
        return Ok(false);
    }
    let header = damaged(window.bytes(sector.u32::<0x3c>().into(), 4))?;
    Ok(header.is_ok_and(|bytes| bytes == b"PE\0\0"))
}

/// A partition table in the first sector: boot sectors of other kinds end as it does, so its entries must make sense.
fn is_mbr(window: Window<'_>, sector: &[u8; 512]) -> bool {
    let entries = || sector.field::<446, 64>().chunks_exact(16);
    let good = |entry: &[u8]| {
        let Ok(fields) = array::<16>(entry, 0) else {
            return false;
        };
        let (status, kind) = (fields.u8::<0>(), fields.u8::<4>());
        let (start, sectors) = (fields.u32::<8>(), fields.u32::<12>());
        let within = u64::from(start) < window.len().div_ceil(512);
        matches!(status, 0 | 0x80) && kind != 0 && kind != GPT && start > 0 && sectors > 0 && within
    };
    has_signature(sector)
        && entries().all(|entry| is_zero(entry) || good(entry))
        && !entries().all(is_zero)
}

/// Type of the entry that keeps other programs off a disk with a GPT.
const GPT: u8 = 0xee;

/// Whether the first sector says that there is a GPT behind it.
pub(crate) fn announces_gpt(window: Window<'_>) -> Result<bool, Error> {
    Ok(damaged(window.array(0))?.is_ok_and(|sector: [u8; 512]| {
        let mut entries = sector.field::<446, 64>().chunks_exact(16);
        has_signature(&sector) && entries.any(|entry| entry.get(4) == Some(&GPT))
    }))
}

fn has_signature(sector: &[u8; 512]) -> bool {
    *sector.field::<510, 2>() == [0x55, 0xaa]
}
