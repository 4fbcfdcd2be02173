//! Bundles from web servers that drop connections, know no ranges, change the file, or say nothing.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod support;

use std::fs;

use grubenv::Slot;

use support::server::{Deed, Server};
use support::{boot, data, good, root, Node};

/// Installs from the server, with what was said on the way.
fn fetch(node: &Node, url: &str, args: &[&str]) -> (Option<i32>, String) {
    let all = [&["upgrade-install", url], args].concat();
    let output = node.run(&all);
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

fn node() -> Node {
    let node = Node::new();
    node.reboot();
    node
}

const ALL: usize = usize::MAX;

#[test]
fn what_was_dropped_is_gone_on_with() {
    let node = node();
    // In the headers, in the manifest, in boot.img, in root.img.
    let deeds = [100, 1000, 300_000, 1_500_000, ALL].map(Deed::Send);
    let server = Server::http(good("2", 5), deeds.into());
    let (status, said) = fetch(&node, &server.url, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(node.holds(Slot::B, &boot(5), &root(5)));
    let asked = server.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        ["", "from 100", "from 1100", "from 301100", "from 1801100"]
    );
    assert_eq!(said.matches("again in 250 ms").count(), 4, "{said}");
    node.ok(&["upgrade-commit"]);
}

#[test]
fn servers_without_ranges_are_read_again() {
    let node = node();
    let deeds = [300_000, 1_500_000, ALL].map(Deed::SendWithoutRanges);
    let server = Server::http(good("2", 5), deeds.into());
    let (status, said) = fetch(&node, &server.url, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(node.holds(Slot::B, &boot(5), &root(5)));
}

/// A server that says nothing of a length, and one whose answers are shorter than the rest of the file: what is missing is asked for.
#[test]
fn what_ends_too_early_is_gone_on_with() {
    for deeds in [
        vec![
            Deed::SendInChunks(300_000, false),
            Deed::SendInChunks(1000, true),
            Deed::SendInChunks(ALL, true),
        ],
        vec![
            Deed::Send(300_000),
            Deed::SendPart(1000),
            Deed::SendPart(1_000_000),
            Deed::Send(ALL),
        ],
    ] {
        let node = node();
        let shown = format!("{deeds:?}");
        let server = Server::http(good("2", 5), deeds);
        let (status, said) = fetch(&node, &server.url, &[]);
        assert_eq!(status, Some(0), "{shown}: {said}");
        assert!(node.holds(Slot::B, &boot(5), &root(5)));
    }
}

#[test]
fn servers_that_are_busy_are_asked_again() {
    let node = node();
    let deeds = vec![
        Deed::Status(503),
        Deed::Status(429),
        Deed::Send(5000),
        Deed::Status(502),
        Deed::Send(ALL),
    ];
    let server = Server::http(good("2", 5), deeds);
    let (status, said) = fetch(&node, &server.url, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains("status 503; byte 0, again in 250 ms"),
        "{said}"
    );
    assert!(
        said.contains("status 429; byte 0, again in 500 ms"),
        "{said}"
    );
}

#[test]
fn a_file_that_changed_is_refused() {
    let node = node();
    let deeds = vec![
        Deed::Send(1_000_000),
        Deed::Change(good("3", 6), "\"two\""),
        Deed::Send(ALL),
    ];
    let server = Server::http(good("2", 5), deeds);
    let (status, said) = fetch(&node, &server.url, &[]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("the file on the server changed"), "{said}");
    assert!(
        said.contains("\"one\"") && said.contains("\"two\""),
        "{said}"
    );
    // Boot was begun, and is not complete.
    let why = node.refused(&["upgrade-commit"], 1);
    assert!(why.contains("holds no complete system"), "{why}");
}

#[test]
fn who_does_not_answer_is_given_up() {
    let node = node();
    for (deeds, args, want) in [
        (vec![Deed::Status(404)], &[][..], "status 404"),
        (vec![Deed::UnaskedRange], &[], "status 206"),
        (
            vec![Deed::Status(500)],
            &["--tries", "2"],
            "gave up after 2 tries",
        ),
        (
            vec![Deed::Silence],
            &["--tries", "1", "--timeout", "1"],
            "gave up after 1 tries",
        ),
        // Not the whole length of the manifest, again and again.
        (vec![Deed::Send(0)], &["--tries", "2"], "Peer disconnected"),
    ] {
        let server = Server::http(good("2", 5), deeds);
        let args = [&["upgrade-install", server.url.as_str()], args].concat();
        let why = node.refused(&args, 2);
        assert!(why.contains(want) && why.contains(&server.url), "{why}");
    }
    assert!(node.counted()["refused"]["io"].as_u64().unwrap() == 4);
    let why = node.refused(&["upgrade-install", "ftp://localhost/x"], 1);
    assert!(why.contains("scheme ftp, want http or https"), "{why}");
}

/// Who gives a URL with a password or a token finds neither on the terminal nor in a file.
#[test]
fn secrets_of_urls_are_not_said() {
    let node = node();
    let secret = |url: &str| url.replace("://", "://me:s3cret@") + "?token=t0ken#fr4gment";
    let all = |output: std::process::Output| {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        for word in ["s3cret", "t0ken", "fr4gment", "me:"] {
            assert!(!said.contains(word), "{said}");
        }
        said
    };
    for (deeds, args, want) in [
        // Lost on the way, given up, refused.
        (
            vec![Deed::Send(5000), Deed::Send(ALL)],
            &["--json"][..],
            "again in 250 ms",
        ),
        (vec![Deed::Status(404)], &[], "status 404"),
        (
            vec![Deed::Status(500)],
            &["--tries", "2"],
            "gave up after 2 tries",
        ),
        (vec![Deed::Send(0)], &["--tries", "2"], "Peer disconnected"),
        (
            vec![Deed::Send(ALL)],
            &["--sha256", &"0".repeat(64)],
            "has SHA-256",
        ),
    ] {
        let server = Server::http(good("2", 5), deeds);
        let url = secret(&server.url);
        let said = all(node.run(&[&["upgrade-install", url.as_str()], args].concat()));
        assert!(said.contains(want), "{said}");
        let shown = server.url.replace("://", "://…@") + "?…";
        assert!(said.contains(&shown), "{said}");
    }
    for (url, want) in [
        (
            "ftp://me:s3cret@localhost/x?token=t0ken",
            "ftp://…@localhost/x?…: scheme ftp",
        ),
        (
            "http://me:s3cret@local host/x?token=t0ken",
            "http://…@local host/x?…: ",
        ),
        ("http://me:s3cret@/x?token=t0ken", "http://…@/x?…"),
        ("http://me:s3cret@localhost:x/?token=t0ken", "http://…"),
    ] {
        let said = all(node.run(&["upgrade-install", url, "--tries", "1"]));
        assert!(said.contains(want), "{said}");
    }
    let counted = fs::read_to_string(node.path("run/manageboot.json")).unwrap();
    assert!(!counted.contains("s3cret"), "{counted}");
}

/// The length that the server says is checked before anything is written.
#[test]
fn the_wrong_length_is_refused_at_once() {
    let node = node();
    let tar = good("2", 5);
    let mut longer = tar.clone();
    longer.push(0);
    for (bytes, cause) in [
        (longer, "longer"),
        (tar[..tar.len() - 1].to_vec(), "truncated"),
    ] {
        let server = Server::http(bytes, vec![Deed::Send(ALL)]);
        node.refused(&["upgrade-install", &server.url], 1);
        assert_eq!(node.counted()["refused"][cause], 1);
    }
}

#[test]
fn https_by_a_known_authority_only() {
    let node = node();
    let data = data();
    let ca = data.join("ca.pem");
    let ca = ca.to_str().unwrap();
    let deeds = [300_000, 1_500_000, ALL].map(Deed::Send);
    let server = Server::https(good("2", 5), deeds.into());
    let (status, said) = fetch(&node, &server.url, &["--ca-certs", ca]);
    assert_eq!(status, Some(0), "{said}");
    assert!(node.holds(Slot::B, &boot(5), &root(5)));

    let server = Server::https(good("2", 7), vec![Deed::Send(ALL)]);
    let stranger = data.join("server.pem");
    let stranger = stranger.to_str().unwrap();
    let empty = node.write("empty.pem", b"\n");
    for (file, want) in [
        (stranger, "certificate"),
        (empty.as_str(), "holds no certificate"),
        ("/nonexistent", "by which servers are known"),
    ] {
        let (status, said) = fetch(&node, &server.url, &["--ca-certs", file, "--tries", "1"]);
        assert_ne!(status, Some(0), "{said}");
        assert!(said.contains(want), "{said}");
    }
    assert!(node.holds(Slot::B, &boot(5), &root(5)));
}
