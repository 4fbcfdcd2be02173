//! An image with other bytes here and there.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::as_u64;

use crate::builder::Builder;
use crate::error::Error;
use crate::plan::Plan;

impl Plan {
    /// The same image but for `pieces`, bytes by where they start, which lie within it and don't overlap.
    pub fn replaced(&self, pieces: &BTreeMap<u64, Vec<u8>>) -> Result<Self, Error> {
        let mut builder = Builder::new(Arc::clone(&self.inputs));
        let mut at = 0;
        for (start, bytes) in pieces {
            let outside = || Error::outside_image(*start, as_u64(bytes.len()), self.len);
            let before = start.checked_sub(at).ok_or_else(outside)?;
            let end = start.checked_add(as_u64(bytes.len()));
            let end = end.filter(|end| *end <= self.len).ok_or_else(outside)?;
            builder.range(self, at, before)?;
            builder.inline(bytes)?;
            at = end;
        }
        let rest = self.len.checked_sub(at).ok_or(Error::TooLong)?;
        builder.range(self, at, rest)?;
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Reader};

    #[test]
    fn pieces_here_and_there() {
        let mut builder = Builder::new([Input::of_len(10)]);
        builder.source(0, 0, 10).unwrap();
        builder.zero(10).unwrap();
        let plan = builder.finish().unwrap();
        let pieces = |list: &[(u64, &[u8])]| -> BTreeMap<u64, Vec<u8>> {
            list.iter()
                .map(|(at, bytes)| (*at, bytes.to_vec()))
                .collect()
        };
        let read = |plan: Plan| {
            let reader = Reader::new(plan, vec![("x".to_owned(), b"0123456789".to_vec())]).unwrap();
            let mut bytes = vec![1; 20];
            reader.read_at(&mut bytes, 0).unwrap();
            bytes
        };
        let list: [(u64, &[u8]); 4] = [(0, b"A"), (1, b"B"), (9, b"CD"), (19, b"E")];
        assert_eq!(
            read(plan.replaced(&pieces(&list)).unwrap()),
            b"AB2345678CD\0\0\0\0\0\0\0\0E"
        );
        assert_eq!(plan.replaced(&pieces(&[])).unwrap(), plan);
        for list in [
            [(0u64, &b"AB"[..]), (1, b"C")],
            [(19, b"AB"), (u64::MAX, b"")],
        ] {
            let error = plan.replaced(&pieces(&list)).unwrap_err().to_string();
            assert!(error.contains("20"), "{error}");
        }
    }
}
