"""Kinds of values that an operating system is made of."""

visibility(["//ic-os/..."])

def _is_label(value):
    return type(value) == "string" and (value.startswith("//") or value.startswith("@"))

def _is_labels(value):
    return type(value) == "list" and all([_is_label(label) for label in value])

def _is_texts(value):
    return type(value) == "list" and all([type(text) == "string" for text in value])

def _is_paths(value):
    """Paths that can stand in /etc/fstab as they are."""
    if not _is_texts(value) or len({path: None for path in value}) != len(value):
        return False
    for path in value:
        names = path.split("/")
        if names.pop(0) or not names or [name for name in names if name in ["", ".", ".."]]:
            return False
        if [c for c in path.elems() if not (c.isalnum() or c in "/._-")]:
            return False
    return True

def _is_map(value):
    return type(value) == "dict" and all([type(k) == "string" and type(v) == "string" for k, v in value.items()])

def _is_checks(value):
    wanted = [["command", "name"], ["command", "name", "prints"]]
    return type(value) == "list" and all([_is_map(check) and sorted(check) in wanted for check in value])

def _is_label_map(value):
    return _is_map(value) and all([_is_label(label) for label in value])

# Kind of a value: (what it is for a reader, whether a value is one).
KINDS = {
    "checks": ("a list of dicts with name, command and perhaps prints", _is_checks),
    "flag": ("True or False", lambda value: type(value) == "bool"),
    "package": ("a label of a package, that begins with //, or None", lambda value: value == None or _is_label(value)),
    "macro": ("a macro with arguments name, os and env", lambda value: value == None or type(value) == "function"),
    "label": ("a label that begins with //", _is_label),
    "label map": ("a dict of labels that begin with // to text", _is_label_map),
    "labels": ("a list of labels that begin with //", _is_labels),
    "map": ("a dict of text to text", _is_map),
    "dict": ("a dict", lambda value: type(value) == "dict"),
    "number": ("a number", lambda value: type(value) == "int"),
    "paths": ("a list of absolute paths, each once, without blanks, dots or a slash at the end", _is_paths),
    "text": ("text", lambda value: type(value) == "string"),
    "texts": ("a list of text", _is_texts),
}
