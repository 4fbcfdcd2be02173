//! What may be said of a URL, in messages, journals and files: not what lets others in.
//!
//! RFC 3986: `scheme://user:password@host:port/path?query#fragment`. User and password are a secret, and a query may be one (`?token=…`). What is left says
//! where something comes from.

use std::borrow::Cow;

/// `text` without user, password, query and fragment, if it is a URL; else as it is. What was left out shows as `…`.
pub fn shown(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.into();
    };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if scheme.is_empty() || !scheme.chars().all(is_scheme) {
        return text.into();
    }
    // An authority ends at the first of these; a backslash is one to browsers, and to whoever types.
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (secret, host) = match authority.rsplit_once('@') {
        Some((_, host)) => ("…@", host),
        None => ("", authority),
    };
    if secret.is_empty() && !has_port(host) {
        // A password with one of these in it ends the authority early: nobody knows where it ends.
        return format!("{scheme}://…").into();
    }
    let path = rest
        .find(['?', '#'])
        .map_or(rest, |end| rest.split_at(end).0);
    let more = if rest.find(['?', '#']).is_some() {
        "?…"
    } else {
        ""
    };
    if secret.is_empty() && more.is_empty() {
        return text.into();
    }
    format!("{scheme}://{secret}{host}{path}{more}").into()
}

/// Whether what is behind the last colon of a host is a port, if there is one. An IPv6 address ends in a bracket.
fn has_port(host: &str) -> bool {
    match host.rsplit_once(':') {
        Some((_, port)) => host.ends_with(']') || port.chars().all(|c| c.is_ascii_digit()),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        for (text, want) in [
            (
                "https://updates.example/a.tar",
                "https://updates.example/a.tar",
            ),
            (
                "https://me:pw@updates.example:8443/a.tar",
                "https://…@updates.example:8443/a.tar",
            ),
            ("https://token@updates.example", "https://…@updates.example"),
            (
                "https://a@b@updates.example/x",
                "https://…@updates.example/x",
            ),
            (
                "https://updates.example/a.tar?token=pw",
                "https://updates.example/a.tar?…",
            ),
            (
                "https://updates.example?token=pw",
                "https://updates.example?…",
            ),
            (
                "https://updates.example/a#pw",
                "https://updates.example/a?…",
            ),
            ("https://me:p?w@updates.example/a", "https://…"),
            ("http://me:p/w@updates.example/a", "http://…"),
            ("http://me:p#w@updates.example/a", "http://…"),
            (
                "https://updates.example/@scope/a",
                "https://updates.example/@scope/a",
            ),
            ("http://[::1]", "http://[::1]"),
            ("ftp://me:pw@h/x?y", "ftp://…@h/x?…"),
            ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/x"),
            // No URLs.
            ("update.tar", "update.tar"),
            ("/data/a?b#c@d", "/data/a?b#c@d"),
            ("-", "-"),
            ("://me:pw@h", "://me:pw@h"),
            ("a b://me:pw@h", "a b://me:pw@h"),
            ("", ""),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }
}
