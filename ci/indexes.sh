# shellcheck shell=bash
# Sourced by tests with a Debian archive of their own: its signed indexes.

# archive_key FOLDER: makes the key that signs; its public half is FOLDER/keys.gpg.
archive_key() {
  export GNUPGHOME=$1/gnupg
  mkdir -m 700 "$GNUPGHOME"
  gpg --batch --quiet --passphrase '' --quick-generate-key test ed25519 sign never 2>"$1/gpg.log" || { cat "$1/gpg.log"; return 1; }
  gpg --batch --quiet --export test >"$1/keys.gpg"
}
# sign_suite FOLDER SUITE COMPONENT…: FOLDER has the indexes of a suite, COMPONENT/binary-amd64/Packages; now it also has the signed file that names them, as
# sed makes it of what apt has with the script $release_edit, if that is set.
sign_suite() {
  local folder=$1 suite=$2
  shift 2
  apt-ftparchive -o APT::FTPArchive::Release::Suite="$suite" -o APT::FTPArchive::Release::Codename="$suite" -o APT::FTPArchive::Release::Components="$*" \
    -o APT::FTPArchive::Release::Architectures=amd64 release "$folder" | sed "${release_edit:-}" | gpg --batch --yes --quiet --clearsign --output "$folder.signed"
  mv "$folder.signed" "$folder/InRelease"
}
