//! What a guest is made of, and the QEMU command line for it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::drive::{default_socket, escape, Elsewhere};
use crate::{ports, Accel, Drive, Result, Servers, Tpm, VmError};

/// The emulator's name.
pub const QEMU: &str = "qemu-system-x86_64";

/// A TCP port of this host (127.0.0.1) that leads to one of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward {
    /// Port here; 0 picks a free one when the guest starts.
    pub host: u16,
    /// Port there.
    pub guest: u16,
    /// Who has it: an address of QEMU's own network, as a machine inside the guest has one; none: the guest itself.
    pub address: Option<Ipv4Addr>,
}

impl FromStr for Forward {
    type Err = VmError;

    /// Reads `HOST_PORT:GUEST_PORT`.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (host, guest) = text.split_once(':')?;
            let (host, guest) = (host.parse().ok()?, guest.parse().ok()?);
            let address = None;
            (guest != 0).then_some(Self {
                host,
                guest,
                address,
            })
        };
        parse().ok_or_else(|| VmError::BadForward {
            text: text.to_owned(),
        })
    }
}

/// Where QEMU's console goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    /// Socket on descriptor 0, QMP on descriptor 1.
    Sockets,
    /// The terminal QEMU is started on, shared with its monitor.
    Stdio,
}

/// A guest to be. Two processors, 2048 MiB, a network card behind QEMU's own NAT, no disk.
#[derive(Debug, Clone)]
pub struct VmConfig {
    pub(crate) firmware: PathBuf,
    /// The firmware's variables, if it is of two files.
    pub(crate) vars: Option<PathBuf>,
    /// What is written into the variables stays, and they say what is started first.
    pub(crate) keeps_vars: bool,
    /// Where its TPM listens, if it has one.
    pub(crate) tpm: Option<PathBuf>,
    pub(crate) accel: Accel,
    pub(crate) memory_mib: u32,
    pub(crate) cpus: u32,
    pub(crate) drives: Vec<Drive>,
    pub(crate) forwards: Vec<Forward>,
    pub(crate) network: bool,
    pub(crate) no_reboot: bool,
    pub(crate) uuid: Option<String>,
    pub(crate) vsock_cid: Option<u32>,
    pub(crate) extra: Vec<String>,
    pub(crate) log: Option<PathBuf>,
}

impl VmConfig {
    /// A guest with this firmware (see [`crate::firmware`]) on this accelerator (see [`crate::AccelChoice`]).
    pub fn new(firmware: impl Into<PathBuf>, accel: Accel) -> Self {
        Self {
            firmware: firmware.into(),
            vars: None,
            keeps_vars: false,
            tpm: None,
            accel,
            memory_mib: 2048,
            cpus: 2,
            drives: Vec::new(),
            forwards: Vec::new(),
            network: true,
            no_reboot: false,
            uuid: None,
            vsock_cid: Path::new("/dev/vhost-vsock").exists().then_some(3),
            extra: Vec::new(),
            log: None,
        }
    }

    /// Adds a raw disk whose writes are thrown away. The first disk is the one that is booted.
    #[must_use]
    pub fn disk(self, path: impl Into<PathBuf>) -> Self {
        self.drive(Drive::raw(path))
    }

    /// Adds a drive.
    #[must_use]
    pub fn drive(mut self, drive: Drive) -> Self {
        self.drives.push(drive);
        self
    }

    /// Makes port `guest` of the guest reachable at port `host` of 127.0.0.1; 0 picks a free one.
    #[must_use]
    pub fn forward(mut self, host: u16, guest: u16) -> Self {
        let address = None;
        self.forwards.push(Forward {
            host,
            guest,
            address,
        });
        self
    }

    /// The same for a port of a machine inside the guest, which is at `address` of QEMU's network, 10.0.2.0/24.
    #[must_use]
    pub fn forward_to(mut self, host: u16, address: Ipv4Addr, guest: u16) -> Self {
        let address = Some(address);
        self.forwards.push(Forward {
            host,
            guest,
            address,
        });
        self
    }

    /// Secure Boot: the code of such a firmware (see [`crate::firmware::find_secure`]) in place of the other one, and its variables
    /// with keys (see [`crate::Keys`]). What the guest writes there lasts as long as the guest.
    #[must_use]
    pub fn secure_boot(mut self, code: impl Into<PathBuf>, vars: impl Into<PathBuf>) -> Self {
        self.firmware = code.into();
        self.vars = Some(vars.into());
        self
    }

