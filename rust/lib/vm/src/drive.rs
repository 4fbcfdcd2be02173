//! Disks and media of a guest, and the servers of those that exist as plans only.

use std::path::{Path, PathBuf};

use nbd::{Overlay, Server};
use plan::{List, Reader};

use crate::{private_folder, Result, VmError};

/// A disk or medium of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    path: PathBuf,
    form: Form,
    throw_away: bool,
}

/// How QEMU gets at a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Raw,
    Qcow2,
    Served(Served),
    /// A socket of a server that is there already.
    Nbd,
}

/// A drive that a server of ours shows to QEMU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Served {
    keep: Option<PathBuf>,
    flips: Vec<u64>,
    /// What is laid over the image: place and bytes.
    puts: Vec<(u64, Vec<u8>)>,
    socket: Option<PathBuf>,
}

impl Served {
    /// The image at `path` as the guest sees it at first.
    fn disk(&self, path: &Path) -> std::result::Result<Overlay, nbd::Error> {
        let image = Reader::open_any(path)?;
        let disk = match &self.keep {
            None => Overlay::throw_away(image)?,
            Some(keep) => {
                let identity = nbd::identity(&image);
                Overlay::keep(image, keep, identity)?
            }
        };
        for offset in &self.flips {
            let mut byte = [0];
            disk.read_at(&mut byte, *offset)?;
            disk.write_at(&byte.map(|b| !b), *offset)?;
        }
        for (offset, bytes) in &self.puts {
            disk.write_at(bytes, *offset)?;
        }
        Ok(disk)
    }
}

impl Drive {
    /// A raw image that is never written to: what the guest writes is thrown away.
    pub fn raw(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            form: Form::Raw,
            throw_away: true,
        }
    }

    /// A qcow2 image that keeps what the guest writes.
    pub fn qcow2(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            form: Form::Qcow2,
            throw_away: false,
        }
    }

    /// An image that is served from its plan (a plan list: `NAME.image`) or from a raw file, by a server within this process. Nothing is
    /// written to its inputs: what the guest writes is thrown away unless [`Drive::keep_in`] says otherwise.
    pub fn served(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            form: Form::Served(Served::default()),
            throw_away: false,
        }
    }

    /// A disk that an NBD server shows already, at `socket`. It gets every flush that the guest asks for.
    pub fn nbd(socket: impl Into<PathBuf>) -> Self {
        Self {
            path: socket.into(),
            form: Form::Nbd,
            throw_away: false,
        }
    }

    /// [`Drive::served`] for a plan list, [`Drive::raw`] for anything else.
    pub fn image(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        match List::is_named(&path) {
            true => Self::served(path),
            false => Self::raw(path),
        }
    }

    /// Whether this run throws away what the guest writes, even if runs before it kept theirs.
    #[must_use]
    pub fn throw_away(mut self, yes: bool) -> Self {
        self.throw_away = yes;
        self
    }

    /// Keeps what the guest writes in a file of its own; the drive becomes a served one. The file is made when it is not there, and refused
    /// when it belongs to another image.
    #[must_use]
    pub fn keep_in(mut self, path: impl Into<PathBuf>) -> Self {
        let keep = Some(path.into());
        self.form = Form::Served(Served {
            keep,
            ..self.as_served()
        });
        self
    }

    /// Inverts all bits of the byte at `offset` of what the guest sees; the drive becomes a served one.
    #[must_use]
    pub fn flip(mut self, offset: u64) -> Self {
        let mut served = self.as_served();
        served.flips.push(offset);
        self.form = Form::Served(served);
        self
    }

    /// The guest sees `bytes` at `offset`, over bytes that are flipped; of two that overlap it sees the later one. The drive becomes a served one.
    #[must_use]
    pub fn put(mut self, offset: u64, bytes: Vec<u8>) -> Self {
        let mut served = self.as_served();
        served.puts.push((offset, bytes));
        self.form = Form::Served(served);
        self
    }

    /// The drive as a served one, whose server throws changes away: QEMU need not.
    fn as_served(&mut self) -> Served {
        if let Form::Served(served) = &self.form {
            return served.clone();
        }
        self.throw_away = false;
        Served::default()
    }

    /// The image file, or the list that stands for it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// QEMU's `-drive` option for the drive of number `index`.
    pub(crate) fn option(&self, index: usize) -> String {
        let snapshot = if self.throw_away { "on" } else { "off" };
        let format = match self.form {
            Form::Raw | Form::Served(_) | Form::Nbd => "raw",
            Form::Qcow2 => "qcow2",
        };
        let place = match &self.form {
            Form::Raw | Form::Qcow2 => format!("file={}", escape(&self.path)),
            Form::Nbd => at_socket(&self.path),
            Form::Served(served) => {
                let socket = served.socket.clone();
                at_socket(&socket.unwrap_or_else(|| default_socket(index)))
            }
        };
        // With `unsafe` no flush gets to a server.
        let cache = match self.form {
            Form::Nbd => "writeback",
            _ => "unsafe",
        };
        format!("if=none,id=disk{index},format={format},cache={cache},snapshot={snapshot},{place}")
    }

    /// The image file, or the list that stands for it; none for a disk that somebody else shows.
    pub(crate) fn file(&self) -> Option<&Path> {
        (self.form != Form::Nbd).then_some(&self.path)
    }

    /// Whether a server shows it to QEMU.
    pub(crate) fn is_served(&self) -> bool {
        matches!(self.form, Form::Served(_))
    }

    /// Lets a server that somebody else starts show the drive, at `socket`.
    pub(crate) fn served_at(&mut self, socket: PathBuf) -> Option<Elsewhere> {
        let Form::Served(served) = &mut self.form else {
            return None;
        };
        served.socket = Some(socket.clone());
        Some(Elsewhere {
            image: self.path.clone(),
            socket,
            keep: served.keep.clone(),
            read_only: self.throw_away,
        })
    }

    /// Starts the server of a drive that is to have one, with its socket at `socket`.
    pub fn serve_at(mut self, socket: &Path) -> Result<Servers> {
        let servers = self.serve(socket)?.into_iter().collect();
        Ok(Servers {
            servers,
            _folder: None,
        })
    }

    /// Starts the drive's server, if it is to have one.
    fn serve(&mut self, socket: &Path) -> Result<Option<Server>> {
        let Form::Served(served) = &mut self.form else {
            return Ok(None);
        };
        let path = &self.path;
        let failed = |source| VmError::Serve {
            path: path.clone(),
            source,
        };
        let disk = served.disk(path).map_err(failed)?;
        let server = Server::start(disk, self.throw_away, socket).map_err(failed)?;
        served.socket = Some(socket.to_owned());
        Ok(Some(server))
    }
}

