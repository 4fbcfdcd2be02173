#!/usr/bin/env python3
"""A benchmark leaves the checkout as it was: its links, its sources; and nothing behind, also when it is ended. What it measures is what it says."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import boots  # noqa: E402
import harness  # noqa: E402
import images  # noqa: E402

# In place of container-run.sh: notes what it was given; all but Bazel is run.
STUB = """#!/bin/sh
echo "$*" >>"$0.log"
[ "$1" = bazel ] || exec "$@"
"""


class Harness(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name) / "checkout"
        self.cache = pathlib.Path(folder.name) / "cache"
        self.top.mkdir()
        self.cache.mkdir()
        stub = pathlib.Path(folder.name) / "container-run.sh"
        stub.write_text(STUB)
        stub.chmod(0o755)
        self.log = pathlib.Path(f"{stub}.log")
        harness.CONTAINER, harness.TOP = stub, self.top
        os.environ["IMAGE_BUILD_CACHE"] = str(self.cache)

    def test_only_the_checkouts_own_output_base_gets_its_links(self):
        harness.bazel("build", "//a", startup=["--output_base=/b"])
        harness.bazel("build", "//a")
        harness.bazel("shutdown", startup=["--output_base=/b"])
        self.assertEqual(self.log.read_text().splitlines(), [
            "bazel --output_base=/b build --experimental_convenience_symlinks=ignore //a",
            "bazel build //a",
            "bazel --output_base=/b shutdown",
        ])

    def test_sources_change_in_a_copy(self):
        (self.top / "folder").mkdir()
        for name in ("folder/source", "deleted", ".bazelrc.container", "not of git"):
            (self.top / name).write_text("as it was")
        git = ["git", "-c", "init.defaultBranch=main", "-C", self.top]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "folder", "deleted"], check=True)
        (self.top / "deleted").unlink()
        with self.assertRaises(SystemExit), harness.copy_of_checkout() as copy:
            names = sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file())
            self.assertEqual(names, [".bazelrc.container", "folder/source"])
            (copy / "folder/source").write_text("changed")
            sys.exit("ended")
        self.assertEqual((self.top / "folder/source").read_text(), "as it was")
        self.assertEqual(list(self.cache.iterdir()), [])

    def test_a_signal_takes_scratch_folders_and_servers_along(self):
        program = """if True:
            import pathlib, signal, sys
            import harness
            harness.CONTAINER, harness.TOP = sys.argv[1:]
            harness.end_in_order()
            with harness.scratch("disk") as folder:
                (folder / "base").mkdir()
                print(folder, flush=True)
                signal.pause()
        """
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            process = subprocess.Popen([sys.executable, "-B", "-c", program, harness.CONTAINER, self.top], cwd=pathlib.Path(__file__).parent,
                                       text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            folder = process.stdout.readline().strip()
            self.assertTrue(pathlib.Path(folder).is_dir(), folder)
            process.send_signal(number)
            self.assertNotEqual(process.wait(), 0)
            process.stdout.close()
            self.assertFalse(pathlib.Path(folder).exists(), folder)
            self.assertIn(f"bazel --output_base={folder}/base shutdown", self.log.read_text().splitlines())


class EditLoop(unittest.TestCase):
    def test_each_build_has_a_change_of_its_own_and_the_source_is_as_it_was(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source = pathlib.Path(folder.name) / images.PROGRAM / "src/main.rs"
        source.parent.mkdir(parents=True)
        text = "fn main() {}\n"
        source.write_text(text)
        built = []

        def bazel(_command, *targets, cwd):
            built.append((targets, source.read_text()))
            # GuestOS dev 2 s, prod 3 s, SetupOS 4 s.
            return 4.0 if "setupos" in targets[0] else 3.0 if "prod" in targets[0] else 2.0
        self.addCleanup(setattr, images, "bazel", images.bazel)
        self.addCleanup(harness.ROWS.clear)
        images.bazel = bazel
        images.edit_loop_in(pathlib.Path(folder.name), 3)
        self.assertEqual(source.read_text(), text)
        _all, *rest = built
        compiled, timed = rest[0::2], rest[1::2]
        dev, prod, setupos = (f"//ic-os/{image}:disk" for image in ("guestos/envs/dev", "guestos/envs/prod", "setupos/envs/dev"))
        self.assertEqual([targets[0] for targets, _ in timed], [dev, prod, setupos, setupos, prod, dev] * 2)
        self.assertEqual(len({changed for _, changed in timed}), len(timed))
        # Compiled just before, and the same since.
        self.assertEqual([changed for _, changed in compiled], [changed for _, changed in timed])
        _, peer, ours, ratio, *_ = harness.ROWS[-2]
        self.assertEqual((peer, ours, ratio), ("2.00", "3.00", "1.500"))


class FirstBoot(unittest.TestCase):
    def test_stages_end_where_the_console_says_so(self):
        # Texts come in pieces, and several in one.
        pieces = [
            (3, b"BdsDxe\nLinux ver"), (4, b"sion 6\n"), (9, b"Run /init as init process\nrunning in system mode\n"), (11, b"..running in system mode\nguestos log"),
            (12, b"in: "),
        ]
        for wanted, took in [(boots.STAGES, [4, 5, 0, 3]), (boots.PEER_STAGES, [4, 5, 2, 1])]:
            self.assertEqual(self.stages(list(pieces), wanted), took)

    def stages(self, pieces, wanted):
        now = [0]

        def read():
            now[0], piece = pieces.pop(0)
            return piece
        return boots.stages(read, wanted, lambda: now[0])

    def test_a_console_that_ends_is_an_error_that_names_the_stage(self):
        pieces = [b"Linux version 6\nRun /init as init process\nrunning in sys", b"tem", b""]
        with self.assertRaisesRegex(RuntimeError, "initrd: no 'running in system mode' on the console"):
            boots.stages(lambda: pieces.pop(0), boots.STAGES)

    def test_a_row_for_the_whole_and_one_for_each_stage(self):
        self.addCleanup(harness.ROWS.clear)
        boots.report({"ours": [[1, 2, 3, 4], [2, 2, 3, 4], [9, 2, 3, 4]], "peer": [[2, 4, 6, 8]]})
        self.assertEqual([row[1:3] for row in harness.ROWS], [("20.00", "11.00"), ("2.00", "2.00"), ("4.00", "2.00"), ("6.00", "3.00"), ("8.00", "4.00")])
        boots.report({"ours": [[1, 2, 3, 4]], "peer": []})
        self.assertEqual(harness.ROWS[-5][1:4], ("", "10.00", ""))


unittest.main()
