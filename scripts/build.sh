#!/usr/bin/env bash
# `make build`: one self-contained binary for production, with the compressed site inside it.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

build_server() {
    # Cargo watches the files that it has embedded, not the folder: a server that was compiled when there was no site
    # (make bench-…) would stay without.
    if ! cmp -s target/site-release/manifest.json target/release/latchkey-site; then touch server/src/assets.rs; fi
    with_progress cargo build --locked --release -p latchkey-server --bin latchkey
    cp target/site-release/manifest.json target/release/latchkey-site
}

tools build
step "Build the site (WebAssembly, CSS, fonts)" scripts/build-site.sh release
step "Build the server" build_server
steps_table
# Once more, where it is read: what it is, where it is, how large it is.
node scripts/site.mjs release
say "    Binary: target/release/latchkey, $(du -h target/release/latchkey | cut -f1)"
