//! `mksnp`: the launch measurement of a virtual machine under AMD SEV-SNP.

use std::fs::File;
use std::io::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, ensure, Context, Error, Result};
use base::{as_usize, Sha256Digest};
use plan::Reader;
use serde::Serialize;
use sev::measurement::snp::{snp_calc_launch_digest, SnpMeasurementArgs};
use sev::measurement::vcpu_types::CpuType;
use sev::measurement::vmsa::{GuestFeatures, VMMType};

/// Computes the measurement that a machine's attestation report has when QEMU starts a kernel directly (docs/formats/snp.md).
#[derive(clap::Parser)]
#[command(name = "mksnp")]
struct Args {
    /// The firmware: OVMF that checks the hashes of kernel, initrd and command line (OvmfPkg/AmdSev).
    #[arg(long, value_name = "FILE")]
    firmware: PathBuf,
    /// The kernel as QEMU gets it by -kernel: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    kernel: PathBuf,
    /// The initrd as QEMU gets it by -initrd: a list (*.image) or a raw image; default: none.
    #[arg(long, value_name = "FILE")]
    initrd: Option<PathBuf>,
    /// File of the command line, one line, as QEMU gets it by -append; default: none.
    #[arg(long, value_name = "FILE")]
    cmdline: Option<PathBuf>,
    /// Number of virtual processors, 1 to 4096.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    vcpus: u32,
    /// Their type as QEMU calls it, such as EPYC-v4 or EPYC-Milan.
    #[arg(long, value_name = "TYPE")]
    vcpu_type: String,
    /// The machine's SEV_FEATURES, hexadecimal: 0x1 is SEV-SNP alone; newer kernels swap debug registers, too, 0x21.
    #[arg(long, value_name = "0xN", value_parser = features)]
    guest_features: u64,
    /// Where the measurement goes.
    #[arg(long)]
    output: PathBuf,
}

/// The longest firmware: it ends where 4 GiB end, below which are other things.
const MAX_FIRMWARE: u64 = 16 << 20;
/// The last page, which has the firmware's tables.
const MIN_FIRMWARE: u64 = 4096;
/// The longest command line that Linux takes on this processor.
const MAX_CMDLINE: usize = 2048;
const FORMAT: u32 = 1;

// Fields in the order of the alphabet: the order they are written in.
#[derive(Serialize)]
struct Document {
    cmdline: String,
    firmware: Sha256Digest,
    format: u32,
    guest_features: u64,
    initrd: Option<Sha256Digest>,
    kernel: Sha256Digest,
    measurement: String,
    vcpu_type: String,
    vcpus: u32,
}

fn main() -> ExitCode {
    cli::run("mksnp", run)
}

fn run(args: Args) -> Result<()> {
    let json = serde_json::to_string_pretty(&document(&args)?)? + "\n";
    cli::write_output(&args.output, |out| out.write_all(json.as_bytes())).map_err(Error::from_boxed)
}

fn document(args: &Args) -> Result<Document> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    // The crate reads files.
    let plain = |path: &Path, name: &str| write_out(path, &folder.path().join(name));
    let (firmware_file, firmware) = plain(&args.firmware, "firmware")?;
    check_firmware(&firmware_file).with_context(|| args.firmware.display().to_string())?;
    let (kernel_file, kernel) = plain(&args.kernel, "kernel")?;
    let initrd = args.initrd.as_deref().map(|path| plain(path, "initrd"));
    let (initrd_file, initrd) = initrd.transpose()?.unzip();
    let cmdline = args.cmdline.as_deref().map_or(Ok(String::new()), line)?;
    let vcpu_type = CpuType::try_from(args.vcpu_type.as_str())
        .map_err(|error| anyhow!("--vcpu-type: {error}, want a type as EPYC-v4"))?;
    let measured = SnpMeasurementArgs {
        vcpus: args.vcpus,
        vcpu_type,
        ovmf_file: firmware_file,
        guest_features: GuestFeatures(args.guest_features),
        kernel_file: Some(kernel_file),
        initrd_file,
        append: Some(&cmdline),
        ovmf_hash_str: None,
        vmm_type: Some(VMMType::QEMU),
    };
    let measurement = measure(measured).with_context(|| args.firmware.display().to_string())?;
    Ok(Document {
        cmdline,
        firmware,
        format: FORMAT,
        guest_features: args.guest_features,
        initrd,
        kernel,
        measurement,
        vcpu_type: vcpu_type.to_string(),
        vcpus: args.vcpus,
    })
}

/// The crate trusts the places that a firmware's tables name; what lies outside of the file makes it panic.
fn measure(args: SnpMeasurementArgs<'_>) -> Result<String> {
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(|| snp_calc_launch_digest(args)));
    drop(std::panic::take_hook());
    let result = result.map_err(|_| anyhow!("its tables name places outside of it"))?;
    let digest = result.map_err(|error| {
        anyhow!("{error}: want OVMF that checks the hashes of kernel, initrd and command line (OvmfPkg/AmdSev)")
    })?;
    Ok(digest.get_hex_ld())
}

fn check_firmware(path: &Path) -> Result<()> {
    let len = path.metadata()?.len();
    ensure!(
        (MIN_FIRMWARE..=MAX_FIRMWARE).contains(&len),
        "a firmware of {len} bytes, want {MIN_FIRMWARE} to {MAX_FIRMWARE}"
    );
    Ok(())
}

