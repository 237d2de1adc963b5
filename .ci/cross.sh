#!/usr/bin/env bash
# What compiling for Android and iOS on Linux stands on, into ${TURNSTONE_CACHE:-~/.cache/turnstone}/cross:
#   rust-src-VERSION   the sources of Rust's standard library, of exactly the version of rustc
#   darwin             the headers of Darwin and the list of what libSystem has, from a package of PyPI
# Nothing is fetched twice. Each thing that cannot be had is named, and the exit code says so.
set -uo pipefail

cross=${TURNSTONE_CACHE:-$HOME/.cache/turnstone}/cross
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$cross"

# Three attempts: mirrors have bad minutes.
try() {
  for _ in 1 2 3; do
    "$@" >"$work/said" 2>&1 && return 0
    sleep 5
  done
  tail -n 3 "$work/said" >&2
  return 1
}

# From Debian, whatever release this machine is; the mirror is the one it is set up with.
rust_src_of_debian() {
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  local mirror suite found
  mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -n 1)
  mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial"
  for suite in trixie-backports trixie sid; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $suite main"
  done >"$work/apt/sources.list"
  local apt=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Sandbox::User=root)
  try apt-get "${apt[@]}" update || return 1
  found=$(apt-cache "${apt[@]}" madison rust-src | awk -v wanted="$1+" 'index($3, wanted) == 1 { print $3; exit }')
  [ -n "$found" ] || { echo "Debian has no rust-src $1" >&2; return 1; }
  (cd "$work" && try apt-get "${apt[@]}" download "rust-src=$found") &&
    dpkg-deb -x "$work"/rust-src_*.deb "$work/src" &&
    cp -r "$work/src/usr/src/rustc-$1/library" "$work/library"
}

rust_src() {
  local version library
  version=$(rustc --version | cut -d ' ' -f 2)
  library=lib/rustlib/src/rust/library
  [ -d "$(rustc --print sysroot)/$library" ] || [ -d "$cross/rust-src-$version/library" ] && return 0
  if rust_src_of_debian "$version"; then
    mkdir -p "$cross/rust-src-$version" && mv "$work/library" "$cross/rust-src-$version/library" && return 0
  fi
  command -v rustup >/dev/null && timeout 120 rustup component add rust-src >/dev/null 2>&1 && return 0
  echo "The sources of Rust's standard library, version $version, cannot be had: neither from Debian nor by rustup" >&2
  return 1
}

# The wheel is fetched for one platform whatever this machine is: only texts are taken from it.
DARWIN=ziglang==0.17.0
DARWIN_SHA256=97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b

darwin() {
  [ -f "$cross/darwin/libSystem.tbd" ] && return 0
  echo "$DARWIN --hash=sha256:$DARWIN_SHA256" >"$work/wanted"
  try python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform manylinux_2_12_x86_64 --require-hashes --dest "$work/wheel" --requirement "$work/wanted" ||
    { echo "$DARWIN, which has Darwin's headers, cannot be had from PyPI" >&2; return 1; }
  python3 - "$work" <<'PYTHON' && rm -rf "$cross/darwin" && mv "$work/darwin" "$cross/darwin"
import pathlib, sys, zipfile
work = pathlib.Path(sys.argv[1])
headers, system = "ziglang/lib/libc/include/any-darwin-any/", "ziglang/lib/libc/darwin/libSystem.tbd"
with zipfile.ZipFile(next((work / "wheel").glob("*.whl"))) as wheel:
    for name in wheel.namelist():
        if name.startswith(headers) and not name.endswith("/"):
            to = work / "darwin/usr/include" / name[len(headers):]
        elif name == system:
            to = work / "darwin/libSystem.tbd"
        else:
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(wheel.read(name))
PYTHON
}

status=0
rust_src || status=1
darwin || status=1
exit "$status"
