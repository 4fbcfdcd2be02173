//! Folders laid out as media, by people, desktops and editors.

use super::*;
use std::fs;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a\n";

/// A medium with these files.
fn medium(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn read(files: &[(&str, &str)]) -> Result<Medium, String> {
    let dir = medium(files);
    let place = dir.path().to_string_lossy().into_owned();
    Medium::read(dir.path()).map_err(|error| error.to_string().replace(&place, "M"))
}

#[test]
fn names_have_no_case_and_desktops_leave_things() {
    let got = read(&[
        ("CONFIG.INI", "hostname=a\r\n"),
        ("SSH_Authorized_Keys/Admin", KEY),
        ("SSH_Authorized_Keys/ReadMe.md", "x"),
        ("SSH_Authorized_Keys/._Admin", "x"),
        ("SSH_Authorized_Keys/Admin~", "x"),
        ("SSH_Authorized_Keys/.admin.swp", "x"),
        ("System Volume Information/IndexerVolumeGuid", "x"),
        ("$RECYCLE.BIN/x", "x"),
        (".Spotlight-V100/x", "x"),
        (".fseventsd/x", "x"),
        (".Trashes/x", "x"),
        (".Trash-1000/x", "x"),
        (".DS_Store", "x"),
        ("._config.ini", "x"),
        ("Desktop.ini", "x"),
        ("Thumbs.db", "x"),
        ("README.txt", "x"),
    ])
    .unwrap();
    assert_eq!(got.config.settings.hostname.as_deref(), Some("a"));
    assert!(got.config.has_owner());
    // The names of the store are one's own.
    let names: Vec<_> = got.config.files().iter().map(|(path, _)| path).collect();
    assert_eq!(
        names,
        [
            Path::new("config.ini"),
            Path::new("ssh_authorized_keys/admin")
        ]
    );
    assert_eq!(got.proof, None);
}

/// (name, what is said of it); the rest of the medium is right.
const REFUSED: &[(&str, &str)] = &[
    ("config.ini.txt", "not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig; did you mean config.ini?"),
    ("config (1).ini", "not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig"),
    ("config.ini.bak", "not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig; did you mean config.ini?"),
    ("confg.ini", "not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig; did you mean config.ini?"),
    ("notes.txt~", "not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig"),
    ("ssh-authorized-keys", "not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig; did you mean ssh_authorized_keys?"),
    ("authorized_keys", "not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig"),
    (".ssh", "not read, want config.ini, config.json, ssh_authorized_keys, data.key, config.sha256, config.sha256.sig"),
    ("ssh_authorized_keys/admin.txt", "not the name of a user, want admin, readonly, backup; did you mean admin?"),
    ("ssh_authorized_keys/admin.pub", "not the name of a user, want admin, readonly, backup; did you mean admin?"),
    ("ssh_authorized_keys/admni", "not the name of a user, want admin, readonly, backup; did you mean admin?"),
    ("ssh_authorized_keys/id_ed25519.pub", "not the name of a user, want admin, readonly, backup"),
    ("ssh_authorized_keys/backup~", "not the name of a user, want admin, readonly, backup; did you mean backup?"),
];

#[test]
fn what_is_not_read_is_refused() {
    for (name, want) in REFUSED {
        let good = [("config.ini", ""), ("ssh_authorized_keys/admin", KEY)];
        read(&good).unwrap();
        let error = read(&[good[0], good[1], (name, KEY)]).unwrap_err();
        assert_eq!(error, format!("M/{name}: {want}"));
    }
}

#[test]
fn all_at_once() {
    let error = read(&[
        ("Config.ini.txt", ""),
        ("ssh_authorized_keys/admin.txt", KEY),
        ("ssh_authorized_keys/ADMIN", "x"),
        ("ssh_authorized_keys/admin", KEY),
    ])
    .unwrap_err();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 5, "{error}");
    assert!(lines[0].starts_with("M/Config.ini.txt: not read, "));
    assert_eq!(lines[1], "M/config.ini: no such file");
    assert_eq!(
        lines[2],
        "M/ssh_authorized_keys/admin: the same name as M/ssh_authorized_keys/ADMIN, want one of them"
    );
    assert!(lines[3].starts_with("M/ssh_authorized_keys/admin.txt: not the name of a user, "));
    assert!(lines[4].starts_with("M/ssh_authorized_keys/ADMIN:1: got \"x\", want a key type"));
    let error = read(&[("config.ini", ""), ("ssh_authorized_keys", KEY)]).unwrap_err();
    assert_eq!(
        error,
        "M/ssh_authorized_keys: not a folder, want one with files admin, readonly, backup"
    );
}

