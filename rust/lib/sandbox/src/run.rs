//! The caller's side.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use rustix::fs::{fcntl_add_seals, memfd_create, MemfdFlags, SealFlags};

use crate::error::Error;
use crate::idmap;
use crate::spec::{receive, send, Report, Spec, CHILD_FLAG, ROLE_UNSHARE, SCRIPTS};

/// How much of a command's output [`Finished::tail`] keeps.
const TAIL: usize = 64 << 10;

/// Where commands run.
#[derive(Clone, Debug)]
pub struct Sandbox {
    root: PathBuf,
    hostname: String,
    binds: Vec<(PathBuf, PathBuf, bool)>,
    tmpfs: Vec<(PathBuf, String)>,
    scripts: Vec<(OsString, Vec<u8>)>,
}

/// What to run. The environment holds only what is set here.
#[derive(Clone, Debug)]
pub struct Command {
    argv: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
    uid: u32,
    gid: u32,
    umask: u32,
    stdin: Option<Vec<u8>>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// Its exit status, or 128 and the signal that killed it.
    pub code: i32,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// The last 64 KiB it wrote to standard output and error, in order.
    pub tail: Vec<u8>,
}

impl Finished {
    /// Whether it exited with status 0.
    pub fn success(&self) -> bool {
        self.code == 0 && self.signal.is_none()
    }

    /// The last `count` lines of the output, as text.
    pub fn last_lines(&self, count: usize) -> String {
        base::text::last_lines(&String::from_utf8_lossy(&self.tail), count)
    }
}

impl Command {
    /// `program` is looked up in the `PATH` set with [`Command::env`], inside the sandbox. Root, `/`, umask 022.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            argv: vec![program.into()],
            env: BTreeMap::new(),
            cwd: PathBuf::from("/"),
            uid: 0,
            gid: 0,
            umask: 0o022,
            stdin: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.argv.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets variables.
    pub fn envs<I, K, V>(mut self, vars: I) -> Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<OsString>,
        V: Into<OsString>,
    {
        self.env
            .extend(vars.into_iter().map(|(k, v)| (k.into(), v.into())));
        self
    }

    /// Sets the working folder, inside the sandbox.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = cwd.into();
        self
    }

    /// Sets user and group. Supplementary groups are none.
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.uid = uid;
        self.gid = gid;
        self
    }

    /// Sets the umask.
    pub fn umask(mut self, umask: u32) -> Self {
        self.umask = umask;
        self
    }

    /// Gives standard input; without it, it is `/dev/null`.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }
}

