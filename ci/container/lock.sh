# shellcheck shell=bash
# Sourced: what ci/container/packages.lock.json says, for scripts that run where there is no Bazel yet. The tool `lock` writes it, one package a line
# (rust/lib/debian/src/lock.rs).

# packages_asked LIST: names of a list, sorted.
packages_asked() { sed -e 's/#.*//' "$1" | tr -s ' \t' '\n\n' | sed '/^$/d' | sort -u; }

# lock_asked LOCK: names that the lock was made for, sorted.
lock_asked() { sed -nE 's/^ *"requested": \[(.*)\],?$/\1/p' "$1" | tr -d '" ' | tr ',' '\n' | sort -u; }

# lock_rows LOCK: a line for each package: name, version, architecture, SHA-256, path below an archive's root.
lock_rows() {
  sed -nE 's/^ *\{"name": "([a-z0-9.+-]+)", "version": "([A-Za-z0-9.+:~-]+)", "architecture": "([a-z0-9]+)",.* "sha256": "([0-9a-f]{64})", "path": "(pool\/[A-Za-z0-9.+:~_/-]+\.deb)"\},?$/\1 \2 \3 \4 \5/p' "$1"
}

# lock_date LOCK: date of the release file of its first suite; empty in a lock that has none.
lock_date() { sed -nE 's/.*"root": "main".*"date": "([0-9TZ:-]+)".*/\1/p;T;q' "$1"; }

# lock_digest LOCK: names the packages, whatever else the lock says: when it was made changes nothing.
lock_digest() { lock_rows "$1" | cut -d' ' -f1-4 | LC_ALL=C sort | sha256sum | cut -d' ' -f1; }

# lock_fault LOCK LIST: what is wrong with the lock, if something is.
lock_fault() {
  local rows lines lacks extra
  [ -f "$1" ] || { echo "there is no $1"; return; }
  rows=$(lock_rows "$1" | wc -l) lines=$(grep -c '"sha256"' "$1")
  if [ "$rows" -eq 0 ] || [ "$rows" -ne "$lines" ]; then
    echo "$1: $rows of $lines packages are written as the tool \`lock\` writes them"
    return
  fi
  lacks=$(comm -23 <(packages_asked "$2") <(lock_asked "$1") | tr '\n' ' ')
  extra=$(comm -13 <(packages_asked "$2") <(lock_asked "$1") | tr '\n' ' ')
  if [ -n "$lacks$extra" ]; then
    echo "packages.lock.json is older than packages.txt:${lacks:+ it lacks ${lacks% }}${lacks:+${extra:+,}}${extra:+ it has ${extra% }, which the list does not ask for}"
  fi
}
