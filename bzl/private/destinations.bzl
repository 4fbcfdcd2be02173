"""Destinations: `path[:mode[:uid:gid]]`, the right-hand side of an injection map."""

visibility("public")

_PROGRAM_DIRS = ["bin", "sbin", "libexec"]

def _default_mode(path):
    parts = path.split("/")
    if path.endswith(".sh") or (len(parts) > 1 and parts[-2] in _PROGRAM_DIRS):
        return "0755"
    return "0644"

def _check_path(path, where):
    if not path.startswith("/") or path == "/" or path.endswith("/"):
        fail("{}: got destination {}, want an absolute path to a file".format(where, repr(path)))
    for part in path[1:].split("/"):
        if part in ["", ".", ".."]:
            fail("{}: got destination {}, want no empty part, '.' or '..' in it".format(where, repr(path)))

def _check_mode(mode, where):
    if len(mode) not in [3, 4] or [c for c in mode.elems() if c not in "01234567"]:
        fail("{}: got mode {}, want three or four octal digits".format(where, repr(mode)))

def _id(text, where):
    if not text.isdigit():
        fail("{}: got owner {}, want a number (names are the image's, not ours)".format(where, repr(text)))
    return int(text)

def parse_destination(value, where):
    """Reads `path[:mode[:uid:gid]]`.

    Args:
      value: the text.
      where: what to name in an error.

    Returns:
      struct: path, mode (octal text, four digits), uid, gid.
    """
    parts = value.split(":")
    if len(parts) not in [1, 2, 4]:
        fail("{}: got {}, want path, path:mode or path:mode:uid:gid".format(where, repr(value)))
    path = parts[0]
    _check_path(path, where)
    mode = parts[1] if len(parts) > 1 else _default_mode(path)
    _check_mode(mode, where)
    return struct(
        gid = _id(parts[3], where) if len(parts) > 2 else 0,
        mode = mode if len(mode) == 4 else "0" + mode,
        path = path,
        uid = _id(parts[2], where) if len(parts) > 2 else 0,
    )

def merge_destinations(*maps):
    """Joins injection maps; a label or a path that stands in two of them is an error.

    Args:
      *maps: dicts of label to destination.

    Returns:
      dict: label to destination.
    """
    merged = {}
    paths = {}
    for map in maps:
        for label, value in map.items():
            path = value.split(":")[0]
            if label in merged:
                fail("{} is listed twice: for {} and for {}".format(label, merged[label], value))
            if path in paths:
                fail("{} is claimed by {} and by {}".format(path, paths[path], label))
            merged[label] = value
            paths[path] = label
    return merged