/// What a server of a drive needs to know that is not started by this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The image.
    pub image: PathBuf,
    /// Where the guest looks for the server.
    pub socket: PathBuf,
    /// File of changes.
    pub keep: Option<PathBuf>,
    /// Whether the file of changes stays as it is: the guest's own are thrown away.
    pub read_only: bool,
}

/// The servers of a guest's drives, which end when this is dropped: the guest must have ended before.
#[derive(Debug, Default)]
pub struct Servers {
    // Dropped first: their sockets lie in the folder.
    servers: Vec<Server>,
    _folder: Option<tempfile::TempDir>,
}

impl Servers {
    /// Starts the servers of all `drives` that are to have one.
    pub(crate) fn start(drives: &mut [Drive]) -> Result<Self> {
        if !drives.iter().any(Drive::is_served) {
            return Ok(Self::default());
        }
        let folder = private_folder("vm-")?;
        let mut servers = Vec::new();
        for (index, drive) in drives.iter_mut().enumerate() {
            servers.extend(drive.serve(&folder.path().join(default_socket(index)))?);
        }
        Ok(Self {
            servers,
            _folder: Some(folder),
        })
    }

    /// The sockets.
    pub fn sockets(&self) -> impl Iterator<Item = &Path> {
        self.servers.iter().map(Server::path)
    }
}

pub(crate) fn default_socket(index: usize) -> PathBuf {
    format!("disk{index}.sock").into()
}

fn at_socket(socket: &Path) -> String {
    let socket = escape(socket);
    format!("file.driver=nbd,file.server.type=unix,file.server.path={socket}")
}

