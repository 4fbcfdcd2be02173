//! `user[:group]` resolved through an image's own `/etc/passwd` and `/etc/group`.

/// Who runs a step, or owns a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Home folder, `/` if the image does not say.
    pub home: String,
}

/// The contents of both files; missing ones are empty.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// `/etc/passwd`
    pub passwd: String,
    /// `/etc/group`
    pub group: String,
}

impl Accounts {
    /// Who `text` is, for USER: a number without a group gets the group of that user, else 0.
    pub fn user(&self, text: &str) -> Result<User, String> {
        self.lookup(text, |_| 0)
    }

    /// Who `text` is, for `--chown`: a number without a group gets the group of the same number.
    pub fn owner(&self, text: &str) -> Result<(u32, u32), String> {
        if let Some(uid) = number(text) {
            return Ok((uid, uid));
        }
        self.lookup(text, |uid| uid)
            .map(|user| (user.uid, user.gid))
    }

    fn lookup(&self, text: &str, default_group: impl Fn(u32) -> u32) -> Result<User, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let entry = self.passwd_entry(user);
        let uid = match (&entry, number(user)) {
            (Some(entry), _) => entry.uid,
            (None, Some(uid)) => uid,
            (None, None) => return Err(format!("user {user:?} is not in the image's /etc/passwd")),
        };
        let gid = match group {
            Some(group) => self.group(group)?,
            None => entry
                .as_ref()
                .map_or_else(|| default_group(uid), |entry| entry.gid),
        };
        Ok(User {
            uid,
            gid,
            home: entry
                .map(|entry| entry.home)
                .filter(|home| !home.is_empty())
                .unwrap_or_else(|| "/".to_owned()),
        })
    }

    /// By name first, then by number, as every container engine does.
    fn passwd_entry(&self, user: &str) -> Option<User> {
        let entries = || {
            self.passwd.lines().filter_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                let [name, _, uid, gid, _, home, ..] = fields.as_slice() else {
                    return None;
                };
                Some((
                    *name,
                    User {
                        uid: number(uid)?,
                        gid: number(gid)?,
                        home: (*home).to_owned(),
                    },
                ))
            })
        };
        let by_name = entries().find(|(name, _)| *name == user);
        let by_number = || entries().find(|(_, entry)| Some(entry.uid) == number(user));
        by_name.or_else(by_number).map(|(_, entry)| entry)
    }

    fn group(&self, group: &str) -> Result<u32, String> {
        let named = self.group.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            match fields.as_slice() {
                [name, _, gid, ..] if *name == group => number(gid),
                _ => None,
            }
        });
        named
            .or_else(|| number(group))
            .ok_or_else(|| format!("group {group:?} is not in the image's /etc/group"))
    }
}

fn number(text: &str) -> Option<u32> {
    // u32::MAX means "unchanged" to chown.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != u32::MAX)
}
