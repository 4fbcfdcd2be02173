//! `ssh_authorized_keys/USER`: OpenSSH public keys, one a line: `TYPE BASE64 [COMMENT]`.
//!
//! The base64 part is the key blob of RFC 4253 section 6.6; it starts with its own type as a string (u32 length, big
//! endian, then the bytes), which must be the TYPE before it. Options in front of the type (`command=…`) are refused:
//! what a key may do is decided by the user it logs in as.

use std::path::Path;

use crate::error::{Error, Problem};
use crate::ini;

const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// The keys of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizedKeys {
    /// Whole lines, as sshd reads them.
    pub keys: Vec<String>,
}

impl AuthorizedKeys {
    /// Reads `bytes`; `path` is only for messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let invalid = |problems| Error::Invalid {
            path: path.to_path_buf(),
            problems,
        };
        let (lines, mut problems) = ini::lines(bytes);
        let mut keys = Vec::new();
        for (line, text) in lines {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if let Some(problem) = other_format(text) {
                // Of the lines below nothing is told: they may be a secret.
                problems.retain(|p| p.line < line);
                problems.push(Problem::new(line, problem));
                break;
            }
            match check(text) {
                Ok(()) => keys.push(text.to_owned()),
                Err(problem) => problems.push(Problem::new(line, problem)),
            }
        }
        problems.sort_by_key(|p| p.line);
        if problems.is_empty() {
            Ok(Self { keys })
        } else {
            Err(invalid(problems))
        }
    }

    /// The good keys of a file that may have gone bad, as `TYPE BASE64`.
    pub(crate) fn salvage(bytes: &[u8]) -> Vec<String> {
        let (lines, _) = ini::lines(bytes);
        let good = lines.into_iter().filter(|(_, text)| check(text).is_ok());
        good.map(|(_, text)| {
            text.split_ascii_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
    }

    /// The file for sshd.
    pub fn to_text(&self) -> String {
        self.keys.iter().map(|key| format!("{key}\n")).collect()
    }
}

/// What a line says that begins a key of another kind, which goes on in the lines below.
fn other_format(text: &str) -> Option<String> {
    let problem = if text.contains("PRIVATE KEY-----") || text.starts_with("PuTTY-User-Key-File") {
        "a private key, want the public one (the .pub file)"
    } else if text.starts_with("---- BEGIN SSH2 PUBLIC KEY") {
        "a public key as PuTTY saves it, want OpenSSH's one line (ssh-keygen -i -f FILE)"
    } else if text.starts_with("-----BEGIN ") {
        "not an OpenSSH public key, want its one line (ssh-keygen -i -m PKCS8 -f FILE)"
    } else {
        return None;
    };
    Some(problem.to_owned())
}

fn check(text: &str) -> Result<(), String> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next();
    let Some(kind) = first.filter(|kind| TYPES.contains(kind)) else {
        return Err(format!(
            "got {:?}, want a key type ({}); options before it are not taken",
            shorten(first.unwrap_or(text)),
            TYPES.join(", ")
        ));
    };
    let blob = words
        .next()
        .and_then(decode)
        .ok_or_else(|| format!("{kind}: the key is not base64"))?;
    let cut_off = || format!("{kind}: the key is cut off");
    let (inner, rest) = string(&blob).ok_or_else(cut_off)?;
    if inner != kind.as_bytes() {
        return Err(format!(
            "{kind}: the key itself says {:?}",
            shorten(&String::from_utf8_lossy(inner))
        ));
    }
    // Type and at least one more string: a blob that ends here holds no key.
    match string(rest) {
        Some((key, _)) if !key.is_empty() => Ok(()),
        _ => Err(cut_off()),
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

/// The string at the start of `bytes`, u32 length, big endian, then the bytes; and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(base::as_usize(u32::from_be_bytes(*length)))
}

/// Base64 of RFC 4648 section 4, with its padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len().checked_sub(digits.len())?;
    if text.len() & 3 != 0 || padding > 2 || digits.is_empty() {
        return None;
    }
    base::base64::decode_unpadded(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn parse(text: &str) -> Result<AuthorizedKeys, String> {
        AuthorizedKeys::parse(Path::new("admin"), text.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn keys_comments_and_blank_lines() {
        let got = parse(&format!("# me\r\n\r\n{ED25519} me@desk\r\n{ED25519}\n")).unwrap();
        assert_eq!(got.to_text(), format!("{ED25519} me@desk\n{ED25519}\n"));
        assert_eq!(parse("").unwrap().to_text(), "");
        let salvaged = AuthorizedKeys::salvage(format!("x\n{ED25519} me@desk\n\u{1}").as_bytes());
        assert_eq!(salvaged, [ED25519]);
    }

    #[test]
    fn refused_with_line_and_reason() {
        let types = TYPES.join(", ");
        let rsa_head = ED25519.replace("ssh-ed25519 ", "ssh-rsa ");
        let table = [
            (
                format!("\ncommand=\"sh\" {ED25519}\n"),
                format!("admin:2: got \"command=\\\"sh\\\"\", want a key type ({types}); options before it are not taken"),
            ),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned(),
                "admin:1: a private key, want the public one (the .pub file)".to_owned(),
            ),
            (
                format!("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n\0\n-----END\n{ED25519}\n"),
                "admin:1: a private key, want the public one (the .pub file)".to_owned(),
            ),
            (
                "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n".to_owned(),
                "admin:1: a private key, want the public one (the .pub file)".to_owned(),
            ),
            (
                "x\n---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n".to_owned(),
                format!("admin:1: got \"x\", want a key type ({types}); options before it are not taken\n\
                         admin:2: a public key as PuTTY saves it, want OpenSSH's one line (ssh-keygen -i -f FILE)"),
            ),
            (rsa_head, "admin:1: ssh-rsa: the key itself says \"ssh-ed25519\"".to_owned()),
            ("ssh-ed25519\n".to_owned(), "admin:1: ssh-ed25519: the key is not base64".to_owned()),
            ("ssh-ed25519 AAA\n".to_owned(), "admin:1: ssh-ed25519: the key is not base64".to_owned()),
            ("ssh-ed25519 AAAA\n".to_owned(), "admin:1: ssh-ed25519: the key is cut off".to_owned()),
            (
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkV\n".to_owned(),
                "admin:1: ssh-ed25519: the key is cut off".to_owned(),
            ),
            (
                "ssh-ed25519 /////3NzaC1l\n".to_owned(),
                "admin:1: ssh-ed25519: the key is cut off".to_owned(),
            ),
        ];
        for (text, want) in table {
            assert_eq!(parse(&text).unwrap_err(), want, "{text:?}");
        }
    }

    #[test]
    fn base64_of_the_rfc() {
        let table = [
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
        ];
        for (text, want) in table {
            assert_eq!(decode(text).as_deref(), Some(want.as_bytes()), "{text}");
        }
        for bad in ["", "=", "A===", "Zg=", "Zm9v!A==", "Z=g="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = AuthorizedKeys::parse(Path::new("x"), &bytes);
        }

        #[test]
        fn any_blob(kind in "ssh-(rsa|ed25519)", blob in "[A-Za-z0-9+/]{0,40}={0,3}") {
            let _ = parse(&format!("{kind} {blob}\n"));
        }
    }
}
