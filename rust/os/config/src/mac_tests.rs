//! Hardware addresses: the vectors of `docs/formats/config.md`.

use super::*;

/// Management address, guest's address, IPv6 of both in 2001:db8::/64.
const VECTORS: [[&str; 4]; 4] = [
    [
        "34:56:78:9a:bc:de",
        "66:13:66:f4:22:8d",
        "2001:db8::3656:78ff:fe9a:bcde",
        "2001:db8::6413:66ff:fef4:228d",
    ],
    [
        "02:00:5e:10:00:01",
        "2e:33:aa:59:4b:93",
        "2001:db8::5eff:fe10:1",
        "2001:db8::2c33:aaff:fe59:4b93",
    ],
    [
        "fe:ff:ff:ff:ff:ff",
        "56:7e:1d:02:7b:55",
        "2001:db8::fcff:ffff:feff:ffff",
        "2001:db8::547e:1dff:fe02:7b55",
    ],
    [
        "00:11:22:33:44:03",
        "62:07:9c:cb:84:16",
        "2001:db8::211:22ff:fe33:4403",
        "2001:db8::6007:9cff:fecb:8416",
    ],
];

#[test]
fn addresses_of_host_and_guest() {
    let prefix = Ipv6Prefix::parse("2001:db8::/64").unwrap();
    for [host, guest, host_ipv6, guest_ipv6] in VECTORS {
        let mac = Mac::parse(host).unwrap();
        assert_eq!(mac.guest().to_string(), guest);
        assert_eq!(prefix.address(mac).to_string(), host_ipv6);
        assert_eq!(prefix.address(mac.guest()).to_string(), guest_ipv6);
    }
}

#[test]
fn texts_of_hardware_addresses() {
    for good in [
        "34:56:78:9a:bc:de",
        "34:56:78:9A:BC:DE",
        "34-56-78-9a-bc-de",
    ] {
        assert_eq!(Mac::parse(good).unwrap().to_string(), "34:56:78:9a:bc:de");
    }
    for bad in [
        "",
        "3456789abcde",
        "34:56:78:9a:bc",
        "34:56:78:9a:bc:de:f0",
        "3:456:78:9a:bc:de",
        "34:56:78:9a:bc-de",
        "34:56:78:9a:bc:dg",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "35:56:78:9a:bc:de",
    ] {
        let want = "the hardware address of one card, as 34:56:78:9a:bc:de";
        assert_eq!(Mac::parse(bad), Err(want.to_owned()), "{bad}");
    }
}

#[test]
fn networks_of_64_bits() {
    let prefix = Ipv6Prefix::parse("2001:DB8:0:1::/64").unwrap();
    assert_eq!(prefix.to_string(), "2001:db8:0:1::/64");
    for (text, reached) in [
        ("2001:db8:0:1::5", true),
        ("fe80::1", true),
        ("2001:db8::5", false),
    ] {
        assert_eq!(prefix.reaches(text.parse().unwrap()), reached, "{text}");
    }
    let form = "an IPv6 network of 64 bits, as 2001:db8::/64";
    let routed = "a network that is routed, as 2001:db8::/64";
    for (bad, want) in [
        ("2001:db8::", form),
        ("2001:db8::/56", form),
        ("2001:db8::/064", form),
        ("192.0.2.0/64", form),
        ("2001:db8::1/64", "the network alone, 2001:db8::/64"),
        ("fe80::/64", routed),
        ("ff02::/64", routed),
        ("::/64", routed),
    ] {
        assert_eq!(Ipv6Prefix::parse(bad), Err(want.to_owned()), "{bad}");
    }
}

proptest::proptest! {
    #[test]
    fn a_guests_address_is_local_and_one_cards(bytes: [u8; 6]) {
        if let Some(mac) = Mac::new(bytes) {
            let [first, ..] = mac.guest().bytes();
            proptest::prop_assert_eq!(first & 3, 2);
            proptest::prop_assert_eq!(Mac::parse(&mac.to_string()), Ok(mac));
        }
    }

    #[test]
    fn any_text(text: String) {
        let _ = (Mac::parse(&text), Ipv6Prefix::parse(&text));
    }
}
