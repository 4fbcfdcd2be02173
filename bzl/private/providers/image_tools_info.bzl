"""ImageToolsInfo: the programs that the rules of this toolkit run."""

visibility(["//bzl/..."])

# Field of ImageToolsInfo: what the tool does. The toolchain rule takes one attribute per entry.
TOOLS = {
    "inject": "lays files over a rootfs tar and computes systemd enablement; writes a tree manifest",
    "mkbase": "makes a base image from .deb files",
    "mkbundle": "packs files into an update bundle",
    "mkchecksums": "writes SHA256SUMS",
    "mkdisk": "puts file-system images behind a GPT",
    "mkext4": "writes an ext4 image from a tree manifest",
    "mkfat": "writes a FAT image from a tree manifest",
    "mkgrubenv": "writes a GRUB environment block",
    "mkmanifest": "writes manifest.json and packages.txt",
    "mkrootfs": "executes a Dockerfile on a base image; writes a rootfs tar",
    "substitute": "fills a text template from a partition table and keys",
}

ImageToolsInfo = provider(
    doc = "One FilesToRunProvider per tool, so that an action depends on the tool it names and on no other.",
    fields = TOOLS,
)
