//! The server as clients see it: a small one of our own, and QEMU's and libnbd's where they are installed.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nbd::{Overlay, Server};
use plan::{Builder, Input, Reader};

/// A folder with an input, the image made of it as a file, and the socket to be.
struct Scene {
    dir: tempfile::TempDir,
    bytes: Vec<u8>,
}

impl Scene {
    /// 24 MiB: inline bytes, ranges of an input, and holes, at odd places too.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let input: Vec<u8> = (0..5_000_011u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        std::fs::write(dir.path().join("input"), &input).unwrap();
        let scene = Self {
            dir,
            bytes: Vec::new(),
        };
        let mut bytes = vec![0; 24 << 20];
        for extent in scene.plan().extents() {
            let (start, end) = (extent.start as usize, extent.end() as usize);
            match extent.piece {
                plan::Piece::Zero => {}
                plan::Piece::Inline(inline) => bytes[start..end].copy_from_slice(inline),
                plan::Piece::Source { offset, .. } => {
                    let from = offset as usize;
                    bytes[start..end].copy_from_slice(&input[from..from + extent.len as usize]);
                }
            }
        }
        std::fs::write(scene.path("image"), &bytes).unwrap();
        Self { bytes, ..scene }
    }

    fn plan(&self) -> plan::Plan {
        let mut builder = Builder::new(vec![Input::of_len(5_000_011)]);
        builder.inline(b"first sector").unwrap();
        builder.zero_to(1 << 20).unwrap();
        builder.source(0, 4096, 3 << 20).unwrap();
        builder.zero_to(9 << 20).unwrap();
        for n in 0..300 {
            builder.source(0, n * 7001, 5000).unwrap();
            builder.zero(3000 + n).unwrap();
        }
        builder.zero_to(24 << 20).unwrap();
        builder.finish().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn image(&self) -> Reader {
        Reader::open(self.plan(), &[self.path("input")]).unwrap()
    }

    fn serve(&self, read_only: bool) -> Server {
        let disk = Overlay::throw_away(self.image()).unwrap();
        Server::start(disk, read_only, &self.path("socket")).unwrap()
    }

    fn uri(&self) -> String {
        format!("nbd+unix:///?socket={}", self.path("socket").display())
    }
}

/// A client that knows GO, structured replies and nothing else.
struct Client {
    stream: UnixStream,
    len: u64,
    flags: u16,
}

impl Client {
    fn connect(path: &Path, structured: bool) -> Self {
        let mut stream = UnixStream::connect(path).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(240)))
            .unwrap();
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting[..16], b"NBDMAGICIHAVEOPT");
        stream.write_all(&3u32.to_be_bytes()).unwrap();
        let mut client = Self {
            stream,
            len: 0,
            flags: 0,
        };
        if structured {
            client.option(8, &[]);
            assert_eq!(client.answer(), (1, vec![]));
        }
        client.option(7, &[0; 6]);
        let (kind, info) = client.answer();
        assert_eq!((kind, info.len(), &info[..2]), (3, 12, &[0, 0][..]));
        client.len = u64::from_be_bytes(info[2..10].try_into().unwrap());
        client.flags = u16::from_be_bytes(info[10..].try_into().unwrap());
        assert_eq!(client.answer(), (1, vec![]));
        client
    }

    fn option(&mut self, option: u32, data: &[u8]) {
        let mut bytes = b"IHAVEOPT".to_vec();
        bytes.extend_from_slice(&option.to_be_bytes());
        bytes.extend_from_slice(&(data.len() as u32).to_be_bytes());
        bytes.extend_from_slice(data);
        self.stream.write_all(&bytes).unwrap();
    }

    fn answer(&mut self) -> (u32, Vec<u8>) {
        let head: [u8; 20] = self.take();
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().unwrap());
        let mut data = vec![0; number(16) as usize];
        self.stream.read_exact(&mut data).unwrap();
        (number(12), data)
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn request(&mut self, command: u16, at: u64, len: u32) {
        let mut bytes = 0x2560_9513u32.to_be_bytes().to_vec();
        bytes.extend_from_slice(&0u16.to_be_bytes());
        bytes.extend_from_slice(&command.to_be_bytes());
        bytes.extend_from_slice(&at.to_be_bytes());
        bytes.extend_from_slice(&at.to_be_bytes());
        bytes.extend_from_slice(&len.to_be_bytes());
        self.stream.write_all(&bytes).unwrap();
    }

    /// The error of a simple reply to the request at `at`.
    fn simple(&mut self, at: u64) -> u32 {
        let head: [u8; 16] = self.take();
        assert_eq!(head[..4], 0x6744_6698u32.to_be_bytes());
        assert_eq!(head[8..], at.to_be_bytes());
        u32::from_be_bytes(head[4..8].try_into().unwrap())
    }

    fn read(&mut self, at: u64, len: u32) -> Vec<u8> {
        self.request(0, at, len);
        assert_eq!(self.simple(at), 0);
        let mut bytes = vec![1; len as usize];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// What was read, and how many bytes of it came as holes.
    fn read_structured(&mut self, at: u64, len: u32) -> (Vec<u8>, u32) {
        self.request(0, at, len);
        let (mut bytes, mut holes) = (vec![1; len as usize], 0);
        loop {
            let head: [u8; 20] = self.take();
            assert_eq!(head[..4], 0x668e_33efu32.to_be_bytes());
            let payload = u32::from_be_bytes(head[16..].try_into().unwrap());
            let start = u64::from_be_bytes(self.take()) - at;
            let start = start as usize;
            match head[7] {
                1 => {
                    let end = start + payload as usize - 8;
                    self.stream.read_exact(&mut bytes[start..end]).unwrap();
                }
                2 => {
                    let len = u32::from_be_bytes(self.take());
                    bytes[start..start + len as usize].fill(0);
                    holes += len;
                }
                other => panic!("chunk of kind {other}"),
            }
            if head[5] == 1 {
                return (bytes, holes);
            }
        }
    }

    fn write(&mut self, at: u64, data: &[u8]) -> u32 {
        self.request(1, at, data.len() as u32);
        self.stream.write_all(data).unwrap();
        self.simple(at)
    }
}

