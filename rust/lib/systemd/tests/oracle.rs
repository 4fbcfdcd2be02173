//! The same trees through `systemctl --root preset-all --preset-mode=full` and through this crate.

mod common;

use common::{cases, compare};

#[test]
fn trees_by_hand() {
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() > 200);
    for (title, root) in &cases {
        wrong.extend(compare(title, root).err());
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
