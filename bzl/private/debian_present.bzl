"""What the archive has now: present versions for desk builds whose lock names packages that are gone.

This machine's apt resolves, in a folder of its own, against indexes that Debian's keys have signed. Locked packages that are there are preferred;
where what came since does not go with them, everything is taken as the archive has it.
"""

load("//bzl/private:debian_archive.bzl", "shown")

visibility(["//bzl/..."])

# Of this machine's apt: how archives are reached. The same as rust/lib/debian/src/machine.rs takes over. Nothing that bears on
# the dates of indexes is among them: whether an old index will do is said to us (_ACCEPT_EXPIRED), not found here.
_SETTINGS = [
    "Acquire::http",
    "Acquire::https",
    "Acquire::Retries",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
]

# Set to 1 it is to builds what --accept-expired is to the tool `lock`.
_ACCEPT_EXPIRED = "DEBIAN_ACCEPT_EXPIRED"
_KEYRINGS = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
]

# Fetches a file by this machine's settings; comes with apt.
_HELPER = ["/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20", "download-file"]

# Every Debian has them, whatever the lists say.
_ALWAYS = ["?essential", "?priority(required)"]

# Everything of apt's is below this folder of the repository.
_DIR = "apt"

# An index of the files in `debs`, as an archive has it. apt installs nothing whose digest it does not know, not even in a simulation.
_INDEX = """for file in debs/*.deb; do
  [ -e "$file" ] || continue
  dpkg-deb --field "$file" && printf 'Filename: %s\\nSize: %s\\nSHA256: %s\\n\\n' "$file" "$(stat --format=%s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
done"""

def _last_lines(result):
    """The end of what a program said, errors last."""
    lines = [line for line in (result.stdout + "\n" + result.stderr).split("\n") if line]
    return "; ".join(lines[-3:])

def _sources(rctx, suites, archives, keyring, architecture):
    """Lines of sources.list, and suite to archive; a string instead: why there are none."""
    lines = []
    chosen = {}
    for suite, about in suites.items():
        for archive in archives[about.root]:
            # Not by Bazel, which takes nothing over plain HTTP without a digest; this file is signed, and looked at by its signature later.
            probe = rctx.execute(_HELPER + ["{}/dists/{}/InRelease".format(archive, suite), str(rctx.path(_DIR + "/probe"))])
            if probe.return_code == 0:
                chosen[suite] = archive
                break
        if suite not in chosen:
            return "none of the archives known here has suite {}: {}".format(suite, ", ".join([shown(a) for a in archives[about.root]]) or "none is known")
        lines.append("deb [arch={} signed-by={}] {} {} {}".format(architecture, keyring, chosen[suite], suite, " ".join(about.components)))
    return lines

def _settings(rctx):
    """Lines of apt.conf that this machine's apt has on reaching archives."""
    kept = []
    for line in rctx.execute(["apt-config", "dump"]).stdout.split("\n"):
        key = line.split(" ")[0]
        if [setting for setting in _SETTINGS if key == setting or key.startswith(setting + "::")]:
            kept.append(line)
    return kept

def _accept_expired(rctx):
    """Whether an index whose `Valid-Until` has passed is taken."""
    choice = rctx.getenv(_ACCEPT_EXPIRED) or "0"
    if choice not in ["0", "1"]:
        fail("{}: got {}, want 1 (take an index whose Valid-Until has passed) or 0".format(_ACCEPT_EXPIRED, repr(choice)))
    return choice == "1"

def _configure(rctx, sources, architecture):
    """Lays out apt's folder. Locked packages that are there are an archive of this machine's own, and preferred."""
    root = str(rctx.path(_DIR))
    for dir in ["etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial"]:
        rctx.file("{}/{}/.there".format(_DIR, dir), "")
    rctx.file(_DIR + "/var/lib/dpkg/status", "")
    rctx.file(_DIR + "/apt.conf", "\n".join(_settings(rctx) + [
        "Dir \"{}\";".format(root),
        "Dir::State::status \"{}/var/lib/dpkg/status\";".format(root),
        "APT::Architecture \"{}\";".format(architecture),
        "#clear APT::Architectures;",
        "APT::Architectures {{ \"{}\"; }};".format(architecture),
        "APT::Install-Recommends \"false\";",
        "APT::Install-Suggests \"false\";",
        "APT::Sandbox::User \"root\";",
        "#clear Acquire::Languages;",
        "Acquire::Languages { \"none\"; };",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";",
        "Acquire::Check-Date \"true\";",
        "Acquire::Check-Valid-Until \"{}\";".format("false" if _accept_expired(rctx) else "true"),
        "Dir::Ignore-Files-Silently:: \"\\.there$\";",
        "",
    ]))
    index = rctx.execute(["sh", "-c", _INDEX])
    rctx.file(_DIR + "/local/Packages", index.stdout)
    rctx.file(_DIR + "/etc/apt/sources.list", "\n".join(["deb [trusted=yes] file:{}/local ./".format(root)] + sources + [""]))
    rctx.file(_DIR + "/etc/apt/preferences", "Package: *\nPin: origin \"\"\nPin-Priority: 1001\n")

def _installed(text):
    """Name to version of what `apt-get -s install` would install: lines `Inst NAME (VERSION ORIGIN [ARCHITECTURE])`."""
    found = {}
    for line in text.split("\n"):
        if line.startswith("Inst "):
            name, _, rest = line.removeprefix("Inst ").partition(" ")
            found[name.split(":")[0]] = rest.partition("(")[2].partition(" ")[0]
    return found