#[test]
fn a_plain_client_reads_and_writes() {
    let scene = Scene::new();
    let server = scene.serve(false);
    let mut client = Client::connect(server.path(), false);
    assert_eq!(client.len, 24 << 20);
    // Everything but READ_ONLY and SEND_FAST_ZERO.
    assert_eq!(client.flags, 0b101_1110_1101);
    assert!(client.read(0, 24 << 20) == scene.bytes);
    assert_eq!(client.write(4090, b"over the edge"), 0);
    // All clients see the same, at once.
    let mut other = Client::connect(server.path(), true);
    assert_eq!(&other.read_structured(4088, 17).0, b"\0\0over the edge\0\0");
    other.request(6, 0, 8192);
    assert_eq!(other.simple(0), 0);
    assert_eq!(client.read(0, 9000), [0; 9000]);
    client.request(3, 0, 0);
    assert_eq!(client.simple(0), 0);
    drop(server);
    let input = std::fs::read(scene.path("input")).unwrap();
    assert_eq!(input.len(), 5_000_011);
    assert!(input[4096..4096 + (3 << 20)] == scene.bytes[1 << 20..4 << 20]);
}

#[test]
fn zero_extents_are_not_sent() {
    let scene = Scene::new();
    let server = scene.serve(true);
    let mut client = Client::connect(server.path(), true);
    assert_ne!(client.flags & 2, 0, "read only");
    let (bytes, holes) = client.read_structured(0, 24 << 20);
    assert!(bytes == scene.bytes);
    assert!(holes > 15 << 20, "{holes} bytes of holes");
    assert_eq!(client.write(0, b"x"), 1, "EPERM");
}

#[test]
fn a_client_that_hangs_or_breaks_is_alone() {
    let scene = Scene::new();
    let server = scene.serve(false);
    let _silent = UnixStream::connect(server.path()).unwrap();
    // It asks for much and never reads.
    let mut deaf = Client::connect(server.path(), false);
    for _ in 0..10 {
        deaf.request(0, 0, 24 << 20);
    }
    let mut broken = UnixStream::connect(server.path()).unwrap();
    broken.write_all(&[0xff; 64]).unwrap();
    // It promises more than it sends.
    let mut short = Client::connect(server.path(), false);
    short.request(1, 0, 1 << 20);
    short.stream.write_all(b"short").unwrap();
    drop(short);
    let mut good = Client::connect(server.path(), false);
    assert!(good.read(0, 1 << 20) == scene.bytes[..1 << 20]);
    // Far more clients than are let in do no harm either, and leave no one out once they are gone.
    let crowd: Vec<_> = (0..100)
        .map(|_| UnixStream::connect(server.path()).unwrap())
        .collect();
    drop(crowd);
    assert!(good.read(0, 1 << 20) == scene.bytes[..1 << 20]);
    drop(server);
    assert!(!scene.path("socket").exists());
}

