#!/usr/bin/env bash
# `make package`: the Debian package of the server, in target/package/.
#
#   scripts/package.sh [--twice]
#   scripts/package.sh --debug VERSION     of target/debug/latchkey as it is, compressed quickly, for tests
#
# --twice builds it once more from nothing and fails if the two differ in one byte. Its times are that of the commit.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

OUT=target/package
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

MODE=release VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
case ${1:-} in
    '') ;;
    --twice) MODE=twice ;;
    --debug) MODE=debug VERSION=${2:?name a version} ;;
    -h | --help) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p;}' "$0" && exit ;;
    *) die "unknown argument '$1'; use --twice, --debug VERSION or none" ;;
esac

# What the program itself says: manual pages and completions.
pages() {
    local shell
    rm -rf "$OUT/man" "$OUT/completions"
    mkdir -p "$OUT/man" "$OUT/completions"
    "$1" man --to "$OUT/man"
    for shell in bash zsh fish; do "$1" completions "$shell" >"$OUT/completions/latchkey.$shell"; done
}

# debian_package TARGET_DIR [FLAG…]: of the binary in its folder `release`. dpkg-shlibdeps finds the libraries it needs.
debian_package() {
    local target=$1
    shift
    rm -f "$(the_package)"
    CARGO_TARGET_DIR=$target cargo deb --quiet --no-build --package latchkey-server --strip --deb-version "$VERSION" \
        --output "$OUT/" "$@"
}

# cargo-deb knows no other profile: the debug binary stands in a folder of that name. Compressing it with xz takes the
# least time of what cargo-deb offers; its gzip tries for the smallest file and takes a quarter of an hour.
debug_package() {
    mkdir -p "$OUT/debug/release"
    ln -f target/debug/latchkey "$OUT/debug/release/latchkey"
    debian_package "$LATCHKEY_ROOT/$OUT/debug" --fast
}

the_package() { echo "$OUT/latchkey_${VERSION}_$(dpkg --print-architecture).deb"; }

release() {
    step "Build the binary" scripts/build.sh
    step "Manual pages and completions" pages target/release/latchkey
    step "Debian package $VERSION" debian_package "$CARGO_TARGET_DIR"
}

# All that the first build has made of our own code; dependencies of the build scripts stay.
forget_release() {
    rm -rf target/release target/site-release target/site-build/release \
        "$LATCHKEY_FRONT_TARGET_DIR/wasm32-unknown-unknown/wasm-release"
}

compare() {
    if cmp "$OUT/first.deb" "$(the_package)"; then
        say "    Both builds are the same $(wc -c <"$OUT/first.deb") bytes: $(sha256sum <"$OUT/first.deb" | cut -c1-64)"
        return
    fi
    # Which of the files.
    diff <(contents "$OUT/first.deb") <(contents "$(the_package)") || true
    die "the two builds differ; what is listed above is not the same in both"
}

contents() {
    local place
    place=$(mktemp -d)
    dpkg-deb --raw-extract "$1" "$place"
    (cd "$place" && find . -type f -exec sha256sum {} + | sort -k 2)
    rm -rf "$place"
}

tools base package
case $MODE in
    debug)
        [ -x target/debug/latchkey ] || die "target/debug/latchkey is missing; run cargo build --bin latchkey"
        step "Manual pages and completions" pages target/debug/latchkey
        step "Debian package $VERSION (debug, cargo-deb)" debug_package
        ;;
    release) release ;;
    twice)
        release
        cp "$(the_package)" "$OUT/first.deb"
        step "Forget what was built" forget_release
        release
        step "Compare the two" compare
        rm -f "$OUT/first.deb"
        ;;
esac
say "    Package: $(the_package), $(du -h "$(the_package)" | cut -f1)"
