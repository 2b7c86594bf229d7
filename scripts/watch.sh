#!/usr/bin/env bash
# `make watch`: rebuilds and reloads on every change, with cargo-leptos.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

scripts/bootstrap.sh watch
read_tools
# It adds the flag itself, and twice would be another flag.
unset RUSTFLAGS
rm -f "$LATCHKEY_STEPS"
exec cargo leptos watch "$@"
