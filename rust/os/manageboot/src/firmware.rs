//! Whether this machine's firmware starts a boot loader: whether one of those whom its Secure Boot variables name signed it.
//!
//! A firmware with Secure Boot starts a program whose signature is by a certificate in `db`, or by one that such a certificate vouches for, unless `dbx` has it
//! (UEFI 2.10, 32.5.3.3). What is compared here are certificates alone, which tells a mix-up of signers from an upgrade: whether a signature is right
//! in itself the firmware finds out, and the manifest's digest vouches for the bytes.
//!
//! A program has the certificate of its signer in its certificate table (*Windows Authenticode Portable Executable Signature Format*), byte for byte. One that
//! somebody vouched for names him before its validity and its own name (RFC 5280, 4.1).

use std::path::Path;

use anyhow::{bail, ensure, Context};
use base::{as_u64, as_usize};
use efivars::{signatures, Variable};

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Nothing is wrong, if the firmware whose variables are in the folder `variables` starts `loader`, as far as certificates tell; or if it starts anything.
pub(crate) fn check(loader: &[u8], variables: &Path) -> anyhow::Result<()> {
    // One that does not say has no Secure Boot, or is none of UEFI's.
    if efivars::secure_boot(variables)? != Some(true) {
        return Ok(());
    }
    let held = loader.to_vec();
    let image = pe::Image::read(&held, as_u64(held.len())).context("the boot loader")?;
    let table = image.certificates();
    let table = table.and_then(|at| held.get(as_usize(at.start)..as_usize(at.end)));
    let table = table.filter(|table| !table.is_empty());
    let table = table.context("the boot loader is not signed for Secure Boot")?;
    let certificates = |variable| certificates(variables, variable);
    let (db, dbx) = (certificates(efivars::DB)?, certificates(efivars::DBX)?);
    ensure!(
        !dbx.iter().any(|certificate| has(table, certificate)),
        "the boot loader is signed by a certificate that the firmware's dbx has"
    );
    if db
        .iter()
        .any(|known| has(table, known) || vouches(known, table))
    {
        return Ok(());
    }
    bail!(
        "the boot loader is signed by none of the {} certificates of the firmware's db",
        db.len()
    )
}

/// The certificates in a variable; none, if there is no such variable.
fn certificates(variables: &Path, variable: Variable) -> anyhow::Result<Vec<Vec<u8>>> {
    let value = variable.read(variables)?.unwrap_or_default();
    let found = signatures::certificates(&value).with_context(|| {
        let path = variable.path(variables);
        format!("{}: no lists of signatures", path.display())
    })?;
    Ok(found.into_iter().map(<[u8]>::to_vec).collect())
}

fn has(table: &[u8], certificate: &[u8]) -> bool {
    find(table, certificate).next().is_some()
}

/// Where `what` begins in `all`.
fn find<'a>(all: &'a [u8], what: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = all.windows(what.len().max(1)).enumerate();
    windows.filter_map(move |(at, window)| (window == what).then_some(at))
}

/// Whether the certificate `known` vouches for one in `table`, which has another name than it: a certificate that vouches for itself is its own word.
fn vouches(known: &[u8], table: &[u8]) -> bool {
    let Some(issuer) = subject(known) else {
        return false;
    };
    find(table, issuer).any(|at| {
        let rest = table.get(at..).and_then(|rest| rest.get(issuer.len()..));
        let named = rest.and_then(|rest| {
            let (SEQUENCE, _, rest) = element(rest)? else {
                return None;
            };
            whole(rest)
        });
        named.is_some_and(|subject| subject.first() == Some(&SEQUENCE) && subject != issuer)
    })
}

/// The name of whom a certificate is of.
fn subject(certificate: &[u8]) -> Option<&[u8]> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    let (tag, _, after) = element(rest)?;
    if tag == VERSION {
        rest = after;
    }
    // Serial number, algorithm, issuer, validity.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    whole(rest)
}

/// The first element, as it stands.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (_, _, rest) = element(bytes)?;
    bytes.get(..bytes.len().checked_sub(rest.len())?)
}

/// An element of DER (X.690, 8.1): its tag, its content, and what is behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, len, rest @ ..] = bytes else {
        return None;
    };
    let (len, rest) = match len {
        0..=0x7f => (usize::from(*len), rest),
        // So many bytes of length follow; a certificate has less than 64 KiB.
        0x81 | 0x82 => {
            let (number, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
            let number = number
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            (as_usize(number), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = content.len();
        let head = match u8::try_from(len) {
            Ok(len @ ..=0x7f) => vec![tag, len],
            Ok(len) => vec![tag, 0x81, len],
            Err(_) => [
                [tag, 0x82].as_slice(),
                &u16::try_from(len).unwrap().to_be_bytes(),
            ]
            .concat(),
        };
        [head, content.to_vec()].concat()
    }

    /// A certificate as far as it is looked into, `filler` bytes of key in it.
    fn certificate(issuer: &str, of: &str, filler: usize) -> Vec<u8> {
        let name = |name: &str| der(SEQUENCE, name.as_bytes());
        let parts = [
            der(VERSION, &[2, 1, 2]),
            der(2, &[7]),
            der(SEQUENCE, b"algorithm"),
            name(issuer),
            der(SEQUENCE, b"validity"),
            name(of),
            der(SEQUENCE, &vec![0xaa; filler]),
        ];
        der(SEQUENCE, &der(SEQUENCE, &parts.concat()))
    }

    #[test]
    fn who_signed_is_known_or_vouched_for() {
        let own = certificate("a", "a", 100);
        let table = |certificate: &[u8]| [b"before".as_slice(), certificate, b"behind"].concat();
        assert!(has(&table(&own), &own));
        // Another key of the same name.
        let renewed = certificate("a", "a", 200);
        assert!(!has(&table(&renewed), &own) && !vouches(&own, &table(&renewed)));
        // One that it vouches for.
        let leaf = certificate("a", "b", 100);
        assert!(vouches(&own, &table(&leaf)));
        // Of more than 255 bytes, and of more than 127.
        for filler in [150, 300] {
            assert!(vouches(&own, &table(&certificate("a", "b", filler))));
        }
        assert!(!vouches(&certificate("c", "c", 100), &table(&leaf)));
        // Bytes that are no certificate vouch for nobody.
        for end in 0..own.len() {
            assert!(!vouches(&own[..end], b""), "{end}");
        }
        assert!(!vouches(&own, b"") && !has(b"", &own));
    }

    #[test]
    fn lengths_of_two_bytes() {
        let bytes = [&[0x30, 0x82, 0x01, 0x02][..], &[7; 258], b"behind"].concat();
        let found = element(&bytes).unwrap();
        assert_eq!(found, (0x30, &[7; 258][..], &b"behind"[..]));
    }
}
