//! Looks at what an action or a test reaches and writes a line for each thing: `ok …`, or `bad …` where it is not as promised.
//!
//! `probe REPORT present=PATH… absent=PATH…` writes the lines to REPORT. `probe - …` is a test: lines on stderr, status 1 on a bad
//! one. `probe REPORT absent=PATH open` is the counter-check outside the sandbox: there the same looks must find what is hidden inside.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// ENETUNREACH: no route at all. Anything else (a refusal, a time-out) means that a packet could leave.
const NETWORK_UNREACHABLE: i32 = 101;

/// In TEST-NET-1 (RFC 5737): belongs to nobody.
const NOBODY: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    80,
);

#[derive(Default)]
struct Report {
    text: String,
    bad: bool,
}

impl Report {
    fn line(&mut self, ok: bool, what: &str) {
        self.bad |= !ok;
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{} {what}", if ok { "ok" } else { "bad" });
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Process 1 of Bazel's sandbox is its own helper, in a process namespace with a /proc of its own.
fn sandboxed() -> bool {
    read("/proc/1/comm").trim_end() == "linux-sandbox" && std::process::id() < 100
}

fn other_interfaces() -> Vec<String> {
    let devices = read("/proc/self/net/dev");
    let names = devices
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next());
    names
        .map(|name| name.trim().to_owned())
        .filter(|name| name != "lo")
        .collect()
}

fn look_inside(report: &mut Report) {
    report.line(
        sandboxed(),
        "runs under linux-sandbox, in a process namespace of its own",
    );
    let outcome = TcpStream::connect_timeout(&NOBODY, Duration::from_secs(5))
        .map_err(|error| error.raw_os_error());
    let unreachable = matches!(outcome, Err(Some(NETWORK_UNREACHABLE)));
    report.line(
        unreachable,
        &format!("the network is unreachable (a connection to {NOBODY} gave {outcome:?})"),
    );
    let others = other_interfaces();
    report.line(
        others.is_empty(),
        &format!("no network interface but lo (found {others:?})"),
    );
    let outside = "/usr/sandbox-probe";
    let written = std::fs::write(outside, "x").map_err(|error| error.kind());
    let refused = matches!(
        written,
        Err(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
    );
    report.line(
        refused,
        &format!("nothing outside the sandbox is writable (writing {outside} gave {written:?})"),
    );
    let caller =
        std::env::vars_os().any(|(name, _)| name == "IMAGE_BUILD_CACHE" || name == "CARGO_HOME");
    report.line(!caller, "the caller's environment does not come through");
}

fn look(arguments: &[String]) -> Report {
    let mut report = Report::default();
    let open = arguments.iter().any(|argument| argument == "open");
    if open {
        report.line(!sandboxed(), "runs outside the sandbox");
    } else {
        look_inside(&mut report);
    }
    for argument in arguments {
        match argument.split_once('=') {
            Some(("present", path)) => report.line(
                Path::new(path).exists(),
                &format!("{path} is declared and there"),
            ),
            Some(("absent", path)) if open => {
                report.line(
                    Path::new(path).exists(),
                    &format!("{path} can be seen without the sandbox"),
                );
            }
            Some(("absent", path)) => {
                report.line(
                    !Path::new(path).exists(),
                    &format!("{path} is not declared and not there"),
                );
            }
            _ if argument == "open" => {}
            _ => report.line(
                false,
                &format!("{argument}: not an argument of this program"),
            ),
        }
    }
    report
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((output, rest)) = arguments.split_first() else {
        eprintln!("usage: probe REPORT|- [present=PATH|absent=PATH|open]…");
        return ExitCode::FAILURE;
    };
    let report = look(rest);
    if output == "-" {
        eprint!("{}", report.text);
        return if report.bad {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    }
    match std::fs::write(output, &report.text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: {output}: {error}");
            ExitCode::FAILURE
        }
    }
}
