//! ELF files as small as a reader takes them. Tests of other crates have this file, too.
#![allow(clippy::as_conversions, reason = "all of it is small")]

/// A 64-bit ELF file of the processor x86-64: with sections if `sections` has some, each with its name.
pub(crate) fn elf(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = b"\0.shstrtab\0".to_vec();
    let mut content = Vec::new();
    // Name, type, place and size: one table entry each, after the empty one.
    let mut table = vec![[0u64; 4]];
    for (name, bytes) in sections {
        table.push([
            names.len() as u64,
            1,
            64 + content.len() as u64,
            bytes.len() as u64,
        ]);
        names.extend(name.as_bytes());
        names.push(0);
        content.extend_from_slice(bytes);
    }
    table.push([1, 3, 64 + content.len() as u64, names.len() as u64]);
    content.extend(&names);
    // Headers begin at multiples of 8.
    content.resize(content.len().next_multiple_of(8), 0);
    let at = if sections.is_empty() {
        0
    } else {
        64 + content.len() as u64
    };
    let count = if sections.is_empty() {
        0
    } else {
        table.len() as u16
    };
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend([1u16, 62].iter().flat_map(|n| n.to_le_bytes()));
    out.extend(1u32.to_le_bytes());
    out.extend([0, 0, at].iter().flat_map(|n| n.to_le_bytes()));
    out.extend(0u32.to_le_bytes());
    let sizes = [64u16, 56, 0, 64, count, count.saturating_sub(1)];
    out.extend(sizes.iter().flat_map(|n| n.to_le_bytes()));
    assert_eq!(out.len(), 64);
    if sections.is_empty() {
        return out;
    }
    out.extend(content);
    for [name, kind, place, size] in table {
        out.extend(
            [name as u32, kind as u32]
                .iter()
                .flat_map(|n| n.to_le_bytes()),
        );
        out.extend(
            [0, 0, place, size, 0, 1, 0]
                .iter()
                .flat_map(|n| n.to_le_bytes()),
        );
    }
    out
}

/// A module that names this firmware.
pub(crate) fn module(name: &str, firmware: &[&str]) -> Vec<u8> {
    let mut info = format!("license=GPL\0name={name}\0");
    for firmware in firmware {
        info += &format!("firmware={firmware}\0");
    }
    let mut module = elf(&[(".text", name.as_bytes()), (".modinfo", info.as_bytes())]);
    module.extend(b"~Module signature appended~\n");
    module
}
