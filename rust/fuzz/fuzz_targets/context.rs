//! What surrounds a Dockerfile: ignore files, lists of a context, accounts.
#![no_main]

use dockerfile::{Accounts, Context, Ignore};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let (name, text) = data.split_once('\n').unwrap_or((data, ""));
    if let Ok(ignore) = Ignore::parse(".dockerignore", text) {
        let _ = ignore.excludes(name);
    }
    let _ = Context::parse("context", data);
    let (passwd, group) = text.split_once("\n\n").unwrap_or((text, text));
    let accounts = Accounts {
        passwd: passwd.to_owned(),
        group: group.to_owned(),
    };
    let _ = accounts.user(name);
    let _ = accounts.owner(name);
});
