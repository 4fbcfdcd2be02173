//! Names for partition types.
//!
//! GUIDs and names follow the Discoverable Partitions Specification of the UAPI group for x86-64, with `bios` from the
//! GRUB manual and `basic` from Microsoft's list.

use uuid::Uuid;

/// Alias and GUID of every type that has a name here. Where a GUID has two names, the first is the preferred one.
pub const TYPES: &[(&str, Uuid)] = &[
    ("esp", guid(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b)),
    ("xbootldr", guid(0xbc13c2ff_59e6_4262_a352_b275fd6f7172)),
    ("root-x86-64", guid(0x4f68bce3_e8cd_4db1_96e7_fbcaf984b709)),
    (
        "root-x86-64-verity",
        guid(0x2c7357ed_ebd2_46d9_aec1_23d437ec2bf5),
    ),
    (
        "root-x86-64-verity-sig",
        guid(0x41092b05_9fc8_4523_994f_2def0408b176),
    ),
    ("usr-x86-64", guid(0x8484680c_9521_48c6_9c11_b0720656f69e)),
    (
        "usr-x86-64-verity",
        guid(0x77ff5f63_e7b6_4633_acf4_1565b864c0e6),
    ),
    (
        "usr-x86-64-verity-sig",
        guid(0xe7bb33fb_06cf_4e81_8273_e543b413e2e2),
    ),
    ("home", guid(0x933ac7e1_2eb4_4f13_b844_0e14e2aef915)),
    ("srv", guid(0x3b8f8425_20e0_4f3b_907f_1a25a76f98e8)),
    ("var", guid(0x4d21b016_b534_45c2_a9fb_5c16e091fd2d)),
    ("tmp", guid(0x7ec6f557_3bc5_4aca_b293_16ef5df639d1)),
    ("user-home", guid(0x773f91ef_66d4_49b5_bd83_d683bf40ad16)),
    ("swap", guid(0x0657fd6d_a4ab_43c4_84e5_0933c84b4f4f)),
    (
        "linux-generic",
        guid(0x0fc63daf_8483_4772_8e79_3d69d8477de4),
    ),
    ("linux", guid(0x0fc63daf_8483_4772_8e79_3d69d8477de4)),
    ("bios", guid(0x21686148_6449_6e6f_744e_656564454649)),
    ("basic", guid(0xebd0a0a2_b9e5_4433_87c0_68b6b72699c7)),
];

const fn guid(value: u128) -> Uuid {
    Uuid::from_u128(value)
}

/// The GUID that `text` stands for: an alias of [`TYPES`] (any case) or a hyphenated GUID.
pub fn type_guid(text: &str) -> Option<Uuid> {
    TYPES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(text))
        .map(|(_, guid)| *guid)
        .or_else(|| parse_guid(text))
}

/// The preferred alias of a type, if it has one.
pub fn type_alias(guid: Uuid) -> Option<&'static str> {
    TYPES
        .iter()
        .find(|(_, known)| *known == guid)
        .map(|(alias, _)| *alias)
}

/// A GUID in its one usual spelling, 8-4-4-4-12 hex digits; not nil, which means "unused" in a table.
pub fn parse_guid(text: &str) -> Option<Uuid> {
    // `Uuid` also reads braces, URNs and bare hex; a table that other tools grep has one spelling.
    if text.len() != 36 {
        return None;
    }
    Uuid::try_parse(text).ok().filter(|guid| !guid.is_nil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_found_both_ways() {
        for (alias, guid) in TYPES {
            assert_eq!(type_guid(alias), Some(*guid));
            assert_eq!(type_guid(&guid.to_string()), Some(*guid));
            assert_eq!(type_guid(type_alias(*guid).unwrap()), Some(*guid));
        }
        assert_eq!(
            type_guid("ESP").unwrap().to_string(),
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
        );
    }

    #[test]
    fn one_spelling_of_guids() {
        for bad in [
            "",
            "c12a7328f81f11d2ba4b00a0c93ec93b",
            "{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}",
            "urn:uuid:c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            "00000000-0000-0000-0000-000000000000",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93g",
            "linuxx",
        ] {
            assert_eq!(type_guid(bad), None, "{bad}");
        }
    }
}