impl Sandbox {
    /// Commands see `root` as `/`, with `/proc`, `/dev`, an empty read-only `/sys`, and empty `/run` and `/tmp`.
    ///
    /// Missing mount points are made for the run and removed after it. Writes elsewhere go to `root` itself.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            hostname: "localhost".to_owned(),
            binds: Vec::new(),
            tmpfs: vec![
                (PathBuf::from("/run"), "mode=755".to_owned()),
                (PathBuf::from("/tmp"), "mode=1777".to_owned()),
            ],
            scripts: Vec::new(),
        }
    }

    /// Shows `content` as an executable file that all may read, in a folder outside of the root's own files; returns
    /// its path in the sandbox. `name` must be a file name.
    pub fn script(&mut self, name: &OsStr, content: impl Into<Vec<u8>>) -> Result<PathBuf, Error> {
        let name = base::path::check_name(name).map_err(Error::Script)?;
        self.scripts.push((name.to_owned(), content.into()));
        Ok(Path::new(SCRIPTS).join(name))
    }

    /// Sets the host name (`localhost` if not set).
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.hostname = name.into();
        self
    }

    /// Shows the caller's `source` as `target` in the sandbox.
    pub fn bind(
        mut self,
        source: impl Into<PathBuf>,
        target: impl Into<PathBuf>,
        read_only: bool,
    ) -> Self {
        self.binds.push((source.into(), target.into(), read_only));
        self
    }

    /// Mounts an empty memory file system, with options such as `mode=755`.
    pub fn tmpfs(mut self, target: impl Into<PathBuf>, options: impl Into<String>) -> Self {
        let target = target.into();
        self.tmpfs.retain(|(t, _)| *t != target);
        self.tmpfs.push((target, options.into()));
        self
    }

    /// Does not mount a memory file system there, so what commands write stays in the root.
    pub fn keep(mut self, target: impl AsRef<Path>) -> Self {
        self.tmpfs.retain(|(t, _)| t != target.as_ref());
        self
    }

    /// Runs a command to its end. `output` gets what it writes to standard output and error, as it comes.
    ///
    /// An error of `output` kills the command.
    pub fn run(
        &self,
        command: &Command,
        mut output: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<Finished, Error> {
        if !self.root.is_dir() {
            return Err(Error::Root(self.root.clone()));
        }
        let _points = MountPoints::make(self)?;
        let (socket, child_socket) =
            UnixStream::pair().map_err(|e| Error::setup("make a socket pair", e))?;
        let (reader, writer) =
            pipe2(OFlag::O_CLOEXEC).map_err(|e| Error::setup("make a pipe", e))?;
        let mut child = KillOnDrop(spawn(&self.sources(), child_socket, writer)?);
        let first = receive::<Report>(&socket);
        let apart = matches!(first, Ok(Some(Report::Apart)));
        // The process may fail from here on; then its report says why.
        let sent = if apart {
            idmap::map_tree(child.0.id()).map_err(|e| Error::setup("map users", e))?;
            (&socket)
                .write_all(b"m")
                .and_then(|()| send(&socket, &self.spec(command)))
        } else {
            Ok(())
        };
        let mut tail = Vec::new();
        let copied = copy_output(File::from(reader), &mut tail, &mut output);
        cut(&mut tail);
        if copied.is_err() {
            // Process 1 takes this as the caller's end.
            let _ = socket.shutdown(Shutdown::Both);
        }
        let report = if apart { receive(&socket) } else { first };
        let status = child
            .0
            .wait()
            .map_err(|e| Error::setup("wait for the sandbox", e))?;
        copied.map_err(|e| Error::setup("pass on the command's output", e))?;
        match report {
            Ok(Some(report)) => finished(report, tail),
            other => {
                let mut text = status.to_string();
                if let Err(e) = other {
                    text = format!("{text}; {e}");
                }
                if let Err(e) = sent {
                    text = format!("{text}; {e}");
                }
                let said = String::from_utf8_lossy(&tail);
                if let Some(line) = said.lines().last() {
                    text = format!("{text}; last line: {line}");
                }
                Err(Error::Lost(text))
            }
        }
    }

    /// What the first process gathers: what is bound, then the root.
    fn sources(&self) -> Vec<OsString> {
        let binds = self.binds.iter().map(|(source, _, _)| absolute(source));
        binds.chain([absolute(&self.root)]).collect()
    }

    fn spec(&self, command: &Command) -> Spec {
        Spec {
            hostname: self.hostname.clone(),
            binds: self
                .binds
                .iter()
                .map(|(_, t, ro)| (t.clone().into_os_string(), *ro))
                .collect(),
            tmpfs: self
                .tmpfs
                .iter()
                .map(|(t, o)| (t.clone().into_os_string(), o.clone()))
                .collect(),
            scripts: self.scripts.clone(),
            argv: command.argv.clone(),
            env: command
                .env
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            cwd: command.cwd.clone().into_os_string(),
            uid: command.uid,
            gid: command.gid,
            umask: command.umask,
            stdin: command.stdin.clone(),
        }
    }
}

fn absolute(path: &Path) -> OsString {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_path_buf())
        .into_os_string()
}

fn finished(report: Report, tail: Vec<u8>) -> Result<Finished, Error> {
    match report {
        Report::Exited(code) => Ok(Finished {
            code,
            signal: None,
            tail,
        }),
        Report::Signaled(signal) => Ok(Finished {
            code: signal
                .checked_add(128)
                .ok_or_else(|| Error::Lost(format!("signal {signal} ended it")))?,
            signal: Some(signal),
            tail,
        }),
        Report::Apart => Err(Error::Lost("it began twice".to_owned())),
        Report::Failed(text) => Err(Error::Child(text)),
        Report::NotPermitted(errno) => Err(Error::NotPermitted {
            what: "namespaces",
            source: io::Error::from_raw_os_error(errno),
        }),
    }
}

fn spawn(sources: &[OsString], socket: UnixStream, output: OwnedFd) -> Result<Child, Error> {
    let failed = |e| Error::setup("start the sandbox's process", e);
    let stderr = output.try_clone().map_err(failed)?;
    let program = program().map_err(failed)?;
    std::process::Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .args([CHILD_FLAG, ROLE_UNSHARE])
        .args(sources)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::from(output))
        .stderr(Stdio::from(stderr))
        .spawn()
        .map_err(failed)
}

