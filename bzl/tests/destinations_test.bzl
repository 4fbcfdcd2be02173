"""Unit tests of destinations: what `path[:mode[:uid:gid]]` means."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//bzl/private:destinations.bzl", "merge_destinations", "parse_context_path", "parse_destination")

_CASES = {
    "/a\\:0644": ("/a:0644", "0644", 0, 0),
    "/a\\\\:0600": ("/a\\", "0600", 0, 0),
    "/a\\\\\\:b:600": ("/a\\:b", "0600", 0, 0),
    "/etc/dev-a\\:b.service": ("/etc/dev-a:b.service", "0644", 0, 0),
    "/etc/dev-a\\:b.service:0600:1:2": ("/etc/dev-a:b.service", "0600", 1, 2),
    "/etc/dev-by\\x2dlabel.swap": ("/etc/dev-by\\x2dlabel.swap", "0644", 0, 0),
    "/etc/motd": ("/etc/motd", "0644", 0, 0),
    "/etc/shadow:640:0:42": ("/etc/shadow", "0640", 0, 42),
    "/opt/ic/bin/replica": ("/opt/ic/bin/replica", "0755", 0, 0),
    "/opt/ic/bin/replica:4755": ("/opt/ic/bin/replica", "4755", 0, 0),
    "/usr/lib/setup.sh": ("/usr/lib/setup.sh", "0755", 0, 0),
}

def _parse_test_impl(ctx):
    env = unittest.begin(ctx)
    for text, want in _CASES.items():
        got = parse_destination(text, "test")
        asserts.equals(env, want, (got.path, got.mode, got.uid, got.gid))
    return unittest.end(env)

_parse_test = unittest.make(_parse_test_impl)

def _context_test_impl(ctx):
    env = unittest.begin(ctx)
    for text, want in {
        "a": ("a", "0644"),
        "a/b.sh": ("a/b.sh", "0644"),
        "a\\:b:0755": ("a:b", "0755"),
    }.items():
        got = parse_context_path(text, "test")
        asserts.equals(env, want, (got.path, got.mode))
    return unittest.end(env)

_context_test = unittest.make(_context_test_impl)

def _merge_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(
        env,
        {"//a": "/a", "//b": "/b:0600"},
        merge_destinations({"//a": "/a"}, {}, {"//b": "/b:0600"}),
    )
    return unittest.end(env)

_merge_test = unittest.make(_merge_test_impl)

def destinations_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    unittest.suite(name, _context_test, _merge_test, _parse_test)
