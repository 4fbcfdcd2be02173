//! Media and stores in temporary folders, and every instant at which the power may go.

use super::*;
use crate::Medium;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a\n";

fn medium(ini: &str, keys: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(CONFIG_INI), ini).unwrap();
    fs::create_dir(dir.path().join(SSH_KEYS_DIR)).unwrap();
    for (user, text) in keys {
        fs::write(dir.path().join(SSH_KEYS_DIR).join(user), text).unwrap();
    }
    dir
}

fn read_error(dir: &Path) -> String {
    Medium::read(dir)
        .unwrap_err()
        .to_string()
        .replace(&*dir.to_string_lossy(), "M")
}

#[test]
fn ingest_replaces_everything_and_is_idempotent() {
    let kept = tempfile::tempdir().unwrap();
    fs::write(kept.path().join("other"), "mine").unwrap();
    let store = Store::new(kept.path());
    assert_eq!(store.load().unwrap(), (Config::default(), Origin::Defaults));

    let first = medium("hostname=a\n", &[("admin", KEY), ("backup", KEY)]);
    let config = Config::read(first.path()).unwrap();
    assert!(store.ingest(&config).unwrap());
    assert!(!store.ingest(&config).unwrap());
    assert_eq!(store.load().unwrap(), (config, Origin::Stored));

    let second = medium("hostname=b\n", &[("readonly", KEY)]);
    assert!(store.ingest(&Config::read(second.path()).unwrap()).unwrap());
    let (config, _) = store.load().unwrap();
    assert_eq!(config.settings.hostname.as_deref(), Some("b"));
    let users: Vec<_> = config.keys.iter().map(|(user, _)| *user).collect();
    assert_eq!(users, ["readonly"]);
    assert_eq!(fs::read(kept.path().join("other")).unwrap(), b"mine");
    for name in [INCOMING, INCOMING_NEW, INCOMING_DONE] {
        assert!(!kept.path().join(name).exists(), "{name}");
    }
}

const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/// A medium with a key of the data.
fn keyed(ini: &str, digits: &str) -> Config {
    let medium = medium(ini, &[("admin", KEY)]);
    fs::write(medium.path().join(DATA_KEY), digits).unwrap();
    Medium::read(medium.path()).unwrap().config
}

/// The key that a store keeps.
fn whole(store: &Store) -> DataKey {
    match store.kept_key().unwrap() {
        Some(KeptKey::Whole(key)) => key,
        kept => panic!("{kept:?}"),
    }
}

#[test]
fn a_key_that_the_tpm_keeps_is_not_stored() {
    const TPM2: &str = "data_encryption=tpm2\n";
    let kept = tempfile::tempdir().unwrap();
    let store = Store::new(kept.path());
    let config = |ini: &str| {
        let medium = medium(ini, &[("admin", KEY)]);
        Medium::read(medium.path()).unwrap().config
    };
    let refused = |config: &Config, why: &str| {
        let error = store.ingest(config).unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    };
    // Somebody has to say which, once.
    refused(
        &config(TPM2),
        "data.key: no such file, and data_encryption is tpm2",
    );
    let first = keyed(TPM2, DIGITS);
    assert!(store.ingest(&first).unwrap());
    assert!(store.holds(&first) && !store.ingest(&first).unwrap());
    let key = first.data_key.clone().unwrap();
    let path = kept.path().join(DATA_KEY_SUM);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{}\n", key.sum())
    );
    let is_kept = |name: &str| kept.path().join(name).exists();
    assert!(!is_kept(DATA_KEY));
    let loaded = store.load().unwrap().0;
    assert_eq!(
        (loaded.data_key.as_ref(), loaded.data_key_sum),
        (None, Some(key.sum()))
    );
    assert_eq!(loaded.to_json()["data_key"], true);
    // What is read back is what is kept.
    assert!(store.holds(&loaded) && !store.ingest(&loaded).unwrap());

    // Later media need not have it; another one they must not have, nor say that it is nobody's.
    assert!(store.ingest(&config(&format!("{TPM2}mtu=1400\n"))).unwrap());
    assert_eq!(store.kept_key().unwrap(), Some(KeptKey::Sum(key.sum())));
    let other = "data.key: it is not the stored one";
    refused(&keyed(TPM2, &DIGITS.replace('f', "e")), other);
    refused(&config("mtu=1400\n"), other);

    // With the key it may be kept here; and by the TPM again, but not without it.
    assert!(store.ingest(&keyed("", DIGITS)).unwrap());
    assert_eq!(store.kept_key().unwrap(), Some(KeptKey::Whole(key.clone())));
    assert!(!path.exists());
    refused(&config(TPM2), other);
    // Whoever still reads the file reads nothing of it.
    let mut open = fs::File::open(kept.path().join(DATA_KEY)).unwrap();
    assert!(store.ingest(&first).unwrap());
    assert!(!is_kept(DATA_KEY) && path.exists());
    let mut left = Vec::new();
    io::Read::read_to_end(&mut open, &mut left).unwrap();
    assert_eq!(left, vec![0; DIGITS.len()]);

    // Both at once are nobody's doing but by hand.
    fs::write(kept.path().join(DATA_KEY), DIGITS).unwrap();
    let both = "there is data.key too, want one of them";
    assert!(store.kept_key().unwrap_err().to_string().contains(both));
    assert!(store.ingest(&first).is_err());
}

