#!/usr/bin/env bash
# A shared cache and remote execution, on real servers: what docs/guides/remote.md says works, and gives the bytes of a local build.
set -euo pipefail
usage() {
  cat <<'TEXT'
usage: ci/remote.sh [http] [exec]

Builds GuestOS dev by itself, then with each part (default: both) twice: into an empty output base, and into another one of another
checkout. The second may run nothing but the writing of image files; sums of both must be those of the build by itself.

  http   nginx as a cache, by ci/remote/nginx.conf
  exec   BuildGrid with PostgreSQL and buildbox's worker, by ci/remote/buildgrid.yml: actions run there

The servers listen on the loopback of a network of their own, where nothing else is; what they are made of is installed into a layer that is thrown
away (Debian's packages; BuildGrid by pip). 5 GB of disk. Ends with 77 where layer or servers can't be had.
TEXT
}
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
case ${1:-} in --help | -h) usage; exit 0 ;; esac
[ -e /etc/image-build-container ] || exec ci/container/container-run.sh ci/remote.sh "$@"
target=//ic-os/guestos/envs/dev:guestos out=ic-os/guestos/envs/dev
fail() { echo "FAIL remote: $*"; exit 1; }

# base NAME ARGUMENT…: Bazel with an output base of its own, in the checkout of that base.
base() {
  local name=$1 folder=.
  shift
  case $name in *-two) folder=$scratch/checkout ;; esac
  (cd "$folder" && exec bazel --output_base="$scratch/$name" --local_startup_timeout_secs=600 "$@")
}

prepare() {
  local part name status=0
  scratch=$(mktemp -d "$IMAGE_BUILD_CACHE/remote.XXXXXX")
  trap clean EXIT
  mkdir "$scratch/checkout" "$scratch/layer"
  git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$scratch/checkout" 2>/dev/null || true # a file deleted but not yet committed is none
  cp .bazelrc.container "$scratch/checkout/"
  bazel build "$target" >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log"; fail "the image does not build here"; }
  cp -L "bazel-bin/$out/SHA256SUMS" "$scratch/local.sums"
  # What is fetched (packages, crates) is there before the network goes.
  for part; do
    for name in "$part-one" "$part-two"; do
      base "$name" build --nobuild "$target" >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log"; fail "the image can't be analysed"; }
      base "$name" shutdown >/dev/null 2>&1
    done
  done
  ci/extra.sh "$scratch/layer" iproute2 nginx-light postgresql buildbox python3-venv -- bash ci/remote.sh --layer "$scratch" "$@" || status=$?
  [ "$status" -ne 77 ] || echo "SKIP remote: the servers can't be had; see above"
  exit "$status"
}
clean() {
  local name
  for name in "$scratch"/{http,exec}-{one,two}; do
    [ ! -d "$name" ] || bazel --output_base="$name" --local_startup_timeout_secs=600 clean --expunge >/dev/null 2>&1 || true
  done
  chmod -R u+w "$scratch" 2>/dev/null || true
  rm -rf --one-file-system "$scratch"
}

