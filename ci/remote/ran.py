"""What ran where in a build: `ran.py LOG [MNEMONIC…]` reads Bazel's log (--execution_log_json_file) and prints a line of it. With mnemonics: status 1
if an action of another kind ran at all, instead of coming from a cache."""
import collections
import json
import pathlib
import sys


def actions(text):
    """The objects of the log, which stand one behind the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        action, at = decoder.raw_decode(text, at)
        yield action
        while at < len(text) and text[at].isspace():
            at += 1


def main():
    log, allowed = sys.argv[1], sys.argv[2:]
    where, kinds = collections.Counter(), collections.defaultdict(collections.Counter)
    for action in actions(pathlib.Path(log).read_text()):
        runner = action.get("runner") or "nowhere"
        where[runner] += 1
        if not runner.endswith("cache hit"):
            kinds[runner][action.get("mnemonic", "?")] += 1
    if not where:
        print(f"{log} has no action")
        return 1
    print(", ".join(f"{count} {runner}" for runner, count in where.most_common()))
    others = {runner: {kind: count for kind, count in found.items() if kind not in allowed} for runner, found in kinds.items()}
    others = {runner: found for runner, found in others.items() if found}
    if allowed and others:
        print(f"ran, wanted from the cache: {others}")
        return 1
    return 0


sys.exit(main())
