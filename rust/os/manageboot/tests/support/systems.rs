//! Slots that say who signed them and what they are, and boot loaders that know somebody.

#![allow(dead_code, reason = "tests, each of which uses a part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ext4::{layout, Params, Size};
use plan::{ImageSet, Reader};
use signing::{Certificate, PrivateKey};
use tree::Tree;
use update::Identity;

use crate::program::program;

/// Somebody with a key among those that everybody has.
pub(crate) struct Signer {
    certificate: Certificate,
    key: PrivateKey,
}

impl Signer {
    /// By the name of the files in ic-os/keys/insecure-test.
    pub(crate) fn of(name: &str) -> Self {
        Self {
            certificate: Certificate::parse(&source(&format!("{name}.crt"))).unwrap(),
            key: PrivateKey::parse(std::str::from_utf8(&source(&format!("{name}.key"))).unwrap())
                .unwrap(),
        }
    }

    /// The public key, as a boot loader has it.
    fn public(&self) -> Vec<u8> {
        signing::public_key(&self.certificate).unwrap()
    }

    /// A signature by it: of the key itself, which looks like one of a file.
    fn signature(&self) -> Vec<u8> {
        let keyring = signing::keyring(&self.certificate, |digest| self.key.sign(digest)).unwrap();
        keyring[self.public().len()..].to_vec()
    }

    /// A boot partition of whose system it is the signer.
    pub(crate) fn boot(&self) -> Vec<u8> {
        image(&[("uki.efi.sig", &self.signature())])
    }
}

/// A file of the keys: Bazel runs tests at the root of the source tree, cargo in the package's folder.
fn source(name: &str) -> Vec<u8> {
    let path = Path::new("ic-os/keys/insecure-test").join(name);
    fs::read(&path)
        .or_else(|_| fs::read(Path::new("../../..").join(&path)))
        .unwrap()
}

/// GRUB, as far as anybody looks into it: a module, the keys of these signers, in one file or each in its own, and a memory disk.
pub(crate) fn loader(signers: &[&Signer], in_one_file: bool) -> Vec<u8> {
    let keys: Vec<Vec<u8>> = signers.iter().map(|signer| signer.public()).collect();
    let files = match in_one_file {
        true => vec![keys.concat()],
        false => keys,
    };
    let mut objects = Vec::new();
    let mut object = |kind: u32, content: &[u8]| {
        let size = u32::try_from(content.len() + 8).unwrap();
        objects.extend(kind.to_le_bytes());
        objects.extend(size.to_le_bytes());
        objects.extend(content);
        objects.resize(objects.len().next_multiple_of(8), 0);
    };
    object(0, b"a module");
    for file in &files {
        object(4, file);
    }
    object(1, b"a memory disk...");
    let mut section = 0x676d_696d_u32.to_le_bytes().to_vec();
    section.extend([0; 4]);
    section.extend(24_u64.to_le_bytes());
    section.extend(u64::try_from(24 + objects.len()).unwrap().to_le_bytes());
    section.extend(objects);
    program(&[(".text", &[0x90; 100]), ("mods", &section)], 16)
}

/// That boot loader with a certificate table, in which there is the signer's certificate: `WIN_CERTIFICATE` (PE format, "The Attribute Certificate Table").
pub(crate) fn signed(loader: &[u8], signer: &Signer) -> Vec<u8> {
    let mut bytes = loader.to_vec();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let mut table = [0; 8].to_vec();
    table.extend(b"signed data ");
    table.extend(signer.certificate.der());
    table.resize(table.len().next_multiple_of(8), 0);
    let number = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
    let len = number(table.len());
    table[..4].copy_from_slice(&len);
    table[4..8].copy_from_slice(&[0x00, 0x02, 0x02, 0x00]);
    // Behind the signature PE and the header of the file: of PE32+ the directory of certificates.
    let pe = usize::try_from(u32::from_le_bytes(bytes[0x3c..0x40].try_into().unwrap())).unwrap();
    let directory = pe + 24 + 144;
    let at = number(bytes.len());
    bytes[directory..directory + 4].copy_from_slice(&at);
    bytes[directory + 4..directory + 8].copy_from_slice(&len);
    bytes.extend(table);
    bytes
}

/// Variables of a firmware with Secure Boot, on or off, that lets in what these signed, and keeps others out.
pub(crate) fn firmware(folder: &Path, on: bool, db: &[&Signer], dbx: &[&Signer]) {
    let list = |signer: &&Signer| {
        let certificate = signer.certificate.der();
        let entry = u32::try_from(certificate.len() + 16).unwrap();
        let mut list = vec![
            0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b,
            0xf0, 0x72,
        ];
        for number in [entry + 28, 0, entry] {
            list.extend(number.to_le_bytes());
        }
        list.extend([0x77; 16]);
        list.extend(certificate);
        list
    };
    let lists = |signers: &[&Signer]| signers.iter().map(list).collect::<Vec<_>>().concat();
    fs::create_dir_all(folder).unwrap();
    for (name, value) in [
        (
            "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
            vec![u8::from(on)],
        ),
        ("db-d719b2cb-3d3a-4596-a3bc-dad00e67656f", lists(db)),
        ("dbx-d719b2cb-3d3a-4596-a3bc-dad00e67656f", lists(dbx)),
    ] {
        let bytes = [&[7, 0, 0, 0], value.as_slice()].concat();
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// A root partition whose system keeps the replica's state in that format.
pub(crate) fn root(version: &str, replica: u64) -> Vec<u8> {
    let text = identity(version, replica).to_json().unwrap();
    image(&[("opt/ic/share/os.json", text.as_bytes())])
}

pub(crate) fn identity(version: &str, replica: u64) -> Identity {
    Identity {
        format: Identity::FORMAT,
        os: "node".to_owned(),
        env: "test".to_owned(),
        version: version.parse().unwrap(),
        boot_limit: crate::TRIES,
        data_formats: BTreeMap::from([("replica".to_owned(), replica)]),
    }
}

/// An ext4 file system with these files.
pub(crate) fn image(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (path, bytes) in files {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        for folder in folders {
            entries.push(archive::Entry::new(
                folder.as_bytes(),
                archive::Kind::Dir,
                0o755,
            ));
        }
        let [offset, len] = [data.len(), bytes.len()].map(|len| u64::try_from(len).unwrap());
        let kind = archive::Kind::File { offset, len };
        entries.push(archive::Entry::new(path.as_bytes(), kind, 0o644));
        data.extend_from_slice(bytes);
    }
    let len = u64::try_from(data.len()).unwrap();
    let tree = Tree::from_tar(entries, len).unwrap();
    let params = Params {
        size: Size::Smallest { free_percent: 0 },
        uuid: "11111111-2222-4333-8444-555555555555".into(),
        hash_seed: "11111111-2222-4333-8444-666666666666".into(),
        label: "slot".into(),
        mtime: 1_700_000_000,
        journal: false,
    };
    let layout = layout(&tree, &ImageSet::of_lens(&[len]).unwrap(), &params).unwrap();
    let reader = Reader::new(layout.plan, vec![("data".to_owned(), data)]).unwrap();
    let mut bytes = vec![0; usize::try_from(reader.len()).unwrap()];
    plan::ReadAt::read_exact_at(&reader, &mut bytes, 0).unwrap();
    bytes
}
