//! `config.json`: the exact text for what is wrong, and all of it at once.

use super::*;

/// A document of `tests/data/v1`, from this package's folder or, under Bazel, from the root of the sources.
fn fixture(name: &str) -> String {
    let path = Path::new("tests/data/v1").join(name);
    std::fs::read_to_string(&path)
        .or_else(|_| std::fs::read_to_string(Path::new("rust/os/config").join(&path)))
        .unwrap()
}

fn host() -> String {
    fixture("full.host.json")
}

fn parse(text: &str) -> Result<Document, String> {
    Document::parse(Path::new("config.json"), text.as_bytes()).map_err(|e| e.to_string())
}

/// (text to replace in the host's document, replacement, what is said).
const REFUSED: &[(&str, &str, &str)] = &[
    ("\"format\": 1,", "\"format\": 2,", "format: got 2, want 1, the format that this version reads"),
    ("\"kind\": \"host\"", "\"kind\": \"hsot\"", "kind: got \"hsot\", want setup, host or guest"),
    ("\"hostname\": \"node-1\"", "\"host_name\": \"node-1\"", "host_name: unknown field, did you mean hostname?\nconfig.json: hostname: missing; what is not set is null, and every field is there"),
    ("\"hostname\": \"node-1\"", "\"hostname\": \"node_1\"", "hostname: got \"node_1\", want a name of letters, digits and hyphens, at most 64 bytes"),
    ("\"hostname\": \"node-1\"", "\"hostname\": 1", "hostname: got 1, want a name of letters, digits and hyphens, at most 64 bytes"),
    ("\"serial\": 7", "\"serial\": -7", "serial: got -7, want a whole number from 0 to 18446744073709551615"),
    ("\"serial\": 7", "\"serial\": 7.5", "serial: got 7.5, want a whole number from 0 to 18446744073709551615"),
    ("\"memory_mib\": 16384", "\"memory_mib\": 5", "vm.memory_mib: got 5, want a number from 512 to 16777216"),
    ("\"hugepages\": true", "\"hugepages\": \"yes\"", "vm.hugepages: got \"yes\", want true or false"),
    ("\"2001:db8::1\"", "\"2001:db9::1\"", "network.ipv6.gateway: 2001:db9::1: not in the network of the address"),
    ("\"prefix_length\": 64", "\"prefix_length\": 129", "network.ipv6.prefix_length: got 129, want a prefix length from 1 to 128"),
    ("\"2001:db8::53\"", "\"dns\"", "network.name_servers[0]: got \"dns\", want an IP address"),
    ("\"2001:db8::3\"", "\"2001:db8::2\"", "guest.network.ipv6.address: 2001:db8::2: the same as the host's, want one of its own"),
    ("\"kind\": \"guest\"", "\"kind\": \"host\"", "guest.kind: got \"host\", want \"guest\""),
    ("\"vm\": {", "\"vm\": [], \"wm\": {", "wm: unknown field, did you mean vm?\nconfig.json: vm: got a list, want an object of memory_mib, cpus, hugepages"),
    ("\"ipv6_derived\": null", "\"ipv6_derived\": {\"prefix\": \"2001:db8::/64\", \"gateway\": null}", "network.ipv6_derived: given although ipv6 is an address already, want null in one of them"),
    ("\"ipv6_derived\": null", "\"ipv6_derived\": {\"prefix\": \"2001:db8::1/64\", \"gateway\": null}", "network.ipv6_derived.prefix: got \"2001:db8::1/64\", want the network alone, 2001:db8::/64"),
    ("\"34:56:78:9a:bc:de\"", "\"35:56:78:9a:bc:de\"", "network.management_mac: got \"35:56:78:9a:bc:de\", want the hardware address of one card, as 34:56:78:9a:bc:de"),
];

