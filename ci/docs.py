"""What documents say that a program can check: links lead somewhere, labels and paths exist, and each command in a block is run by a test.

ci/docs.sh runs it: `docs.py check` prints what is wrong; `docs.py scripts FILE FOLDER` writes the blocks of commands that ci/docs.sh shall run as
FOLDER/NN.sh; `docs.py block FILE LANGUAGE` prints the first block of a language.
"""
import pathlib
import re
import subprocess
import sys

# Documents whose blocks of commands ci/docs.sh runs.
RUN = ("README.md", "docs/guides/images.md")
# Commands in blocks that it does not run, by their beginning, and who does.
ELSEWHERE = {
    "./ci/container/container-run.sh ci/test.sh": "the gate",
    "qemu-system-x86_64 ": "//tests/boot:guestos_exact_test",
    "docker build -f Dockerfile.base ": "ci/docker-base.sh, with buildah",
    "bazel build //ic-os/guestos/envs/dev:oci": "ci/oci.sh",
    "bazel run //ic-os/guestos/context:push ": "ci/base-images-test.sh, to a registry on loopback",
    "ci/base-images.sh ": "ci/base-images-test.sh",
    "podman load ": "ci/oci.sh, with buildah where there is no podman",
    "docker load ": "ci/oci.sh, with buildah",
    "skopeo copy oci-archive:": "ci/oci.sh, with buildah where there is no skopeo",
    "podman run ": "ci/oci.sh, with buildah",
    "docker build --build-arg BASE_IMAGE=": "nobody: no docker here; ci/real-root.sh takes the same Dockerfile through buildah",
    "bazel run //ic-os/guestos/envs/prod:vulnerabilities ": "nobody: advisories of your own; rust/tools/tests/advisories.rs",
    "bazel run //rust/tools:advisories ": "rust/tools/tests/advisories.rs",
    "bazel run //ic-os/newos/context:lock": "nobody: needs the archive; the same rule made the locks that are here",
    "bazel build //ic-os/newos/context:rootfs-dev": "every build of an image, by another name",
    "bazel run //ic-os:lock": "nobody: needs the archive; rust/tools/tests/lock.rs has the tool over archives of its own",
    "bazel run //:lock": "nobody: needs the archive; the same rule made the locks that are here",
    "bazel build //bzl/toolchain:prebuilt": "ci/e2e.sh",
    "bazel build --repo_env=DEBIAN_SNAPSHOT=": "ci/archive.sh, with packages of its own",
    "bazel build --repo_env=VENDOR=": "ci/bundle.sh, in another folder",
    "bazel build --config=release ": "ci/reproduce.sh; ci/archive.sh has what it refuses",
    "bazel run //ic-os:vendor ": "ci/bundle.sh, in another folder",
    "sha256sum config.ini ": "rust/os/config_tool/tests/process.rs, as the line below it",
    "ssh-keygen -Y sign ": "rust/os/config_tool/tests/process.rs",
    "bazel build --//ic-os:signer=//appliance:signer ": "nobody: a key of your own; //bzl/tests:efi_test has the rules",
    "openssl pkeyutl -sign -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pkcs1 -inkey ": "rust/lib/signing/tests/oracles.rs",
    "export PKCS11_PROVIDER_MODULE=": "rust/lib/signing/tests/token.rs",
    "exec openssl pkeyutl -sign ": "rust/lib/signing/tests/token.rs, as the line above it",
    "openssl req -new ": "nobody: the keys are made",
    "openssl ca ": "nobody: the keys are made",
    "signdigests ": "rust/tools/tests/metadata.rs, with a key in a file",
    "openssl genpkey -algorithm ed25519 ": "rust/tools/tests/update.rs",
    "openssl pkey ": "rust/tools/tests/update.rs",
    "openssl pkeyutl -sign -rawin ": "rust/lib/update/tests/oracle.rs",
    "bazel build --//ic-os:update_keys=//appliance:update_keys ": "nobody: keys of your own; //bzl/tests:update_test has the rules",
    "manageboot upgrade-install ": "rust/os/manageboot/tests/fetch.rs",
    "manageboot upgrade-commit": "rust/os/manageboot/tests/cli.rs",
    "manageboot upgrade-cancel": "rust/os/manageboot/tests/fallback.rs",
    "host_api call upgrade-host ": "rust/os/host_api/tests/process.rs",
    "host_api offer-guest-upgrade ": "rust/os/host_api/tests/process.rs",
    "reboot": "//tests/boot, the scenarios with an upgrade",
    "openssl req -x509 ": "nobody: the certificates are made, for a hundred years",
    "openssl req -newkey ": "nobody: the certificates are made",
    "printf 'subjectAltName=": "nobody: the certificates are made",
    "openssl x509 -req ": "nobody: the certificates are made",
    "bazel build //ic-os/guestos/envs/dev/derived:inputs": "//tests/new-os:derived_update_test, by another name",
    "bazel run //ic-os/guestos/envs/dev:diff ": "nobody: builds another commit; rust/tools/tests/imgdiff.rs has the tool, on files",
    "bazel run //ic-os/setupos/envs/dev:flash ": "nobody: a stick of your own; rust/tools/tests/media.rs, on files and loop devices",
    "bazel run //ic-os/setupos/envs/prod:flash ": "nobody: a stick of your own; rust/tools/tests/media.rs, on files and loop devices",
    "dd if=disk.img of=/dev/sdX ": "nobody: a stick of your own; tests/bench/run flash, into a file",
    "bazel run //rust/tools:inject-config ": "rust/tools/tests/media.rs",
    "bazel run //rust/os/config_tool ": "rust/os/config_tool/tests/process.rs, the program itself",
    "openssl x509 -in ": "nobody: a certificate of your own",
    "dd if=/dev/OLD ": "nobody: disks of your own",
    "curl http://guest-1.example:": "//tests/boot:setupos_install_test, which asks the same pages",
    "git clone REPOSITORY ": "nobody: the release says from where",
    "git checkout COMMIT": "nobody: the release says which",
    "ci/verify-release.sh ": "nobody: a release of your own; ci/reproduce.sh builds the same files otherwise",
    "apt-get install --no-install-recommends nginx-light": "ci/remote.sh",
    "apt-get install --no-install-recommends postgresql ": "ci/remote.sh",
    "mkdir -p /srv/bazel-cache/": "ci/remote.sh, in another folder",
    "sed 's#FOLDER#": "ci/remote.sh, in another folder",
    "nginx -c ": "ci/remote.sh",
    "python3 -m venv ": "ci/remote.sh, in another folder",
    "install -d -o postgres ": "ci/remote.sh, in another folder",
    "cd /srv/postgres": "ci/remote.sh, in another folder",
    "setpriv --reuid postgres ": "ci/remote.sh, in another folder",
    "mkdir -p /srv/buildgrid/": "ci/remote.sh, in another folder",
    "createdb ": "ci/remote.sh",
    "buildbox-casd ": "ci/remote.sh",
    "buildbox-worker ": "ci/remote.sh",
    "bazel build --config=remote-exec ": "ci/remote.sh, by --config=remote-exec-root: the same, and base images and Dockerfiles run on the worker, too",
    "bazel run //ic-os/guestos/envs/dev:report -- ": "//rust/tools:mkreport_test, the program itself with these flags",
    "mkdeployment ": "rust/lib/deployment/tests; its flags by the rule deployment_file",
}
# Names that stand for something, not for a thing in this tree.
STAND_IN = re.compile(r"[<>…*{}]|newos|appliance|//server|my_component|//visibility|OS_|NAME|RULE|CRATE|/my[./]|/my$|^rust/fuzz/(corpus|artifacts)")
LABEL = re.compile(r"^//\w[\w.+/-]*(?::[\w.+/-]+)?$")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PLACE = re.compile(r"^(?:\./)?(?:ci|docs|rust|bzl|tests|ic-os|components)/[\w./+-]+$")


