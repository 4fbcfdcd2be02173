//! What `db`, `dbx`, `KEK` and `PK` hold: one `EFI_SIGNATURE_LIST` behind the other (32.4.1). All integers little-endian:
//!
//! | offset | size | field                                                                |
//! |-------:|-----:|----------------------------------------------------------------------|
//! |      0 |   16 | `SignatureType`; of certificates `EFI_CERT_X509_GUID`                |
//! |     16 |    4 | `SignatureListSize`, of all of it                                    |
//! |     20 |    4 | `SignatureHeaderSize`                                                |
//! |     24 |    4 | `SignatureSize` of each entry: an owner, 16 bytes, and a certificate |

use base::as_usize;
use uuid::Uuid;

/// `EFI_CERT_X509_GUID`, as it is in memory.
const X509: [u8; 16] = Uuid::from_u128(0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072).to_bytes_le();
/// What is in front of header and entries.
const HEAD: u32 = 28;
const OWNER: usize = 16;

/// A list of one certificate, whose owner is said to be this one; nothing, if it is longer than a list can be.
pub fn list(owner: &[u8; OWNER], certificate: &[u8]) -> Option<Vec<u8>> {
    let entry = [owner.as_slice(), certificate].concat();
    let len = u32::try_from(entry.len()).ok()?;
    let numbers = [len.checked_add(HEAD)?, 0, len].map(u32::to_le_bytes);
    Some([X509.as_slice(), numbers.as_flattened(), &entry].concat())
}

/// The certificates in lists, those of other types passed over; nothing, if these are no lists.
pub fn certificates(mut lists: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !lists.is_empty() {
        let head = as_usize(u64::from(HEAD));
        let (kind, numbers) = lists.get(..head)?.split_at(X509.len());
        let mut numbers = numbers.chunks_exact(4).map(|number| {
            let number = u32::from_le_bytes(number.try_into().ok()?);
            Some(as_usize(u64::from(number)))
        });
        let [len, header, each] = [numbers.next()??, numbers.next()??, numbers.next()??];
        let entries = lists.get(head.checked_add(header)?..len)?;
        if kind == X509 {
            if each <= OWNER || entries.len().checked_rem(each)? != 0 {
                return None;
            }
            let entries = entries.chunks_exact(each);
            found.extend(entries.filter_map(|entry| entry.get(OWNER..)));
        }
        // At least the head, or there were no entries to get.
        lists = lists.get(len..)?;
    }
    Some(found)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    /// One of another type, with two entries of that length.
    fn other(each: u8) -> Vec<u8> {
        let entries = usize::from(each) * 2;
        let len = 28 + u8::try_from(entries).unwrap();
        let head = [len, 0, 0, 0, 0, 0, 0, 0, each, 0, 0, 0];
        [[1; 16].as_slice(), &head, &vec![9; entries]].concat()
    }

    #[test]
    fn a_list_is_what_the_specification_says() {
        let want = b"\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72\
            \x2f\0\0\0\0\0\0\0\x13\0\0\0UUUUUUUUUUUUUUUUder";
        assert_eq!(list(&[0x55; 16], b"der").unwrap(), want);
    }

    #[test]
    fn lists_are_read_whole_or_not_at_all() {
        let (one, two) = (vec![1; 100], vec![2; 300]);
        let [first, second] = [&one, &two].map(|of| list(&[0x55; 16], of).unwrap());
        // Two entries, and a header that nobody knows.
        let header = [1, 2, 3];
        let entry = second[28..].repeat(2);
        let numbers = [28 + 3 + 2 * 316, 3, 316_u32].map(u32::to_le_bytes);
        let both = [&X509, numbers.as_flattened(), &header, &entry].concat();
        let all = [first, other(48), both].concat();
        assert_eq!(certificates(&all).unwrap(), [&one, &two, &two]);
        assert_eq!(certificates(&[]).unwrap(), [&[0_u8; 0]; 0]);
        for end in [all.len() - 1, 28, 5, 1] {
            assert_eq!(certificates(&all[..end]), None, "{end}");
        }
        // Lengths that are none: of the list, its header, its entries.
        for (at, value) in [
            (16, 0_u32),
            (16, 27),
            (16, u32::MAX),
            (20, 1),
            (20, u32::MAX),
            (24, 0),
            (24, 3),
            (24, 16),
            (24, 115),
        ] {
            let mut bad = all.clone();
            bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert_eq!(certificates(&bad), None, "{at} {value}");
        }
    }
}
