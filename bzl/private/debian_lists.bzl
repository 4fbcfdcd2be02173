"""Whether a lock is of the lists that are in the source tree."""

visibility(["//bzl/..."])

def _words(text):
    """What a list file says: names of packages, and rules on their paths."""
    words = []
    for line in text.split("\n"):
        words += [word for word in line.split("#")[0].replace("\t", " ").split(" ") if word]
    return words

def _is_rule(word):
    return word.startswith("path-") and "=" in word

def source_path(label):
    """Where a file of the source tree lies: names like packages.common stand in many folders.

    Args:
      label: its Label.

    Returns:
      string: its path from the root of the tree.
    """
    return "/".join([part for part in [label.package, label.name] if part])

def _root(rctx, label):
    """The folder of the source tree that a file is in."""
    path = rctx.path(label)
    for _ in source_path(label).split("/"):
        path = path.dirname
    return path

def check_lists(rctx, lock, mend):
    """Stops if the lock was made from other lists than those in the tree.

    Args:
      rctx: of a repository with the attribute `lock`.
      lock: what is in that file, a dict.
      mend: string: what to do about it.
    """
    root = _root(rctx, rctx.attr.lock)
    wanted = {}
    rules = []
    for file in lock.get("lists", []):
        if [part for part in file.split("/") if part in ["", ".", ".."]]:
            fail("{}: got list {}, want a path below the root of the source tree".format(source_path(rctx.attr.lock), repr(file)))
        path = root.get_child(file)
        if not path.exists:
            fail("{} was made from {}, which is not there. {}".format(source_path(rctx.attr.lock), file, mend))
        for word in _words(rctx.read(path)):
            if _is_rule(word):
                rules.append(word)
            else:
                wanted[word] = file
    if not wanted:
        fail("{} does not say which lists it was made from. {}".format(source_path(rctx.attr.lock), mend))
    locked = {name: True for name in lock["requested"]}
    missing = ["{} (in {})".format(name, wanted[name]) for name in sorted(wanted) if name not in locked]
    extra = [name for name in sorted(locked) if name not in wanted]
    if missing or extra:
        fail("{} is older than its lists:{}{}. {}".format(
            source_path(rctx.attr.lock),
            " it lacks " + ", ".join(missing) if missing else "",
            " it has {}, which no list asks for".format(", ".join(extra)) if extra else "",
            mend,
        ))
    if rules != lock.get("paths", []):
        fail("{} is older than its lists, whose rules on paths of packages (path-exclude, path-include) it does not have. {}".format(source_path(rctx.attr.lock), mend))
