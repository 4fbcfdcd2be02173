//! From a stick to a host's store to a guest's medium.

use super::*;
use crate::{KeptKey, Mac, Medium, Origin, Store};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn read(files: &[(&str, &str)]) -> Config {
    Medium::read(folder(files).path()).unwrap().config
}

const INI: &str = "hostname=node-1\nipv6_prefix=2001:db8::/64\nipv6_gateway=fe80::1\nname_servers=2001:db8::53\nguest_hostname=guest-1\n\
                   serial=3\ndrive=S4EVNX0R123456\nvm_cpus=4\n";

#[test]
fn the_whole_way() {
    let stick = read(&[("config.ini", INI), ("ssh_authorized_keys/admin", KEY)]);
    let card = Mac::parse("34:56:78:9a:bc:de").unwrap();
    let setup = SetupConfig::of(&stick).unwrap();
    assert_eq!(setup.install.drive.to_string(), "S4EVNX0R123456");
    let host = setup.host.on_machine(card);

    // On the host: its store.
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path());
    let next = stick
        .hand_over(&Document::Host(Box::new(host.clone())))
        .unwrap();
    assert!(store.ingest(&next).unwrap());
    assert!(!dir.path().join("config.ini").exists());
    let (kept, origin) = store.load().unwrap();
    assert_eq!((&kept, origin), (&next, Origin::Stored));
    assert_eq!(HostConfig::of(&kept).unwrap(), host);
    assert!(kept.has_owner());
    // Who asks by key has the same answers.
    assert_eq!(kept.settings.get("hostname"), Some("node-1"));
    assert_eq!(kept.settings.get("vm_cpus"), Some("4"));
    assert_eq!(
        kept.settings.get("management_mac"),
        Some("34:56:78:9a:bc:de")
    );
    assert_eq!(kept.settings.get("drive"), None);
    assert_eq!(store.ownership().unwrap().serial, 3);

    // For the guest: a medium.
    let guest = kept
        .hand_over(&Document::Guest(Box::new(host.guest.clone())))
        .unwrap();
    let names: Vec<_> = guest
        .files()
        .iter()
        .map(|(path, _)| path.to_str().unwrap())
        .collect();
    assert_eq!(names, ["config.json", "ssh_authorized_keys/admin"]);
    let own = GuestConfig::of(&guest).unwrap();
    assert_eq!(own.network.management_mac, Some(card.guest()));
    let address = own.network.ipv6_of(None).unwrap();
    assert_eq!(
        address.address,
        own.network
            .ipv6_derived
            .unwrap()
            .prefix
            .address(card.guest())
    );
    assert_eq!(address.gateway.unwrap().to_string(), "fe80::1");
    assert_eq!(guest.settings.get("hostname"), Some("guest-1"));
    // Name servers of the host, which the guest has none of its own for.
    assert_eq!(guest.settings.get("name_servers"), Some("2001:db8::53"));
    assert!(guest.settings.any_medium);

    // Once more is the same bytes.
    assert_eq!(
        kept.hand_over(&Document::Guest(Box::new(host.guest)))
            .unwrap(),
        guest
    );
}

/// The key of the data is the host's, as a file and as what is said of the configuration; the guest hears nothing of it.
#[test]
fn the_key_of_the_data_is_handed_to_hosts_alone() {
    let digits = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let stick = read(&[("config.ini", ""), ("data.key", digits)]);
    let next = |kind| {
        let document = Document::of(&stick, kind).unwrap();
        stick.hand_over(&document).unwrap()
    };
    let is_key = |(path, _): &(PathBuf, Vec<u8>)| path == Path::new("data.key");
    for kind in [Kind::Setup, Kind::Host] {
        let next = next(kind);
        assert_eq!(next.data_key, stick.data_key);
        assert!(next.files().iter().any(is_key));
        // Twice into one store: the key that is kept is the one that comes.
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        assert!(store.ingest(&next).unwrap());
        let kept = stick.data_key.clone().map(KeptKey::Whole);
        assert_eq!(store.kept_key().unwrap(), kept);
        assert_eq!(store.load().unwrap().0, next);
        std::fs::write(dir.path().join("config.json"), "damaged").unwrap();
        assert!(store.ingest(&next).unwrap());
    }
    let guest = next(Kind::Guest);
    assert_eq!(guest.data_key, None);
    assert!(!guest.files().iter().any(is_key));
}

#[test]
fn a_medium_replaces_either_file_by_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path());
    let ini = read(&[("config.ini", "hostname=a\n")]);
    let json = ini
        .hand_over(&Document::of(&ini, Kind::Host).unwrap())
        .unwrap();
    for (config, there, gone) in [
        (&ini, "config.ini", "config.json"),
        (&json, "config.json", "config.ini"),
        (&ini, "config.ini", "config.json"),
    ] {
        assert!(store.ingest(config).unwrap());
        assert!(dir.path().join(there).exists() && !dir.path().join(gone).exists());
        assert_eq!(&store.load().unwrap().0, config);
    }
}

