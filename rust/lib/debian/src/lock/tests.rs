//! Texts of locks, and what is refused.

use super::*;
use crate::list::parse_list;

fn package(name: &str, version: &str) -> Package {
    Package {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: "amd64".to_owned(),
        suite: "trixie".to_owned(),
        source: format!("{name}-src"),
        source_version: version.to_owned(),
        size: 1,
        sha256: format!("{:0>64}", name.len()).parse().unwrap(),
        path: format!("pool/main/x/{name}_{version}_amd64.deb"),
    }
}

fn suite(name: &str) -> Suite {
    Suite {
        suite: name.to_owned(),
        root: Root::of(name),
        components: vec!["main".to_owned()],
        date: "2026-11-21T09:15:44Z".to_owned(),
    }
}

pub(crate) fn lock(packages: &[(&str, &str)]) -> Lock {
    Lock {
        lists: vec!["x/packages.common".to_owned()],
        update: Some("//x:lock".to_owned()),
        requested: vec!["bbb".to_owned(), "aa".to_owned()],
        packages: packages.iter().map(|(n, v)| package(n, v)).collect(),
        ..Lock::new("amd64", vec![suite("trixie"), suite("trixie-security")])
    }
}

#[test]
fn text() {
    let mut lock = lock(&[("bbb", "1:2~rc1+b1"), ("aa", "1")]);
    lock.packages[1].suite = "trixie-security".to_owned();
    let text = lock.write().unwrap();
    let zeros = "0".repeat(63);
    assert_eq!(
        text,
        format!(
            r#"{{
 "format": 2,
 "architecture": "amd64",
 "suites": [
  {{"suite": "trixie", "root": "main", "components": ["main"], "date": "2026-11-21T09:15:44Z"}},
  {{"suite": "trixie-security", "root": "security", "components": ["main"], "date": "2026-11-21T09:15:44Z"}}
 ],
 "lists": ["x/packages.common"],
 "update": "//x:lock",
 "requested": ["aa", "bbb"],
 "packages": [
  {{"name": "aa", "version": "1", "architecture": "amd64", "suite": "trixie-security", "source": "aa-src", "source_version": "1", "size": 1, "sha256": "{zeros}2", "path": "pool/main/x/aa_1_amd64.deb"}},
  {{"name": "bbb", "version": "1:2~rc1+b1", "architecture": "amd64", "suite": "trixie", "source": "bbb-src", "source_version": "1:2~rc1+b1", "size": 1, "sha256": "{zeros}3", "path": "pool/main/x/bbb_1:2~rc1+b1_amd64.deb"}}
 ]
}}
"#
        )
    );
    assert_eq!(Lock::read(&text).unwrap().write().unwrap(), text);
}

#[test]
fn with_rules_on_paths() {
    let rules = [
        "path-exclude=/usr/share/man/*",
        "path-include=/usr/share/man/a",
    ];
    let lists = [parse_list("f", &format!("aa\nbbb\n{}\n", rules.join("\n"))).unwrap()];
    let mut lock = lock(&[("aa", "1")]);
    let error = lock.check_lists(&lists, "//x:lock").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the lock is older than its lists: they say on paths [{}], and it has []; run: bazel run //x:lock", rules.join(", "))
    );
    lock.paths = paths(&lists);
    lock.check_lists(&lists, "//x:lock").unwrap();
    let text = lock.write().unwrap();
    let want = format!(
        " \"paths\": [\n  \"{}\",\n  \"{}\"\n ],\n \"packages\"",
        rules[0], rules[1]
    );
    assert!(
        text.starts_with("{\n \"format\": 3,\n") && text.contains(&want),
        "{text}"
    );
    assert_eq!(Lock::read(&text).unwrap().write().unwrap(), text);
    // One that readers of format 2 would take, and whose rules they would not know.
    let bad = text.replacen("\"format\": 3", "\"format\": 2", 1);
    assert_eq!(
        Lock::read(&bad).unwrap_err().to_string(),
        "lock: got format 2 with 2 rules on paths, want format 3 for that"
    );
    let bad = text.replacen("path-include=/", "path-include=", 1);
    let error = Lock::read(&bad).unwrap_err().to_string();
    assert!(
        error.contains(
            "got the rule \"path-include=usr/share/man/a\", want a pattern that begins with /"
        ),
        "{error}"
    );
}

