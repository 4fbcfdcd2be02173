//! What firmware measures of Secure Boot.
//!
//! A variable is measured as `UEFI_VARIABLE_DATA`: GUID of 16 bytes, length of the name in characters and of the data in bytes (8 bytes each), the
//! name in UTF-16 without a zero, the data. The data of PK, KEK and db is an `EFI_SIGNATURE_LIST` for each certificate; what let a program in
//! is measured as a variable `db` that holds that certificate alone, with its owner. All integers little-endian, GUIDs in their mixed order.

use std::str::FromStr;

use base::{as_u64, hex};
use efivars::{signatures, Variable};

use crate::{Error, Event};

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
    let list = |certificate: &[u8]| {
        let list = signatures::list(&keys.owner.0, certificate);
        list.ok_or(Error::LongCertificate(certificate.len()))
    };
    let variable = |variable: Variable, value: &[u8]| {
        let what = format!("variable {}", variable.name);
        Event::of(what, &measured(variable, value))
    };
    let let_in = measured(efivars::DB, &owned(keys.db));
    Ok(vec![
        variable(efivars::SECURE_BOOT, &[1]),
        variable(efivars::PK, &list(keys.pk)?),
        variable(efivars::KEK, &list(keys.kek)?),
        variable(efivars::DB, &list(keys.db)?),
        variable(efivars::DBX, keys.dbx),
        Event::separator(),
        Event::of("the certificate of db that let the programs in", &let_in),
    ])
}

/// `UEFI_VARIABLE_DATA`.
fn measured(variable: Variable, data: &[u8]) -> Vec<u8> {
    let utf16: Vec<u16> = variable.name.encode_utf16().collect();
    let mut bytes = variable.namespace().to_vec();
    bytes.extend(as_u64(utf16.len()).to_le_bytes());
    bytes.extend(as_u64(data.len()).to_le_bytes());
    bytes.extend(utf16.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes.extend(data);
    bytes
}
