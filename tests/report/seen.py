#!/usr/bin/env python3
"""seen.py FILE: what Chromium saw of a report (look.html, as `--dump-dom` prints it) is what a person should see."""
import html
import json
import re
import sys

SECTIONS = ["Disk", "What takes the space", "Packages", "Largest files", "Injected"]
TEXTS = ["A_root", "To scale;", "/opt/ic/bin/replica", "//rust/os/replica:replica", "programs of guestos", "linux-image"]


def wrong(seen):
    """What is not as it should be at one width."""
    if not seen["title"].startswith("guestos "):
        yield f"the title is {seen['title']!r}"
    if seen["mode"] != "CSS1Compat":
        yield f"the page is shown in mode {seen['mode']}"
    if seen["sections"][:len(SECTIONS)] != SECTIONS:
        yield f"the sections to be seen are {seen['sections']}, want first {SECTIONS}"
    if seen["scroll_width"] > seen["width"] or seen["too_wide"]:
        yield f"it is {seen['scroll_width']} pixels wide; beyond the edge: {seen['too_wide'][:5]}"
    kind = "narrow" if seen["width"] < 720 else "wide"
    if seen["maps"] != [f"map {kind}"] * 2:
        yield f"the treemaps to be seen are {seen['maps']}, want two of class {kind!r}"
    if seen["too_small"]:
        yield f"{seen['too_small']} names in treemaps are too small to be read"
    if seen["beyond"]:
        yield f"names reach beyond their rectangles: {seen['beyond'][:5]}"
    if seen["scripts"] or seen["fetched"]:
        yield f"{seen['scripts']} scripts, fetched: {seen['fetched']}"
    for text in TEXTS:
        if text not in seen["text"]:
            yield f"{text!r} is not to be seen"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        found = re.search(r'<pre id="seen">(.*?)</pre>', file.read(), re.S)
    if not found or not found.group(1):
        print("Chromium wrote nothing down: the page did not load")
        return 1
    pages = json.loads(html.unescape(found.group(1)))
    errors = [f"at {seen['width']} pixels: {error}" for seen in pages for error in wrong(seen)]
    errors += [] if [seen["width"] for seen in pages] == [1280, 360] else ["not both widths were seen"]
    print("\n".join(errors), end="\n" if errors else "")
    return 1 if errors else 0


sys.exit(main())
