//! Serves a disk image over NBD on a unix socket, until it is interrupted.
//!
//! The image is a raw file or a plan list (`NAME.image`), which is served from its inputs: nothing of it is written. What clients
//! write goes to a nameless file that vanishes at the end, or to the file given by `--persist`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context, Result};
use nbd::{Overlay, Server};
use nix::sys::signal::{SigSet, Signal};
use plan::Reader;

/// Serve a disk image over NBD on a unix socket until Ctrl-C.
///
/// What clients write is thrown away at the end unless --persist names a file to keep it in; the image is never written to.
#[derive(Debug, clap::Parser)]
struct Args {
    /// Disk image: raw, or a plan list (NAME.image).
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Socket to make.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// Refuse whatever would change the image.
    #[arg(long)]
    read_only: bool,
    /// Keep what clients write in this file (made when missing; it belongs to this very state of the image).
    #[arg(long, value_name = "FILE")]
    persist: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("serve", run)
}

fn run(args: Args) -> Result<()> {
    // Before any thread starts, so that they all leave these to the end of this function.
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_block().context("cannot block signals")?;
    ensure!(
        !args.socket.exists(),
        "--socket {} is there already: remove it if nobody uses it any more",
        args.socket.display()
    );
    let image = Reader::open_any(&args.image)?;
    let disk = match &args.persist {
        None => Overlay::throw_away(image)?,
        Some(file) => {
            let identity = nbd::identity(&image);
            Overlay::keep(image, file, identity)?
        }
    };
    let server = Server::start(disk, args.read_only, &args.socket)?;
    explain(&args.socket)?;
    signals.wait().context("cannot wait for signals")?;
    drop(server);
    Ok(())
}

/// How to use the server; a URI needs the socket's path from the root on.
fn explain(socket: &Path) -> Result<()> {
    let socket = socket
        .canonicalize()
        .context("the socket is gone already")?;
    let uri = format!("nbd+unix:///?socket={}", socket.display());
    // The URI alone is what a script reads.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{uri}")
        .and_then(|()| stdout.flush())
        .context("cannot print the URI")?;
    eprint!(
        "serve: look:  nbdinfo '{uri}'   or  qemu-img info '{uri}'\n\
         serve: copy:  nbdcopy '{uri}' disk.img   or  qemu-img convert -f raw -O raw '{uri}' disk.img\n\
         serve: mount: nbd-client -unix '{}' /dev/nbd0\n\
         serve: Ctrl-C ends it\n",
        socket.display()
    );
    Ok(())
}
