//! Logging in over ssh with OpenSSH's own client.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use vm::{Console, Deadline, Output, Vm};

/// How long one login may take, whatever the machine.
const SSH_CONNECT: Duration = Duration::from_secs(120);

/// How long a server gets for its first word: sshd's comes at once, also on an emulated processor.
const SILENCE: Duration = Duration::from_secs(10);

/// How a user proves who they are.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    Password(&'static str),
    Key(PathBuf),
}

/// Where and as whom to log in.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) port: u16,
    pub(crate) user: &'static str,
    pub(crate) proof: Proof,
}

impl Login {
    /// The client with all options, up to the host name.
    fn client(&self) -> Command {
        let mut command = match &self.proof {
            Proof::Password(password) => {
                let mut command = Command::new("sshpass");
                command.args(["-p", password, "ssh", "-o", "PubkeyAuthentication=no"]);
                command
            }
            Proof::Key(key) => {
                let mut command = Command::new("ssh");
                command.args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i"]);
                command.arg(key);
                command
            }
        };
        // No settings, agent or known hosts of whoever runs the test.
        command.args(["-F", "/dev/null", "-o", "IdentityAgent=none"]);
        command.args(["-o", "StrictHostKeyChecking=no"]);
        command.args(["-o", "UserKnownHostsFile=/dev/null"]);
        command.args(["-o", "NumberOfPasswordPrompts=1", "-o", "LogLevel=ERROR"]);
        command.arg("-o");
        command.arg(format!("ConnectTimeout={}", SSH_CONNECT.as_secs()));
        // A session into a machine that was reset ends, sometime.
        command.args(["-o", "ServerAliveInterval=60"]);
        command.args(["-p", &self.port.to_string(), "-l", self.user]);
        command
    }

    /// Runs `command` in the guest.
    pub(crate) fn run(&self, command: &str) -> Result<Output> {
        let output = self
            .client()
            .args(["127.0.0.1", command])
            .stdin(Stdio::null())
            .output()
            .context("cannot start ssh (packages openssh-client, sshpass)")?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(Output {
            status: output.status.code().unwrap_or(-1),
            text: text.trim_end().to_owned(),
        })
    }

    /// Logs in again and again until it works, or the machine stops: the server may not be up yet.
    pub(crate) fn wait(&self, vm: &Vm, deadline: Deadline) -> Result<()> {
        let resets = vm.console().resets();
        loop {
            let output = self.run("true")?;
            if output.status == 0 {
                return Ok(());
            }
            ensure!(
                !deadline.expired(),
                "no login as {} within {} s: {}",
                self.user,
                deadline.seconds(),
                output.text
            );
            vm.console()
                .goes_on(resets, &format!("a login as {}", self.user))?;
            std::thread::sleep(Duration::from_secs(2));
        }
    }

    /// Makes sure that the server turns this login down, and that it is the server who does.
    pub(crate) fn is_refused(&self) -> Result<()> {
        let output = self.run("true")?;
        ensure!(
            output.status != 0 && output.text.contains("Permission denied"),
            "status {} and `{}`, want `Permission denied`",
            output.status,
            output.text
        );
        Ok(())
    }

    /// Starts `command` on a terminal of its own in the guest.
    pub(crate) fn session(&self, command: &str, log: &Path) -> Result<Session> {
        let (ours, theirs) = UnixStream::pair().context("cannot create a socket pair")?;
        let output = theirs.try_clone().context("cannot open a socket twice")?;
        let child = self
            .client()
            .args(["-tt", "127.0.0.1", command])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(OwnedFd::from(output)))
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start ssh")?;
        Ok(Session {
            child,
            console: Console::attach(ours, log, || "ssh ended".to_owned())?,
        })
    }
}

/// A terminal in the guest, over ssh; ends when dropped.
#[derive(Debug)]
pub(crate) struct Session {
    child: Child,
    pub(crate) console: Console,
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing behind this port of the host says a word; in the guest it may be closed or not even refused.
pub(crate) fn nobody_answers(port: u16) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, SILENCE) else {
        return Ok(());
    };
    stream.set_read_timeout(Some(SILENCE))?;
    let mut bytes = [0; 64];
    let said = match stream.read(&mut bytes) {
        Ok(len) => bytes.split_at(len).0,
        // It breaks, or the time is over: silence either way.
        Err(_) => &[],
    };
    ensure!(
        said.is_empty(),
        "it says {}",
        String::from_utf8_lossy(said).trim()
    );
    Ok(())
}

/// Makes a key pair; gives back the private key's file and the public key.
pub(crate) fn key_pair(folder: &Path) -> Result<(PathBuf, String)> {
    let key = folder.join("key");
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "boot-test", "-f"])
        .arg(&key)
        .stdin(Stdio::null())
        .status()
        .context("cannot start ssh-keygen (package openssh-client)")?;
    ensure!(status.success(), "ssh-keygen ended with {status}");
    let public = std::fs::read_to_string(folder.join("key.pub")).context("no public key")?;
    Ok((key, public))
}
