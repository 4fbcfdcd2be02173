//! The reports of the probe's actions have no bad line.

fn check(path: &str, lines: usize) {
    let report = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(report.lines().count(), lines, "{path}:\n{report}");
    assert!(
        report.lines().all(|line| line.starts_with("ok ")),
        "{path}:\n{report}"
    );
}

#[test]
fn an_action_sees_only_what_it_declared() {
    check(env!("SANDBOXED"), 9);
}

#[test]
fn the_same_action_without_the_sandbox_sees_more() {
    check(env!("UNSANDBOXED"), 3);
}
