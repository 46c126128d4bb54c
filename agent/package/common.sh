# Shared by the scripts of this folder; read with `.`, not run.
# shellcheck shell=sh

# Where the repository is, and where what is made goes (both out of version control).
package_dir=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$package_dir/../.." && pwd)
target_dir=${CARGO_TARGET_DIR:-$root/target}
case $target_dir in /*) ;; *) target_dir=$root/$target_dir ;; esac
cross=${TRILOBITE_CROSS:-$target_dir/cross}
out=${TRILOBITE_PACKAGES:-$target_dir/packages}

name=trilobite-agent

# Version of the workspace, the one of every package.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)

say() { printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2; }

# Ends with a message: what, where, what to do.
fail() {
  say "$*"
  exit 1
}

# need PROGRAM WHERE: exit code 3 if a program is missing, saying what brings it.
need() {
  command -v "$1" >/dev/null 2>&1 && return 0
  say "no program $1 here; $2"
  exit 3
}

# The features of an agent on an access point: every source of Wi-Fi, `decode` and `privacy`, none of the
# sources for tests (replay, synthetic), no log lines of level trace, no Bluetooth unless
# TRILOBITE_FEATURES asks for it.
features=${TRILOBITE_FEATURES:-monitor,nl80211,hostapd,ubus,pcap,no-trace}

# target_of NAME: sets triple (Rust's name), ziglang (zig's) and qemu (emulator and its options) by
# short name.
target_of() {
  case $1 in
    arm64) triple=aarch64-unknown-linux-musl ziglang=aarch64-linux-musl qemu=qemu-aarch64-static ;;
    armv7) triple=armv7-unknown-linux-musleabihf ziglang=arm-linux-musleabihf qemu=qemu-arm-static ;;
    mipsel) triple=mipsel-unknown-linux-musl ziglang=mipsel-linux-musleabi qemu='qemu-mipsel-static -cpu 24Kc' ;;
    mips) triple=mips-unknown-linux-musl ziglang=mips-linux-musleabi qemu='qemu-mips-static -cpu 24Kc' ;;
    x86_64) triple=x86_64-unknown-linux-musl ziglang=x86_64-linux-musl qemu= ;;
    *) fail "no target $1; use one of arm64, armv7, mipsel, mips, x86_64" ;;
  esac
}

# Where `build TARGET` leaves the program.
binary_of() {
  printf '%s/bin/%s/%s\n' "$out" "$1" "$name"
}

# program_for TARGET: sets binary to what is packed: $TRILOBITE_BINARY, or what `build` left.
program_for() {
  target_of "$1"
  binary=${TRILOBITE_BINARY:-$(binary_of "$1")}
  [ -f "$binary" ] || fail "no program $binary; run agent/package/build $1"
}

# put MODE FROM TO: a file with its folders.
put() {
  install -d -m 0755 "$(dirname -- "$3")"
  install -m "$1" "$2" "$3"
}

# A folder that is gone when the script ends.
scratch_folder() {
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 1' HUP INT TERM
}

# archive FOLDER: the same bytes for the same files, whoever packs them and whenever.
archive() {
  tar --version 2>/dev/null | grep -q 'GNU tar' || { say "needs GNU tar; Debian's package tar brings it"; exit 3; }
  tar -C "$1" --format=ustar --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" \
    --owner=0 --group=0 --numeric-owner -cf - .
}

# pack FOLDER TO.tar.gz: quickly.
pack() {
  archive "$1" | gzip -9n >"$2"
}

# pack_small FOLDER TO.tar.gz: as small as gzip's format allows, which is all that opkg reads. The
# same zopfli makes the same bytes; without one the package is 4 % larger.
pack_small() {
  zopfli=$(command -v zopfli || echo "$cross/system/usr/bin/zopfli")
  if [ ! -x "$zopfli" ]; then
    say "no zopfli here, so $(basename -- "$2") will be larger; run agent/package/toolchain, or install Debian's package zopfli"
    pack "$1" "$2"
    return
  fi
  archive "$1" >"$2.tar"
  "$zopfli" -c "$2.tar" >"$2"
  rm -f "$2.tar"
}

# What packages say of themselves.
summary="Tells a Trilobite node how strongly this access point hears which client"
maintainer="Trilobite developers <trilobite@example.org>"
licence="MIT OR Apache-2.0"

# find_node: sets node to a native node for an agent to talk to.
find_node() {
  for node in "${TRILOBITE_NODE:-}" "$target_dir/release/trilobite" "$target_dir/debug/trilobite"; do
    [ -n "$node" ] && [ -x "$node" ] && return 0
  done
  say "no node to talk to; run cargo build --release -p trilobite-node, or name one with TRILOBITE_NODE"
  exit 3
}
