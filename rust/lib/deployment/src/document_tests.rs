//! Documents: what is taken, the exact text, and the exact message for what is not.

use super::*;

fn example() -> Deployment {
    let image = |name: &str| Image {
        file: format!("{name}.img"),
        fsverity: "ab".repeat(32),
        name: name.to_owned(),
        properties: BTreeMap::from([("flavour".to_owned(), "plain".to_owned())]),
        size: 4096,
        version: "1.2.3".to_owned(),
    };
    Deployment {
        deployment: VERSION,
        images: vec![image("one"), image("two")],
        name: "stick".to_owned(),
        properties: BTreeMap::new(),
        version: "1.2.3-rc1+x".to_owned(),
    }
}

#[test]
fn text_is_canonical() {
    let text = example().to_json().unwrap();
    assert!(
        text.starts_with(
            "{\n  \"deployment\": 2,\n  \"images\": [\n    {\n      \"file\": \"one.img\",\n"
        ),
        "{text}"
    );
    assert!(
        text.ends_with("\"version\": \"1.2.3-rc1+x\"\n}\n"),
        "{text}"
    );
    // Keys in order: reading into sorted maps and writing again changes nothing.
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string_pretty(&value).unwrap() + "\n", text);
    assert_eq!(Deployment::parse(text.as_bytes()).unwrap(), example());
}

/// (text to replace, replacement, message with its causes)
const REFUSED: &[(&str, &str, &str)] = &[
    ("\"deployment\": 2", "\"deployment\": 3, \"later\": 3", "format 3, this program knows format 2"),
    ("\"deployment\": 2", "\"deployment\": \"1\"", "not a description of images: invalid type: string \"1\", expected u64 at line 2 column 19"),
    ("\"deployment\": 2,", "", "not a description of images: missing field `deployment` at line 28 column 1"),
    ("\"name\": \"stick\"", "\"name\": \"stick\", \"extra\": 1", "not a description of images: unknown field `extra`, expected one of `deployment`, `images`, `name`, `properties`, `version` at line 25 column 26"),
    ("\"name\": \"stick\"", "\"name\": \"stick\", \"name\": \"x\"", "not a description of images: duplicate field `name` at line 25 column 25"),
    ("\"name\": \"stick\"", "\"name\": \"\"", "name: got \"\", want letters, digits and any of . - _, starting with a letter or digit, at most 64"),
    ("\"properties\": {}", "\"properties\": {\"a\": \"1\", \"a\": \"2\"}", "not a description of images: duplicate key \"a\" at line 26 column 36"),
    ("\"properties\": {}", "\"properties\": {\"a b\": \"1\"}", "a key of properties: got \"a b\", want letters, digits and any of . - _, starting with a letter or digit, at most 64"),
    ("\"properties\": {}", "\"properties\": {\"a\": \"\\u001b[2J\"}", "properties.a: got \"\\u{1b}[2J\", want printable ASCII, at most 256"),
    ("\"one.img\"", "\"../one.img\"", "images[0].file: got \"../one.img\", want a file name of letters, digits and any of . - _, starting with a letter or digit, at most 255"),
    ("\"one.img\"", "\"/dev/sda\"", "images[0].file: got \"/dev/sda\", want a file name of letters, digits and any of . - _, starting with a letter or digit, at most 255"),
    ("\"one.img\"", "\".\"", "images[0].file: got \".\", want a file name of letters, digits and any of . - _, starting with a letter or digit, at most 255"),
    ("\"two.img\"", "\"one.img\"", "images[1].file: \"one.img\" is that of images[0] already"),
    ("\"two\"", "\"one\"", "images[1].name: \"one\" is that of images[0] already"),
    ("\"size\": 4096", "\"size\": 0", "images[0].size: got \"0\", want the length of a file that is not empty"),
    ("\"size\": 4096", "\"size\": -1", "not a description of images: invalid value: integer `-1`, expected u64 at line 11 column 16"),
    ("\"size\": 4096", "\"size\": 18446744073709551615", "images[0].size: got \"18446744073709551615\", want the length of a file that is not empty"),
    ("\"fsverity\": \"abab", "\"fsverity\": \"ABab", "images[0].fsverity: got \"ABababababababababababababababababababababababababababababababab\", want 64 lower-case hex digits"),
    ("\"fsverity\": \"ab", "\"fsverity\": \"", "images[0].fsverity: got \"ababababababababababababababababababababababababababababababab\", want 64 lower-case hex digits"),
    ("\"1.2.3\"", "\"1 2\"", "images[0].version: got \"1 2\", want printable ASCII without spaces, at most 128"),
    ("\n}\n", "\n} x", "not a description of images: trailing characters at line 28 column 3"),
];

fn chain(error: &Error) -> String {
    let cause = std::error::Error::source(error);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[test]
fn refused_with_place_and_reason() {
    let text = example().to_json().unwrap();
    for (from, to, want) in REFUSED {
        assert!(text.contains(from), "{from}");
        let bad = text.replacen(from, to, 1);
        let error = Deployment::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(chain(&error), *want, "{to}");
    }
    let none = Deployment {
        images: Vec::new(),
        ..example()
    };
    let error = none.to_json().unwrap_err();
    assert_eq!(error.to_string(), "images: 0 entries, want 1 to 64");
}

#[test]
fn sizes_are_limited() {
    let long = vec![b' '; 64 * 1024 + 1];
    let error = Deployment::parse(&long).unwrap_err();
    assert_eq!(error.to_string(), "65537 bytes, want at most 65536");
    let deep = "[".repeat(60_000);
    assert!(Deployment::parse(deep.as_bytes()).is_err());
    let mut many = example();
    let image = many.images[0].clone();
    many.images = (0..65)
        .map(|n| Image {
            file: n.to_string(),
            name: n.to_string(),
            ..image.clone()
        })
        .collect();
    let error = many.to_json().unwrap_err();
    assert_eq!(error.to_string(), "images: 65 entries, want 1 to 64");
}

proptest::proptest! {
    #[test]
    fn any_bytes(bytes: Vec<u8>) {
        let _ = Deployment::parse(&bytes);
    }

    #[test]
    fn damaged_documents_are_read_or_refused(at in 0_usize..900, byte: u8) {
        let mut bytes = example().to_json().unwrap().into_bytes();
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        if let Ok(read) = Deployment::parse(&bytes) {
            let again = read.to_json().unwrap();
            proptest::prop_assert_eq!(Deployment::parse(again.as_bytes()).unwrap(), read);
        }
    }
}
