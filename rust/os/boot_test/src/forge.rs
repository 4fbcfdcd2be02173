//! Bundles that are not as they were made: signed by whoever has the key, of another system, of another version.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use archive::{Alignment, Entry, Kind};
use base::as_u64;
use plan::{Builder, Reader};
use update::{Manifest, Signature, Signatures, SigningKey};

use crate::bundle::Bundle;

/// The name of the key that images of this tree trust.
pub(crate) const KEY: &str = "insecure-test";

/// Size of a block of a tar.
const TAR: u64 = 512;

/// Who signs a forged bundle.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signer<'a> {
    /// Nobody.
    Nobody,
    /// Whoever has the key.
    Key(&'a SigningKey),
    /// Somebody else, in the key's name.
    Impostor,
}

/// What is put in a member's place.
enum Data {
    Bytes(Vec<u8>),
    /// As in the bundle: first byte and length.
    Old(u64, u64),
}

/// Writes a plan list `NAME.image` in `folder` of the bundle with a changed manifest.
pub(crate) fn forge(
    bundle: &Bundle,
    name: &str,
    signer: Signer<'_>,
    change: &dyn Fn(&mut Manifest) -> Result<()>,
    folder: &Path,
) -> Result<PathBuf> {
    let text = std::io::read_to_string(bundle.member(update::MANIFEST)?)?;
    let mut manifest = Manifest::parse(text.as_bytes())?;
    change(&mut manifest)?;
    let json = manifest.to_json()?;
    let signatures = signatures(signer, json.as_bytes()).to_json()?;
    let mut members = vec![
        (update::MANIFEST, Data::Bytes(json.into_bytes())),
        (update::SIGNATURES, Data::Bytes(signatures.into_bytes())),
    ];
    for member in &manifest.members {
        let (at, len) = bundle.place(&member.name)?;
        members.push((member.name.as_str(), Data::Old(at, len)));
    }
    lay_out(bundle, name, &members, folder)
}

fn signatures(signer: Signer<'_>, json: &[u8]) -> Signatures {
    let signature = match signer {
        Signer::Nobody => return Signatures::default(),
        Signer::Key(key) => key.sign(json),
        Signer::Impostor => SigningKey::from_bytes(&[7; 32]).sign(json),
    };
    let key_id = KEY.to_owned();
    Signatures(vec![Signature { key_id, signature }])
}

