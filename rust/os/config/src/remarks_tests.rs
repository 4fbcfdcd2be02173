//! What is said of configurations that are right.

use super::*;
use crate::AuthorizedKeys;

fn config(ini: &str, has_owner: bool) -> Config {
    let mut config = Config::default();
    let path = Path::new(CONFIG_INI);
    config
        .put_main(CONFIG_INI, path, ini.as_bytes().to_vec())
        .unwrap();
    if has_owner {
        let keys = AuthorizedKeys {
            keys: vec!["k".to_owned()],
        };
        config.put_keys(OWNER, keys, Vec::new());
    }
    config
}

#[test]
fn remarks_by_system() {
    let ini = "hostname=a\nguest_hostname=a\nmedia=any\nerase=yes\nunattended=yes\n\
               ipv4_address=192.0.2.2/24\nipv6_address=2001:db8::2/64\nipv6_gateway=2001:db8::1\nipv6_prefix=2001:db8:1::/64\n";
    let config = config(ini, true);
    assert_eq!(
        config.remarks(Kind::Setup),
        [
            "media=any: whoever plugs in a medium replaces this configuration and its keys",
            "erase=yes and unattended=yes: a machine that starts from this medium overwrites the drive that it chooses, and nobody is asked",
            "guest_hostname: a is the host's name too",
            "ipv6_prefix: the guest's address is derived in 2001:db8:1::/64, where the host's 2001:db8::2 is not",
            "name_servers: none, and with ipv4_address and an IPv6 gateway given the network is not asked for any",
        ]
    );
    let host = config.remarks(Kind::Host);
    assert_eq!(
        host[1],
        "erase, unattended: only an installer reads that; this system is installed already"
    );
    assert_eq!(host.len(), 5);
}

#[test]
fn a_key_for_the_tpm_is_brought_once_more() {
    let config = config("data_encryption=tpm2\n", true);
    let without = "data_encryption=tpm2 without data.key: only a machine that was told its key before takes it";
    assert_eq!(config.remarks(Kind::Guest), [without]);
    let said = config.remarks(Kind::Setup);
    assert_eq!(said[0], without);
    assert!(
        said[1].contains("HostOS needs this medium once more"),
        "{said:?}"
    );
}

#[test]
fn nothing_to_say() {
    for text in [
        "",
        "hostname=a\nipv6_prefix=2001:db8::/64\nipv4_address=192.0.2.2/24\n",
        "erase=yes\n",
        "unattended=yes\n",
    ] {
        assert_eq!(
            config(text, true).remarks(Kind::Setup),
            Vec::<String>::new(),
            "{text}"
        );
    }
    let medium = |ini, has_owner, proof| Medium {
        config: config(ini, has_owner),
        proof,
    };
    assert_eq!(medium("", true, None).remarks(), Vec::<String>::new());
    assert!(
        medium("", false, None).remarks()[0].starts_with("no key in ssh_authorized_keys/admin: ")
    );
    let proof = crate::Proof {
        sums: Vec::new(),
        signature: Vec::new(),
    };
    assert!(medium("", true, Some(proof.clone())).remarks()[0]
        .starts_with("signed, and without serial: "));
    assert_eq!(
        medium("serial=1\n", true, Some(proof)).remarks(),
        Vec::<String>::new()
    );
}

#[test]
fn a_guest_refuses_what_is_a_hosts() {
    let stick = config(
        "hostname=a\nvm_cpus=2\n\nguest_hostname=b\nerase=no\n",
        true,
    );
    for kind in [Kind::Setup, Kind::Host] {
        stick.check_for(kind, Path::new("M")).unwrap();
    }
    let text = |line: usize, key: &str, value: &str, of: &str| {
        format!("M/config.ini:{line}: {key}: got {value:?}, and only {of} reads that: this is a guest, whose own keys have no prefix; take the line out")
    };
    assert_eq!(
        stick
            .check_for(Kind::Guest, Path::new("M"))
            .unwrap_err()
            .to_string(),
        [
            text(2, "vm_cpus", "2", "a host"),
            text(4, "guest_hostname", "b", "a host"),
            text(5, "erase", "no", "an installer"),
        ]
        .join("\n")
    );
    config("hostname=a\nipv6_prefix=2001:db8::/64\n", true)
        .check_for(Kind::Guest, Path::new("M"))
        .unwrap();
}
