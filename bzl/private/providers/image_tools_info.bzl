"""ImageToolsInfo: the programs that the rules of this toolkit run."""

visibility(["//bzl/..."])

# Field of ImageToolsInfo: what the tool does. The toolchain rule takes one attribute per entry.
TOOLS = {
    "bootcheck": "boots a disk in QEMU and waits for what its console says",
    "checkfit": "checks injected programs against an image's own loader and libraries",
    "flash": "writes a disk image to a stick or a file, with a configuration in it",
    "hashblocks": "hashes each block of a file for dm-verity",
    "hashimage": "takes the digest of an image through its plan",
    "imgdump": "shows what is in an image",
    "inject": "lays files over a rootfs tar and computes systemd enablement; writes a tree manifest",
    "lock": "resolves package lists into lock files",
    "materialize": "writes an image from its plan",
    "mkbase": "makes a base image from .deb files",
    "mkbundle": "lays out an update bundle; writes a plan",
    "mkchecksums": "writes SHA256SUMS from images' digests",
    "mkdelta": "compares an image with that of an older update bundle; writes a difference",
    "mkdeployment": "writes deployment.json from images' digests",
    "mkdisk": "puts images behind a GPT; writes a plan",
    "mkext4": "lays out an ext4 file system from a tree manifest; writes a plan",
    "mkfat": "lays out a FAT file system from a tree manifest; writes a plan",
    "mkfile": "takes a file out of a tree; writes a plan",
    "mkgrubenv": "writes a GRUB environment block",
    "mkmanifest": "writes manifest.json and packages.txt",
    "mkpcrs": "predicts a TPM's registers from EFI programs and Secure Boot's variables",
    "mkpgpkey": "writes the OpenPGP public key of a certificate",
    "mkqcow2": "lays out a qcow2 image; writes a plan",
    "mkreport": "writes a page about what an image is made of",
    "mkrootfs": "executes a Dockerfile on a base image; writes a rootfs tar",
    "mksigned": "puts signatures to an EFI program; writes a plan",
    "mksnp": "computes the launch measurement of a virtual machine under AMD SEV-SNP",
    "mktosign": "writes what is to be signed of an EFI program",
    "mkuki": "lays out a unified kernel image; writes a plan",
    "mkupdate": "writes the manifest of an update bundle",
    "mkupdatekeys": "writes update-keys.json from public keys",
    "mkverity": "computes a dm-verity hash tree; writes a plan with it",
    "mkversion": "writes the version that follows from the digests of inputs, and their list",
    "pin": "writes the digests of base images into the source tree",
    "runvm": "boots a disk in QEMU, its console on the terminal",
    "serve": "serves an image from its plan over NBD",
    "signdigests": "signs digests with a key or by a program",
    "signupdate": "signs the manifest of an update bundle, or checks signatures over it",
    "substitute": "fills a text template from a partition table and keys",
    "vendor": "writes every file that builds fetch into a folder",
}

ImageToolsInfo = provider(
    doc = "One FilesToRunProvider per tool, so that an action depends on the tool it names and on no other.",
    fields = TOOLS,
)
