//! Signed Debian archives in a folder, of packages that dpkg-deb makes, for apt to read by `copy:`.
//!
//! The signatures are OpenPGP's, version 4 (RFC 4880), over OpenSSL's RSA: a key, a user id, a signature of both that says what the key is
//! for, without which apt takes no key; and detached signatures in ASCII armour.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// When keys and signatures were made: 1 January 2026, 00:00 UTC.
const CREATED: [u8; 4] = 1_767_225_600_u32.to_be_bytes();

/// A package to be.
pub struct Deb {
    pub name: &'static str,
    pub version: &'static str,
    /// Further lines of its control file.
    pub control: &'static str,
    /// Path, content and mode of its files.
    pub files: &'static [(&'static str, &'static str, u32)],
}

/// A package without files.
pub const fn deb(name: &'static str, version: &'static str) -> Deb {
    Deb {
        name,
        version,
        control: "",
        files: &[],
    }
}

/// What every Debian has: apt asks for such.
pub const BASE: Deb = Deb {
    name: "base",
    version: "1",
    control: "Essential: yes\nPriority: required\n",
    files: &[],
};

/// One suite of an archive.
pub struct Suite<'a> {
    /// Below which folder of the world: `debian`, `debian-security`.
    pub root: &'a str,
    pub name: &'a str,
    pub date: &'a str,
    pub valid_until: Option<&'a str>,
    pub debs: &'a [Deb],
}

/// An RSA key.
pub struct Key {
    file: PathBuf,
    public: Vec<u8>,
}

impl Key {
    pub fn new(dir: &Path, name: &str) -> Self {
        let file = dir.join(format!("{name}.pem"));
        run(Command::new("openssl")
            .args(["genrsa", "-out"])
            .arg(&file)
            .arg("2048"));
        let modulus = run(Command::new("openssl")
            .args(["rsa", "-noout", "-modulus", "-in"])
            .arg(&file));
        let modulus = String::from_utf8(modulus).unwrap();
        let digits = modulus.trim().strip_prefix("Modulus=").unwrap();
        let modulus = base::hex::decode(&digits.to_lowercase()).unwrap();
        let mut public = vec![4];
        public.extend(CREATED);
        public.push(1);
        public.extend(number(&modulus));
        public.extend(number(&[1, 0, 1]));
        Self { file, public }
    }

    fn packet(&self) -> Vec<u8> {
        packet(0x99, &self.public)
    }

    fn fingerprint(&self) -> Vec<u8> {
        pipe(
            Command::new("openssl").args(["dgst", "-sha1", "-binary"]),
            &self.packet(),
        )
    }

    /// A signature of a kind over `data`, with more subpackets.
    fn signature(&self, kind: u8, data: &[u8], more: &[u8]) -> Vec<u8> {
        let fingerprint = self.fingerprint();
        let mut subpackets = vec![5, 2];
        subpackets.extend(CREATED);
        subpackets.extend([22, 33, 4]);
        subpackets.extend(&fingerprint);
        subpackets.extend(more);
        let mut hashed = vec![4, kind, 1, 8];
        hashed.extend(u16::try_from(subpackets.len()).unwrap().to_be_bytes());
        hashed.extend(&subpackets);
        let mut signed = data.to_vec();
        signed.extend(&hashed);
        signed.extend([4, 0xff]);
        signed.extend(u32::try_from(hashed.len()).unwrap().to_be_bytes());
        let digest = pipe(
            Command::new("openssl").args(["dgst", "-sha256", "-binary"]),
            &signed,
        );
        let value = pipe(
            Command::new("openssl")
                .args(["dgst", "-sha256", "-sign"])
                .arg(&self.file),
            &signed,
        );
        let mut body = hashed;
        body.extend([0, 10, 9, 16]);
        body.extend(&fingerprint[12..]);
        body.extend(&digest[..2]);
        body.extend(number(&value));
        packet(0x89, &body)
    }

    /// What `signed-by` takes.
    pub fn keyring(&self, file: &Path) {
        let user = b"Test";
        let mut data = self.packet();
        data.push(0xb4);
        data.extend(u32::try_from(user.len()).unwrap().to_be_bytes());
        data.extend(user);
        // It certifies and signs.
        let certificate = self.signature(0x13, &data, &[2, 27, 3]);
        fs::write(
            file,
            [self.packet(), packet(0xb5, user), certificate].concat(),
        )
        .unwrap();
    }

    fn sign(&self, data: &[u8]) -> String {
        armour(&self.signature(0, data, &[]))
    }
}

/// Writes a suite, in place of what was there of it.
pub fn write(world: &Path, key: &Key, suite: &Suite) {
    let root = world.join(suite.root);
    let dists = root.join("dists").join(suite.name);
    fs::create_dir_all(dists.join("main/binary-amd64")).unwrap();
    let index: String = suite.debs.iter().map(|deb| build(&root, deb)).collect();
    let digest = base::Sha256Digest::of(&index);
    fs::write(dists.join("main/binary-amd64/Packages"), &index).unwrap();
    let valid = suite
        .valid_until
        .map_or(String::new(), |date| format!("Valid-Until: {date}\n"));
    let release = format!(
        "Origin: Test\nSuite: {name}\nCodename: {name}\nDate: {}\n{valid}Architectures: amd64\nComponents: main\nSHA256:\n {digest} {} main/binary-amd64/Packages\n",
        suite.date,
        index.len(),
        name = suite.name,
    );
    fs::write(dists.join("Release"), &release).unwrap();
    fs::write(dists.join("Release.gpg"), key.sign(release.as_bytes())).unwrap();
}

/// Makes a package in the archive's pool; its paragraph of the index.
fn build(root: &Path, deb: &Deb) -> String {
    let pool = root.join("pool");
    fs::create_dir_all(&pool).unwrap();
    let tree = tempfile::tempdir().unwrap();
    let control = format!(
        "Package: {}\nVersion: {}\nArchitecture: amd64\nMaintainer: nobody\nInstalled-Size: 8\n{}Description: test\n",
        deb.name, deb.version, deb.control
    );
    let put = |path: &str, text: &str, mode: u32| {
        let file = tree.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    };
    put("DEBIAN/control", &control, 0o644);
    for (path, text, mode) in deb.files {
        put(path, text, *mode);
    }
    fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let name = format!("{}_{}_amd64.deb", deb.name, deb.version.replace(':', "%3a"));
    let file = pool.join(&name);
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Znone", "--build"])
        .arg(tree.path())
        .arg(&file));
    let bytes = fs::read(&file).unwrap();
    let digest = base::Sha256Digest::of(&bytes);
    format!(
        "{control}Filename: pool/{name}\nSize: {}\nSHA256: {digest}\n\n",
        bytes.len()
    )
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output.stdout
}

fn pipe(command: &mut Command, data: &[u8]) -> Vec<u8> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), data).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[tag][..], &len, body].concat()
}

fn number(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    let bits = u32::try_from(digits.len()).unwrap() * 8 - digits[0].leading_zeros();
    [&u16::try_from(bits).unwrap().to_be_bytes()[..], digits].concat()
}

fn armour(packet: &[u8]) -> String {
    let mut crc: u32 = 0x00b7_04ce;
    for byte in packet {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    let text = base::base64::encode(packet);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN PGP SIGNATURE-----\n\n{}\n={}\n-----END PGP SIGNATURE-----\n",
        lines.join("\n"),
        base::base64::encode(&crc.to_be_bytes()[1..])
    )
}
