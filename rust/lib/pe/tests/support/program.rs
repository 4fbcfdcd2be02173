//! EFI programs of a few sections. Tests of other crates have this file, too.
#![allow(clippy::as_conversions, reason = "all of it is small")]

/// What every test stub says of its generation.
pub(crate) const SBAT: &str =
    "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n\
                        stub,1,Nobody,stub,1,https://stub.example\n";

/// An EFI program of some sections, as `elf2efi` makes them: PE header at 0x80, headers of 1536 bytes, alignment 512 and 4096.
pub(crate) fn program(sections: &[(&str, &[u8])], directories: u32) -> Vec<u8> {
    const HEAD: usize = 1536;
    let mut head = vec![0; HEAD];
    let mut body = Vec::new();
    head[..2].copy_from_slice(b"MZ");
    head[60..64].copy_from_slice(&0x80u32.to_le_bytes());
    let mut address = 0x1000u32;
    let table = 0x80 + 24 + 112 + 8 * directories as usize;
    for (number, (name, content)) in sections.iter().enumerate() {
        let raw = content.len().next_multiple_of(512);
        let mut header = [0; 40];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[8..12].copy_from_slice(&(content.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&address.to_le_bytes());
        header[16..20].copy_from_slice(&(raw as u32).to_le_bytes());
        header[20..24].copy_from_slice(&((HEAD + body.len()) as u32).to_le_bytes());
        header[36..40].copy_from_slice(&0x4000_0040u32.to_le_bytes());
        let at = table + 40 * number;
        head[at..at + 40].copy_from_slice(&header);
        body.extend_from_slice(content);
        body.resize(body.len().next_multiple_of(512), 0);
        address += (content.len() as u32).next_multiple_of(0x1000);
    }
    let pe = &mut head[0x80..];
    pe[..4].copy_from_slice(b"PE\0\0");
    pe[4..6].copy_from_slice(&0x8664u16.to_le_bytes());
    pe[6..8].copy_from_slice(&(sections.len() as u16).to_le_bytes());
    pe[8..12].copy_from_slice(&1_767_225_600u32.to_le_bytes());
    pe[20..22].copy_from_slice(&(112 + 8 * directories as u16).to_le_bytes());
    pe[22..24].copy_from_slice(&0x22eu16.to_le_bytes());
    let optional = &mut pe[24..];
    optional[..2].copy_from_slice(&0x20bu16.to_le_bytes());
    optional[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
    optional[16..20].copy_from_slice(&0x1000u32.to_le_bytes());
    optional[32..36].copy_from_slice(&4096u32.to_le_bytes());
    optional[36..40].copy_from_slice(&512u32.to_le_bytes());
    optional[56..60].copy_from_slice(&address.to_le_bytes());
    optional[60..64].copy_from_slice(&(HEAD as u32).to_le_bytes());
    optional[68..70].copy_from_slice(&10u16.to_le_bytes());
    optional[70..72].copy_from_slice(&0x160u16.to_le_bytes());
    optional[108..112].copy_from_slice(&directories.to_le_bytes());
    [head, body].concat()
}

/// A stub with an SBAT section that is not its last.
pub(crate) fn stub() -> Vec<u8> {
    let code: Vec<u8> = (0..1500u32).map(|n| n as u8).collect();
    program(
        &[
            (".text", &code),
            (".sbat", SBAT.as_bytes()),
            (".reloc", &[7; 12]),
        ],
        16,
    )
}

/// A kernel of release 6.12.0-test, which the firmware could start.
pub(crate) fn kernel() -> Vec<u8> {
    let mut kernel = program(&[(".text", &[0x90; 3000])], 6);
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&0x300u16.to_le_bytes());
    let version = b"6.12.0-test (nobody@nowhere) #1\0";
    kernel[0x500..0x500 + version.len()].copy_from_slice(version);
    kernel
}

/// Not compressed, and of a length that is no multiple of anything.
pub(crate) fn initrd() -> Vec<u8> {
    (0..70_001u32).map(|n| (n / 7) as u8).collect()
}
