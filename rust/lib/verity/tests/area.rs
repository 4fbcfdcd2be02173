//! Hash areas of random images against the plainest tree there is, and every change of an image against the verifier.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;

use base::hex::encode as hex;
use common::{images, noise, reader, tree, Image, Part};
use plan::{Plan, ReadAt, Reader};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use verity::{
    append, area, read_superblock, root_hash, verify, write_block_hashes, BlockHashes, Error,
    Known, Params,
};

const UUID: [u8; 16] = *b"0123456789abcdef";

fn block_hashes(input: &[u8], cuts: &[u64], params: &Params) -> Vec<u8> {
    let out = Mutex::new(Vec::new());
    let (input, len) = (input.to_vec(), input.len() as u64);
    let size = params.data_block_size();
    let written = write_block_hashes(&input, len, params.salt(), size, cuts, &out).unwrap();
    let out = out.into_inner().unwrap();
    assert_eq!(out.len() as u64, written);
    out
}

/// Where ranges of an input that the image has end within its blocks: the first one in each.
fn cuts(image: &Image, input: u32, size: u64) -> Vec<u64> {
    let mut cuts = BTreeMap::new();
    for extent in image.plan.extents() {
        if let plan::Piece::Source { input: of, offset } = extent.piece {
            let end = offset + extent.len;
            if of == input && end % size != 0 && end < image.inputs[input as usize].len() as u64 {
                cuts.entry(end / size).or_insert(end);
            }
        }
    }
    cuts.into_values().collect()
}

/// Hashes of the inputs whose bit is set, with cuts if the highest one is; and the files that they are in.
fn known(image: &Image, params: &Params, which: u8) -> (Known, Vec<Vec<u8>>) {
    let mut known = Known::default();
    let mut files = Vec::new();
    for (n, input) in image.inputs.iter().enumerate() {
        if which >> n & 1 == 1 {
            let cuts = match which >> 3 & 1 {
                0 => vec![],
                _ => cuts(image, n as u32, params.data_block_size().into()),
            };
            let bytes = block_hashes(input, &cuts, params);
            let len = bytes.len() as u64;
            files.push(bytes.clone());
            let hashes = BlockHashes::open(Box::new(bytes), len).unwrap();
            let inputs = image.plan.inputs();
            known.add(n as u32, hashes, params, inputs).unwrap();
        }
    }
    (known, files)
}

fn bytes_of(plan: &Plan, inputs: Vec<Vec<u8>>) -> Vec<u8> {
    let reader = reader(plan, inputs);
    let mut bytes = vec![0xaa; plan.len() as usize];
    reader.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn check(image: &Image, params: &Params, which: u8) {
    let (known, files) = known(image, params, which);
    let (plan, root, layout) = append(&image.reader(), &known, params).unwrap();
    let (data_block, hash_block) = (params.data_block_size(), params.hash_block_size());
    let (want_root, want_tree) = tree(
        &image.bytes,
        params.salt(),
        data_block as usize,
        hash_block as usize,
    );
    assert_eq!(hex(&root), hex(&want_root));

    let got = bytes_of(&plan, image.inputs.clone());
    let (data, area) = got.split_at(layout.hash_offset as usize);
    assert!(data.starts_with(&image.bytes));
    assert!(data[image.bytes.len()..].iter().all(|b| *b == 0));
    assert!(area[512..hash_block.max(512) as usize]
        .iter()
        .all(|b| *b == 0));
    assert_eq!(&area[hash_block.max(512) as usize..], want_tree);

    // The block hashes' files and the area's own bytes as inputs make the same image.
    let mut own = Vec::new();
    let made = verity::area(&image.reader(), &known, params, &mut own).unwrap();
    assert_eq!((made.root, &made.layout), (root, &layout));
    assert_eq!(made.own_len(), own.len() as u64);
    let sourced = made.behind(&image.plan, &known).unwrap();
    let mut inputs = image.inputs.clone();
    inputs.extend(files);
    inputs.push(own);
    assert_eq!(bytes_of(&sourced, inputs), got);

    let len = got.len() as u64;
    let superblock = verify(&got, len, layout.hash_offset, &root).unwrap();
    assert_eq!(superblock.params, *params);
    assert_eq!(superblock.data_blocks, layout.data_blocks);
}

fn sizes() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => Just(4096u32),
        2 => Just(512u32),
        1 => Just(1024u32),
        1 => Just(65536u32),
    ]
}