#[test]
fn a_signature_is_whole_and_of_this_medium() {
    let sums = |text: &str| format!("{text}  config.ini\n");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let good = sums(empty);
    let got = read(&[
        ("config.ini", ""),
        ("config.sha256", &good),
        ("config.sha256.sig", "s"),
    ]);
    let proof = got.unwrap().proof.unwrap();
    assert_eq!(
        (proof.sums, proof.signature),
        (good.clone().into_bytes(), b"s".to_vec())
    );
    let table: [(&[(&str, &str)], &str); 4] = [
        (
            &[("config.sha256", &good)],
            "M/config.sha256.sig: no such file, although there is config.sha256",
        ),
        (
            &[("config.sha256.sig", "s")],
            "M/config.sha256: no such file, although there is config.sha256.sig",
        ),
        (
            &[
                ("config.sha256", "x  config.ini\n"),
                ("config.sha256.sig", "s"),
            ],
            &format!("M/config.sha256:1: config.ini: the file's sum is {empty}"),
        ),
        (
            &[
                ("ssh_authorized_keys/admin", KEY),
                ("config.sha256", &good),
                ("config.sha256.sig", "s"),
            ],
            "M/config.sha256: ssh_authorized_keys/admin is not listed",
        ),
    ];
    for (files, want) in table {
        let mut all = vec![("config.ini", "")];
        all.extend(files);
        assert_eq!(read(&all).unwrap_err(), want);
    }
}

#[test]
fn a_key_of_the_data_is_read_and_signed_for() {
    let digits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let got = read(&[("config.ini", ""), ("Data.Key", digits)]).unwrap();
    assert_eq!(got.config.data_key.unwrap().digits(), digits);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let sums = format!("{empty}  config.ini\n");
    let error = read(&[
        ("config.ini", ""),
        ("data.key", digits),
        ("config.sha256", &sums),
        ("config.sha256.sig", "s"),
    ]);
    assert_eq!(
        error.unwrap_err(),
        "M/config.sha256: data.key is not listed"
    );
    // Together with what else is wrong.
    let error = read(&[("config.ini", "mtu=1\n"), ("data.key", "secret")]).unwrap_err();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    assert!(lines[1].starts_with("M/data.key:1: byte 1 is none of 0-9 a-f, want 64 digits"));
    assert!(!error.contains("secret"), "{error}");
    for (settings, has_key, want) in [
        (
            "none",
            true,
            "M/data.key: there is one, and data_encryption is none",
        ),
        (
            "key",
            false,
            "M/data.key: no such file, and data_encryption is key",
        ),
        (
            "tpm",
            true,
            "M/config.ini:1: data_encryption: got \"tpm\", want none or key or tpm2",
        ),
    ] {
        let ini = format!("data_encryption={settings}\n");
        let files = [("config.ini", ini.as_str()), ("data.key", digits)];
        let files = if has_key { &files[..] } else { &files[..1] };
        let error = read(files).unwrap_err();
        assert!(error.starts_with(want), "{error}");
    }
    for settings in ["key", "tpm2"] {
        let ini = format!("data_encryption={settings}\n");
        read(&[("config.ini", &ini), ("data.key", digits)]).unwrap();
    }
    read(&[("config.ini", "data_encryption=tpm2\n")]).unwrap();

    let error = read(&[("config.ini", ""), ("data.key.txt", digits)]).unwrap_err();
    assert!(error.ends_with("did you mean data.key?"), "{error}");
}

proptest::proptest! {
    #[test]
    fn any_names(names in proptest::collection::vec("[^/\0]{1,20}", 0..6)) {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            // `.` and `..` are no files.
            let _ = fs::write(dir.path().join(name), "x");
        }
        proptest::prop_assert!(Medium::read(dir.path()).is_err());
    }
}
