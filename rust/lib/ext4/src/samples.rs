//! What the crate's own tests are about: parameters, and entries of which little matters.

use tree::{Entry, Kind, Source, Stamp, Tree};

use crate::params::{Checked, Params, Size, LAST_TIME};

const SOME_UUID: &str = "a3b1c2d4-0000-4000-8000-0123456789af";

/// Of entries whose owner, mode and time do not matter.
pub(crate) const STAMP: Stamp = Stamp {
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    mtime_nanos: 0,
};

/// Parameters of which only the size matters.
pub(crate) fn of_size(size: Size) -> Checked {
    let params = Params {
        size,
        uuid: SOME_UUID.into(),
        hash_seed: SOME_UUID.into(),
        label: "x".repeat(16),
        mtime: LAST_TIME,
        journal: false,
    };
    params.check().unwrap()
}

/// A file of the first bytes of an input.
pub(crate) fn first_of(input: usize, len: u64) -> Kind {
    Kind::File(Source {
        input,
        offset: 0,
        len,
    })
}

/// Puts an entry into a layer of `tree`.
pub(crate) fn insert(tree: &mut Tree, path: &str, kind: Kind, layer: u8) {
    let entry = Entry {
        layer,
        ..Entry::injected(kind, STAMP)
    };
    tree.insert(path.as_bytes(), entry, "test").unwrap();
}