    /// What firmware and guest write into the variables of [`VmConfig::secure_boot`] stays in their file, and what is started first is theirs to
    /// say: no drive comes before another by its place here.
    #[must_use]
    pub fn keep_variables(mut self) -> Self {
        self.keeps_vars = true;
        self
    }

    /// A TPM, which must outlive the guest.
    #[must_use]
    pub fn tpm(mut self, tpm: &Tpm) -> Self {
        self.tpm = Some(tpm.socket().to_path_buf());
        self
    }

    /// Memory in MiB.
    #[must_use]
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Number of processors.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus;
        self
    }

    /// Leaves out the network card.
    #[must_use]
    pub fn without_network(mut self) -> Self {
        self.network = false;
        self
    }

    /// Whether a reboot ends QEMU instead of starting the guest again.
    #[must_use]
    pub fn no_reboot(mut self, yes: bool) -> Self {
        self.no_reboot = yes;
        self
    }

    /// The machine's UUID, which guests may take their machine id from.
    #[must_use]
    pub fn uuid(mut self, uuid: impl Into<String>) -> Self {
        self.uuid = Some(uuid.into());
        self
    }

    /// Context id of the vsock device; by default 3 where this host has vhost-vsock, else there is no such device.
    #[must_use]
    pub fn vsock_cid(mut self, cid: Option<u32>) -> Self {
        self.vsock_cid = cid;
        self
    }

    /// Adds an argument to QEMU's command line as it is.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.extra.push(arg.into());
        self
    }

    /// Where everything the guest prints is written; by default a temporary file.
    #[must_use]
    pub fn console_log(mut self, path: impl Into<PathBuf>) -> Self {
        self.log = Some(path.into());
        self
    }

    /// Starts the servers of the drives that are served within this process, for [`VmConfig::terminal_command`]; [`VmConfig::start`] does it
    /// by itself. They must outlive the guest.
    pub fn serve(&mut self) -> Result<Servers> {
        Servers::start(&mut self.drives)
    }

    /// Lets servers that somebody else starts show the drives that [`VmConfig::serve`] would serve, at sockets in `folder`: with these
    /// running, the terminal command works by itself.
    pub fn serve_elsewhere(&mut self, folder: &Path) -> Vec<Elsewhere> {
        let numbered = self.drives.iter_mut().enumerate();
        numbered
            .filter_map(|(index, drive)| drive.served_at(folder.join(default_socket(index))))
            .collect()
    }

    /// The command that starts this guest on a terminal, program name first: console and QEMU's own monitor share standard input and
    /// output, Ctrl-A X ends it.
    pub fn terminal_command(&self) -> Vec<String> {
        let mut words = vec![QEMU.to_owned()];
        words.extend(self.args(Terminal::Stdio));
        words
    }

    /// Whether [`VmConfig::serve`] has something to do.
    pub fn is_served(&self) -> bool {
        self.drives.iter().any(Drive::is_served)
    }

    /// Gives every forwarding without one a free port.
    pub fn pick_ports(&mut self) -> Result<()> {
        for forward in &mut self.forwards {
            if forward.host == 0 {
                forward.host = ports::free()?;
            }
        }
        Ok(())
    }

    /// Gives every forwarding without one a free port, and checks that all images are there.
    pub(crate) fn resolve(&mut self) -> Result<()> {
        self.pick_ports()?;
        for path in self.drives.iter().filter_map(Drive::file) {
            std::fs::File::open(path).map_err(|source| VmError::Image {
                path: path.to_path_buf(),
                source,
            })?;
        }
        Ok(())
    }

    /// QEMU's arguments.
    pub(crate) fn args(&self, terminal: Terminal) -> Vec<String> {
        let mut args = Args::default();
        args.add(["-nodefaults", "-display", "none"]);
        self.machine(&mut args);
        args.add(self.accel.args());
        args.add(["-smp", &self.cpus.to_string()]);
        args.add(["-m", &self.memory_mib.to_string()]);
        self.flash(&mut args);
        if let Some(socket) = &self.tpm {
            let path = escape(socket);
            args.add(["-chardev", &format!("socket,id=tpm,path={path}")]);
            args.add(["-tpmdev", "emulator,id=tpm0,chardev=tpm"]);
            args.add(["-device", "tpm-tis,tpmdev=tpm0"]);
        }
        args.add(["-device", "virtio-rng-pci"]);
        if let Some(uuid) = &self.uuid {
            args.add(["-uuid", uuid]);
        }
        for ((index, drive), place) in self.drives.iter().enumerate().zip(1..) {
            args.add(["-drive", &drive.option(index)]);
            args.add(["-device"]);
            let place = match self.keeps_vars {
                true => String::new(),
                false => format!(",bootindex={place}"),
            };
            args.push(format!("virtio-blk-pci,drive=disk{index}{place}"));
        }
        if self.network {
            let mut netdev = "user,id=net0".to_owned();
            for forward in &self.forwards {
                let Forward { host, guest, .. } = forward;
                let address = forward.address.map(|address| address.to_string());
                let address = address.unwrap_or_default();
                netdev.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-{address}:{guest}"));
            }
            // No boot ROM: nothing boots from the network.
            args.add(["-netdev", &netdev]);
            args.add(["-device", "virtio-net-pci,netdev=net0,romfile="]);
        }
        if let Some(cid) = self.vsock_cid {
            args.add(["-device", &format!("vhost-vsock-pci,guest-cid={cid}")]);
        }
        match terminal {
            Terminal::Sockets => {
                args.add(["-chardev", "socket,id=console,fd=0"]);
                args.add(["-serial", "chardev:console"]);
                args.add(["-chardev", "socket,id=qmp,fd=1"]);
                args.add(["-qmp", "chardev:qmp"]);
            }
            Terminal::Stdio => args.add(["-serial", "mon:stdio"]),
        }
        if self.no_reboot {
            args.add(["-no-reboot"]);
        }
        args.add(self.extra.iter().map(String::as_str));
        args.words
    }

    fn machine(&self, args: &mut Args) {
        if self.vars.is_none() {
            args.add(["-machine", "q35"]);
            return;
        }
        // Only the firmware's own mode of the processor may write its variables.
        args.add(["-machine", "q35,smm=on"]);
        args.add(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        args.add(["-global", "ICH9-LPC.disable_s3=1"]);
    }

    fn flash(&self, args: &mut Args) {
        let Some(vars) = &self.vars else {
            // The whole word is the path: a comma in it ends nothing.
            args.add(["-bios", &self.firmware.to_string_lossy()]);
            return;
        };
        let (firmware, vars) = (escape(&self.firmware), escape(vars));
        let snapshot = match self.keeps_vars {
            true => "off",
            false => "on",
        };
        for part in [
            format!("if=pflash,unit=0,format=raw,readonly=on,file={firmware}"),
            format!("if=pflash,unit=1,format=raw,snapshot={snapshot},file={vars}"),
        ] {
            args.add(["-drive", &part]);
        }
    }
}

