//! The units listed in GuestOS's README are those that the image enables.

#[test]
fn readme_lists_the_enabled_units() {
    let readme = std::fs::read_to_string(env!("README")).unwrap();
    let block = readme
        .split("```units\n")
        .nth(1)
        .expect("README has a ```units block");
    let listed: Vec<&str> = block
        .split("```")
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let units = std::fs::read_to_string(env!("UNITS")).unwrap();
    let enabled: Vec<&str> = units.lines().collect();
    assert_eq!(
        listed, enabled,
        "left: ic-os/guestos/README.md, right: computed from presets and units"
    );
}
