//! Runs a command in a sandbox: `sandbox_run [--user UID] [--keep-tmp] ROOT COMMAND [ARGUMENT…]`.

use std::io::Write;
use std::process::ExitCode;

use sandbox::{Command, Sandbox};

fn main() -> ExitCode {
    if let Some(code) = sandbox::child_entry() {
        return code;
    }
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("sandbox_run: {error}");
            ExitCode::from(125)
        }
    }
}

fn run() -> Result<u8, Box<dyn std::error::Error>> {
    let mounts = sandbox::private_mounts()?;
    let work = sandbox::Workdir::new(&mounts)?;
    std::fs::write(work.path().join("probe"), "x")?;
    let mut args = std::env::args_os().skip(1).peekable();
    let mut user = 0;
    let mut keep_tmp = false;
    loop {
        match args.peek().and_then(|a| a.to_str()) {
            Some("--user") => {
                args.next();
                user = args.next().unwrap_or_default().to_string_lossy().parse()?;
            }
            Some("--keep-tmp") => {
                args.next();
                keep_tmp = true;
            }
            _ => break,
        }
    }
    let root = args.next().ok_or("no root")?;
    // Made by the caller, it belongs to nobody in here.
    let mut chown = std::process::Command::new("chown");
    if !chown.args(["-Rh", "0:0"]).arg(&root).status()?.success() {
        return Err("cannot make the tree root's".into());
    }
    let mut sandbox = Sandbox::new(root);
    if keep_tmp {
        sandbox = sandbox.keep("/tmp");
    }
    let command = Command::new(args.next().ok_or("no command")?)
        .args(args)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .user(user, user)
        .stdin("given\n");
    let finished = sandbox.run(&command, |bytes| std::io::stderr().write_all(bytes))?;
    Ok(u8::try_from(finished.code).unwrap_or(255))
}