def documents():
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"], check=True, stdout=subprocess.PIPE).stdout
    return [pathlib.Path(name.decode()) for name in sorted(set(names.split(b"\0"))) if name and pathlib.Path(name.decode()).exists()]


def blocks(text):
    """(line number, language, content) of each fenced block."""
    found, start, language, lines = [], None, "", []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if start is None:
                start, language, lines = number + 1, line[3:].strip(), []
            else:
                found.append((start, language, "\n".join(lines) + "\n"))
                start = None
        elif start is not None:
            lines.append(line)
    return found


def commands(text):
    """(line number, command) of the blocks without a language, where a line ends with a backslash joined with the next one."""
    for start, language, content in blocks(text):
        if language:
            continue
        offset = 0
        for command in re.split(r"(?<!\\)\n", content):
            words = re.sub(r"\s+#\s.*$", "", command.replace("\\\n", " ")).strip()
            if re.match(r"(\./)?[a-z$][\w./$-]*\s", words) and not re.match(r"\w+=|cd\s", words):
                yield start + offset, re.sub(r"\s+", " ", words)
            offset += command.count("\n") + 1


def slugs(text):
    """The anchors of a Markdown file's headings."""
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)}


def links(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        for target in LINK.findall(line):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            there = path.parent / file if file else path
            if not there.exists():
                yield f"{path}:{number}: {target}: no such file"
            elif anchor and anchor not in slugs(there.read_text()):
                yield f"{path}:{number}: {target}: {there} has no heading for #{anchor}"


def spans(text):
    """(line number, text) of code in lines and of every line in blocks."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif inside:
            yield number, line
        else:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span


def places(path, text):
    for number, span in spans(text):
        for word in span.split():
            if PLACE.match(word) and not STAND_IN.search(word) and not any(p.exists() for p in (pathlib.Path(word), path.parent / word)):
                yield f"{path}:{number}: {word}: no such file"


def crates(path, text):
    """Crates that a cargo command names and that are none of ours."""
    manifests = [*pathlib.Path("rust").glob("*/Cargo.toml"), *pathlib.Path("rust").glob("*/*/Cargo.toml")]
    ours = {name for manifest in manifests for name in re.findall(r'^name = "(.*)"', manifest.read_text(), re.M)}
    for number, span in spans(text):
        for name in re.findall(r" (?:-p|--package) (\w+)", span) if "cargo" in span else []:
            if name not in ours and not STAND_IN.search(name):
                yield f"{path}:{number}: no crate {name}"


def labels():
    """Labels of all documents that Bazel does not know, as lines."""
    where, built = {}, {}
    for path in documents():
        for number, span in spans(path.read_text()):
            for word in re.split(r"[\s\"',;()]+", span):
                if LABEL.match(word) and not STAND_IN.search(word):
                    where.setdefault(word, f"{path}:{number}")
                    if re.search(r"\bbazel (build|run|test) ", span):
                        built.setdefault(word, f"{path}:{number}")
    # What is loaded is a file, what has no colon may be a package unless it is built; the rest are targets.
    files = {label for label in where if label.endswith(".bzl") and pathlib.Path(label.removeprefix("//").replace(":", "/")).exists()}
    packages = {label for label in where if (pathlib.Path(label.removeprefix("//")) / "BUILD.bazel").exists()}
    targets = sorted(where.keys() - files - (packages - built.keys()))
    if not known(targets):
        for label in targets:
            if not known([label]):
                what = "a package without a target of its name" if label in packages else "Bazel does not know it"
                yield f"{built.get(label, where[label])}: {label}: {what}"


def known(targets):
    query = ["bazel", "query", "--noshow_progress", f"set({' '.join(targets)})"]
    return subprocess.run(query, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def scripts(file, folder):
    """Writes the blocks of commands, but those that run elsewhere."""
    for number, (_, language, content) in enumerate(blocks(pathlib.Path(file).read_text())):
        if not language and not content.startswith(tuple(ELSEWHERE)):
            (pathlib.Path(folder) / f"{number:02}.sh").write_text(content)


def check():
    wrong = []
    for path in documents():
        text = path.read_text()
        wrong += [*links(path, text), *places(path, text), *crates(path, text)]
        for number, command in commands(text):
            if str(path) not in RUN and not command.startswith(tuple(ELSEWHERE)):
                wrong.append(f"{path}:{number}: no test runs this (ci/docs.py): {command}")
    wrong += labels()
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


def main():
    match sys.argv[1:]:
        case ["check"]:
            return check()
        case ["scripts", file, folder]:
            scripts(file, folder)
        case ["block", file, language]:
            print(next(content for _, kind, content in blocks(pathlib.Path(file).read_text()) if kind == language), end="")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


sys.exit(main())
