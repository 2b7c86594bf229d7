#!/usr/bin/env bash
# `make watch`: rebuilds and reloads on every change, with cargo-leptos.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

scripts/bootstrap.sh watch
# cargo-leptos copies this folder beside what it builds: fonts and a manifest of its own file names.
node scripts/site.mjs assets target/watch-assets
export LEPTOS_ASSETS_DIR=target/watch-assets
# It adds the flag itself, and twice would be another flag.
unset RUSTFLAGS
rm -f "$LATCHKEY_STEPS"
exec cargo leptos watch "$@" -- serve
