//! The command that a document gives for a plain QEMU: taken from there, run as it stands.

use std::fs::File;
use std::path::{Component, Path, PathBuf};

use anyhow::{ensure, Context, Result};
use base::Sha256Digest;
use vm::{Accel, Vm};

use crate::report::Report;
use crate::scenario::{console_login, exited, kernel_started, root_over_ssh};
use crate::ssh::{Login, Proof};
use crate::Setting;

/// What the document says to add on a machine with KVM.
const WITH_KVM: &str = "-accel kvm -cpu host";
/// The port of this host that the document tells people to use.
const SSH: u16 = 2222;

/// Boots the disk by the document's command, in a folder where the disk has the path that the command says.
pub(crate) fn boot(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let is_list = plan::List::is_named(&setting.disk);
    ensure!(
        !is_list,
        "the documented command takes a disk, not a plan list: {}",
        setting.disk.display()
    );
    let document = setting
        .document
        .as_deref()
        .context("exact: --document says where the command stands")?;
    let command = Command::find(document)?;
    let folder = setting.scratch.path();
    let place = folder.join(&command.disk);
    std::fs::create_dir_all(place.parent().unwrap_or(folder))
        .and_then(|()| std::os::unix::fs::symlink(&setting.disk, &place))
        .with_context(|| format!("cannot put the disk at {}", place.display()))?;
    let before = digest(&setting.disk)?;
    vm::ports::check_free(SSH, "the documented command, there is no other")?;
    let words = command.words(setting.accel);
    report.stage(&vm::quote(&words));
    let vm = Vm::start_command(&words, folder, Some(&setting.log), setting.accel)?;
    kernel_started(&vm, setting, &report)?;
    let shell = console_login(&vm, setting, &mut report)?;
    let login = Login {
        port: SSH,
        user: "root",
        proof: Proof::Password("root"),
    };
    report.check(
        "root logs in over ssh on port 2222",
        root_over_ssh(&vm, &login, setting),
    );
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", exited(&vm, setting));
    report.check("the disk is as it was", unchanged(&before, setting));
    report.finish()
}

fn unchanged(before: &Sha256Digest, setting: &Setting) -> Result<()> {
    ensure!(
        digest(&setting.disk)? == *before,
        "the guest's writes went into {}",
        setting.disk.display()
    );
    Ok(())
}

fn digest(disk: &Path) -> Result<Sha256Digest> {
    File::open(disk)
        .and_then(Sha256Digest::of_reader)
        .with_context(|| format!("cannot read {}", disk.display()))
}

/// A command that starts QEMU.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    words: Vec<String>,
    /// The file of its only drive.
    disk: PathBuf,
}

impl Command {
    /// The one QEMU command of a Markdown file.
    fn find(document: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(document)
            .with_context(|| format!("cannot read {}", document.display()))?;
        Self::parse(&text).with_context(|| document.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        ensure!(
            text.contains(WITH_KVM),
            "does not say that `{WITH_KVM}` is for machines with KVM"
        );
        let blocks: Vec<&str> = fenced(text);
        let commands: Vec<&&str> = blocks
            .iter()
            .filter(|block| block.starts_with(vm::QEMU))
            .collect();
        let [command] = commands.as_slice() else {
            anyhow::bail!(
                "has {} blocks that start with {}, want one",
                commands.len(),
                vm::QEMU
            );
        };
        let text = command.trim_end().replace("\\\n", " ");
        ensure!(
            !text.contains(['\n', '"', '\'', '$', '`', '\\', '*', '~']),
            "not a single command without a shell's special characters: {text}"
        );
        let words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
        let disk = drive(&words)?;
        Ok(Self { words, disk })
    }

    fn words(&self, accel: Accel) -> Vec<String> {
        let more = match accel {
            Accel::Kvm => WITH_KVM,
            Accel::Tcg => "",
        };
        let more = more.split_ascii_whitespace().map(str::to_owned);
        self.words.iter().cloned().chain(more).collect()
    }
}

/// The contents of a Markdown text's fenced blocks.
fn fenced(text: &str) -> Vec<&str> {
    // Text before, between and behind blocks alternates with what is in them.
    text.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .map(|(_language, content)| content)
        .collect()
}

/// The file of the only `-drive`, a path below the current folder.
fn drive(words: &[String]) -> Result<PathBuf> {
    let mut options = words.windows(2).filter_map(|pair| match pair {
        [flag, option] if flag == "-drive" => Some(option),
        _ => None,
    });
    let (Some(option), None) = (options.next(), options.next()) else {
        anyhow::bail!("want one -drive: {}", words.join(" "));
    };
    let file = option
        .split(',')
        .find_map(|part| part.strip_prefix("file="))
        .with_context(|| format!("-drive {option}: no file="))?;
    let below = Path::new(file)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    ensure!(below, "-drive {option}: want a path below the checkout");
    Ok(PathBuf::from(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Title\n\n```\nls\n```\n\nWith KVM `-accel kvm -cpu host`:\n\n```\nqemu-system-x86_64 -m 1 \\\n  -drive file=a/b.img,format=raw\n```\nmore\n";

    fn refusal(text: &str) -> String {
        Command::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_command_is_found_and_split() {
        let command = Command::parse(TEXT).unwrap();
        assert_eq!(command.disk, Path::new("a/b.img"));
        let words = [
            "qemu-system-x86_64",
            "-m",
            "1",
            "-drive",
            "file=a/b.img,format=raw",
        ];
        assert_eq!(command.words(Accel::Tcg), words);
        let with_kvm = [&words[..], &["-accel", "kvm", "-cpu", "host"]].concat();
        assert_eq!(command.words(Accel::Kvm), with_kvm);
    }

    #[test]
    fn what_could_be_something_else_is_refused() {
        assert_eq!(
            refusal(&TEXT.replace("-accel kvm", "-enable-kvm")),
            "does not say that `-accel kvm -cpu host` is for machines with KVM"
        );
        assert_eq!(
            refusal(&[TEXT, TEXT].concat()),
            "has 2 blocks that start with qemu-system-x86_64, want one"
        );
        assert_eq!(
            refusal(&TEXT.replace("a/b.img", "$PWD/b.img")),
            "not a single command without a shell's special characters: qemu-system-x86_64 -m 1    -drive file=$PWD/b.img,format=raw"
        );
        assert_eq!(
            refusal(&TEXT.replace("a/b.img", "a/../../b.img")),
            "-drive file=a/../../b.img,format=raw: want a path below the checkout"
        );
        assert_eq!(
            refusal(&TEXT.replace("file=", "id=")),
            "-drive id=a/b.img,format=raw: no file="
        );
        assert_eq!(
            refusal(&TEXT.replace("-m 1", "-drive file=x")),
            "want one -drive: qemu-system-x86_64 -drive file=x -drive file=a/b.img,format=raw"
        );
    }
}
