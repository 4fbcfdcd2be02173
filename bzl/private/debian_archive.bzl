"""Where a locked package may lie: the archives that this machine knows, and snapshots of them.

A lock names no host. It names the root that a package's path is below: `main` is Debian's archive, `security` the one of security updates.
"""

visibility(["//bzl/..."])

# Root of a lock: the variable that names an archive with it, and what snapshot services call it.
ROOTS = {
    "main": struct(variable = "DEBIAN_MIRROR", archive = "debian"),
    "security": struct(variable = "DEBIAN_SECURITY_MIRROR", archive = "debian-security"),
}

def archives_of(given, apt):
    """Addresses of archives, most wanted first.

    The security root is looked for beside the main one, too, under the same name with `-security`: so it lies on mirrors, and a machine
    whose apt knows its main archive alone can still take security updates.

    Args:
      given: root to the address that the environment names, or None.
      apt: pairs of release and address, from apt's sources.

    Returns:
      dict: root to list of addresses without a slash at the end.
    """
    found = {root: [given[root]] if given.get(root) else [] for root in ROOTS}
    for release, address in apt:
        found["security" if release.endswith("-security") else "main"].append(address)
    beside = [address.rstrip("/") + "-security" for address in found["main"]]
    return {
        root: {address.rstrip("/"): None for address in addresses}.keys()
        for root, addresses in (found | {"security": found["security"] + beside}).items()
    }

def archives(rctx):
    """Addresses of the archives that this machine knows: those of the environment, then apt's own.

    Args:
      rctx: repository context.

    Returns:
      dict: root to list of addresses without a slash at the end, most wanted first.
    """
    apt = []
    program = rctx.which("apt-get")
    if program:
        result = rctx.execute([program, "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"])
        if result.return_code != 0:
            # What the environment names, or a cache has, may be all that is needed.
            # buildifier: disable=print
            print("apt-get indextargets: status {}, so this machine's archives are not known: {}".format(result.return_code, result.stderr.strip()))
        for line in result.stdout.split("\n"):
            release, _, address = line.partition(" ")
            if address.startswith("http://") or address.startswith("https://") or address.startswith("file:/"):
                apt.append((release, address))
    return archives_of({root: rctx.getenv(about.variable) for root, about in ROOTS.items()}, apt)

def quoted(path):
    """A path of an archive as part of an address.

    Args:
      path: path below an archive's root.

    Returns:
      string: the same, with what has a meaning in addresses escaped.
    """
    return path.replace("%", "%25").replace("+", "%2B").replace("~", "%7E")

def shown(address):
    """An address for people: without the password that may be in it. As base::url::shown of the tools has it.

    Args:
      address: an address.

    Returns:
      string: the address, without user, password and query.
    """
    scheme, is_address, rest = address.partition("://")
    if not is_address:
        return address
    end = min([rest.find(mark) for mark in "/?#\\".elems() if mark in rest] or [len(rest)])
    authority, path = rest[:end], rest[end:]
    secret, _, host = authority.rpartition("@")
    port = host.rpartition(":")[2] if ":" in host and not host.endswith("]") else ""
    if not secret and port and not port.isdigit():
        # A password with one of these marks in it ends the authority early: nobody knows where it ends.
        return scheme + "://…"
    end = min([path.find(mark) for mark in "?#".elems() if mark in path] or [len(path)])
    return "{}://{}{}{}".format(scheme, host, path[:end], "?…" if end < len(path) else "")

_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

def _numbers(date):
    """Year, month and day of `2026-11-21T09:14:08Z`; None for anything else."""
    form = "".join(["0" if c.isdigit() else c for c in date.elems()])
    if form != "0000-00-00T00:00:00Z":
        return None
    year, month, day = [int(part, 10) for part in date.split("T")[0].split("-")]
    return (year, month, day) if month in range(1, 13) and day in range(1, 32) else None

def snapshot_times(date):
    """Which states of an archive had the files that a release file of this date names.

    A snapshot service answers with the last state that it took before a time. The state that a release file belongs to is taken some hours
    after the file's own date, and superseded files stay in an archive for longer than a day: so the time itself, then a day later.

    Args:
      date: as locks have it, `2026-11-21T09:14:08Z`.

    Returns:
      list of string: times as snapshot services write them, `20261121T091408Z`; empty if it is no date.
    """
    numbers = _numbers(date)
    if not numbers:
        return []
    year, month, day = numbers
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day < _DAYS[month - 1] + (1 if leap and month == 2 else 0):
        day += 1
    elif month < 12:
        month, day = month + 1, 1
    else:
        year, month, day = year + 1, 1, 1
    time = "T" + date.split("T")[1].replace(":", "")

    # Starlark's format knows no widths.
    later = "{}{}{}".format(year, str(100 + month)[1:], str(100 + day)[1:])
    return [date.split("T")[0].replace("-", "") + time, later + time]

def snapshot_urls(pattern, root, date, path):
    """Where a snapshot service has a file.

    Args:
      pattern: address with `{root}`, `{timestamp}` and `{path}` in it.
      root: root of the lock.
      date: date of the release file, as locks have it; or None.
      path: path below the root.

    Returns:
      list of string: addresses, most wanted first.
    """
    for part in ["{root}", "{timestamp}", "{path}"]:
        if part not in pattern:
            fail("DEBIAN_SNAPSHOT: got {}, want an address with {{root}}, {{timestamp}} and {{path}} in it".format(repr(shown(pattern))))
    return [
        pattern.replace("{root}", ROOTS[root].archive).replace("{timestamp}", time).replace("{path}", quoted(path))
        for time in snapshot_times(date or "")
    ]
