//! `config.ini` tables: what is taken, and the exact text for what is not.

use super::*;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(Path::new("config.ini"), text.as_bytes()).map_err(|e| e.to_string())
}

#[test]
fn full_file() {
    let got = parse(
        "hostname=guest-001122334455\ndomain=example.com\nipv6_address=2001:db8::1/64\nipv6_gateway=2001:db8::fffe\n\
         ipv4_address=192.0.2.1\nipv4_prefix_length=24\nipv4_gateway=192.0.2.254\n\
         name_servers=2001:db8::53, 192.0.2.53\nipv4_name_servers=192.0.2.54\nmtu=1500\nserial=3\nmedia=any\n",
    )
    .unwrap();
    assert_eq!(got.hostname.as_deref(), Some("guest-001122334455"));
    assert_eq!(got.domain.as_deref(), Some("example.com"));
    let ipv6 = got.ipv6.unwrap();
    assert_eq!(ipv6.address.to_string(), "2001:db8::1");
    assert_eq!(ipv6.prefix_length, 64);
    assert_eq!(ipv6.gateway.unwrap().to_string(), "2001:db8::fffe");
    let ipv4 = got.ipv4.unwrap();
    assert_eq!(ipv4.address.to_string(), "192.0.2.1");
    assert_eq!(ipv4.prefix_length, 24);
    assert_eq!(ipv4.gateway.unwrap().to_string(), "192.0.2.254");
    let servers: Vec<_> = got.name_servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["2001:db8::53", "192.0.2.53", "192.0.2.54"]);
    assert_eq!(got.mtu.map(Mtu::get), Some(1500));
    assert_eq!((got.serial, got.any_medium), (3, true));
    assert_eq!(got.get("ipv4_address"), Some("192.0.2.1"));
    assert_eq!(got.get("absent"), None);
}

#[test]
fn keys_of_an_installation() {
    let text = "drive=wwn-0x5002538e4034d87b\nerase=yes\nkeep_data=no\nunattended=yes\nafter_install=halt\nnode_type=gen-2\n\
                vm_memory_mib=4096\nvm_cpus=2\nvm_hugepages=yes\nipv6_prefix=2001:db8::/64\nipv6_gateway=2001:db8::1\n\
                management_mac=34-56-78-9A-BC-DE\nguest_hostname=g\nguest_ipv6_gateway=fe80::1\n\
                guest_ipv4_address=192.0.2.3\nguest_ipv4_prefix_length=24\nguest_name_servers=192.0.2.53\n";
    let got = parse(text).unwrap();
    let install = &got.install;
    assert_eq!(install.drive.to_string(), "wwn-0x5002538e4034d87b");
    assert_eq!(
        (install.erase, install.keep_data, install.unattended),
        (true, false, true)
    );
    assert_eq!(
        (install.after_install, &*install.node_type),
        (AfterInstall::Halt, "gen-2")
    );
    assert_eq!(got.vm.memory_mib.map(MemoryMib::get), Some(4096));
    assert_eq!(
        (got.vm.cpus.map(Cpus::get), got.vm.hugepages),
        (Some(2), true)
    );
    assert_eq!(got.ipv6, None);
    let derived = got.ipv6_derived.unwrap();
    assert_eq!(derived.gateway.unwrap().to_string(), "2001:db8::1");
    assert_eq!(got.management_mac.unwrap().to_string(), "34:56:78:9a:bc:de");
    assert_eq!(got.guest.ipv6_gateway.unwrap().to_string(), "fe80::1");
    assert_eq!(got.guest.ipv4.unwrap().prefix_length, 24);
    // An address of its own in another network: its gateway is no other machine's.
    let two =
        parse("ipv6_address=2001:db9::2/64\nipv6_gateway=2001:db9::1\nipv6_prefix=2001:db8::/64\n")
            .unwrap();
    assert_eq!(two.ipv6_derived.unwrap().gateway, None);
}

#[test]
fn keys_of_hosts_and_installers_are_keys() {
    let mut all: Vec<_> = KEYS.to_vec();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), KEYS.len());
    for key in HOST_KEYS.iter().chain(&INSTALLER_KEYS) {
        assert!(KEYS.contains(key), "{key}");
    }
    for key in KEYS {
        let of_host = key.starts_with("vm_") || key.starts_with("guest_");
        assert_eq!(HOST_KEYS.contains(&key), of_host, "{key}");
    }
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(parse("").unwrap(), Settings::default());
    assert_eq!(
        parse("hostname=\nipv6_gateway=\n").unwrap(),
        Settings::default()
    );
}