#[test]
fn a_key_of_the_data_is_roots_alone_and_stays() {
    let kept = tempfile::tempdir().unwrap();
    let store = Store::new(kept.path());
    assert_eq!(store.kept_key().unwrap(), None);
    // A machine may get one later.
    let bare = medium("hostname=a\n", &[("admin", KEY)]);
    let bare = Config::read(bare.path()).unwrap();
    assert!(store.ingest(&bare).unwrap());
    let first = keyed("hostname=b\n", DIGITS);
    assert!(store.ingest(&first).unwrap());
    assert!(!store.ingest(&first).unwrap());
    let path = kept.path().join(DATA_KEY);
    assert_eq!(fs::read(&path).unwrap(), DIGITS.as_bytes());
    let mode = |path: &Path| {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap());
        mode & 0o7777
    };
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&kept.path().join(CONFIG_INI)), 0o644);
    let key = whole(&store);
    assert_eq!(key.digits(), DIGITS.trim_end());
    assert_eq!(store.load().unwrap().0.data_key, Some(key));
    let json = first.to_json();
    assert_eq!(json["data_key"], true);
    assert!(!json.to_string().contains(DIGITS.trim_end()));

    // With the same key everything else may change.
    assert!(store
        .ingest(&keyed("hostname=c\n", DIGITS.trim_end()))
        .unwrap());
    // Without it, or with another one, nothing does.
    for other in [
        bare.clone(),
        keyed("hostname=d\n", &DIGITS.replace('f', "e")),
    ] {
        let error = store.ingest(&other).unwrap_err().to_string();
        assert!(
            error.starts_with("data.key: it is not the stored one"),
            "{error}"
        );
        let config = store.load().unwrap().0;
        assert_eq!(config.settings.hostname.as_deref(), Some("c"));
    }
    // Whoever gives it up does so by hand; one that can't be read is lost already.
    fs::write(&path, "rubbish").unwrap();
    assert!(store.kept_key().is_err());
    assert!(store
        .ingest(&keyed("hostname=e\n", &DIGITS.replace('f', "e")))
        .unwrap());
    fs::remove_file(&path).unwrap();
    assert!(store.ingest(&bare).unwrap());
    assert!(!path.exists());
}

/// The power goes when the new configuration counts and is not copied yet.
#[test]
fn a_key_that_counts_is_found_before_it_is_copied() {
    let kept = tempfile::tempdir().unwrap();
    let store = Store::new(kept.path());
    let incoming = kept.path().join(INCOMING);
    fs::create_dir(&incoming).unwrap();
    fs::write(incoming.join(CONFIG_INI), "").unwrap();
    fs::write(incoming.join(DATA_KEY), DIGITS).unwrap();
    let key = whole(&store);
    let config = store.load().unwrap().0;
    assert_eq!(config.data_key, Some(key));
    assert!(!store.ingest(&config).unwrap());
    assert_eq!(
        fs::read(kept.path().join(DATA_KEY)).unwrap(),
        DIGITS.as_bytes()
    );
    assert!(!incoming.exists());
}

