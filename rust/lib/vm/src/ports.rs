//! Ports of this host that lead into a guest.

use std::net::{Ipv4Addr, TcpListener};

use crate::{Result, VmError};

/// A port that nothing listens on just now.
pub fn free() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(VmError::io("find a free port"))?;
    let address = listener
        .local_addr()
        .map_err(VmError::io("find a free port"))?;
    Ok(address.port())
}

/// Says which `flag` to use when `port` is taken, before QEMU says less.
pub fn check_free(port: u16, flag: &str) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(VmError::PortBusy {
            port,
            flag: flag.to_owned(),
        }),
        Err(error) => Err(VmError::io(format!("use port {port} ({flag})"))(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_port_names_port_and_flag() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = check_free(port, "--ssh-port PORT").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("port {port} on this host is in use: choose another one with --ssh-port PORT")
        );
        drop(listener);
        // A program that another test just starts has it as well until it runs.
        let deadline = crate::Deadline::after(std::time::Duration::from_secs(60));
        while check_free(port, "--ssh-port PORT").is_err() {
            assert!(!deadline.expired(), "port {port} is never free");
            std::thread::yield_now();
        }
        assert_ne!(free().unwrap(), 0);
    }
}