#[test]
fn edges_that_are_fine() {
    for text in [
        "ipv6_address=2001:db8::1/128\nipv6_gateway=fe80::1\n",
        "ipv4_address=192.0.2.0/31\nipv4_gateway=192.0.2.1\n",
        "ipv4_address=192.0.2.7/32\n",
        "ipv6_address=2001:db8::1\nipv6_prefix_length=1\nipv6_gateway=2001:db8::2\n",
        "hostname=a.b-c.D\nmtu=1280\n",
    ] {
        parse(text).unwrap();
    }
}

/// (text, message after `config.ini:`)
const REFUSED: &[(&str, &str)] = &[
    ("hostname=foo_bar\n", "1: hostname: got \"foo_bar\", want a name of letters, digits and hyphens, at most 64 bytes"),
    ("hostname=-a\n", "1: hostname: got \"-a\", want a name of letters, digits and hyphens, at most 64 bytes"),
    ("hostname=a..b\n", "1: hostname: got \"a..b\", want a name of letters, digits and hyphens, at most 64 bytes"),
    ("domain=ex ample\n", "1: domain: got \"ex ample\", want a name of letters, digits and hyphens, at most 253 bytes"),
    ("ipv6_adress=::1/64\n", "1: unknown key \"ipv6_adress\", did you mean ipv6_address?"),
    ("Hostname=a\n", "1: unknown key \"Hostname\", did you mean hostname?"),
    ("colour=red\n", "1: unknown key \"colour\", want one of KEYS"),
    ("\nipv6_address=2001:db8::1\n", "2: ipv6_address: has no prefix length, want 2001:db8::2/64 or ipv6_prefix_length"),
    ("ipv6_address=2001:db8::1/129\n", "1: ipv6_address: got \"2001:db8::1/129\", want a prefix length from 1 to 128"),
    ("ipv6_address=2001:db8::1/\n", "1: ipv6_address: got \"2001:db8::1/\", want a prefix length from 1 to 128"),
    ("ipv6_address=192.0.2.1/24\n", "1: ipv6_address: got \"192.0.2.1/24\", want an IPv6 address with its prefix length, as 2001:db8::2/64"),
    ("ipv6_address=fe80::1/64\n", "1: ipv6_address: a link-local address, want a routed one"),
    ("ipv6_address=::1/64\n", "1: ipv6_address: not an address a host can have"),
    ("ipv6_address=::ffff:192.0.2.1/96\n", "1: ipv6_address: an IPv4 address in IPv6 form, want it as the IPv4 address"),
    ("ipv6_address=2001:db8::1/64\nipv6_prefix_length=64\n", "2: ipv6_prefix_length: already part of ipv6_address"),
    ("ipv6_address=2001:db8::1\nipv6_prefix_length=x\n", "2: ipv6_prefix_length: got \"x\", want a prefix length from 1 to 128"),
    ("ipv6_gateway=2001:db8::1\n", "1: ipv6_gateway: given without ipv6_address"),
    ("ipv6_address=2001:db8::1/64\nipv6_gateway=2001:db9::1\n", "2: ipv6_gateway: not in the network of the address"),
    ("ipv6_address=2001:db8::1/64\nipv6_gateway=2001:db8::1\n", "2: ipv6_gateway: the same as the address"),
    ("ipv4_address=192.0.2.1/33\n", "1: ipv4_address: got \"192.0.2.1/33\", want a prefix length from 1 to 32"),
    ("ipv4_address=192.0.2.1/0\n", "1: ipv4_address: got \"192.0.2.1/0\", want a prefix length from 1 to 32"),
    ("ipv4_address=192.0.2.0/24\n", "1: ipv4_address: the address of the network itself"),
    ("ipv4_address=192.0.2.255/24\n", "1: ipv4_address: the broadcast address of the network"),
    ("ipv4_address=127.0.0.1/8\n", "1: ipv4_address: not an address a host can have"),
    ("ipv4_address=192.0.2.1/24\nipv4_gateway=192.0.3.1\n", "2: ipv4_gateway: not in the network of the address"),
    ("ipv4_address=192.0.2.1/24\nipv4_gateway=router\n", "2: ipv4_gateway: got \"router\", want an IPv4 address"),
    ("name_servers=1.1.1.1;8.8.8.8\n", "1: name_servers: got \"1.1.1.1;8.8.8.8\", want IP addresses separated by spaces or commas"),
    ("ipv6_name_servers=192.0.2.53\n", "1: ipv6_name_servers: got \"192.0.2.53\", want IPv6 addresses separated by spaces or commas"),
    ("serial=-1\n", "1: serial: got \"-1\", want a whole number from 0 to 18446744073709551615"),
    ("media=all\n", "1: media: got \"all\", want signed or any"),
    ("medium=any\n", "1: unknown key \"medium\", did you mean media?"),
    ("host-name=a\n", "1: unknown key \"host-name\", did you mean hostname?"),
    ("mtu=1279\n", "1: mtu: got \"1279\", want a number from 1280 to 9216"),
    ("management_mac=34:56\n", "1: management_mac: got \"34:56\", want the hardware address of one card, as 34:56:78:9a:bc:de"),
    ("ipv6_prefix=2001:db8::/48\n", "1: ipv6_prefix: got \"2001:db8::/48\", want an IPv6 network of 64 bits, as 2001:db8::/64"),
    ("ipv6_prefix=2001:db8::/64\nipv6_gateway=2001:db9::1\n", "2: ipv6_gateway: not in the network of ipv6_prefix"),
    ("ipv6_prefix=2001:db8::/64\nguest_ipv6_gateway=2001:db9::1\n", "2: guest_ipv6_gateway: not in the network of ipv6_prefix"),
    ("ipv6_prefix=2001:db8::/64\nipv6_prefix_length=64\n", "2: ipv6_prefix_length: given without ipv6_address"),
    ("guest_ipv6_gateway=2001:db8::1\n", "1: guest_ipv6_gateway: given without guest_ipv6_address"),
    ("guest_ipv4_address=192.0.2.3\n", "1: guest_ipv4_address: has no prefix length, want 192.0.2.2/24 or guest_ipv4_prefix_length"),
    ("ipv4_address=192.0.2.2/24\nguest_ipv4_address=192.0.2.2/25\n", "2: guest_ipv4_address: the same as ipv4_address, want one of the guest's own"),
    ("guest_hostname=_\n", "1: guest_hostname: got \"_\", want a name of letters, digits and hyphens, at most 64 bytes"),
    ("guest_name_servers=x\n", "1: guest_name_servers: got \"x\", want IP addresses separated by spaces or commas"),
    ("vm_memory_mib=16G\n", "1: vm_memory_mib: got \"16G\", want a number from 512 to 16777216"),
    ("vm_cpus=0\n", "1: vm_cpus: got \"0\", want a number from 1 to 1024"),
    ("vm_hugepages=on\n", "1: vm_hugepages: got \"on\", want yes or no"),
    ("erase=true\n", "1: erase: got \"true\", want yes or no"),
    ("after_install=shutdown\n", "1: after_install: got \"shutdown\", want reboot or poweroff or halt"),
    ("node_type=Gen 2\n", "1: node_type: got \"Gen 2\", want a name of small letters, digits and hyphens, at most 64 bytes"),
    ("drive=2TB\n", "1: drive: got \"2TB\", want auto, or a drive's serial number, WWN or name in /dev/disk/by-id; drives of one size are no rarity"),
    ("drives=auto\n", "1: unknown key \"drives\", did you mean drive?"),
    ("mtu=+1500\n", "1: mtu: got \"+1500\", want a number from 1280 to 9216"),
];