#[test]
fn all_files_are_reported() {
    let bad = medium("mtu=1\n", &[("admin", "x\n")]);
    fs::create_dir(bad.path().join(SSH_KEYS_DIR).join("backup")).unwrap();
    std::os::unix::fs::symlink(
        "/etc/shadow",
        bad.path().join(SSH_KEYS_DIR).join("readonly"),
    )
    .unwrap();
    assert_eq!(
        read_error(bad.path()),
        "M/config.ini:1: mtu: got \"1\", want a number from 1280 to 9216\n\
         M/ssh_authorized_keys/admin:1: got \"x\", want a key type (ssh-ed25519, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, \
         ecdsa-sha2-nistp521, ssh-rsa, sk-ssh-ed25519@openssh.com, sk-ecdsa-sha2-nistp256@openssh.com); options before it \
         are not taken\n\
         M/ssh_authorized_keys/readonly: a link, folder or device, want a plain file\n\
         M/ssh_authorized_keys/backup: a link, folder or device, want a plain file"
    );
}

#[test]
fn missing_and_huge_files() {
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(read_error(empty.path()), "M/config.ini: no such file");
    let huge = medium(&"#\n".repeat(200_000), &[]);
    assert_eq!(
        read_error(huge.path()),
        "M/config.ini: larger than 262144 bytes"
    );
}

/// The states that a power cut can leave, made by hand, each of which must read as one whole configuration.
#[test]
fn power_cuts() {
    let old = medium("hostname=old\n", &[("admin", KEY), ("backup", KEY)]);
    let new = medium("hostname=new\n", &[("readonly", KEY)]);
    let new_config = Config::read(new.path()).unwrap();
    let hostname = |store: &Store| {
        store
            .load()
            .unwrap()
            .0
            .settings
            .hostname
            .unwrap()
            .to_string()
    };
    let copy = |from: &Path, to: &Path| {
        fs::create_dir_all(to.join(SSH_KEYS_DIR)).unwrap();
        for (name, bytes) in Config::read(from).unwrap().files {
            fs::write(to.join(name), bytes).unwrap();
        }
    };
    let fresh = || {
        let kept = tempfile::tempdir().unwrap();
        copy(old.path(), kept.path());
        let store = Store::new(kept.path());
        (kept, store)
    };

    // While staging: the old one counts, the leftovers are no obstacle.
    let (kept, store) = fresh();
    fs::create_dir_all(kept.path().join(INCOMING_NEW).join(SSH_KEYS_DIR)).unwrap();
    fs::write(kept.path().join(INCOMING_NEW).join(CONFIG_INI), "hostn").unwrap();
    assert_eq!(hostname(&store), "old");
    assert!(store.ingest(&new_config).unwrap());
    assert_eq!(store.load().unwrap().0, new_config);

    // After the rename, with no, some or all files copied: the new one counts.
    for copied in 0..3 {
        let (kept, store) = fresh();
        copy(new.path(), &kept.path().join(INCOMING));
        if copied > 0 {
            fs::remove_file(kept.path().join("ssh_authorized_keys/admin")).unwrap();
        }
        if copied > 1 {
            copy(new.path(), kept.path());
        }
        assert_eq!(store.load().unwrap().0, new_config, "{copied}");
        assert!(!store.ingest(&new_config).unwrap());
        assert!(!kept.path().join(INCOMING).exists());
        assert_eq!(store.load().unwrap().0, new_config, "{copied}");
    }

    // While removing what is done with.
    let (kept, store) = fresh();
    copy(new.path(), kept.path());
    fs::remove_file(kept.path().join("ssh_authorized_keys/admin")).unwrap();
    fs::remove_file(kept.path().join("ssh_authorized_keys/backup")).unwrap();
    fs::create_dir(kept.path().join(INCOMING_DONE)).unwrap();
    assert_eq!(store.load().unwrap().0, new_config);
    assert!(!store.ingest(&new_config).unwrap());
    assert!(!kept.path().join(INCOMING_DONE).exists());
}

#[test]
fn a_stored_file_that_went_bad_is_an_error_and_is_replaced() {
    let kept = medium("hostname=_\n", &[]);
    let store = Store::new(kept.path());
    assert!(store.load().is_err());
    let good = medium("hostname=a\n", &[]);
    assert!(store.ingest(&Config::read(good.path()).unwrap()).unwrap());
    assert!(store.load().is_ok());
}

#[test]
fn json() {
    let dir = medium("hostname=a\nmtu=1500\n", &[("admin", KEY)]);
    let config = Config::read(dir.path()).unwrap();
    assert_eq!(
        config.to_json(),
        serde_json::json!({
            "data_key": false,
            "settings": {"hostname": "a", "mtu": "1500"},
            "ssh_authorized_keys": {"admin": [KEY.trim_end()]},
        })
    );
}