#[test]
fn a_socket_is_not_taken_from_another() {
    let scene = Scene::new();
    let _server = scene.serve(false);
    let disk = Overlay::throw_away(scene.image()).unwrap();
    let error = Server::start(disk, false, &scene.path("socket")).unwrap_err();
    assert!(error.to_string().contains("listen on"), "{error}");
    assert!(scene.path("socket").exists());
}

#[test]
fn kept_changes_are_there_again() {
    let scene = Scene::new();
    let serve = || loop {
        let identity = nbd::identity(&scene.image());
        match Overlay::keep(scene.image(), &scene.path("changes"), identity) {
            Ok(disk) => return Server::start(disk, false, &scene.path("socket")).unwrap(),
            // A program that another test starts just now has the file, and its lock, until it is that program.
            Err(nbd::Error::Busy { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    let server = serve();
    let mut client = Client::connect(server.path(), false);
    assert_eq!(client.write(10 << 20, &[7; 70000]), 0);
    drop(server);
    let server = serve();
    let mut want = scene.bytes.clone();
    want[10 << 20..(10 << 20) + 70000].fill(7);
    let mut client = Client::connect(server.path(), true);
    assert!(client.read_structured(0, 24 << 20).0 == want);
}

/// Runs a program that must do well; None where it is not installed.
fn oracle(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("{program} is not installed: not compared with it");
            None
        }
        other => {
            let output = other.unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{program} {args:?}: {text}");
            Some(output)
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn qemu_reads_the_image() {
    let scene = Scene::new();
    let _server = scene.serve(false);
    let (uri, copy) = (scene.uri(), scene.path("copy"));
    let convert = ["convert", "-f", "raw", "-O", "raw", &uri, text(&copy)];
    if oracle("qemu-img", &convert).is_none() {
        return;
    }
    assert!(std::fs::read(&copy).unwrap() == scene.bytes);
    let image = scene.path("image");
    oracle(
        "qemu-img",
        &["compare", "-f", "raw", "-F", "raw", &uri, text(&image)],
    );
    // It sees the holes: the server tells of them, nothing was read to find them.
    let map = oracle("qemu-img", &["map", "--output=json", "-f", "raw", &uri]).unwrap();
    let map = String::from_utf8(map.stdout).unwrap();
    let first: String = map.split_whitespace().collect();
    let wanted = "\"start\":4194304,\"length\":5242880,\"depth\":0,\"present\":true,\"zero\":true";
    assert!(first.contains(wanted), "{map}");
}

#[test]
fn qemu_writes_to_the_image() {
    let scene = Scene::new();
    let server = scene.serve(false);
    let (uri, other) = (scene.uri(), scene.path("other"));
    // Another image of the same length over it, compressed by holes: writes and zeroes.
    let mut bytes = scene.bytes.clone();
    bytes.reverse();
    bytes[5 << 20..8 << 20].fill(0x5a);
    std::fs::write(&other, &bytes).unwrap();
    let convert = [
        "convert",
        "-n",
        "-f",
        "raw",
        "-O",
        "raw",
        "-S",
        "4k",
        text(&other),
        &uri,
    ];
    if oracle("qemu-img", &convert).is_none() {
        return;
    }
    let mut client = Client::connect(server.path(), true);
    assert!(client.read_structured(0, 24 << 20).0 == bytes);
    oracle(
        "qemu-img",
        &["compare", "-f", "raw", "-F", "raw", &uri, text(&other)],
    );
    let input = File::open(scene.path("input")).unwrap();
    assert_eq!(input.metadata().unwrap().len(), 5_000_011);
}

#[test]
fn libnbd_reads_the_image() {
    let scene = Scene::new();
    let _server = scene.serve(false);
    let (uri, copy) = (scene.uri(), scene.path("copy"));
    let Some(info) = oracle("nbdinfo", &[&uri]) else {
        return;
    };
    let info = String::from_utf8(info.stdout).unwrap();
    for line in [
        "protocol: newstyle-fixed without TLS, using structured packets",
        "export-size: 25165824 (24M)",
        "base:allocation",
        "is_read_only: false",
        "can_multi_conn: true",
        "can_zero: true",
        "block_size_maximum: 33554432",
    ] {
        assert!(info.contains(line), "no {line:?} in {info}");
    }
    oracle("nbdinfo", &["--list", &uri]);
    oracle("nbdinfo", &["--map", &uri]);
    if oracle("nbdcopy", &[&uri, text(&copy)]).is_some() {
        assert!(std::fs::read(&copy).unwrap() == scene.bytes);
    }
}
