//! Plans with known answers: messages, the list of enabled units, and garbage.

mod common;

use common::{in_memory, listing, plan, root, Root, E, P, U};
use proptest::prelude::*;

fn unit(name: &str) -> String {
    format!("{U}{name}")
}

#[test]
fn links_directories_and_the_list() {
    let wanted = "[Install]\nWantedBy=multi-user.target\nAlias=alias.service\n";
    let files = [
        (unit("on.service"), wanted),
        (
            unit("off.service"),
            "[Install]\nWantedBy=multi-user.target\n",
        ),
        (
            unit("getty@.service"),
            "[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\nAlias=autovt@.service\n",
        ),
        (format!("{P}90.preset"), "disable off.service\n"),
        (
            format!("{E}old.target.wants/off.service"),
            "-> /usr/lib/systemd/system/off.service",
        ),
        (format!("{E}masked.service"), "-> /dev/null"),
        (unit("masked.service"), wanted),
    ];
    let files: Root = files
        .into_iter()
        .map(|(path, text)| (path, text.to_owned()))
        .collect();
    let (mut tree, bytes) = in_memory(&files);
    let plan = plan(&tree, &bytes).unwrap();
    assert_eq!(plan.problems, []);
    assert_eq!(plan.remove.len(), 1);
    assert_eq!(plan.remove_dirs.len(), 1);
    plan.apply(&mut tree, 77).unwrap();
    let got: Vec<String> = listing(&tree)
        .iter()
        .map(|(k, v)| format!("{k} {v}"))
        .collect();
    let want = [
        "alias.service /usr/lib/systemd/system/on.service",
        "autovt@.service /usr/lib/systemd/system/getty@.service",
        "getty.target.wants/ ",
        "getty.target.wants/getty@tty1.service /usr/lib/systemd/system/getty@.service",
        "masked.service /dev/null",
        "multi-user.target.wants/ ",
        "multi-user.target.wants/on.service /usr/lib/systemd/system/on.service",
    ];
    assert_eq!(got, want);
    let units: Vec<String> = systemd::enabled(&tree).into_iter().collect();
    assert_eq!(units, ["getty@tty1.service", "on.service"]);
    let link = tree.get(b"etc/systemd/system/alias.service").unwrap();
    assert_eq!(
        (link.stamp.mode, link.stamp.mtime, link.layer),
        (0o777, 77, 1)
    );
}

#[test]
fn problems_name_the_unit() {
    let install =
        "[Install]\nAlias=x.socket same.service\nWantedBy=%m.target %Q.target ok.target\n";
    let files = root(&[
        (unit("a.service"), install.to_owned()),
        (
            unit("b.service"),
            "[Install]\nAlias=same.service\n".to_owned(),
        ),
        (
            unit("t@.service"),
            "[Install]\nWantedBy=ok.target\nDefaultInstance=x\n".to_owned(),
        ),
        (format!("{E}t@x.service"), "-> t@x.service".to_owned()),
        (format!("{E}ok.target.wants/a.service"), "a file".to_owned()),
    ]);
    let (tree, bytes) = in_memory(&files);
    let problems = plan(&tree, &bytes).unwrap().problems;
    let got: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let want = [
        "a.service: cannot be known as 'x.socket'",
        "a.service: '%m' in '%m.target' depends on the machine that runs the image",
        "a.service: '%Q' in '%Q.target' is not known in [Install]",
        "a.service: '/etc/systemd/system/ok.target.wants/a.service' is wanted as a link, but there is a file",
        "b.service: '/etc/systemd/system/same.service' is wanted as a link, but there is one to \
         '/usr/lib/systemd/system/a.service'",
        "t@.service: its default instance 't@x.service' is a link to itself or to no unit of its type",
    ];
    assert_eq!(got, want);
}

#[test]
fn refused_as_a_whole() {
    let cases = [
        ("a.service", "[Unit]\n[Install\n", "'/usr/lib/systemd/system/a.service' line 2: '[Install' is no section header"),
        ("a.service", "[Install]\nAlso=x/y\n", "'/usr/lib/systemd/system/a.service' line 2: Also=x/y is no unit name"),
        ("a.service", "[Install]\nAlso=\"x\n", "'/usr/lib/systemd/system/a.service' line 2: '\"x' has an open quote"),
        (
            "a@.service",
            "[Install]\nDefaultInstance=a b\n",
            "'/usr/lib/systemd/system/a@.service' line 2: DefaultInstance=a b is no instance name",
        ),
        (
            "a.mount",
            "-> /usr/lib/systemd/system/b.mount",
            "'a.mount' is a link to '/usr/lib/systemd/system/b.mount', but units of that type have one name only",
        ),
    ];
    for (name, text, want) in cases {
        let files = root(&[(unit(name), text.to_owned())]);
        let (tree, bytes) = in_memory(&files);
        assert_eq!(plan(&tree, &bytes).unwrap_err().to_string(), want);
    }
    let files = root(&[
        (unit("a.service"), "[Install]\n".to_owned()),
        (format!("{E}a.service/x"), String::new()),
    ]);
    let (tree, bytes) = in_memory(&files);
    assert_eq!(
        plan(&tree, &bytes).unwrap_err().to_string(),
        "'/etc/systemd/system/a.service' is a directory, want a unit file"
    );
    let files = root(&[(format!("{P}1.preset/x"), String::new())]);
    let (tree, bytes) = in_memory(&files);
    let error = plan(&tree, &bytes).unwrap_err().to_string();
    assert_eq!(
        error,
        "'/usr/lib/systemd/system-preset/1.preset' is a dir, want a preset file"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in unit files, presets and links: a plan that can be carried out, or an error.
    #[test]
    fn garbage(
        unit_text in "(\\[Install\\]\n)?(([A-Z][a-z]{0,5}|WantedBy|Alias|Also|DefaultInstance)?=?[ a-z%@.\\\\\"'#;\\[\\]/-]{0,12}\n){0,6}",
        preset in "((enable|disable|ignore)?[ \ta-z@.*?\\[\\]!-]{0,12}\n?){0,5}",
        names in prop::collection::vec("[a-c@.]{1,4}\\.(service|mount|target)", 1..4),
        targets in prop::collection::vec("(/|\\.\\./|[a-c@.]{1,4}){1,5}(\\.service)?", 1..4),
    ) {
        let mut files = Root::new();
        files.insert(format!("{P}1.preset"), preset);
        for (i, name) in names.iter().enumerate() {
            files.insert(format!("{U}{name}"), unit_text.clone());
            let target = targets.get(i).unwrap_or(&targets[0]);
            files.insert(format!("{E}{name}"), format!("-> {target}"));
            files.insert(format!("{E}x.target.wants/{name}"), format!("-> {target}"));
        }
        let (mut tree, bytes) = in_memory(&files);
        if let Ok(plan) = plan(&tree, &bytes) {
            plan.apply(&mut tree, 0).unwrap();
            let _ = systemd::enabled(&tree);
        }
    }
}
