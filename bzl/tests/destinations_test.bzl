"""Unit tests of destinations: what `path[:mode[:uid:gid]]` means."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//bzl/private:destinations.bzl", "context_paths_of", "destinations_of", "merge_destinations", "parse_destination")

_CASES = {
    "/": ("/", None, 0, 0),
    "/a\\:0644": ("/a:0644", "0644", 0, 0),
    "/a\\\\:0600": ("/a\\", "0600", 0, 0),
    "/a\\\\\\:b:600": ("/a\\:b", "0600", 0, 0),
    "/etc/dev-a\\:b.service": ("/etc/dev-a:b.service", "0644", 0, 0),
    "/etc/dev-a\\:b.service:0600:1:2": ("/etc/dev-a:b.service", "0600", 1, 2),
    "/etc/dev-by\\x2dlabel.swap": ("/etc/dev-by\\x2dlabel.swap", "0644", 0, 0),
    "/etc/motd": ("/etc/motd", "0644", 0, 0),
    "/etc/shadow:640:0:42": ("/etc/shadow", "0640", 0, 42),
    "/opt/ic/bin/": ("/opt/ic/bin/", None, 0, 0),
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
        got = context_paths_of(text, ["x"], "test")
        asserts.equals(env, [want], [(place.path, place.mode) for place in got])
    got = context_paths_of("early/:0755", ["x", "y"], "test")
    asserts.equals(env, [("early/x", "0755"), ("early/y", "0755")], [(place.path, place.mode) for place in got])
    return unittest.end(env)

_context_test = unittest.make(_context_test_impl)

def _folder_test_impl(ctx):
    env = unittest.begin(ctx)
    for text, want in {
        "/": [("/run", "0644"), ("/run.sh", "0755")],
        "/opt/ic/bin/": [("/opt/ic/bin/run", "0755"), ("/opt/ic/bin/run.sh", "0755")],
        "/srv/:0600:1:2": [("/srv/run", "0600"), ("/srv/run.sh", "0600")],
    }.items():
        got = destinations_of(text, ["run", "run.sh"], "test")
        asserts.equals(env, want, [(place.path, place.mode) for place in got])
        asserts.equals(env, ":1:2" in text, got[1].uid == 1 and got[1].gid == 2)
    return unittest.end(env)

_folder_test = unittest.make(_folder_test_impl)

def _merge_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(
        env,
        {"//a": "/a", "//b": "/b:0600"},
        merge_destinations({"//a": "/a"}, {}, {"//b": "/b:0600"}),
    )

    # Many may share a folder: what is in it is known later.
    asserts.equals(env, {"//a": "/bin/", "//b": "/bin/"}, merge_destinations({"//a": "/bin/"}, {"//b": "/bin/"}))
    return unittest.end(env)

_merge_test = unittest.make(_merge_test_impl)

def destinations_test_suite(name):
    """Declares the tests.

    Args:
      name: name of the suite.
    """
    unittest.suite(name, _context_test, _folder_test, _merge_test, _parse_test)
