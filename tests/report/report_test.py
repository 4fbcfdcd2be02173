#!/usr/bin/env python3
"""report_test.py PAGE MANIFEST PACKAGES PATH LABEL: a report is well-formed for an XML parser and an HTML parser, needs nothing from outside,
and says what manifest.json and packages.txt say; PATH was injected from LABEL."""
import html.parser
import json
import pathlib
import re
import sys
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
PAGE, MANIFEST, PACKAGES, PATH, LABEL = sys.argv[1:6]
XHTML = "{http://www.w3.org/1999/xhtml}"
VOID = {"meta", "rect"}
UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def number(text):
    """`1.2 MB` in tenths of its unit, and the unit in bytes."""
    value, unit = text.split(" ")
    return float(value), UNITS[unit]


def is_cut_of(text, size):
    """Whether `text` is `size` as a page says it: with one decimal, not rounded up."""
    value, unit = number(text)
    return value * unit <= size + 1e-6 < (value + (0.1 if unit > 1 else 1)) * unit + 1e-3


class Nesting(html.parser.HTMLParser):
    """Fails where an HTML parser would see another nesting than an XML parser."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID, f"<{tag} /> is no end of an element in HTML"
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> ends another element"


class Page(unittest.TestCase):
    def setUp(self):
        self.text = pathlib.Path(PAGE).read_text(encoding="utf-8")
        self.top = xml.etree.ElementTree.fromstring(self.text)
        self.manifest = json.loads(pathlib.Path(MANIFEST).read_text())

    def rows(self, section):
        """Texts of the rows of all tables in a section."""
        found = self.top.find(f".//{XHTML}section[@id='{section}']")
        return [["".join(cell.itertext()) for cell in row] for row in found.findall(f".//{XHTML}tbody/{XHTML}tr")]

    def test_html_and_xml_parsers_agree(self):
        nesting = Nesting()
        nesting.feed(self.text)
        nesting.close()
        self.assertEqual(nesting.open, [])
        self.assertEqual([tag for tag, _ in nesting.seen], [e.tag.removeprefix(XHTML).lower() for e in self.top.iter()])

    def test_nothing_comes_from_outside(self):
        ids = [e.get("id") for e in self.top.iter() if e.get("id")]
        self.assertEqual(len(ids), len(set(ids)))
        for element in self.top.iter():
            self.assertNotIn(element.tag, [XHTML + tag for tag in ("script", "link", "img", "iframe", "object", "base")])
            for name, value in element.attrib.items():
                self.assertNotIn(name, ("src", "srcset", "style", "action"))
                self.assertFalse(name.startswith("on"), name)
                if name == "href":
                    self.assertIn(value.removeprefix("#"), ids)
        style = self.top.find(f".//{XHTML}style").text
        self.assertNotRegex(style, r"url\(|@import|https?:")
        self.assertNotIn("://", self.text.replace("http://www.w3.org/1999/xhtml", ""))

    def test_partitions_are_those_of_the_manifest(self):
        rows = self.rows("disk")
        self.assertEqual([row[0] for row in rows], [p["name"] for p in self.manifest["partitions"]])
        for row, partition in zip(rows, self.manifest["partitions"]):
            self.assertEqual(row[1:3], [str(partition["number"]), partition["type"]])
            self.assertTrue(is_cut_of(row[3], partition["start"]), row)
            self.assertTrue(is_cut_of(row[4], partition["size"]), row)
        scale = self.top.find(f".//{XHTML}svg[@class='scale']")
        pale = [(int(r.get("x")), int(r.get("width"))) for r in scale.iter(XHTML + "rect") if r.get("class") == "pale"]
        # A GPT's backup takes the last 33 sectors of the disk, which ends with a whole MiB here.
        last = self.manifest["partitions"][-1]
        whole = last["start"] + last["size"] + (1 << 20)
        scale = float(scale.get("viewBox").split()[2]) / whole
        self.assertEqual(len(pale), len(rows))
        for (x, width), partition in zip(pale, self.manifest["partitions"]):
            self.assertAlmostEqual(x, partition["start"] * scale, delta=1.01)
            self.assertAlmostEqual(width, partition["size"] * scale, delta=1.01)

    def test_packages_are_those_of_the_list(self):
        want = {tuple(line.split()[:2]) for line in pathlib.Path(PACKAGES).read_text().splitlines()}
        got = {(row[0], row[1]) for row in self.rows("packages")}
        self.assertEqual(got, want)

    def test_what_was_injected(self):
        rows = [row for row in self.rows("injected") if row[0] == PATH]
        self.assertEqual([(row[1], row[3]) for row in rows], [("file", LABEL)])
        self.assertIn(LABEL, [row[2] for row in self.rows("files")])

    def test_treemaps_fill_their_pictures(self):
        maps = [svg for svg in self.top.iter(XHTML + "svg") if svg.get("class").startswith("map")]
        self.assertEqual([svg.get("class") for svg in maps], ["map wide", "map narrow"] * 2)
        for svg in maps:
            width, height = map(float, svg.get("viewBox").split()[2:])
            groups = [e for e in svg if e.tag == XHTML + "g"]
            rects = [g.find(XHTML + "rect") for g in groups]
            places = [[float(r.get(n)) for n in ("x", "y", "width", "height")] for r in rects]
            # Groups are followed by what is in them: those that lie in none before them fill the picture.
            top, area = [], 0
            for x, y, w, h in places:
                if not any(x >= a and y >= b and x + w <= a + c + 1e-6 and y + h <= b + d + 1e-6 for a, b, c, d in top):
                    top.append((x, y, w, h))
                    area += w * h
            self.assertAlmostEqual(area, width * height, delta=width * height * 1e-3)
            for group in groups:
                self.assertRegex(group.find(XHTML + "title").text, r": [\d.]+ [kMG]?B$")

    def test_sums_are_told_right(self):
        said = self.top.find(f".//{XHTML}section[@id='space']/{XHTML}p").text
        all_of_it = re.search(r"bytes of files, ([\d.]+ \w+) together", said).group(1)
        rows = [[cell for cell in row] for row in self.rows("space")]
        value, unit = number(all_of_it)
        parts = sum(n * u for n, u in (number(row[1]) for row in rows))
        # Each part is cut by less than a tenth of its unit.
        self.assertLessEqual(parts, (value + 0.1) * unit)
        self.assertGreater(parts, value * unit - sum(0.1 * number(row[1])[1] for row in rows) - 1)


unittest.main(argv=sys.argv[:1])
