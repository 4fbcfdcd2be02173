//! Members put together by hand.

#![allow(dead_code, reason = "each test uses some of it")]

/// A header as an attacker writes it: any name, any size.
pub(crate) fn header(name: &[u8], typeflag: u8, link: &[u8], size: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    block[124..124 + size.len()].copy_from_slice(size);
    block[136..148].copy_from_slice(b"00000000000\0");
    block[148..156].fill(b' ');
    block[156] = typeflag;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

pub(crate) fn member(name: &[u8], typeflag: u8, link: &[u8]) -> Vec<u8> {
    header(name, typeflag, link, b"00000000000\0")
}

pub(crate) fn with_data(name: &[u8], typeflag: u8, data: &[u8]) -> Vec<u8> {
    let size = format!("{:011o}\0", data.len());
    let mut out = header(name, typeflag, b"", size.as_bytes());
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// An extended header with those records.
pub(crate) fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    for (keyword, value) in records {
        let rest = keyword.len() + value.len() + 3;
        let mut total = rest;
        while rest + total.to_string().len() != total {
            total = rest + total.to_string().len();
        }
        data.extend_from_slice(format!("{total} {keyword}=").as_bytes());
        data.extend_from_slice(value);
        data.push(b'\n');
    }
    with_data(b"././@PaxHeader", b'x', &data)
}

/// Changes bytes of a header and mends its sum.
pub(crate) fn patch(mut block: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    block[at..at + bytes.len()].copy_from_slice(bytes);
    block[148..156].fill(b' ');
    let sum: u64 = block[..512].iter().map(|b| u64::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
