//! Where a release comes from: an in-toto Statement with SLSA's provenance predicate.
//!
//! Specification: in-toto Attestation Framework, Statement v1; SLSA 1.0, provenance v1. `docs/formats/provenance.md` says what stands where.

use std::collections::BTreeMap;

use serde::Serialize;

/// The statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub kind: &'static str,
    /// What it is about.
    pub subject: Vec<Resource>,
    /// `https://slsa.dev/provenance/v1`.
    #[serde(rename = "predicateType")]
    pub predicate_type: &'static str,
    /// What is said.
    pub predicate: Predicate,
}

/// What is said of the subjects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// What was built from what.
    pub build_definition: BuildDefinition,
    /// Who built it.
    pub run_details: RunDetails,
}

/// What was built from what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// A URI that says how to read the parameters.
    pub build_type: String,
    /// What whoever asked for the build said.
    pub external_parameters: BTreeMap<String, String>,
    /// What was taken in.
    pub resolved_dependencies: Vec<Resource>,
}

/// Who built it: nothing of the machine, the user or the time, so that anybody gets the same statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunDetails {
    /// The builder.
    pub builder: Builder,
}

/// A builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Builder {
    /// A URI.
    pub id: String,
}

/// A thing by its name and digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Resource {
    /// Name: of a file of the release, of a file of the source tree by its label, of a base image by its label.
    pub name: String,
    /// `sha256` to lower-case hexadecimal digits.
    pub digest: BTreeMap<&'static str, String>,
}

impl Resource {
    /// A thing with a SHA-256 digest.
    pub fn new(name: impl Into<String>, sha256: impl ToString) -> Self {
        Self {
            name: name.into(),
            digest: BTreeMap::from([("sha256", sha256.to_string())]),
        }
    }
}

/// What goes into a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Files of the release.
    pub subjects: Vec<Resource>,
    /// What was taken in.
    pub dependencies: Vec<Resource>,
    /// What whoever asked for the build said.
    pub parameters: BTreeMap<String, String>,
    /// The URI of this kind of build.
    pub build_type: String,
    /// The URI of the builder.
    pub builder: String,
}

impl Provenance {
    /// The statement, everything sorted by name.
    pub fn statement(mut self) -> Statement {
        self.subjects.sort();
        self.dependencies.sort();
        Statement {
            kind: "https://in-toto.io/Statement/v1",
            subject: self.subjects,
            predicate_type: "https://slsa.dev/provenance/v1",
            predicate: Predicate {
                build_definition: BuildDefinition {
                    build_type: self.build_type,
                    external_parameters: self.parameters,
                    resolved_dependencies: self.dependencies,
                },
                run_details: RunDetails {
                    builder: Builder { id: self.builder },
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_specification_has_it() {
        let statement = Provenance {
            subjects: vec![Resource::new("b.img", "02"), Resource::new("a.img", "01")],
            dependencies: vec![Resource::new("//os:lock", "03")],
            parameters: BTreeMap::from([("env".to_owned(), "dev".to_owned())]),
            build_type: "urn:x:build:1".to_owned(),
            builder: "urn:x:builder:1".to_owned(),
        }
        .statement();
        let want = concat!(
            r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a.img","digest":{"sha256":"01"}},"#,
            r#"{"name":"b.img","digest":{"sha256":"02"}}],"predicateType":"https://slsa.dev/provenance/v1","#,
            r#""predicate":{"buildDefinition":{"buildType":"urn:x:build:1","externalParameters":{"env":"dev"},"#,
            r#""resolvedDependencies":[{"name":"//os:lock","digest":{"sha256":"03"}}]},"#,
            r#""runDetails":{"builder":{"id":"urn:x:builder:1"}}}}"#
        );
        assert_eq!(serde_json::to_string(&statement).unwrap(), want);
    }
}