/// A copy of this program in memory, which nobody can change: what runs in a sandbox finds the file that process 1 was
/// started from in `/proc`, and it must not be the caller's.
fn program() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut copy = File::from(memfd_create("program", flags)?);
    io::copy(&mut File::open("/proc/self/exe")?, &mut copy)?;
    fcntl_add_seals(
        &copy,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    Ok(copy.into())
}

/// Copies until the last process that could write is gone.
fn copy_output(
    mut from: File,
    tail: &mut Vec<u8>,
    output: &mut impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let got = buffer.get(..n).unwrap_or(&buffer);
        keep_tail(tail, got);
        output(got)?;
    }
}

/// Adds `got`. Cut only when twice too long: a program that writes byte by byte must not move all of it each time.
fn keep_tail(tail: &mut Vec<u8>, got: &[u8]) {
    tail.extend_from_slice(got);
    if tail.len() > 2 * TAIL {
        cut(tail);
    }
}

/// Leaves the last [`TAIL`] bytes.
fn cut(tail: &mut Vec<u8>) {
    if let Some(surplus) = tail.len().checked_sub(TAIL) {
        tail.drain(..surplus);
    }
}

/// A child that does not outlive an early return.
#[derive(Debug)]
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        // Already gone in the ordinary case; nothing can be done otherwise.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Folders made as mount points in the root for the time of one run.
#[derive(Debug)]
struct MountPoints {
    made: Vec<PathBuf>,
}

impl MountPoints {
    fn make(sandbox: &Sandbox) -> Result<Self, Error> {
        let mut points = Self { made: Vec::new() };
        let root = sandbox.root.as_path();
        let fixed = ["/proc", "/dev", "/sys"].map(Path::new);
        let tmpfs = sandbox.tmpfs.iter().map(|(t, _)| t.as_path());
        for target in fixed.into_iter().chain(tmpfs) {
            points.folder(root, target)?;
        }
        for (source, target, _) in &sandbox.binds {
            if source.is_dir() {
                points.folder(root, target)?;
            } else {
                let parent = target.parent().unwrap_or(Path::new("/"));
                points.folder(root, parent)?;
                points.file(root, target)?;
            }
        }
        Ok(points)
    }

    /// Makes what is missing of a folder. What leads through a symbolic link is left alone: mounting will name it.
    fn folder(&mut self, root: &Path, target: &Path) -> Result<(), Error> {
        let mut path = root.to_path_buf();
        for name in names(target) {
            path.push(name);
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => return Ok(()),
                Err(_) => {
                    fs::create_dir(&path)
                        .map_err(|e| Error::setup(format!("make {}", path.display()), e))?;
                    self.made.push(path.clone());
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, root: &Path, target: &Path) -> Result<(), Error> {
        let mut path = root.to_path_buf();
        path.extend(names(target));
        let parent = path.parent().unwrap_or(root);
        let direct = fs::symlink_metadata(parent).is_ok_and(|m| m.is_dir());
        if direct && fs::symlink_metadata(&path).is_err() {
            File::create_new(&path)
                .map_err(|e| Error::setup(format!("make {}", path.display()), e))?;
            self.made.push(path);
        }
        Ok(())
    }
}

/// The names of a path in the sandbox; `..` cannot be meant.
fn names(target: &Path) -> impl Iterator<Item = &OsStr> {
    target.components().filter_map(|c| match c {
        std::path::Component::Normal(name) => Some(name),
        _ => None,
    })
}

impl Drop for MountPoints {
    fn drop(&mut self) {
        for path in self.made.iter().rev() {
            // A folder the command has put something in stays, as it would with any builder.
            let _ = fs::remove_dir(path).or_else(|_| {
                if fs::symlink_metadata(path).is_ok_and(|m| m.is_file() && m.len() == 0) {
                    fs::remove_file(path)
                } else {
                    Ok(())
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_that_came() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * TAIL + 7).collect();
        for piece in [1, 1000, bytes.len()] {
            let mut tail = Vec::new();
            for got in bytes.chunks(piece) {
                keep_tail(&mut tail, got);
                assert!(tail.len() <= 2 * TAIL);
            }
            cut(&mut tail);
            assert_eq!(tail, bytes[bytes.len() - TAIL..]);
        }
        let mut short = b"short".to_vec();
        cut(&mut short);
        assert_eq!(short, b"short");
    }
}