/// A path inside one of QEMU's comma-separated options.
pub(crate) fn escape(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Builder, Input};

    /// A list and what it needs, in `dir`.
    fn list(dir: &Path) -> PathBuf {
        let at = |name: &str| dir.join(name);
        std::fs::write(at("input"), vec![3; 1 << 20]).unwrap();
        let mut builder = Builder::new(vec![Input::of_len(1 << 20)]);
        builder.source(0, 0, 1 << 20).unwrap();
        builder.zero(1 << 20).unwrap();
        std::fs::write(at("p"), builder.finish().unwrap().encode()).unwrap();
        let text = format!("{}\n{}\n", at("p").display(), at("input").display());
        std::fs::write(at("disk.image"), text).unwrap();
        at("disk.image")
    }

    #[test]
    fn images_are_told_apart_by_name() {
        assert_eq!(Drive::image("a.img"), Drive::raw("a.img"));
        assert_eq!(Drive::image("a.image"), Drive::served("a.image"));
        assert_eq!(
            Drive::served("a.image").option(1),
            "if=none,id=disk1,format=raw,cache=unsafe,snapshot=off,\
             file.driver=nbd,file.server.type=unix,file.server.path=disk1.sock"
        );
        let kept = Drive::image("a.image").keep_in("k").throw_away(true);
        assert!(kept.option(0).contains("snapshot=on,file.driver=nbd"));
        let mut kept = kept;
        let elsewhere = kept.served_at("s,1".into()).unwrap();
        assert_eq!(elsewhere.keep.as_deref(), Some(Path::new("k")));
        assert!(elsewhere.read_only);
        assert!(kept.option(0).ends_with("file.server.path=s,,1"));
        assert_eq!(Drive::raw("a.img").served_at("s".into()), None);
        let shown = Drive::nbd("s,1");
        assert_eq!((shown.file(), shown.is_served()), (None, false));
        assert_eq!(
            shown.option(0),
            "if=none,id=disk0,format=raw,cache=writeback,snapshot=off,\
             file.driver=nbd,file.server.type=unix,file.server.path=s,,1"
        );
    }

    #[test]
    fn a_flipped_byte_is_seen_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let list = list(dir.path());
        let raw = dir.path().join("input");
        let mut drives = [
            Drive::image(&list).flip(5).flip((1 << 20) + 7),
            Drive::raw(&raw),
            Drive::raw(&raw).flip(9),
        ];
        let servers = Servers::start(&mut drives).unwrap();
        let sockets: Vec<PathBuf> = servers.sockets().map(Path::to_path_buf).collect();
        assert_eq!(sockets.len(), 2);
        if !crate::process::installed("qemu-img") {
            return;
        }
        for (socket, flipped) in sockets.iter().zip([5, 9]) {
            let copy = dir.path().join("copy");
            let uri = format!("nbd+unix:///?socket={}", socket.display());
            let status = std::process::Command::new("qemu-img")
                .args(["convert", "-f", "raw", "-O", "raw", &uri])
                .arg(&copy)
                .status();
            assert!(status.unwrap().success());
            let bytes = std::fs::read(&copy).unwrap();
            assert_eq!(bytes[flipped], !3);
            assert_eq!(bytes[flipped + 1], 3);
        }
        drop(servers);
        assert!(!sockets[0].exists() && !sockets[0].parent().unwrap().exists());
        assert!(std::fs::read(&raw).unwrap() == vec![3; 1 << 20]);
    }

    /// What a guest sees at first of the list's image, from `start` on.
    fn seen(drive: &Drive, start: u64, len: usize) -> Vec<u8> {
        let Form::Served(served) = &drive.form else {
            panic!("{drive:?} is not served");
        };
        let mut bytes = vec![9; len];
        let disk = served.disk(drive.path()).unwrap();
        disk.read_at(&mut bytes, start).unwrap();
        bytes
    }

    #[test]
    fn bytes_are_put_over_the_image() {
        let dir = tempfile::tempdir().unwrap();
        let raw = dir.path().join("input");
        // The list's image is 1 MiB of threes, then 1 MiB of zeros.
        let end = 1 << 20;
        for drive in [
            Drive::image(list(dir.path())),
            Drive::raw(dir.path().join("whole")),
        ] {
            if !drive.is_served() {
                let bytes = [vec![3; end], vec![0; end]].concat();
                std::fs::write(drive.path(), bytes).unwrap();
            }
            let edge = u64::try_from(end).unwrap() - 2;
            let drive = drive
                .flip(edge)
                .put(edge - 1, vec![7, 8])
                .flip(edge + 2)
                .put(edge + 1, vec![])
                .put(0, vec![1, 2])
                .put(1, vec![5]);
            assert!(drive.is_served() && !drive.throw_away);
            assert_eq!(seen(&drive, 0, 3), [1, 5, 3]);
            // A byte that is put where another one is flipped is as it was put.
            assert_eq!(seen(&drive, edge - 2, 6), [3, 7, 8, 3, !0, 0]);
        }
        assert!(std::fs::read(&raw).unwrap() == vec![3; end]);
    }

    #[test]
    fn what_is_put_is_kept_where_changes_are() {
        let dir = tempfile::tempdir().unwrap();
        let keep = dir.path().join("keep");
        let drive = Drive::image(list(dir.path())).keep_in(&keep);
        assert_eq!(seen(&drive.clone().put(9, vec![1]), 9, 2), [1, 3]);
        assert_eq!(seen(&drive, 9, 2), [1, 3]);
    }

    #[test]
    fn one_drive_is_served_where_it_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let servers = Drive::image(list(dir.path())).serve_at(&socket).unwrap();
        assert!(servers.sockets().eq([socket.as_path()]));
        std::os::unix::net::UnixStream::connect(&socket).unwrap();
        drop(servers);
        assert!(!socket.exists());
        let none = Drive::raw("a.img").serve_at(&socket).unwrap();
        assert_eq!(none.sockets().count(), 0);
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let list = list(dir.path());
        let text = |drive| match Servers::start(&mut [drive]).unwrap_err() {
            VmError::Serve { path, source } => {
                assert_eq!(path, list);
                source.to_string()
            }
            error => panic!("{error}"),
        };
        let beyond = text(Drive::image(&list).flip(2 << 20));
        assert!(beyond.contains("outside the image"), "{beyond}");
        let beyond = text(Drive::image(&list).put((2 << 20) - 1, vec![1, 2]));
        assert!(beyond.contains("outside the image"), "{beyond}");
        let foreign = dir.path().join("foreign");
        std::fs::write(&foreign, vec![1; 9000]).unwrap();
        let refused = text(Drive::image(&list).keep_in(&foreign));
        assert!(refused.contains("holds no changes"), "{refused}");
        std::fs::write(dir.path().join("input"), b"short").unwrap();
        let cut = text(Drive::image(&list));
        assert!(!cut.is_empty(), "{cut}");
    }
}
