//! An image as one file: a tar of an OCI image layout, as `podman load`, `skopeo` and `docker load` take it.
//!
//! Spec: OCI Image Format 1.1, `image-layout.md`. Beside `index.json` lies `manifest.json`, which older versions of `docker load` look for.

use std::collections::BTreeSet;

use archive::{head, Alignment, Entry, Kind, END};
use oci::{Descriptor, Digest, ImageConfig, Manifest, IMAGE_CONFIG, IMAGE_MANIFEST, LAYER_TAR};
use plan::{Builder, Plan};
use serde::Serialize;

use crate::error::Error;

/// The content of `oci-layout`.
pub const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// What everything in a tar is a multiple of.
const BLOCK: u64 = 512;
/// The longest tag (OCI Distribution 1.1).
const LONGEST_TAG: usize = 128;

/// A layer of an image, uncompressed.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The tar.
    pub plan: &'a Plan,
    /// Its digest and length.
    pub digest: plan::Digest,
}

/// Where the parts of an archive point.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<Named>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(flatten)]
    manifest: Descriptor,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Annotations>,
}

#[derive(Serialize)]
struct Annotations {
    #[serde(rename = "org.opencontainers.image.ref.name")]
    reference: String,
}

/// What `docker load` reads.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Docker {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// The archive of an image of `layers`, the lowest first, called `NAME:TAG`: a plan over the inputs of the layers' plans, which are over one
/// list. `config` says all but the layers. Everything is dated `mtime`; layers begin at multiples of 4096 bytes.
pub fn archive(
    name: &str,
    mut config: ImageConfig,
    layers: &[Layer<'_>],
    mtime: i64,
) -> Result<Plan, Error> {
    let reference = reference(name)?;
    let mut described = Vec::new();
    for Layer { plan, digest } in layers {
        if plan.len() != digest.len {
            let (got, want) = (plan.len(), digest.len);
            return Err(Error::LayerLength { got, want });
        }
        described.push(Descriptor {
            media_type: LAYER_TAR.to_owned(),
            digest: digest.sha256.into(),
            size: digest.len,
        });
    }
    config.rootfs.diff_ids = described.iter().map(|layer| layer.digest.clone()).collect();
    let config = config.to_json()?;
    let config_at = Descriptor::of(IMAGE_CONFIG, &config);
    let docker = vec![Docker {
        config: blob(&config_at.digest),
        repo_tags: vec![reference.clone()],
        layers: described.iter().map(|layer| blob(&layer.digest)).collect(),
    }];
    let manifest = Manifest::new(config_at.clone(), described.clone()).to_json()?;
    let manifest_at = Descriptor::of(IMAGE_MANIFEST, &manifest);
    let index = index(manifest_at.clone(), Some(reference))?;
    let inputs = layers.first().map(|layer| layer.plan.inputs());
    let mut out = Tar {
        builder: Builder::new(inputs.unwrap_or_default().to_vec()),
        mtime,
    };
    out.file("oci-layout", LAYOUT)?;
    out.file("index.json", &index)?;
    out.file("manifest.json", &to_json("manifest.json", &docker)?)?;
    out.folder("blobs")?;
    out.folder("blobs/sha256")?;
    out.file(&blob(&config_at.digest), &config)?;
    out.file(&blob(&manifest_at.digest), &manifest)?;
    let mut written = BTreeSet::new();
    for (layer, at) in layers.iter().zip(&described) {
        if written.insert(&at.digest) {
            out.layer(&blob(&at.digest), layer.plan)?;
        }
    }
    out.builder.inline(&END)?;
    Ok(out.builder.finish()?)
}

/// The content of `index.json`: the layout's one image, and what it is called there.
pub fn index(manifest: Descriptor, reference: Option<String>) -> Result<Vec<u8>, Error> {
    let index = Index {
        schema_version: 2,
        media_type: "application/vnd.oci.image.index.v1+json",
        manifests: vec![Named {
            manifest,
            annotations: reference.map(|reference| Annotations { reference }),
        }],
    };
    to_json("index", &index)
}

fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Json { what, source })
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// `NAME:TAG` with what a version may have and a tag may not replaced.
fn reference(name: &str) -> Result<String, Error> {
    let bad = |reason| Error::Name {
        got: name.to_owned(),
        reason,
    };
    let (name, tag) = name
        .rsplit_once(':')
        .ok_or_else(|| bad("no colon before a tag"))?;
    let part = |part: &str| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let all = |b: u8| inner(b) || b"-_.".contains(&b);
        part.bytes().all(all)
            && part.bytes().next().is_some_and(inner)
            && part.bytes().next_back().is_some_and(inner)
    };
    if !name.split('/').all(part) {
        return Err(bad(
            "the name has other than a-z, 0-9 and, between them, - _ . /",
        ));
    }
    let tag = tag.replace('+', "_");
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if tag.is_empty() || tag.len() > LONGEST_TAG || !tag.chars().all(fits) {
        return Err(bad(
            "the tag has other than A-Z, a-z, 0-9, _ . - +, or not 1 to 128 of them",
        ));
    }
    if tag.starts_with(['.', '-']) {
        return Err(bad("the tag begins with . or -"));
    }
    Ok(format!("{name}:{tag}"))
}

/// An archive in the making.
struct Tar {
    builder: Builder,
    mtime: i64,
}

impl Tar {
    fn head(&mut self, path: &str, kind: Kind, mode: u32, lies: Alignment) -> Result<(), Error> {
        let mut entry = Entry::new(path.as_bytes(), kind, mode);
        entry.mtime = self.mtime;
        let head = head(&entry, self.builder.position(), lies)?;
        Ok(self.builder.inline(&head)?)
    }

    fn folder(&mut self, path: &str) -> Result<(), Error> {
        self.head(path, Kind::Dir, 0o755, Alignment::Block)
    }

    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let len = base::as_u64(bytes.len());
        let kind = Kind::File { offset: 0, len };
        self.head(path, kind, 0o644, Alignment::Block)?;
        self.builder.inline(bytes)?;
        Ok(self.builder.zero(len.wrapping_neg() % BLOCK)?)
    }

    fn layer(&mut self, path: &str, plan: &Plan) -> Result<(), Error> {
        let len = plan.len();
        let kind = Kind::File { offset: 0, len };
        self.head(path, kind, 0o644, Alignment::Page)?;
        self.builder.plan(plan)?;
        Ok(self.builder.zero(len.wrapping_neg() % BLOCK)?)
    }
}
