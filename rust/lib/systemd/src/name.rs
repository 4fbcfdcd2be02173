//! Unit names (systemd.unit(5), "Description"): `prefix[@[instance]].type`.

/// Longest name in bytes.
const MAX: usize = 255;

const TYPES: [&str; 11] = [
    "automount",
    "device",
    "mount",
    "path",
    "scope",
    "service",
    "slice",
    "socket",
    "swap",
    "target",
    "timer",
];

/// A valid unit name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    /// What comes before `@` or the type.
    pub(crate) prefix: &'a str,
    /// What stands between `@` and the type: nothing in a template, absent in a plain name.
    pub(crate) instance: Option<&'a str>,
    /// The type, without its dot.
    pub(crate) kind: &'a str,
}

fn part(text: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\".contains(&b);
    text.bytes().all(valid)
}

/// Whether `text` may be an instance; it may be empty here.
fn instance_chars(text: &str) -> bool {
    text.split('@').all(part)
}

/// Whether `text` can stand for `x` in `unit@x.service`.
pub(crate) fn is_instance(text: &str) -> bool {
    !text.is_empty() && instance_chars(text)
}

impl<'a> Name<'a> {
    /// Takes `text` apart; nothing if it is no valid name.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (stem, kind) = text.rsplit_once('.')?;
        let (prefix, instance) = match stem.split_once('@') {
            Some((prefix, instance)) => (prefix, Some(instance)),
            None => (stem, None),
        };
        let valid = text.len() <= MAX
            && TYPES.contains(&kind)
            && !prefix.is_empty()
            && part(prefix)
            && instance.is_none_or(instance_chars);
        valid.then_some(Self {
            prefix,
            instance,
            kind,
        })
    }

    /// Whether units of this type can have other names (systemd.unit(5), "Alias=").
    pub(crate) fn takes_aliases(&self) -> bool {
        !["automount", "mount", "scope", "slice", "swap"].contains(&self.kind)
    }

    /// Whether a link of this name may lead to the unit `other`: of one type and shape, an instance also to a template.
    pub(crate) fn may_lead_to(&self, other: &Name) -> bool {
        let shapes = match (self.instance, other.instance) {
            (None, None) | (Some(_), Some("")) => true,
            (Some(own), Some(same)) => own == same,
            _ => false,
        };
        shapes && self.kind == other.kind
    }

    /// `unit@.service`
    pub(crate) fn is_template(&self) -> bool {
        self.instance == Some("")
    }

    /// `unit@x.service`
    pub(crate) fn is_instance(&self) -> bool {
        self.instance.is_some_and(|instance| !instance.is_empty())
    }

    /// The template of an instance.
    pub(crate) fn template(&self) -> Option<String> {
        let name = || format!("{}@.{}", self.prefix, self.kind);
        self.is_instance().then(name)
    }

    /// The template's instance of that name, if the result is a name.
    pub(crate) fn with_instance(&self, instance: &str) -> Option<String> {
        let name = format!("{}@{}.{}", self.prefix, instance, self.kind);
        Name::parse(&name).is_some().then_some(name)
    }
}

/// Whether `text` is a unit name of any shape.
pub(crate) fn is_valid(text: &str) -> bool {
    Name::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let name = Name::parse("getty@tty1.service").unwrap();
        assert_eq!(
            (name.prefix, name.instance, name.kind),
            ("getty", Some("tty1"), "service")
        );
        assert_eq!(name.template().as_deref(), Some("getty@.service"));
        assert!(Name::parse("getty@.service").unwrap().is_template());
        let two = Name::parse("a@b@c.service").unwrap();
        assert_eq!((two.prefix, two.instance), ("a", Some("b@c")));
        for good in [
            "-.mount",
            "x.y.service",
            "a:b_c\\x2d-.service",
            "A.service",
            "a@b@.service",
        ] {
            assert!(is_valid(good), "{good}");
        }
        let long = format!("{}.service", "x".repeat(248));
        for bad in [
            "",
            ".service",
            "@.service",
            "@x.service",
            "a b.service",
            "a~.service",
            "foo",
            "a/b.target",
            "a+b.service",
            "x.snapshot",
            "x.service~",
            "\u{e9}.service",
            &long,
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(is_valid(&format!("{}.service", "x".repeat(247))));
    }
}
