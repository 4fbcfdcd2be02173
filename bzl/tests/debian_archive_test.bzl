"""Unit tests of where packages are looked for; what comes of it is shown by ci/archive.sh."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//bzl/private:debian_archive.bzl", "archives_of", "quoted", "shown", "snapshot_times", "snapshot_urls")

def _archives_test_impl(ctx):
    env = unittest.begin(ctx)
    for given, apt, main, security in [
        ({}, [], [], []),
        ({"main": "http://a/debian/"}, [], ["http://a/debian"], ["http://a/debian-security"]),
        ({"security": "http://s/x"}, [], [], ["http://s/x"]),
        (
            {"main": None},
            [("forky", "http://a/debian/"), ("forky", "http://a/debian/"), ("forky-security", "http://b/security/")],
            ["http://a/debian"],
            ["http://b/security", "http://a/debian-security"],
        ),
        (
            {"main": "http://a/debian", "security": "http://s/x/"},
            [("trixie", "http://b/debian"), ("trixie-updates", "http://c/debian")],
            ["http://a/debian", "http://b/debian", "http://c/debian"],
            ["http://s/x", "http://a/debian-security", "http://b/debian-security", "http://c/debian-security"],
        ),
    ]:
        asserts.equals(env, {"main": main, "security": security}, archives_of(given, apt))
    return unittest.end(env)

_archives_test = unittest.make(_archives_test_impl)

def _snapshot_test_impl(ctx):
    env = unittest.begin(ctx)
    for date, want in {
        "": [],
        "2024-02-28T00:00:00Z": ["20240228T000000Z", "20240229T000000Z"],
        "2024-02-29T23:59:59Z": ["20240229T235959Z", "20240301T235959Z"],
        "2026-02-28T00:00:00Z": ["20260228T000000Z", "20260301T000000Z"],
        "2026-08-09T07:05:03Z": ["20260809T070503Z", "20260810T070503Z"],
        "2026-11-21": [],
        "2026-11-21T09:14:08+0000": [],
        "2026-11-30T09:14:08Z": ["20261130T091408Z", "20261201T091408Z"],
        "2026-12-31T09:14:08Z": ["20261231T091408Z", "20270101T091408Z"],
        "2026-13-01T09:14:08Z": [],
        "2100-02-28T00:00:00Z": ["21000228T000000Z", "21000301T000000Z"],
    }.items():
        asserts.equals(env, want, snapshot_times(date))
    asserts.equals(
        env,
        [
            "http://s/debian-security/20261130T091408Z/pool/g/g%2B%2B_1%7E_a.deb",
            "http://s/debian-security/20261201T091408Z/pool/g/g%2B%2B_1%7E_a.deb",
        ],
        snapshot_urls("http://s/{root}/{timestamp}/{path}", "security", "2026-11-30T09:14:08Z", "pool/g/g++_1~_a.deb"),
    )
    asserts.equals(env, [], snapshot_urls("http://s/{root}/{timestamp}/{path}", "main", None, "pool/a.deb"))
    return unittest.end(env)

_snapshot_test = unittest.make(_snapshot_test_impl)

def _words_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, "pool/a%2Bb%7Ec%25/d_1:2.deb", quoted("pool/a+b~c%/d_1:2.deb"))
    asserts.equals(env, "https://h:8/x@y", shown("https://user:secret@h:8/x@y"))
    for address, want in {
        "http://[::1]:80/x": "http://[::1]:80/x",
        "http://[::1]/x": "http://[::1]/x",
        "http://h": "http://h",
        "http://h/x?token=secret": "http://h/x?…",
        "http://u:p/w@h/x": "http://…",
        "http://u:p@w@h:8/x": "http://h:8/x",
        "nowhere": "nowhere",
    }.items():
        asserts.equals(env, want, shown(address))
    return unittest.end(env)

_words_test = unittest.make(_words_test_impl)

def debian_archive_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    unittest.suite(name, _archives_test, _snapshot_test, _words_test)