#[test]
fn other_formats() {
    let zeros = "0".repeat(64);
    let old = format!(
        r#"{{"suite": "trixie", "architecture": "amd64", "update": "//x:lock", "requested": ["aa"], "packages": [{{"name": "aa",
        "version": "1", "architecture": "amd64", "size": 1, "sha256": "{zeros}", "path": "pool/aa_1_amd64.deb"}}]}}"#
    );
    assert_eq!(
        Lock::read(&old).unwrap_err().to_string(),
        "lock: format 1, want 3; run: bazel run //x:lock"
    );
    assert_eq!(
        Lock::read(r#"{"format": 4}"#).unwrap_err().to_string(),
        "lock: format 4, want 3; make it again with the tool `lock`"
    );
    let read = Lock::read_old(&old).unwrap();
    let [package] = &read.packages[..] else {
        panic!("{read:?}");
    };
    assert_eq!(
        (package.suite.as_str(), package.source.as_str()),
        ("trixie", "aa")
    );
    // It is for comparison: no lock may be made of it.
    assert_eq!(read.write().unwrap_err().to_string(), "lock: no suite");
}

#[test]
fn hostile_locks() {
    let good = lock(&[("aa", "1")]).write().unwrap();
    for (from, to) in [
        (
            "\"suite\": \"trixie\", \"root\"",
            "\"suite\": \"--setup-hook=x\", \"root\"",
        ),
        (
            "\"suite\": \"trixie\", \"root\"",
            "\"suite\": \"\", \"root\"",
        ),
        (
            "\"suite\": \"trixie\", \"source\"",
            "\"suite\": \"sid\", \"source\"",
        ),
        ("\"suite\": \"trixie-security\"", "\"suite\": \"trixie\""),
        ("\"root\": \"main\"", "\"root\": \"security\""),
        ("\"root\": \"main\"", "\"root\": \"other\""),
        ("[\"main\"]", "[\"main x\"]"),
        ("T09:15:44Z", ""),
        ("aa-src", "Aa"),
        ("\"source_version\": \"1\"", "\"source_version\": \"\""),
        (
            "\"architecture\": \"amd64\",\n",
            "\"architecture\": \"amd64,all\",\n",
        ),
        ("pool/main/x/", "../"),
        ("pool/main/x/", "/pool/"),
        ("pool/main/x/", "pool//"),
        ("pool/main/x/", "pool/x?y/"),
        ("_amd64.deb", "_amd64.sh"),
        ("\"aa\", \"version\"", "\"a a\", \"version\""),
        ("\"version\": \"1\"", "\"version\": \"$(x)\""),
        ("\"sha256\": \"0", "\"sha256\": \"X"),
        ("\"size\": 1", "\"size\": -1"),
        ("\"size\"", "\"extra\": 1, \"size\""),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(Lock::read(&bad).is_err(), "{bad}");
    }
    let mut twice = lock(&[("aa", "1"), ("bbb", "1")]);
    twice.packages[1].path = twice.packages[0].path.clone();
    assert_eq!(
        twice.write().unwrap_err().to_string(),
        "lock: `main:pool/main/x/aa_1_amd64.deb` occurs twice"
    );
}

#[test]
fn stale() {
    let lock = lock(&[("aa", "1")]);
    let lists = [
        parse_list("f", "aa\n").unwrap(),
        parse_list("g", "aa\n\nccc\n").unwrap(),
    ];
    let error = lock.check_lists(&lists, "//x:lock").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the lock is older than its lists: it lacks ccc (g:3) and it has bbb, which no list asks for; \
         run: bazel run //x:lock"
    );
    let lists = [parse_list("f", "bbb\naa\n").unwrap()];
    lock.check_lists(&lists, "//x:lock").unwrap();
}
