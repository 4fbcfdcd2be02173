//! Users from /etc/passwd: `name:password:uid:gid:comment:home:shell`.
//!
//! Read by ourselves: a static program has no name service, and users of an image are in its file.

use std::path::Path;

use anyhow::Context;

/// Who a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Finds `name` in the passwd file at `path`.
pub(crate) fn lookup(path: &Path, name: &str) -> anyhow::Result<User> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&String::from_utf8_lossy(&bytes), name)
        .with_context(|| format!("user {name:?} of --replica-user, in {}", path.display()))
}

fn parse(text: &str, name: &str) -> anyhow::Result<User> {
    for (number, line) in (1_usize..).zip(text.lines()) {
        let mut fields = line.split(':');
        if name.is_empty() || fields.next() != Some(name) {
            continue;
        }
        let _password = fields.next();
        let mut id = |what| {
            let field = fields
                .next()
                .with_context(|| format!("line {number}: no {what}, want a number"))?;
            field
                .parse::<u32>()
                .map_err(|_| anyhow::anyhow!("line {number}: got {what} {field:?}, want a number"))
        };
        return Ok(User {
            name: name.to_owned(),
            uid: id("uid")?,
            gid: id("gid")?,
        });
    }
    anyhow::bail!("no such user")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "root:x:0:0::/root:/bin/sh\n\nic-replica:x:800:801::/:/x\nic:x:1:1\nbad:x:y:1\nshort\n";

    #[test]
    fn found_by_whole_name() {
        let user = parse(FILE, "ic-replica").unwrap();
        assert_eq!((user.uid, user.gid), (800, 801));
        assert_eq!(parse(FILE, "ic").unwrap().uid, 1);
    }

    #[test]
    fn refused() {
        for (name, want) in [
            ("nobody", "no such user"),
            ("", "no such user"),
            ("bad", "line 5: got uid \"y\", want a number"),
            ("short", "line 6: no uid, want a number"),
        ] {
            assert_eq!(parse(FILE, name).unwrap_err().to_string(), want);
        }
    }
}