#[test]
fn refused_with_field_and_reason() {
    let host = host();
    parse(&host).unwrap();
    for (old, new, want) in REFUSED {
        assert!(host.contains(old), "{old}");
        let error = parse(&host.replacen(old, new, 1)).unwrap_err();
        assert_eq!(error, format!("config.json: {want}"), "{old}: {new}");
    }
}

#[test]
fn all_at_once() {
    let mut bad = fixture("full.setup.json");
    for (old, new) in [
        ("\"erase\": true", "\"erase\": 1"),
        (
            "\"after_install\": \"poweroff\"",
            "\"after_instal\": \"poweroff\"",
        ),
        ("\"mtu\": 1400", "\"mtu\": 1"),
        ("\"cpus\": 8", "\"cpus\": 0"),
    ] {
        assert!(bad.contains(old), "{old}");
        bad = bad.replacen(old, new, 1);
    }
    assert_eq!(
        parse(&bad).unwrap_err(),
        "config.json: install.after_instal: unknown field, did you mean after_install?\n\
         config.json: install.after_install: missing; what is not set is null, and every field is there\n\
         config.json: install.erase: got 1, want true or false\n\
         config.json: host.network.mtu: got 1, want a number from 1280 to 9216\n\
         config.json: host.vm.cpus: got 0, want a number from 1 to 1024"
    );
}

#[test]
fn what_is_no_document() {
    for (text, want) in [
        (
            "",
            "config.json:1: not JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            "{\n\"a\": 1,\n\"a\": 2}",
            "config.json:3: not JSON: \"a\" is there twice at line 3 column 3",
        ),
        (
            "[]",
            "config.json: document: got a list, want an object with the fields kind and format",
        ),
        (
            "{}",
            "config.json: format: missing, and without it nothing can be read",
        ),
        (
            "{\"format\": 1}",
            "config.json: kind: missing, and without it nothing can be read",
        ),
        // A later format may have anything; only that is said.
        (
            "{\"format\": 2, \"x\": 1}",
            "config.json: format: got 2, want 1, the format that this version reads",
        ),
        (
            "{\"format\": \"1\"}",
            "config.json: format: got \"1\", want 1, the format that this version reads",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err(), want, "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(parse(&deep).unwrap_err().contains("recursion limit"));
}

#[test]
fn serde_reads_and_refuses_the_same() {
    let host = host();
    let read: HostConfig = serde_json::from_str(&host).unwrap();
    assert_eq!(parse(&host).unwrap(), Document::Host(Box::new(read)));
    let bad = host
        .replacen("\"serial\": 7", "\"serial\": null", 1)
        .replacen("\"cpus\": 8", "\"cpus\": 0", 1);
    let error = serde_json::from_str::<HostConfig>(&bad)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "serial: got null, want a whole number from 0 to 18446744073709551615; vm.cpus: got 0, want a number from 1 to 1024"
    );
}

#[test]
fn systems_by_their_identity() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("os.json");
    assert_eq!(Kind::of_system(&path).unwrap(), None);
    for (text, kind) in [
        ("{\"os\": \"guestos\", \"env\": \"dev\"}", Some(Kind::Guest)),
        ("{\"os\": \"hostos\"}", Some(Kind::Host)),
        ("{\"os\": \"appliance\"}", None),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(Kind::of_system(&path).unwrap(), kind, "{text}");
    }
    std::fs::write(&path, "{}").unwrap();
    let error = Kind::of_system(&path).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "os.json: not JSON with the field os, want the file that comes with the system"
        ),
        "{error}"
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        let _ = Document::parse(Path::new("x"), &bytes);
    }

    /// Any character of a good document may be another one; what is read all the same is written and read again as itself.
    #[test]
    fn any_change(at: proptest::sample::Index, new in "[ -~]{0,3}") {
        let mut text = host();
        let at = at.index(text.len());
        text.replace_range(at..=at, &new);
        if let Ok(read) = parse(&text) {
            proptest::prop_assert_eq!(parse(&read.to_json()).unwrap(), read.clone());
            read.settings(Path::new("x")).unwrap();
        }
    }
}
