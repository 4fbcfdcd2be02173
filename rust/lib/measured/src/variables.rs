//! What firmware measures of Secure Boot.
//!
//! A variable is measured as `UEFI_VARIABLE_DATA`: GUID of 16 bytes, length of the name in characters and of the data in bytes (8 bytes each), the
//! name in UTF-16 without a zero, the data. The data of PK, KEK and db is an `EFI_SIGNATURE_LIST` for each certificate; what let a program in
//! is measured as a variable `db` that holds that certificate alone, with its owner. All integers little-endian, GUIDs in their mixed order.

use std::str::FromStr;

use base::{as_u64, hex};

use crate::{Error, Event};

/// `EFI_GLOBAL_VARIABLE`, 8be4df61-93ca-11d2-aa0d-00e098032b8c.
const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`, d719b2cb-3d3a-4596-a3bc-dad00e67656f.
const DATABASE: [u8; 16] = [
    0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
];
/// `EFI_CERT_X509_GUID`, a5c059a1-94e4-4aa7-87b5-ab155c2bf072.
const X509: [u8; 16] = [
    0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72,
];
/// Of an `EFI_SIGNATURE_LIST`: type, then length of the list, of a header that there is none of, and of a signature.
const LIST_HEADER: u32 = 28;

/// Whom firmware's lists name as the owner of an entry: a GUID. It means nothing to firmware, but is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner([u8; 16]);

impl FromStr for Owner {
    type Err = Error;

    /// Reads `11223344-5566-7788-99aa-bbccddeeff00`, in lower or upper case.
    fn from_str(text: &str) -> Result<Self, Error> {
        let groups: Vec<&str> = text.split('-').collect();
        let lengths = groups.iter().map(|group| group.len());
        let mut bytes: [u8; 16] = match hex::decode_array(&groups.concat()) {
            Ok(bytes) if lengths.eq([8, 4, 4, 4, 12]) => bytes,
            _ => return Err(Error::Owner(text.to_owned())),
        };
        // The first three are numbers, which stand in memory as little-endian ones.
        let (first, rest) = bytes.split_at_mut(4);
        let (second, rest) = rest.split_at_mut(2);
        let (third, _) = rest.split_at_mut(2);
        for number in [first, second, third] {
            number.reverse();
        }
        Ok(Self(bytes))
    }
}

/// The keys of a machine with Secure Boot on: a certificate each, DER.
#[derive(Clone, Copy, Debug)]
pub struct Enrolled<'a> {
    /// Whose they are said to be.
    pub owner: Owner,
    /// The platform's.
    pub pk: &'a [u8],
    /// Whose signature changes db and dbx.
    pub kek: &'a [u8],
    /// Whose signature programs have.
    pub db: &'a [u8],
    /// What is revoked: the variable's data, as it is; nothing, if there is no such variable.
    pub dbx: &'a [u8],
}

/// PCR 7, when programs were loaded that the certificate of `db` let in.
pub fn secure_boot(keys: &Enrolled<'_>) -> Result<Vec<Event>, Error> {
    let owned = |certificate: &[u8]| [&keys.owner.0[..], certificate].concat();
    let list = |certificate: &[u8]| list(&owned(certificate));
    let variable = |guid, name, data: &[u8]| {
        let what = format!("variable {name}");
        Event::of(what, &variable(guid, name, data))
    };
    let let_in = self::variable(DATABASE, "db", &owned(keys.db));
    Ok(vec![
        variable(GLOBAL, "SecureBoot", &[1]),
        variable(GLOBAL, "PK", &list(keys.pk)?),
        variable(GLOBAL, "KEK", &list(keys.kek)?),
        variable(DATABASE, "db", &list(keys.db)?),
        variable(DATABASE, "dbx", keys.dbx),
        Event::separator(),
        Event::of("the certificate of db that let the programs in", &let_in),
    ])
}

fn variable(guid: [u8; 16], name: &str, data: &[u8]) -> Vec<u8> {
    let utf16: Vec<u16> = name.encode_utf16().collect();
    let mut bytes = guid.to_vec();
    bytes.extend(as_u64(utf16.len()).to_le_bytes());
    bytes.extend(as_u64(data.len()).to_le_bytes());
    bytes.extend(utf16.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(data);
    bytes
}

/// A list of one signature.
fn list(signature: &[u8]) -> Result<Vec<u8>, Error> {
    let too_long = || Error::LongCertificate(signature.len());
    let len = u32::try_from(signature.len()).map_err(|_| too_long())?;
    let all = len.checked_add(LIST_HEADER).ok_or_else(too_long)?;
    let mut bytes = X509.to_vec();
    for number in [all, 0, len] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(signature);
    Ok(bytes)
}