#[test]
fn refused_with_place_and_reason() {
    for (text, want) in REFUSED {
        assert_eq!(
            parse(text).unwrap_err(),
            format!("config.ini:{want}").replace("KEYS", &KEYS.join(", ")),
            "{text:?}"
        );
    }
}

#[test]
fn all_problems_at_once_in_order() {
    assert_eq!(
        parse("mtu=9\nhostname=_\nx\n").unwrap_err(),
        "config.ini:1: mtu: got \"9\", want a number from 1280 to 9216\n\
         config.ini:2: hostname: got \"_\", want a name of letters, digits and hyphens, at most 64 bytes\n\
         config.ini:3: got \"x\", want key=value"
    );
    let bytes = b"mtu=1\n\xff\ncolour=red\nmtu=2\nipv6_gateway=2001:db8::1\n";
    let error = Settings::parse(Path::new("c"), bytes).unwrap_err();
    let lines: Vec<_> = error.problems().iter().map(|(_, p)| p.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5]);
    let shown: Vec<_> = error.problems().iter().map(|(f, p)| p.at(f)).collect();
    assert_eq!(shown.join("\n"), error.to_string());
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "((hostname|ipv[46]_(address|gateway|prefix_length)|mtu|name_servers|.{0,3})=[0-9a-f:./ -]{0,24}\n){0,6}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        let _ = Settings::parse(Path::new("x"), &bytes);
    }
}
