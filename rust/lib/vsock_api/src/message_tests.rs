use super::*;
use proptest::prelude::*;

const BOOT: &str = "5f1a7b68-16c5-4e0a-9d58-6a3e0c6f4a11";

fn refused(text: &str) -> String {
    let error = Request::parse(text.as_bytes()).unwrap_err();
    match error {
        Error::Json { what, source } => format!("{what}: {source}"),
        error => error.to_string(),
    }
}

#[test]
fn requests_are_the_texts_of_the_document() {
    let bundle = Bundle {
        url: "https://updates.example/update.tar.zst".to_owned(),
        version: "1.2.3".to_owned(),
    };
    let report = Report {
        version: "1.2.3".to_owned(),
        healthy: true,
        boot_id: BOOT.to_owned(),
        height: Some(7),
        upgrade: None,
    };
    let logs = LogsOf {
        unit: "ssh.service".to_owned(),
        lines: 10,
    };
    let table = [
        (Request::Version, r#"{"request":"version"}"#.to_owned()),
        (Request::HostInfo, r#"{"request":"host-info"}"#.to_owned()),
        (
            Request::Logs(logs),
            r#"{"request":"logs","params":{"unit":"ssh.service","lines":10}}"#.to_owned(),
        ),
        (
            Request::Report(report),
            format!(r#"{{"request":"report","params":{{"version":"1.2.3","healthy":true,"boot_id":"{BOOT}","height":7}}}}"#),
        ),
        (
            Request::UpgradeHost(bundle),
            r#"{"request":"upgrade-host","params":{"url":"https://updates.example/update.tar.zst","version":"1.2.3"}}"#.to_owned(),
        ),
        (
            Request::UpgradeStatus,
            r#"{"request":"upgrade-status"}"#.to_owned(),
        ),
        (
            Request::Reboot(Reboot {
                after: After::Upgrade,
            }),
            r#"{"request":"reboot","params":{"after":"upgrade"}}"#.to_owned(),
        ),
    ];
    let mut names = Vec::new();
    for (request, text) in table {
        assert_eq!(
            String::from_utf8(request.to_bytes().unwrap()).unwrap(),
            text
        );
        assert_eq!(Request::parse(text.as_bytes()).unwrap(), request);
        names.push(request.name());
    }
    assert_eq!(names, REQUESTS);
}

#[test]
fn what_is_not_known_is_named() {
    for (text, want) in [
        (
            r#"{"request":"shell"}"#,
            "unknown variant `shell`, expected one of `version`",
        ),
        (r#"{"request":"version","more":1}"#, "more"),
        (r#"{"request":"version","params":{"verbose":true}}"#, "map"),
        (
            r#"{"request":"logs","params":{"unit":"a","lines":1,"follow":true}}"#,
            "unknown field `follow`, expected `unit` or `lines`",
        ),
        (
            r#"{"params":{"unit":"a","lines":1,"follow":true},"request":"logs"}"#,
            "unknown field `follow`",
        ),
        (
            r#"{"request":"logs","params":{"unit":"a"}}"#,
            "missing field `lines`",
        ),
        (
            r#"{"request":"logs","params":{"unit":"a","lines":1,"lines":2}}"#,
            "duplicate field `lines`",
        ),
        (
            r#"{"request":"logs","params":{"unit":"a","lines":-1}}"#,
            "expected u32",
        ),
        (
            r#"{"request":"logs","params":{"unit":"a","lines":4294967296}}"#,
            "expected u32",
        ),
        (
            r#"{"request":"reboot","params":{"after":"lunch"}}"#,
            "unknown variant `lunch`, expected `upgrade` or `anything`",
        ),
        (r#"{"request":"version"} "#, ""),
        (r#"{"request":"version"}x"#, "trailing characters"),
        ("", "EOF"),
        ("\u{feff}{}", "expected value"),
    ] {
        if want.is_empty() {
            assert!(Request::parse(text.as_bytes()).is_ok(), "{text}");
        } else {
            let got = refused(text);
            assert!(
                got.starts_with("the request: ") && got.contains(want),
                "{text}: {got}"
            );
        }
    }
    let deep = format!(r#"{{"params":{}"#, "[".repeat(5000));
    assert!(refused(&deep).contains("recursion limit"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text = r#"{"request":"report","params":{"version":"a b","healthy":true,"boot_id":"X","upgrade":{"id":1,"state":"failed","percent":101,"version":""}}}"#;
    assert_eq!(
        refused(text),
        format!(
            "the request: version: got \"a b\", want {VERSION}; boot_id: got \"X\", want {BOOT_ID}; \
             upgrade.version: got \"\", want {VERSION}; upgrade.percent: got 101, want 0 to 100"
        )
    );
    let text = r#"{"request":"logs","params":{"unit":"-x","lines":0}}"#;
    assert_eq!(
        refused(text),
        format!("the request: unit: got \"-x\", want {UNIT}; lines: got 0, want 1 to 10000")
    );
}

#[test]
fn addresses_of_bundles() {
    for good in [
        "http://a",
        "https://[2001:db8::1]:8080/update.tar",
        "https://a/b?c=d@e",
    ] {
        assert!(is_url(good), "{good}");
    }
    let long = format!("https://a/{}", "x".repeat(MOST_URL));
    for bad in [
        "",
        "a",
        "file:///etc/shadow",
        "-",
        "--help",
        "HTTP://a",
        "http:///a",
        "http://?a",
        "http://me@a/",
        "http://a\\@b/",
        "http://a/ b",
        "http://a/\n",
        "http://ä/",
        &long,
    ] {
        assert!(!is_url(bad), "{bad}");
    }
}

#[test]
fn explanations_are_cut_between_characters() {
    let crab = "\u{1f980}";
    let text = bounded(&("x".to_owned() + &crab.repeat(MOST_ERROR)));
    assert_eq!(text.len(), 1 + 511 * 4);
    assert!(text.ends_with(crab));
    assert_eq!(bounded("short"), "short");
    let refusal = Refusal::of(Kind::Failed, "y".repeat(MOST_ERROR + 9));
    assert_eq!(refusal.message.len(), MOST_ERROR);
}

#[test]
fn replies_come_back() {
    let status = UpgradeStatus {
        id: 3,
        state: UpgradeState::Failed,
        version: Some("1.0".to_owned()),
        percent: Some(40),
        error: Some("no".to_owned()),
    };
    let offer = Offer {
        id: 9,
        url: "http://10.0.0.1/u.tar".to_owned(),
        version: "2.0".to_owned(),
    };
    for reply in [
        Reply::Reboot,
        Reply::UpgradeStatus(status),
        Reply::Refused(Refusal::of(Kind::NotNow, "wait")),
        Reply::Report(Reported {
            reported: 12,
            offer: Some(offer.clone()),
        }),
    ] {
        let bytes = reply.to_bytes().unwrap();
        assert_eq!(Reply::parse(&bytes).unwrap(), reply);
    }
    // A host is a stranger, too.
    let bad = Reply::Report(Reported {
        reported: 12,
        offer: Some(Offer {
            url: "file:///x".to_owned(),
            ..offer
        }),
    });
    let error = Reply::parse(&bad.to_bytes().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the reply: url: got \"file:///x\", want {URL}")
    );
    let kinds = [
        Kind::BadRequest,
        Kind::NotAllowed,
        Kind::NotNow,
        Kind::TooMany,
        Kind::Failed,
    ];
    for kind in kinds {
        let text = serde_json::to_string(&kind).unwrap();
        assert_eq!(text, format!("\"{kind}\""));
    }
}

proptest! {
    /// Whatever comes is refused or means one thing.
    #[test]
    fn what_is_read_is_written_so_again(text in r#"\{"request":"(report|logs)","params":\{("(version|boot_id|unit|lines|healthy|height)":("[a-z0-9.-]{0,9}"|[0-9]{1,3}|true),?){0,6}\}\}"#) {
        if let Ok(request) = Request::parse(text.as_bytes()) {
            let bytes = request.to_bytes().unwrap();
            prop_assert_eq!(Request::parse(&bytes).unwrap(), request);
        }
    }
}