def _stanzas(text):
    """Paragraphs of `Key: value`, as dicts; lines that go on are left out."""
    found = []
    for paragraph in text.split("\n\n"):
        fields = {}
        for line in paragraph.split("\n"):
            key, colon, value = line.partition(": ")
            if colon and not line.startswith(" "):
                fields[key] = value
        if fields:
            found.append(fields)
    return found

def _suites_of(text, suites):
    """(name, version) to suite, from `apt-cache madison`: lines `NAME | VERSION | ADDRESS SUITE/COMPONENT ARCHITECTURE Packages`."""
    found = {}
    for line in text.split("\n"):
        parts = [part.strip() for part in line.split("|")]
        if len(parts) == 3 and parts[2].count(" ") > 1:
            suite = parts[2].split(" ")[1].split("/")[0]
            if suite in suites:
                found.setdefault((parts[0], parts[1]), suite)
    return found

def _package(fields, suite):
    """A package as locks have it; None if the index does not say all of it."""
    for key in ["Package", "Version", "Architecture", "Filename", "Size", "SHA256"]:
        if key not in fields:
            return None
    source, _, version = fields.get("Source", fields["Package"]).partition(" ")
    return {
        "name": fields["Package"],
        "version": fields["Version"],
        "architecture": fields["Architecture"],
        "suite": suite,
        "source": source,
        "source_version": version.strip("()") or fields["Version"],
        "size": int(fields["Size"]),
        "sha256": fields["SHA256"],
        "path": fields["Filename"].removeprefix("./"),
    }

def present(rctx, lock, suites, archives, have):
    """Resolves a lock's lists against what the archive has now.

    Args:
      rctx: repository context; the files of the locked packages that are there are in its folder `debs`.
      lock: the lock, decoded, of format 2.
      suites: name of a suite to its `root` and `components`.
      archives: root to addresses, of debian_archive.bzl.
      have: name of a locked package that is there to its version.

    Returns:
      list of dict, or string: the packages that are not among those in `have`, as locks have them, and None for each that is (under its name);
      a string says why nothing can be resolved.
    """
    for program in ["apt-get", "apt-cache", "apt-config", "dpkg-deb"]:
        if not rctx.which(program):
            return "{} is not on this machine, which knows what the archive has".format(program)
    chosen = rctx.getenv("DEBIAN_KEYRING")
    keyrings = [path for path in ([chosen] if chosen else _KEYRINGS) if rctx.path(path).exists]
    if not keyrings:
        return "the keys that sign Debian's archive are not on this machine (package debian-archive-keyring)"
    rctx.file(_DIR + "/probe", "")
    sources = _sources(rctx, suites, archives, keyrings[0], lock["architecture"])
    if type(sources) == "string":
        return sources
    _configure(rctx, sources, lock["architecture"])
    result = _resolve(rctx, lock, suites, have)
    rctx.delete(_DIR)
    return result

def _resolve(rctx, lock, suites, have):
    def apt(*words):
        return rctx.execute(list(words), environment = {"APT_CONFIG": str(rctx.path(_DIR + "/apt.conf")), "LC_ALL": "C"})

    updated = apt("apt-get", "-q", "update", "--error-on=any")
    if " is expired (invalid since " in updated.stderr:
        # apt has no other word for it: its messages are in English here.
        expired = [line for line in updated.stderr.split("\n") if " is expired (invalid since " in line]
        return "an index has expired, so what it shows may be older than what Debian has: {}. Ask for an archive that is up to date (DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR), or accept it as it is with --repo_env={}=1".format("; ".join(expired), _ACCEPT_EXPIRED)
    if updated.return_code:
        return "apt does not take the archive's indexes: " + _last_lines(updated)
    if "Conflicting distribution" in updated.stderr:
        # No more than a warning to apt: the signature is right, but it is another suite's.
        return "the archive gave another suite's indexes: " + _last_lines(updated)
    wanted = _ALWAYS + lock["requested"]
    simulated = apt("apt-get", "-q", "-s", "install", *wanted)
    if simulated.return_code:
        # The locked packages do not go with what came since.
        rctx.delete(_DIR + "/etc/apt/preferences")
        rctx.delete(_DIR + "/local")
        rctx.file(_DIR + "/etc/apt/sources.list", "\n".join([line for line in rctx.read(_DIR + "/etc/apt/sources.list").split("\n") if "trusted=yes" not in line]))
        simulated = apt("apt-get", "-q", "-s", "install", *wanted)
    if simulated.return_code:
        return "apt can't resolve the lists: " + _last_lines(simulated)
    installed = _installed(simulated.stdout)
    new = {name: version for name, version in installed.items() if have.get(name) != version}
    if not new:
        return {name: None for name in installed}
    shown_packages = apt("apt-cache", "show", *["{}={}".format(name, version) for name, version in new.items()])
    suite_of = _suites_of(apt("apt-cache", "madison", *new.keys()).stdout, suites)
    packages = {}
    for fields in _stanzas(shown_packages.stdout):
        key = (fields.get("Package"), fields.get("Version"))
        if new.get(key[0]) == key[1] and key in suite_of:
            packages.setdefault(key[0], _package(fields, suite_of[key]))
    lost = [name for name in sorted(new) if not packages.get(name)]
    if lost:
        return "the archive's indexes do not say all of {}".format(", ".join(lost))
    return {name: packages.get(name) for name in installed}
