//! What `systemctl --root=DIR preset-all --preset-mode=full` does to `/etc/systemd/system`, computed on a
//! [`tree::Tree`] without running anything.
//!
//! Spec: systemd.unit(5), "\[Install\] section options", "Unit file load path" and "Specifiers"; systemd.preset(5);
//! systemctl(1), "preset-all", "enable" and "disable"; systemd.syntax(7). Where the pages are silent, this follows
//! what systemctl of systemd 262 was seen to do; `tests/` runs both on the same trees.
//!
//! - A unit takes the first line of the preset files that matches its name; without one it is enabled.
//! - Enabling makes the links of `[Install]`; the links of a disabled unit go, whoever made them, with directories that
//!   become empty.
//! - Masked units, aliases, and links into the load path under their own name are left alone. So is a
//!   unit without `[Install]` that no preset disables.
//!
//! What differs from systemctl, on purpose:
//!
//! | case                                          | systemctl             | here                             |
//! |-----------------------------------------------|-----------------------|----------------------------------|
//! | `%m`, `%v`, `%H` and others of a machine      | values of this machine | a [`Problem`]                   |
//! | absolute links of preset files, and to links  | lead out of DIR       | stay inside the tree             |
//! | two units want one alias                      | any of them gets it   | the first by name, and a problem |
//! | unit that a preset disables, but `Also=` of an enabled one names | its old links go or stay by table order | go |
//! | `Also=` names an instance that is a link to its template, or whose template lies outside the load path | reached or not by table order | enabled |
//! | an instance that one line disables and a later one lists | its old links go or stay by folder order | go |
//! | default instance with a mask of its own       | no links, and a failure | no links                       |
//! | an instance's own file and its template want one link | any of them gets it | the instance           |
//! | link to a link that is removed in the same run | depends on directory order | removed                     |
//! | units in `/run/systemd/{transient,generator*}` | enabled, with an error | not looked at                   |
//!
//! [`check`] finds what neither systemctl nor this complains about, although the image would not do what its author wants.

mod apply;
mod check;
mod error;
mod expand;
mod install;
mod lookup;
mod name;
mod plan;
mod preset;
mod syntax;

pub use apply::enabled;
pub use check::{check, Fault};
pub use error::{Error, Problem};
pub use plan::{preset_all, Plan};

/// Where links are made: paths in the tree have no leading slash.
pub(crate) const ETC: &[u8] = b"etc/systemd/system";