/// A list of words that is easy to add to.
#[derive(Debug, Default)]
struct Args {
    words: Vec<String>,
}

impl Args {
    fn add<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        self.words.extend(words.into_iter().map(str::to_owned));
    }

    fn push(&mut self, word: String) {
        self.words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_as_documented() {
        let config = VmConfig::new("/fw,1/OVMF.fd", Accel::Tcg)
            .disk("/tmp/a,b.img")
            .drive(Drive::qcow2("config.qcow2"))
            .forward(2222, 22)
            .forward_to(8080, Ipv4Addr::new(10, 0, 2, 77), 8080)
            .no_reboot(true)
            .vsock_cid(Some(7));
        let line = crate::quote(config.args(Terminal::Sockets));
        assert_eq!(
            line,
            "-nodefaults -display none -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -bios /fw,1/OVMF.fd \
             -device virtio-rng-pci \
             -drive if=none,id=disk0,format=raw,cache=unsafe,snapshot=on,file=/tmp/a,,b.img \
             -device virtio-blk-pci,drive=disk0,bootindex=1 \
             -drive if=none,id=disk1,format=qcow2,cache=unsafe,snapshot=off,file=config.qcow2 \
             -device virtio-blk-pci,drive=disk1,bootindex=2 \
             -netdev user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:8080-10.0.2.77:8080 \
             -device virtio-net-pci,netdev=net0,romfile= -device vhost-vsock-pci,guest-cid=7 \
             -chardev socket,id=console,fd=0 -serial chardev:console \
             -chardev socket,id=qmp,fd=1 -qmp chardev:qmp -no-reboot"
        );
        let terminal = config.without_network().terminal_command();
        assert_eq!(terminal.first().unwrap(), QEMU);
        assert!(terminal.join(" ").ends_with("-serial mon:stdio -no-reboot"));
        assert!(!terminal.join(" ").contains("netdev"));
    }

    #[test]
    fn secure_boot_is_another_machine() {
        let config = VmConfig::new("/fw/OVMF.fd", Accel::Tcg).secure_boot("/fw/code", "/a,b");
        let line = crate::quote(config.args(Terminal::Sockets));
        assert!(
            line.contains(
                "-machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on \
                 -global ICH9-LPC.disable_s3=1 -accel"
            ),
            "{line}"
        );
        assert!(
            line.contains(
                "-drive if=pflash,unit=0,format=raw,readonly=on,file=/fw/code \
                 -drive if=pflash,unit=1,format=raw,snapshot=on,file=/a,,b"
            ),
            "{line}"
        );
        assert!(!line.contains("-bios"), "{line}");
        assert!(!line.contains("tpm"), "{line}");
        let config = config.disk("/d").keep_variables();
        let line = crate::quote(config.args(Terminal::Sockets));
        assert!(
            line.contains("unit=1,format=raw,snapshot=off,file=/a,,b"),
            "{line}"
        );
        assert!(
            line.contains("-device virtio-blk-pci,drive=disk0 "),
            "{line}"
        );
    }

    #[test]
    fn a_tpm_is_a_device_of_its_own() {
        let mut config = VmConfig::new("/fw/OVMF.fd", Accel::Tcg);
        config.tpm = Some("/a,b".into());
        let line = crate::quote(config.args(Terminal::Sockets));
        assert!(
            line.contains(
                "-chardev socket,id=tpm,path=/a,,b -tpmdev emulator,id=tpm0,chardev=tpm \
                 -device tpm-tis,tpmdev=tpm0 "
            ),
            "{line}"
        );
    }

    #[test]
    fn what_a_guest_is_given_is_on_the_line() {
        let config = VmConfig::new("/fw", Accel::Tcg)
            .memory_mib(512)
            .cpus(3)
            .uuid("0b3e4b7c-5f21-4b6e-9d0a-1f6f5a1c0001")
            .vsock_cid(None)
            .arg("-smbios")
            .arg("type=11,value=a b");
        let line = crate::quote(config.args(Terminal::Stdio));
        for want in [
            " -smp 3 -m 512 ",
            " -uuid 0b3e4b7c-5f21-4b6e-9d0a-1f6f5a1c0001 ",
            " -smbios 'type=11,value=a b'",
        ] {
            assert!(line.contains(want), "{want}: {line}");
        }
        assert!(!line.contains("vsock"), "{line}");
    }

    #[test]
    fn servers_of_others_are_told_what_to_serve() {
        let mut config = VmConfig::new("/fw", Accel::Tcg)
            .disk("raw.img")
            .drive(Drive::served("a.image").keep_in("k"));
        assert!(config.is_served());
        let told = config.serve_elsewhere(Path::new("/run/x"));
        let [one] = &told[..] else { panic!("{told:?}") };
        assert_eq!(one.image, Path::new("a.image"));
        // By the drive's place among all of them.
        assert_eq!(one.socket, Path::new("/run/x/disk1.sock"));
        assert_eq!(one.keep.as_deref(), Some(Path::new("k")));
        assert!(!one.read_only);
        let line = config.terminal_command().join(" ");
        assert!(
            line.contains("file.server.path=/run/x/disk1.sock"),
            "{line}"
        );
        assert!(!VmConfig::new("/fw", Accel::Tcg).disk("raw.img").is_served());
    }

    #[test]
    fn forwards_are_parsed() {
        let forward: Forward = "8080:80".parse().unwrap();
        assert_eq!((forward.host, forward.guest), (8080, 80));
        for text in ["", "80", ":", "80:", "80:0", "80:99999", "a:1", "1:2:3"] {
            let error = text.parse::<Forward>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("forwarding `{text}` is not HOST_PORT:GUEST_PORT")
            );
        }
    }

    #[test]
    fn missing_images_are_named_and_ports_picked() {
        let mut config = VmConfig::new("/fw", Accel::Tcg).forward(0, 22);
        config.resolve().unwrap();
        assert_ne!(config.forwards[0].host, 0);
        let mut config = config.disk("/nonexistent/disk.img");
        let error = config.resolve().unwrap_err();
        assert_eq!(error.to_string(), "cannot open image /nonexistent/disk.img");
    }
}
