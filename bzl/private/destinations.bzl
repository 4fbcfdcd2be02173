"""Destinations: `path[:mode[:uid:gid]]`, the right-hand side of an injection map.

A path with a slash at its end is a folder: each file of the left-hand side goes there by its base name. A colon of the path itself has a backslash before it, `dev-a\\:b.service`; a backslash that stands just before a colon is written
twice. Any other backslash is itself, as in `dev-disk-by\\x2dlabel.swap`.
"""

visibility("public")

_PROGRAM_DIRS = ["bin", "sbin", "libexec"]

def _default_mode(path):
    parts = path.split("/")
    if path.endswith(".sh") or (len(parts) > 1 and parts[-2] in _PROGRAM_DIRS):
        return "0755"
    return "0644"

def _parts(value):
    """The parts of `value` between the colons that have no backslash of their own."""
    parts = [""]
    backslashes = 0
    for c in value.elems():
        if c == ":":
            part = parts[-1]
            part = part[:len(part) - backslashes] + "\\" * (backslashes // 2)
            own = backslashes % 2 == 1
            parts[-1] = part + ":" if own else part
            parts += [] if own else [""]
        else:
            parts[-1] += c
        backslashes = backslashes + 1 if c == "\\" else 0
    return parts

def source_name(target, file):
    """What a file of a target is called in errors.

    Args:
      target: Target.
      file: one of its files.

    Returns:
      string: the label that the file is of, and the target if that is another one.
    """
    if file.owner == target.label:
        return str(target.label)
    return "{} of {}".format(file.owner, target.label)

def check_path(path, where):
    """Refuses what is no absolute path to a file.

    Args:
      path: the path.
      where: what to name in an error.
    """
    if not path.startswith("/") or path == "/" or path.endswith("/"):
        fail("{}: got destination {}, want an absolute path to a file".format(where, repr(path)))
    _check_parts(path[1:], "destination", path, where)

def _check_parts(relative, what, path, where):
    for part in relative.split("/"):
        if part in ["", ".", ".."]:
            fail("{}: got {} {}, want no empty part, '.' or '..' in it".format(where, what, repr(path)))

def _mode(mode, where):
    if len(mode) not in [3, 4] or [c for c in mode.elems() if c not in "01234567"]:
        fail("{}: got mode {}, want three or four octal digits (a colon of the path is written \\:)".format(where, repr(mode)))
    return mode if len(mode) == 4 else "0" + mode

def _id(text, where):
    if not text.isdigit():
        fail("{}: got owner {}, want a number (names are the image's, not ours)".format(where, repr(text)))
    return int(text)

def parse_owner(value, where):
    """Reads `mode[:uid:gid]`.

    Args:
      value: the text.
      where: what to name in an error.

    Returns:
      struct: mode (octal text, four digits), uid, gid.
    """
    parts = value.split(":")
    if len(parts) not in [1, 3]:
        fail("{}: got {}, want mode or mode:uid:gid".format(where, repr(value)))
    return struct(
        gid = _id(parts[2], where) if len(parts) > 1 else 0,
        mode = _mode(parts[0], where),
        uid = _id(parts[1], where) if len(parts) > 1 else 0,
    )

def parse_destination(value, where):
    """Reads `path[:mode[:uid:gid]]`.

    Args:
      value: the text.
      where: what to name in an error.

    Returns:
      struct: path (with a slash at its end: a folder), mode (octal text, four digits; None: each file of the folder has its own), uid, gid.
    """
    parts = _parts(value)
    if len(parts) not in [1, 2, 4]:
        fail("{}: got {}, want path, path:mode or path:mode:uid:gid; a colon of the path is written \\:".format(where, repr(value)))
    path = parts[0]
    if path != "/":
        check_path(path.removesuffix("/"), where)
    if len(parts) == 1:
        return struct(gid = 0, mode = None if path.endswith("/") else _default_mode(path), path = path, uid = 0)
    owner = parse_owner(":".join(parts[1:]), where)
    return struct(gid = owner.gid, mode = owner.mode, path = path, uid = owner.uid)

def _in_folder(place, names, default_mode, where):
    """The paths and modes of files called `names` at `place`."""
    if not names:
        fail("{}: has no file to be {}".format(where, repr(place.path)))
    if not place.path.endswith("/"):
        if len(names) > 1:
            fail("{}: has {} files, and {} is the path of one; a folder for several has a slash at its end: {}".format(
                where,
                len(names),
                repr(place.path),
                repr(place.path + "/"),
            ))
        return [(place.path, place.mode)]
    return [(place.path + name, place.mode or default_mode(place.path + name)) for name in names]

def destinations_of(value, names, where):
    """Where the files of a target go.

    Args:
      value: text of the destination.
      names: base names of the files.
      where: what to name in an error.

    Returns:
      list of struct as of parse_destination, one for each name: path of the file, mode, uid, gid.
    """
    place = parse_destination(value, where)
    return [
        struct(gid = place.gid, mode = mode, path = path, uid = place.uid)
        for path, mode in _in_folder(place, names, _default_mode, where)
    ]

def context_paths_of(value, names, where):
    """Reads `path[:mode]`, a place in a Dockerfile's build context.

    Args:
      value: the text.
      names: base names of the files that go there.
      where: what to name in an error.

    Returns:
      list of struct, one for each name: path of the file (relative), mode (octal text, four digits).
    """
    parts = _parts(value)
    if len(parts) > 2:
        fail("{}: got {}, want path or path:mode; a colon of the path is written \\:".format(where, repr(value)))
    path = parts[0]
    if path.startswith("/"):
        fail("{}: got path {}, want one that is relative to the context".format(where, repr(path)))
    _check_parts(path.removesuffix("/"), "path", path, where)
    place = struct(mode = _mode(parts[1], where) if len(parts) > 1 else "0644", path = path)
    placed = [struct(mode = mode, path = path) for path, mode in _in_folder(place, names, None, where)]
    for file in placed:
        if "\t" in file.path or "\n" in file.path:
            fail("{}: got path {}, want no tab and no line break in it".format(where, repr(file.path)))
    return placed

def merge_destinations(*maps):
    """Joins injection maps; a label or a path that stands in two of them is an error, a folder is not.

    Args:
      *maps: dicts of label to destination.

    Returns:
      dict: label to destination.
    """
    merged = {}
    paths = {}
    for map in maps:
        for label, value in map.items():
            path = parse_destination(value, label).path
            if label in merged:
                fail("{} is listed twice: for {} and for {}".format(label, merged[label], value))
            if path in paths:
                fail("{} is claimed by {} and by {}".format(path, paths[path], label))
            merged[label] = value
            if not path.endswith("/"):
                paths[path] = label
    return merged
