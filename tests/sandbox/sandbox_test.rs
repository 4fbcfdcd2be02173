//! What the probe saw as an action, and what it sees as part of a test. 101 is ENETUNREACH.

const WANT: &str = "declared true\nundeclared false\nnetwork Some(101)\n";

#[test]
fn an_action_is_shut_in() {
    assert_eq!(std::fs::read_to_string(env!("REPORT")).unwrap(), WANT);
}

#[test]
fn a_test_is_shut_in() {
    let report = std::env::var("TEST_TMPDIR").unwrap() + "/report";
    let status = std::process::Command::new(env!("PROBE"))
        .args([env!("DECLARED"), env!("UNDECLARED"), &report])
        .status();
    assert!(status.unwrap().success());
    assert_eq!(std::fs::read_to_string(report).unwrap(), WANT);
}
