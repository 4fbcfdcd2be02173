//! dm-verity: any superblock, any tree, any data.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((position, rest)) = data.split_first() else {
        return;
    };
    let at = u64::from(*position % 128) * 512;
    let mut image = rest.to_vec();
    let _ = verity::read_superblock(&image, image.len() as u64, at);
    // With the constant fields right, and perhaps the smallest blocks.
    let sizes: &[u8] = if *position < 128 {
        b""
    } else {
        b"\0\x02\0\0\0\x02\0\0"
    };
    let start = at as usize;
    for (offset, bytes) in [
        (0, &b"verity\0\0\x01\0\0\0\x01\0\0\0"[..]),
        (
            32,
            &b"sha256\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..],
        ),
        (64, sizes),
    ] {
        let place = start + offset..start + offset + bytes.len();
        if let Some(place) = image.get_mut(place) {
            place.copy_from_slice(bytes);
        }
    }
    let len = image.len() as u64;
    if let Ok((superblock, layout)) = verity::read_superblock(&image, len, at) {
        let Ok(root) = verity::root_hash(&image, &superblock, &layout) else {
            return;
        };
        let _ = verity::verify(&image, len, at, &root);
        assert_eq!(superblock.encode().len(), 512);
    }
});
