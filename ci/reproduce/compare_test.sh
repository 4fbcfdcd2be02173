#!/usr/bin/env bash
# compare.sh on two folders as build.sh leaves them, with differences made on purpose: each is named, in whatever kind of file it is.
set -euo pipefail
fail() { echo "FAIL compare_test: $*"; exit 1; }
here=$PWD
export PATH=$here/rust/tools:$PATH
scratch=$TEST_TMPDIR
# build NAME WORD SIZE: the FOLDER of a build, in which files say WORD. It has an exec root, where lists of images have their paths from.
build() {
  local name=$1 word=$2 size=$3 root=$scratch/$1/base/execroot/_main bin=bazel-out/k8/bin
  mkdir -p "$root/$bin/os/context" "$root/$bin/rust/tools" "$root/tree/etc"
  echo "$root/$bin" >"$scratch/$name/bin"
  ln -s "$here/rust/tools/imgdiff" "$root/$bin/rust/tools/imgdiff"
  (
    cd "$root"
    echo "this is $word" >tree/etc/motd
    tar --create --format=pax --pax-option=delete=atime,delete=ctime --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner --file "$bin/os/context/rootfs.tar" -C tree .
    cd "$bin/os"
    # From the exec root on, as Bazel's are.
    inject --base context/rootfs.tar --mtime 1 --output root.jsonl
    printf '%s\n' root.jsonl context/rootfs.tar >root.tree
    mkext4 --tree root.tree --size-mib "$size" --uuid 00000000-0000-4000-8000-000000000001 --hash-seed 00000000-0000-4000-8000-000000000002 \
      --mtime 1 --output root.plan
    printf '%s\n' root.plan context/rootfs.tar >here.image
    echo "name,start,size,type,uuid,description
root,,12M,root-x86-64,b1a0a1c2-0000-4000-8000-000000000002," >disk.csv
    mkdisk --partitions disk.csv --disk-guid 00000000-0000-4000-8000-000000000004 --image root=here.image --output disk.plan
    printf '%s\n' disk.plan context/rootfs.tar >here.image
    materialize --image here.image --output disk.img
    for plan in root disk; do printf '%s\n' "$bin/os/$plan.plan" "$bin/os/context/rootfs.tar" >"$plan.image"; done
    cp disk.plan unlisted.plan
    echo "$word" >VERSION.TXT
    tar --create --format=ustar --sort=name --mtime=@1 --owner=0 --group=0 --file update.tar VERSION.TXT disk.img
    printf '{\n  "version": "%s"\n}\n' "$word" >manifest.json
    # Refused by imgdiff, which wants it unpacked.
    printf '\x28\xb5\x2f\xfd %s' "$word" >packed.zst
    : >"$word.only"
    echo same >same.txt
  )
  (cd "$root/$bin" && sha256sum os/*.{img,plan,tar,TXT,json,zst,only,txt} os/context/*.tar) >"$scratch/$name/sums"
}
# compare OLD NEW STATUS: the exit status; what is said is in $scratch/said.
compare() {
  local status=0
  bash ci/reproduce/compare.sh "$scratch/$1" "$scratch/$2" >"$scratch/said" 2>&1 || status=$?
  [ "$status" -eq "$3" ] || { cat "$scratch/said"; fail "exit status of $1 against $2: got $status, want $3"; }
}
# of FILE: what is said of it.
of() { sed -nE "\\#^  $1:\$#,/^  [^ ]/{//!p}" "$scratch/said"; }
# says FILE LINE…: these lines are said of the file.
says() {
  local file=$1 line
  shift
  for line; do
    grep -qxF -- "    $line" <<<"$(of "$file")" || { cat "$scratch/said"; fail "$file: this is not said: $line"; }
  done
}
build one one 8
build other one 8
compare one other 0
[ "$(cat "$scratch/said")" = "  $(wc -l <"$scratch/one/sums") files are the same" ] || fail "of the same files it is said: $(cat "$scratch/said")"

build two two 8
compare one two 3
changed=('  -this is one' '  +this is two')
says os/disk.img 'file root:/etc/motd changed' "${changed[@]}"
says os/update.tar 'file /disk.img root:/etc/motd changed' "${changed[@]}" 'file /VERSION.TXT changed' '  -one' '  +two'
says os/context/rootfs.tar 'file /etc/motd changed' "${changed[@]}"
says os/VERSION.TXT '  -one' '  +two'
says os/manifest.json '  -  "version": "one"' '  +  "version": "two"'
says os/packed.zst "$(cd "$scratch" && cmp "$(cat one/bin)/os/packed.zst" "$(cat two/bin)/os/packed.zst")"
says os/one.only "it is not there, or can't be read, as it is now"
says os/two.only "it is not there, or can't be read, as it was"
[ -z "$(of os/same.txt)" ] || fail "something is said of a file that is the same: $(of os/same.txt)"
# The plan is the same if only what it takes from its inputs is not: it is not among them.
! grep -q '^  os/.*plan:' "$scratch/said" || fail "a plan is named that is the same"

# Another size: plans differ, and are told apart by what they lay out; without a list, by their bytes.
build larger two 9
compare two larger 3
for plan in root disk; do says "os/$plan.plan" "file system $([ $plan = root ] && echo as a whole || echo root) changed"; done
says os/unlisted.plan 'no list beside the plan says what it lays out:'
grep -q '/unlisted.plan differ: ' <<<"$(of os/unlisted.plan)" || fail "of a plan without a list it is said: $(of os/unlisted.plan)"
# What it lays out is the same, for some reason: that is said, and the bytes of the plan.
printf '%s\n' "$(cat "$scratch/two/bin")"/os/{disk.plan,context/rootfs.tar} | tee "$(cat "$scratch/two/bin")/os/disk.image" >"$(cat "$scratch/larger/bin")/os/disk.image"
# A list that leads nowhere.
rm "$(cat "$scratch/two/bin")/os/root.image"
echo nowhere >"$(cat "$scratch/two/bin")/os/root.image"
compare two larger 3
says os/disk.plan 'the plans lay out the same bytes, and differ themselves:'
says os/root.plan "what the plans lay out can't be read here; the plans themselves:"
for plan in root disk; do grep -q "/$plan.plan differ: " <<<"$(of "os/$plan.plan")" || fail "of $plan.plan it is said: $(of "os/$plan.plan")"; done

# Not more than anybody reads.
for name in two larger; do seq 1 2 5000 | sed "s/\$/ $name/" >"$(cat "$scratch/$name/bin")/os/VERSION.TXT"; done
for name in two larger; do (cd "$(cat "$scratch/$name/bin")" && sha256sum os/VERSION.TXT) >"$scratch/$name/sums"; done
compare two larger 3
[ "$(of os/VERSION.TXT | wc -l)" -eq 201 ] && grep -q '^    … and [0-9]* lines more$' <<<"$(of os/VERSION.TXT | tail -n 1)" || fail "a long text: $(of os/VERSION.TXT | wc -l) lines, the last: $(of os/VERSION.TXT | tail -n 1)"
echo "PASS compare_test"