#[test]
fn one_of_the_two_files() {
    let json = read(&[("config.ini", "")]);
    let json = json
        .hand_over(&Document::of(&json, Kind::Host).unwrap())
        .unwrap();
    let text = std::str::from_utf8(&json.files()[0].1).unwrap();
    let dir = folder(&[("config.ini", ""), ("config.json", text)]);
    let want = "config.json: there is config.ini too, want one of them: remove this file if config.ini is what you wrote, else the other";
    let errors = [
        Medium::read(dir.path()).unwrap_err(),
        Store::new(dir.path()).load().unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().ends_with(want), "{error}");
    }
    // Damage to one does not hide the other.
    std::fs::write(dir.path().join("config.json"), "x").unwrap();
    let error = Medium::read(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("config.json:1: not JSON") && error.contains(want),
        "{error}"
    );
}

#[test]
fn a_document_for_another_system_is_refused() {
    let ini = read(&[("config.ini", "")]);
    let json = |kind| ini.hand_over(&Document::of(&ini, kind).unwrap()).unwrap();
    let (setup, host, guest) = (json(Kind::Setup), json(Kind::Host), json(Kind::Guest));
    assert!(HostConfig::of(&setup).is_ok());
    for (result, want) in [
        (
            SetupConfig::of(&host).map(drop),
            "config.json: kind: got \"host\", want setup: it was made for another system",
        ),
        (
            HostConfig::of(&guest).map(drop),
            "config.json: kind: got \"guest\", want setup or host: it was made for another system",
        ),
        (
            GuestConfig::of(&setup).map(drop),
            "config.json: kind: got \"setup\", want guest: it was made for another system",
        ),
    ] {
        assert_eq!(result.unwrap_err().to_string(), want);
    }
    let error = host.check_for(Kind::Guest, Path::new("/M")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/M/config.json: kind: got \"host\""),
        "{error}"
    );
}

/// A document may say what keys can't: then the keys say less, and never something else of the machine itself.
#[test]
fn keys_never_derive_what_the_document_does_not() {
    let stick = read(&[("config.ini", "ipv6_prefix=2001:db8::/64\n")]);
    let mut host = HostConfig::of(&stick).unwrap();
    host.network.ipv6_derived = None;
    let next = stick
        .hand_over(&Document::Host(Box::new(host.clone())))
        .unwrap();
    assert_eq!(HostConfig::of(&next).unwrap(), host);
    assert_eq!(crate::NetworkConfig::from(&next.settings), host.network);
}

/// Keys, as many as one likes, of those that go together.
fn ini() -> impl proptest::strategy::Strategy<Value = String> {
    const LINES: [&str; 24] = [
        "hostname=a.b",
        "domain=example.com",
        "ipv6_address=2001:db8::2/64",
        "ipv6_prefix=2001:db8::/64",
        "ipv6_gateway=fe80::1",
        "management_mac=34-56-78-9A-BC-DE",
        "ipv4_address=192.0.2.2/24\nipv4_gateway=192.0.2.1",
        "name_servers=192.0.2.53, 2001:db8::53",
        "mtu=1400",
        "serial=9",
        "media=any",
        "vm_memory_mib=4096",
        "vm_cpus=2",
        "vm_hugepages=yes",
        "guest_hostname=g",
        "guest_ipv6_address=2001:db8::3/64",
        "guest_ipv6_gateway=fe80::2",
        "guest_ipv4_address=192.0.2.3/24",
        "guest_name_servers=192.0.2.54",
        "drive=x y",
        "erase=yes",
        "unattended=yes\nkeep_data=yes",
        "after_install=halt",
        "node_type=gen-2",
    ];
    use proptest::strategy::Strategy;
    proptest::sample::subsequence(LINES.to_vec(), 0..=LINES.len())
        .prop_map(|lines| lines.join("\n"))
}

proptest::proptest! {
    /// What config.ini says, config.json says too, to whoever asks: by type and by key.
    #[test]
    fn both_files_mean_the_same(text in ini()) {
        // Some do not go together, such as a gateway without an address.
        if let Ok(settings) = crate::Settings::parse(Path::new("config.ini"), text.as_bytes()) {
            let setup = SetupConfig::from(&settings);
            let document = Document::Setup(Box::new(setup.clone()));
            let read = Document::parse(Path::new("config.json"), document.to_json().as_bytes()).unwrap();
            proptest::prop_assert_eq!(&read, &document);
            let again = read.settings(Path::new("config.json")).unwrap();
            proptest::prop_assert_eq!(SetupConfig::from(&again), setup);
        }
    }
}