fn cases() -> impl Strategy<Value = (Image, Params)> {
    let salt = prop::collection::vec(any::<u8>(), 0..=256);
    (sizes(), sizes(), salt).prop_flat_map(|(data, hash, salt)| {
        let params = Params::new(data, hash, &salt, UUID).unwrap();
        (images(data), Just(params))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_image((image, params) in cases(), which in 0..16u8) {
        check(&image, &params, which);
    }

    /// Which byte of data or tree was changed, the verifier finds the block.
    #[test]
    fn any_change((image, params) in cases(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (plan, root, layout) = append(&image.reader(), &Known::default(), &params).unwrap();
        let mut bytes = bytes_of(&plan, image.inputs.clone());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let result = verify(&bytes, bytes.len() as u64, layout.hash_offset, &root);
        let (at, hash_offset) = (at as u64, layout.hash_offset);
        let (data_block, hash_block) =
            (u64::from(params.data_block_size()), u64::from(params.hash_block_size()));
        if at < layout.data_blocks * data_block {
            let wanted = at / data_block;
            match result {
                Err(Error::DataBlock { block, at }) => {
                    prop_assert_eq!((block, at), (wanted, wanted * data_block));
                }
                Err(Error::RootHash { .. }) => prop_assert!(layout.levels.is_empty()),
                other => prop_assert!(false, "{:?}", other),
            }
        } else if let Some((level, first)) =
            layout.levels.iter().enumerate().find(|(_, l)| at >= l.start)
        {
            let wanted = (at - first.start) / hash_block;
            match result {
                Err(Error::HashBlock { level: got, block, at }) => {
                    prop_assert_eq!((got, block, at), (level, wanted, first.start + wanted * hash_block));
                }
                Err(Error::RootHash { .. }) => prop_assert_eq!(level, layout.levels.len() - 1),
                other => prop_assert!(false, "{:?}", other),
            }
        } else if at >= hash_offset && at < hash_offset + 344 {
            // UUID, and salt behind its end, mean nothing to the tree.
            if let Ok(superblock) = result {
                let salt_end = hash_offset + 88 + params.salt().len() as u64;
                prop_assert!((hash_offset + 16..hash_offset + 32).contains(&at)
                    || (hash_offset + 82..hash_offset + 88).contains(&at) || at >= salt_end
                    || superblock.params != params, "byte {}", at - hash_offset);
            }
        }
    }

    /// Any bytes for a superblock: an error, never a panic and never much memory.
    #[test]
    fn any_superblock(
        at in 0..512usize,
        new in prop::collection::vec(any::<u8>(), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let image = Image::new(vec![vec![]], &[Part::Inline(noise(40 * 512, 1))]);
        let params = Params::new(512, 512, b"salt", UUID).unwrap();
        let (plan, root, layout) = append(&image.reader(), &Known::default(), &params).unwrap();
        let mut bytes = bytes_of(&plan, vec![vec![]]);
        let start = layout.hash_offset as usize;
        let end = (at + new.len()).min(512);
        bytes[start + at..start + end].copy_from_slice(&new[..end - at]);
        let _ = verify(&bytes, bytes.len() as u64, layout.hash_offset, &root);
        bytes.truncate(cut.index(bytes.len()));
        let len = bytes.len() as u64;
        prop_assert!(verify(&bytes, len, layout.hash_offset, &root).is_err());
    }
}

#[test]
fn tiny_images() {
    for salt in [&b""[..], b"pepper"] {
        for len in [
            1,
            511,
            512,
            513,
            4095,
            4096,
            4097,
            8192,
            128 * 4096,
            128 * 4096 + 1,
        ] {
            for hash in [512, 4096, 65536] {
                let params = Params::new(4096, hash, salt, UUID).unwrap();
                let input = noise(len, len as u64);
                let source = Part::Source {
                    input: 0,
                    at: 0,
                    len: u32::MAX,
                };
                check(&Image::new(vec![input.clone()], &[source]), &params, 1);
                let inline = Image::new(vec![vec![]], &[Part::Inline(input)]);
                check(&inline, &params, 0);
                check(
                    &Image::new(vec![vec![]], &[Part::Zero(len as u32)]),
                    &params,
                    0,
                );
            }
        }
    }
}

/// Inputs that panic when they are read: their hashes must do.
struct Unread;

impl ReadAt for Unread {
    fn read_exact_at(&self, _: &mut [u8], offset: u64) -> std::io::Result<()> {
        panic!("byte {offset} was read although its hash is known");
    }
}

#[test]
fn known_blocks_are_not_read() {
    let params = Params::new(4096, 4096, b"salt", UUID).unwrap();
    let input = noise(10 * 4096 + 100, 3);
    let whole = |at, len| Part::Source { input: 0, at, len };
    let parts = [
        whole(0, u32::MAX),
        Part::Zero(4096 - 100),
        whole(4 * 4096, 3 * 4096),
        Part::Inline(noise(4096, 5)),
        Part::Zero(1 << 20),
        // The end of the image pads it.
        whole(9 * 4096, u32::MAX),
    ];
    let image = Image::new(vec![input], &parts);
    let (known, files) = known(&image, &params, 1);
    let unread = Reader::new(image.plan.clone(), vec![("x".to_owned(), Unread)]).unwrap();
    let mut own = Vec::new();
    let made = area(&unread, &known, &params, &mut own).unwrap();
    let (root, _) = tree(&image.bytes, b"salt", 4096, 4096);
    assert_eq!(made.root.as_slice(), root);
    // Of its own: the superblock, the digest of what the plan holds, the level above the one over the data.
    assert_eq!(made.layout.levels.len(), 2);
    assert_eq!(made.own_len(), 512 + 32 + made.layout.levels[0].blocks * 32);
    assert_eq!(files.len(), 1);
}

/// Files of an archive end within blocks, where the next one's header begins: that is known, too, and no more than before is read
/// of who takes the archive as it is.
#[test]
fn ends_of_files_in_archives_are_not_read() {
    let params = Params::new(4096, 4096, b"salt", UUID).unwrap();
    let input = noise(6 * 4096, 3);
    let file = |at, len| Part::Source { input: 0, at, len };
    let pad = |len: u32| Part::Zero(len.next_multiple_of(4096) - len);
    let parts = [
        file(0, 4100),
        pad(4100),
        file(2 * 4096, 17),
        pad(17),
        file(3 * 4096, 4096 + 1),
        pad(1),
    ];
    let image = Image::new(vec![input.clone()], &parts);
    let bytes = block_hashes(&input, &[4100, 2 * 4096 + 17, 4 * 4096 + 1], &params);
    let open = || BlockHashes::open(Box::new(bytes.clone()), bytes.len() as u64).unwrap();
    let mut hashes = Known::default();
    let inputs = image.plan.inputs();
    hashes.add(0, open(), &params, inputs).unwrap();
    let unread = Reader::new(image.plan.clone(), vec![("x".to_owned(), Unread)]).unwrap();
    let mut own = Vec::new();
    let made = area(&unread, &hashes, &params, &mut own).unwrap();
    let (root, _) = tree(&image.bytes, b"salt", 4096, 4096);
    assert_eq!(made.root.as_slice(), root);
    assert_eq!(made.own_len(), 512);
    // All five digests are one range of the file.
    let plan = made.behind(&image.plan, &hashes).unwrap();
    let of_file = plan
        .extents()
        .filter(|extent| matches!(extent.piece, plan::Piece::Source { input: 1, .. }));
    let of_file: Vec<_> = of_file.map(|extent| (extent.start, extent.len)).collect();
    assert_eq!(of_file, [(made.layout.levels[0].start, 5 * 32)]);

    let whole = Image::new(vec![input], &[file(0, u32::MAX)]);
    let mut own = Vec::new();
    let made = area(&whole.reader(), &hashes, &params, &mut own).unwrap();
    let (root, _) = tree(&whole.bytes, b"salt", 4096, 4096);
    assert_eq!(made.root.as_slice(), root);
    assert_eq!(made.own_len(), 512 + 3 * 32);
}

/// 64 GiB of which 16 blocks are not zero.
#[test]
fn much_of_nothing_is_cheap() {
    let params = Params::new(4096, 4096, b"salt", UUID).unwrap();
    let mut builder = plan::Builder::new(vec![]);
    for n in 0..16u64 {
        builder.inline(&noise(4096, n)).unwrap();
        builder.zero((4 << 30) - 4096).unwrap();
    }
    let data = reader(&builder.finish().unwrap(), vec![]);
    let (plan, root, layout) = append(&data, &Known::default(), &params).unwrap();
    assert_eq!(layout.area_len(), 541_106_176);
    let held = plan.encode().len();
    assert!(held < 800_000, "{held}");

    // The first digests of the level over the data, and some where one of the blocks is.
    let image = reader(&plan, vec![]);
    let digest = |block: &[u8]| Sha256::digest([b"salt", block].concat()).to_vec();
    for block in [0, 1, 1 << 20, (1 << 20) + 1, (16 << 20) - 1] {
        let mut got = [0; 32];
        image
            .read_at(&mut got, layout.levels[0].start + block * 32)
            .unwrap();
        let mut data = vec![0; 4096];
        image.read_at(&mut data, block * 4096).unwrap();
        assert_eq!(hex(&got), hex(&digest(&data)), "{block}");
    }
    let (superblock, read) = read_superblock(&image, image.len(), layout.hash_offset).unwrap();
    assert_eq!(read, layout);
    assert_eq!(root_hash(&image, &superblock, &layout).unwrap(), root);
}

/// Differs from byte to byte and costs nothing.
struct Endless;

impl ReadAt for Endless {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        buffer.fill(0);
        for (n, block) in buffer.chunks_mut(512).enumerate() {
            block[..8].copy_from_slice(&(offset + n as u64).to_le_bytes());
        }
        Ok(())
    }
}

#[test]
fn much_of_everything_is_refused() {
    let params = Params::new(512, 4096, b"", UUID).unwrap();
    let len = 1 << 31;
    let mut builder = plan::Builder::new(vec![plan::Input::of_len(len)]);
    builder.source(0, 0, len).unwrap();
    let plan = builder.finish().unwrap();
    let data = Reader::new(plan, vec![("x".to_owned(), Endless)]).unwrap();
    let error = append(&data, &Known::default(), &params).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a plan takes at most 67108864 bytes of a hash area: let it be a file of its own"
    );
}

#[test]
fn empty_images_are_refused() {
    let params = Params::new(4096, 4096, b"", UUID).unwrap();
    let image = Image::new(vec![vec![]], &[]);
    let result = append(&image.reader(), &Known::default(), &params);
    assert!(matches!(result, Err(Error::Empty)));
}