# listens PORT WHAT: waits until somebody does.
listens() {
  local deadline=$((SECONDS + 60))
  until (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || { tail -n 20 "$scratch"/*.server.log 2>/dev/null; fail "$2 does not listen on port $1"; }
    sleep 0.2
  done
}
# server NAME COMMAND…: in the background, to the end of this namespace.
server() {
  local log=$scratch/$1.server.log
  shift
  "$@" >"$log" 2>&1 </dev/null &
}
configured() { sed "s#FOLDER#$scratch/$2#g" "ci/remote/$1" >"$scratch/$2/$1"; }

http_servers() {
  mkdir -p "$scratch/nginx/cache" "$scratch/nginx/arriving"
  configured nginx.conf nginx
  server nginx nginx -c "$scratch/nginx/nginx.conf" -g 'daemon off;'
  listens 50080 nginx
}
exec_servers() {
  local programs=/var/lib/postgresql/bin data=/var/lib/postgresql/remote port='-p 55432 -c listen_addresses=127.0.0.1 -c unix_socket_directories=/var/lib/postgresql'
  local postgres=(setpriv --reuid postgres --regid postgres --clear-groups --)
  ln -s "$(dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb)")" "$programs"
  # shellcheck disable=SC2086 # several options
  { (cd /var/lib/postgresql && "${postgres[@]}" "$programs/initdb" -D "$data" -A trust) >"$scratch/initdb.server.log" 2>&1 &&
    server postgres "${postgres[@]}" "$programs/postgres" -D "$data" $port; }
  listens 55432 PostgreSQL
  until "$programs/createdb" -U postgres -h 127.0.0.1 -p 55432 bgd 2>/dev/null; do sleep 0.5; done
  mkdir -p "$scratch/buildgrid/cas" "$scratch/buildgrid/near"
  configured buildgrid.yml buildgrid
  "$scratch/venv/bin/bgd" migrate apply postgresql+psycopg://postgres@127.0.0.1:55432/bgd >"$scratch/migrate.server.log" 2>&1 ||
    { tail -n 20 "$scratch/migrate.server.log"; fail "BuildGrid can't make its tables"; }
  server buildgrid "$scratch/venv/bin/bgd" server start "$scratch/buildgrid/buildgrid.yml"
  listens 50051 BuildGrid
  # Near the worker: files that it has had once are not sent to it again.
  server casd buildbox-casd --cas-remote=http://127.0.0.1:50051 --bind=127.0.0.1:50060 "$scratch/buildgrid/near"
  listens 50060 buildbox-casd
  server worker buildbox-worker --bots-remote=http://127.0.0.1:50051 --cas-remote=http://127.0.0.1:50060 --platform OSFamily=linux \
    --platform "container=$container" --concurrent-jobs="$(nproc)" --buildbox-run=/usr/bin/buildbox-run-hosttools \
    --runner-arg=--staging-mode=copy-or-link worker
}

# moved: bytes over this network so far.
moved() { awk '$1 == "lo:" { print $2 }' /proc/net/dev; }
megabytes() { awk -v bytes="$1" 'BEGIN { printf "%.1f MB", bytes / 1000000 }'; }
# build NAME [MNEMONIC…] -- FLAG…: with mnemonics nothing else may run.
build() {
  local name=$1 start=$SECONDS before allowed=() ran bin
  shift
  while [ "$1" != -- ]; do
    allowed+=("$1")
    shift
  done
  shift
  before=$(moved)
  base "$name" build "$@" --disk_cache= --execution_log_json_file="$scratch/$name.json" "$target" >"$scratch/log" 2>&1 || {
    tail -n 30 "$scratch/log"
    fail "$name: the image does not build"
  }
  ran=$(python3 ci/remote/ran.py "$scratch/$name.json" "${allowed[@]}") || fail "$name: $ran"
  # What fails on a worker must not look as if it had run there.
  [[ $name != exec-one || $ran =~ (^|,\ )[0-9]+\ remote(,|$) ]] || fail "$name: nothing ran on a worker: $ran"
  echo "$name: $((SECONDS - start)) s; $ran; $(megabytes $(($(moved) - before))) over the network"
  bin=$(base "$name" info bazel-bin 2>/dev/null)
  base "$name" shutdown >/dev/null 2>&1
  diff "$scratch/local.sums" "$bin/$out/SHA256SUMS" || fail "$name: its sums are not those of a build by itself"
  (cd "$bin/$out" && sha256sum --check --quiet SHA256SUMS) || fail "$name: its files have not the sums that it says"
}

inside() {
  local part flags
  ip link set lo up
  # What names the packages that this container has; workers with others are no workers for these actions.
  container=$(tr ' ' - </etc/image-build-container)
  [ -n "$container" ] || container=$(dpkg-query --show | sha256sum | cut -c1-16)
  for part; do
    "${part}_servers"
    case $part in
      http) flags=(--config=ci --remote_cache=http://127.0.0.1:50080) ;;
      exec) flags=(--config=remote-exec-root --remote_executor=grpc://127.0.0.1:50051 "--remote_default_exec_properties=container=$container") ;;
    esac
    build "$part-one" -- "${flags[@]}"
    build "$part-two" WriteImage -- "${flags[@]}"
    if [ "$part" = http ]; then
      awk '$2 < 300 { if ($1 == "PUT") { up += $3; puts++ } else if ($1 == "GET") { down += $4; gets++ } }
        END { printf "http: %d files up (%.1f MB), %d down (%.1f MB)\n", puts, up / 1e6, gets, down / 1e6 }' "$scratch/nginx/moved.log"
      echo "http: the cache holds $(du -sm "$scratch/nginx/cache" | cut -f1) MB"
    fi
  done
  echo "PASS remote"
}

case ${1:-} in
  --layer)
    scratch=$2
    shift 2
    case " $* " in
      *' exec '*)
        { python3 -m venv "$scratch/venv" && "$scratch/venv/bin/pip" install --quiet buildgrid==0.9.1 'psycopg[binary]'; } >"$scratch/log" 2>&1 || {
          tail -n 5 "$scratch/log" >&2
          echo "remote: pip can't get BuildGrid" >&2
          exit 77
        } ;;
    esac
    exec unshare --net -- bash ci/remote.sh --inside "$scratch" "$@"
    ;;
  --inside)
    scratch=$2
    shift 2
    inside "$@"
    ;;
  *)
    for part; do
      case $part in http | exec) ;; *) usage >&2; echo "remote: unknown part $part" >&2; exit 2 ;; esac
    done
    [ $# -gt 0 ] || set -- http exec
    prepare "$@"
    ;;
esac
