//! What the kernel says when devices come and go: messages on a netlink socket, which udev hears, too.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use rustix::io::Errno;
use rustix::net::netlink::{SocketAddrNetlink, KOBJECT_UEVENT};
use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_timeout, Timeout};
use rustix::net::{bind, recv, socket_with, AddressFamily, RecvFlags, SocketFlags, SocketType};

/// The kernel's own messages, as it sends them before udev works on them.
const KERNEL: u32 = 1;
/// Longer than any message: the kernel's buffer for one is 2 KiB.
const LONGEST: usize = 8 << 10;
/// Room for thousands of devices that come at once.
const ROOM: usize = 4 << 20;

/// A socket that hears of devices from its opening on.
pub(crate) struct Events(OwnedFd);

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The name by which a new device asks for a module.
    pub(crate) modalias: Option<String>,
    /// Whether it is about a disk or a partition.
    pub(crate) block: bool,
}

/// What came of waiting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A message.
    Event(Event),
    /// So many that some were lost.
    Lost,
    /// None.
    Nothing,
}

impl Events {
    pub(crate) fn open() -> Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(KOBJECT_UEVENT),
        );
        let socket =
            socket.context("cannot open a socket for the kernel's messages about devices")?;
        // Less room means that more may be lost, which is heard of.
        let _ = set_socket_recv_buffer_size_force(&socket, ROOM);
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL))
            .context("cannot listen to the kernel's messages about devices")?;
        Ok(Self(socket))
    }

    /// Waits for a message, that long at most.
    pub(crate) fn next(&self, patience: Duration) -> Result<Heard> {
        // No time at all would be for ever.
        let patience = patience.max(Duration::from_millis(1));
        set_socket_timeout(&self.0, Timeout::Recv, Some(patience))
            .context("cannot wait for the kernel's messages about devices")?;
        let mut buffer = vec![0; LONGEST];
        match recv(&self.0, &mut buffer, RecvFlags::empty()) {
            Ok((_, len)) => Ok(Heard::Event(Event::parse(
                buffer.get(..len).unwrap_or_default(),
            ))),
            Err(Errno::NOBUFS) => Ok(Heard::Lost),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Heard::Nothing),
            Err(error) => bail!("cannot read the kernel's messages about devices: {error}"),
        }
    }
}

impl Event {
    /// Reads `ACTION@PATH`, and `KEY=VALUE` behind it, each with a zero behind. What is no such message says nothing.
    fn parse(bytes: &[u8]) -> Self {
        let mut event = Self::default();
        let mut added = false;
        for field in bytes.split(|byte| *byte == 0).skip(1) {
            let Ok(field) = std::str::from_utf8(field) else {
                continue;
            };
            match field.split_once('=') {
                Some(("ACTION", action)) => added = action == "add",
                Some(("SUBSYSTEM", subsystem)) => event.block = subsystem == "block",
                Some(("MODALIAS", alias)) => event.modalias = Some(alias.to_owned()),
                _ => (),
            }
        }
        event.modalias = event.modalias.filter(|_| added);
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let message = b"add@/devices/pci0000:00/0000:00:02.0/virtio0\0ACTION=add\0DEVPATH=/devices/x\0SUBSYSTEM=virtio\0MODALIAS=virtio:d00000002v00001AF4\0SEQNUM=7\0";
        let want = Event {
            modalias: Some("virtio:d00000002v00001AF4".to_owned()),
            block: false,
        };
        assert_eq!(Event::parse(message), want);
        let message = b"change@/devices/x/block/vda/vda1\0ACTION=change\0SUBSYSTEM=block\0DEVTYPE=partition\0";
        assert_eq!(
            Event::parse(message),
            Event {
                modalias: None,
                block: true
            }
        );
        // What goes asks for nothing.
        let message = b"remove@/x\0ACTION=remove\0MODALIAS=a\0";
        assert_eq!(Event::parse(message), Event::default());
        for odd in [&b""[..], b"libudev\0\xfe\xed\xca\xfe", b"\0\0=\0\xff=x\0"] {
            assert_eq!(Event::parse(odd), Event::default());
        }
    }

    /// When the machine is quiet, nothing is heard.
    #[test]
    fn waiting_ends() {
        let events = Events::open().unwrap();
        let started = std::time::Instant::now();
        while let Heard::Event(_) | Heard::Lost = events.next(Duration::from_millis(20)).unwrap() {
            assert!(started.elapsed() < Duration::from_secs(60));
        }
    }
}