/// Writes an image to a file; returns that, and the digest.
fn write_out(image: &Path, file: &Path) -> Result<(PathBuf, Sha256Digest)> {
    const CHUNK: u64 = 1 << 20;
    let reader = Reader::open_any(image)?;
    let failed = || format!("cannot write {}", file.display());
    let mut out = File::create(file).with_context(failed)?;
    let mut hasher = base::Hasher::new();
    let mut buffer = vec![0; as_usize(CHUNK)];
    let mut at = 0;
    while at < reader.len() {
        let count = base::bounded::without(reader.len(), at).min(CHUNK);
        let (part, _) = buffer.split_at_mut(as_usize(count));
        reader.read_at(part, at)?;
        hasher.update(&*part);
        out.write_all(part).with_context(failed)?;
        at = base::bounded::sum(at, count);
    }
    Ok((file.to_path_buf(), hasher.finish()))
}

/// A text of one line.
fn line(path: &Path) -> Result<String> {
    let place = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", place()))?;
    let line = text.trim();
    ensure!(
        !line.contains(['\n', '\0']) && line.len() < MAX_CMDLINE,
        "{}: {} bytes in {} lines, want one line of less than {MAX_CMDLINE}",
        place(),
        line.len(),
        line.lines().count()
    );
    Ok(line.to_owned())
}

fn features(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x");
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let number = number.ok_or("want a hexadecimal number, as 0x1")?;
    if number & 1 == 0 {
        return Err("bit 0 is not set: that is no machine under SEV-SNP".to_owned());
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last pages of OVMF as AMD's build of edk2-stable202405 and as its usual one: the fixtures of <https://github.com/virtee/sev-snp-measure>.
    const AMD_SEV: &[u8] = include_bytes!("../../tests/data/ovmf_AmdSev_suffix.bin");
    const OVMF_X64: &[u8] = include_bytes!("../../tests/data/ovmf_OvmfX64_suffix.bin");

    /// What is computed with an empty kernel and initrd, as that project's tests do.
    fn measured(firmware: &[u8], vcpus: u32, features: u64, line: &str) -> Result<Document> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        document(&Args {
            firmware: file("firmware", firmware),
            kernel: file("kernel", b""),
            initrd: Some(file("initrd", b"")),
            cmdline: Some(file("cmdline", line.as_bytes())),
            vcpus,
            vcpu_type: "EPYC-v4".to_owned(),
            guest_features: features,
            output: "none".into(),
        })
    }

    /// `tests/test_guest.py` of the same project, commit 8f2b337: test_snp_default, test_snp_guest_feature_snp_only,
    /// test_snp_with_multiple_vcpus_default and …_feature_snp_only.
    const PUBLISHED: [(u32, u64, &str, &str); 4] = [
        (
            1,
            0x21,
            "console=ttyS0 loglevel=7",
            "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977",
        ),
        (
            1,
            0x1,
            "console=ttyS0 loglevel=7",
            "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa",
        ),
        (
            4,
            0x21,
            "",
            "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942",
        ),
        (
            4,
            0x1,
            "",
            "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5",
        ),
    ];

    #[test]
    fn measurements_are_the_published_ones() {
        for (vcpus, features, line, want) in PUBLISHED {
            let document = measured(AMD_SEV, vcpus, features, line).unwrap();
            assert_eq!(document.measurement, want, "{vcpus} {features:#x} {line}");
        }
    }

    #[test]
    fn a_line_counts_without_the_end_of_its_file() {
        let [with, without] = ["root=/dev/sda\n", "root=/dev/sda"]
            .map(|line| measured(AMD_SEV, 1, 1, line).unwrap().measurement);
        assert_eq!(with, without);
        assert_ne!(
            with,
            measured(AMD_SEV, 1, 1, "root=/dev/sdb")
                .unwrap()
                .measurement
        );
    }

    #[test]
    fn what_can_not_be_measured_is_refused() {
        let refused = |firmware: &[u8], line: &str| {
            let error = measured(firmware, 1, 1, line).err().unwrap();
            format!("{error:#}")
        };
        let error = refused(OVMF_X64, "");
        assert!(error.contains("SNP_KERNEL_HASHES"), "{error}");
        assert!(
            error.contains("want OVMF that checks the hashes"),
            "{error}"
        );
        let error = refused(&AMD_SEV[..4095], "");
        assert!(
            error.contains("a firmware of 4095 bytes, want 4096 to 16777216"),
            "{error}"
        );
        let error = refused(AMD_SEV, "a\nb");
        assert!(
            error.ends_with("3 bytes in 2 lines, want one line of less than 2048"),
            "{error}"
        );
        // The length of the table at the end, made longer than the file.
        let mut broken = AMD_SEV.to_vec();
        broken[4096 - 50..4096 - 48].fill(0xff);
        let error = refused(&broken, "");
        assert!(
            error.ends_with("its tables name places outside of it"),
            "{error}"
        );
    }

    #[test]
    fn features_are_hexadecimal_and_have_sev_snp() {
        assert_eq!(features("0x21"), Ok(0x21));
        assert!(features("21").is_err());
        assert!(features("0x20").is_err());
    }
}
