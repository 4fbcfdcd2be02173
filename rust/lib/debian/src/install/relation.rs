//! What packages say of each other (deb-control(5), Debian Policy 7.1): `a (>= 1) | b:any, c`.

use std::cmp::Ordering;

use crate::version::compare_versions;

/// How versions are to stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Earlier,
    EarlierOrEqual,
    Equal,
    LaterOrEqual,
    Later,
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Earlier => order.is_lt(),
            Self::EarlierOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::LaterOrEqual => order.is_ge(),
            Self::Later => order.is_gt(),
        }
    }
}

/// A package, or what packages provide, perhaps of certain versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) name: String,
    version: Option<(Operator, String)>,
    /// As it stands in the field.
    pub(crate) text: String,
}

impl Relation {
    /// Reads one; nothing if it is none. Architectures are passed over: an image has packages of one.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, version) = match text.split_once('(') {
            Some((name, version)) => (name, Some(version.trim_end().strip_suffix(')')?.trim())),
            None => (text, None),
        };
        let name = name.trim();
        let name = name.split_once(':').map_or(name, |(name, _)| name);
        let mut letters = name.chars();
        let is_name = letters.next().is_some_and(|c| c.is_ascii_alphanumeric())
            && letters.all(|c| c.is_ascii_alphanumeric() || "-+._".contains(c));
        let version = match version {
            Some(version) => Some(operator(version)?),
            None => None,
        };
        is_name.then(|| Self {
            name: name.to_owned(),
            version,
            text: text.to_owned(),
        })
    }

    /// Whether a package of this version is meant.
    pub(crate) fn takes(&self, version: &str) -> bool {
        self.version
            .as_ref()
            .is_none_or(|(operator, want)| operator.holds(compare_versions(version, want)))
    }

    /// Whether what a package provides is meant: of a version only if it provides that version.
    pub(crate) fn takes_provided(&self, version: Option<&str>) -> bool {
        match version {
            Some(version) => self.takes(version),
            None => self.version.is_none(),
        }
    }

    /// The version of `NAME (= VERSION)`, as packages say what they provide.
    pub(crate) fn exact_version(&self) -> Option<&str> {
        match &self.version {
            Some((Operator::Equal, version)) => Some(version),
            _ => None,
        }
    }
}

fn operator(text: &str) -> Option<(Operator, String)> {
    let rest = text.trim_start_matches(['<', '=', '>']);
    let (mark, version) = text.split_at_checked(text.len().checked_sub(rest.len())?)?;
    let operator = match mark {
        "<<" => Operator::Earlier,
        // The single marks are old and mean these.
        "<=" | "<" => Operator::EarlierOrEqual,
        "=" => Operator::Equal,
        ">=" | ">" => Operator::LaterOrEqual,
        ">>" => Operator::Later,
        _ => return None,
    };
    let version = version.trim();
    (!version.is_empty()).then(|| (operator, version.to_owned()))
}

/// All of a field: each item holds alternatives. An item that is none is the error.
pub(crate) fn relations(field: &str) -> Result<Vec<Vec<Relation>>, String> {
    let items = field.split(',').map(str::trim);
    items
        .filter(|item| !item.is_empty())
        .map(|item| {
            let alternatives = item.split('|').map(Relation::read);
            alternatives
                .collect::<Option<_>>()
                .ok_or_else(|| item.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let all = relations("a (>= 1:2~) | b:any,\n c, d(=1) , ").unwrap();
        let names: Vec<Vec<&str>> = all
            .iter()
            .map(|item| item.iter().map(|r| r.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["a", "b"], vec!["c"], vec!["d"]]);
        assert_eq!(all[0][0].text, "a (>= 1:2~)");
        assert_eq!(all[2][0].exact_version(), Some("1"));
        assert_eq!(relations(""), Ok(vec![]));
        for bad in ["a b", "a (1)", "a (>= )", "a (>= 1", "(>= 1)", "a | ", "-a"] {
            assert!(relations(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions() {
        for (text, version, want) in [
            ("a", "1", true),
            ("a (<< 2)", "2", false),
            ("a (<= 2)", "2", true),
            ("a (= 2)", "2.0", false),
            ("a (>= 2)", "1:1", true),
            ("a (>> 2)", "2", false),
            ("a (>> 2~)", "2", true),
        ] {
            let relation = Relation::read(text).unwrap();
            assert_eq!(relation.takes(version), want, "{text} {version}");
        }
        let versioned = Relation::read("a (>= 2)").unwrap();
        assert!(versioned.takes_provided(Some("2")) && !versioned.takes_provided(None));
        assert!(Relation::read("a").unwrap().takes_provided(None));
    }
}
