//! Running mke2fs so that nothing of the machine decides a byte.

use std::fs;
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tree::{Sources, Tree};

use crate::error::Error;
use crate::params::{Params, BLOCK_SIZE};
use crate::plan::Layout;
use crate::xattrs;

/// The program of the build environment.
const PROGRAM: &str = "/usr/sbin/mke2fs";

/// e2fsprogs' own defaults, pinned: the machine's /etc/mke2fs.conf must not decide.
const CONFIG: &str = "[defaults]
\tbase_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
\tdefault_mntopts = acl,user_xattr
\tenable_periodic_fsck = 0
\tblocksize = 4096
\tinode_size = 256
\tinode_ratio = 16384
\treserved_ratio = 0
[fs_types]
\text4 = {
\t\tfeatures = extent,huge_file,flex_bg,metadata_csum,metadata_csum_seed,64bit,dir_nlink,extra_isize
\t}
";

/// How one run ended.
pub(crate) enum Outcome {
    /// The image is complete.
    Done,
    /// It ran out of blocks or inodes.
    Full,
}

/// Writes `tree` into the file `image`.
pub(crate) fn run(
    tree: &Tree,
    sources: &Sources,
    params: &Params,
    layout: Layout,
    image: &Path,
) -> Result<Outcome, Error> {
    let dir = tempfile::tempdir().map_err(Error::io("make a temporary folder"))?;
    let config = dir.path().join("mke2fs.conf");
    fs::write(&config, CONFIG).map_err(Error::io("write mke2fs.conf"))?;
    // What an earlier attempt wrote must not shine through.
    let file = fs::File::create(image).and_then(|f| f.set_len(bytes(layout)));
    file.map_err(Error::io(format!("write {}", image.display())))?;
    let mut child = command(params, layout, image, &config)
        .spawn()
        .map_err(|source| Error::Start {
            program: PathBuf::from(PROGRAM),
            source,
        })?;
    let (message, fed) = feed(&mut child, tree, sources);
    let status = child
        .wait()
        .map_err(Error::io(format!("wait for {PROGRAM}")))?;
    if !status.success() {
        if is_full(&message) {
            return Ok(Outcome::Full);
        }
        // A tree that cannot be read cuts the archive short: that is the cause then, not what mke2fs made of it.
        if let Err(error) = fed {
            if !is_broken_pipe(&error) {
                return Err(error.into());
            }
        }
        return Err(Error::Mke2fs {
            program: PathBuf::from(PROGRAM),
            status: status.to_string(),
            message: message.trim().replace('\n', "; "),
        });
    }
    fed?;
    xattrs::set(tree, params, image, dir.path())?;
    Ok(Outcome::Done)
}

fn bytes(layout: Layout) -> u64 {
    layout.blocks.saturating_mul(BLOCK_SIZE)
}

fn command(params: &Params, layout: Layout, image: &Path, config: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .env("MKE2FS_CONFIG", config)
        .env("SOURCE_DATE_EPOCH", params.mtime.to_string())
        .env("LC_ALL", "C")
        .args(["-q", "-F", "-t", "ext4", "-T", "ext4", "-b", "4096"])
        .args(["-I", "256", "-m", "0", "-e", "continue", "-o", "Linux"])
        .args([
            "-O",
            if params.journal {
                "has_journal"
            } else {
                "^has_journal"
            },
        ])
        .args(["-N", &layout.inodes.to_string()])
        .args(["-U", &params.uuid, "-L", &params.label])
        .arg("-E")
        // The file is new and full of zeros, and the kernel of this machine must not be asked what it can do.
        .arg(format!(
            "hash_seed={},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard,\
             assume_storage_prezeroed=1",
            params.hash_seed
        ))
        .args(["-d", "-"])
        .arg(image)
        .arg(format!("{}k", bytes(layout) / 1024))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Sends the tree while another thread listens; what mke2fs said, and how the sending went.
fn feed(child: &mut Child, tree: &Tree, sources: &Sources) -> (String, Result<(), tree::Error>) {
    let stdin = child.stdin.take();
    let stderr = child.stderr.take();
    std::thread::scope(|scope| {
        let listener = scope.spawn(move || {
            let mut said = Vec::new();
            if let Some(mut stderr) = stderr {
                // Half a message is better than none.
                let _ = stderr.read_to_end(&mut said);
            }
            String::from_utf8_lossy(&said).into_owned()
        });
        let fed = match stdin {
            Some(stdin) => {
                let out = BufWriter::with_capacity(1 << 16, stdin);
                tree.write_tar(sources, out).map(drop)
            }
            None => Ok(()),
        };
        (listener.join().unwrap_or_default(), fed)
    })
}

/// libext2fs' words for no blocks or no inodes left (`EXT2_ET_BLOCK_ALLOC_FAIL`, `_INODE_ALLOC_FAIL`, `_DIR_NO_SPACE`).
fn is_full(message: &str) -> bool {
    let words = [
        "Could not allocate block",
        "Could not allocate inode",
        "No free space in the directory",
        "No free space in extent map",
        "too big for filesystem",
        "Not enough space to build proposed filesystem",
    ];
    words.iter().any(|word| message.contains(word))
}

fn is_broken_pipe(error: &tree::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::BrokenPipe;
        }
        cause = error.source();
    }
    false
}