/// The tar as `mkbundle` lays it out, as a plan over what the bundle's own plan is over.
fn lay_out(
    bundle: &Bundle,
    name: &str,
    members: &[(&str, Data)],
    folder: &Path,
) -> Result<PathBuf> {
    let old = Reader::open_any(&bundle.path)?;
    let mut builder = Builder::new(old.plan().inputs());
    for (member, data) in members {
        let len = match data {
            Data::Bytes(bytes) => as_u64(bytes.len()),
            Data::Old(_, len) => *len,
        };
        let mut entry = Entry::new(member.as_bytes(), Kind::File { offset: 0, len }, 0o644);
        entry.mtime = bundle.mtime;
        let head = archive::head(&entry, builder.position(), Alignment::Page)?;
        builder.inline(&head)?;
        match data {
            Data::Bytes(bytes) => builder.inline(bytes)?,
            Data::Old(at, len) => builder.range(old.plan(), *at, *len)?,
        }
        let padding = len.next_multiple_of(TAR).abs_diff(len);
        builder.zero(padding)?;
    }
    builder.inline(&archive::END)?;
    let plan = folder.join(format!("{name}.plan"));
    let list = folder.join(format!("{name}.image"));
    let mut text = format!("{}\n", plan.display());
    for (input, _) in old.inputs() {
        text.push_str(input);
        text.push('\n');
    }
    let save = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    save(&plan, &builder.finish()?.encode())?;
    save(&list, text.as_bytes())?;
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use update::{Identity, Member, Policy, PublicKey, Refusal, TrustedKey, TrustedKeys};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[3; 32])
    }

    /// A bundle as builds make it, with a boot loader.
    fn bundle(folder: &Path) -> Bundle {
        let members: [(&str, &[u8]); 4] = [
            (update::VERSION_TXT, b"2.0.0\n"),
            (update::LOADER, b"MZ loader"),
            (update::BOOT, &[5; 9000]),
            (update::ROOT, &[6; 70_000]),
        ];
        let manifest = Manifest {
            format: update::FORMAT,
            os: "guestos".to_owned(),
            env: "dev".to_owned(),
            version: "2.0.0".parse().unwrap(),
            minimum_version: None,
            expires: None,
            data_formats: Default::default(),
            members: members
                .iter()
                .map(|(name, bytes)| Member::of(name, bytes))
                .collect(),
        };
        let json = manifest.to_json().unwrap();
        let signatures = signatures(Signer::Key(&key()), json.as_bytes());
        let signatures = signatures.to_json().unwrap();
        let first = [
            (update::MANIFEST, json.as_bytes()),
            (update::SIGNATURES, signatures.as_bytes()),
        ];
        let all: Vec<(&str, &[u8])> = first.into_iter().chain(members).collect();
        let tar = update::write(&all, 0, Vec::new()).unwrap();
        let path = folder.join("update.tar");
        std::fs::write(&path, tar).unwrap();
        Bundle::read(&path).unwrap()
    }

    /// What a node says that trusts the key and runs version 1.0.0.
    fn verdict(list: &Path) -> Result<Manifest, String> {
        let image = Reader::open_any(list).unwrap();
        let mut bytes = vec![0; usize::try_from(image.len()).unwrap()];
        image.read_at(&mut bytes, 0).unwrap();
        let node = Identity {
            format: Identity::FORMAT,
            os: "guestos".to_owned(),
            env: "dev".to_owned(),
            version: "1.0.0".parse().unwrap(),
            boot_limit: 3,
            data_formats: Default::default(),
        };
        let ed25519: PublicKey = key().public();
        let id = KEY.to_owned();
        let keys = TrustedKeys {
            format: TrustedKeys::FORMAT,
            threshold: 1,
            allow_unsigned: false,
            keys: vec![TrustedKey { id, ed25519 }],
        };
        let policy = Policy {
            node: &node,
            keys: &keys,
            now: 0,
            allow_unsigned: false,
            any_version: false,
        };
        let len = as_u64(bytes.len());
        let bundle = update::Bundle::open(bytes.as_slice(), Some(len), &policy);
        let mut bundle = bundle.map_err(|error| error.to_string())?;
        let none: Vec<u8> = Vec::new();
        while let Some(mut item) = bundle.next_member().map_err(|error| error.to_string())? {
            while item
                .next_chunk(&none)
                .map_err(|error| error.to_string())?
                .is_some()
            {}
        }
        Ok(bundle.manifest().clone())
    }

    #[test]
    fn a_forged_bundle_is_right_but_for_what_was_changed() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = bundle(dir.path());
        let key = key();
        let forged = |name: &str, signer, change: &dyn Fn(&mut Manifest) -> Result<()>| {
            verdict(&forge(&bundle, name, signer, change, dir.path()).unwrap())
        };
        forged("same", Signer::Key(&key), &|_| Ok(())).unwrap();
        let error = forged("unsigned", Signer::Nobody, &|_| Ok(())).unwrap_err();
        assert!(error.contains("signed by"), "{error}");
        let error = forged("impostor", Signer::Impostor, &|_| Ok(())).unwrap_err();
        let bad = Refusal::BadSignature {
            key_id: KEY.to_owned(),
        };
        assert_eq!(error, bad.to_string());
        let hostos = |manifest: &mut Manifest| {
            manifest.os = "hostos".to_owned();
            Ok(())
        };
        let error = forged("os", Signer::Key(&key), &hostos).unwrap_err();
        assert!(error.contains("os hostos"), "{error}");
    }
}
