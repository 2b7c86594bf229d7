#!/usr/bin/env bash
# `make bench-…`: builds the server and the benches as they are released, and runs one bench. The page is not
# needed for it: where there is none, the server has none inside, until `make build`.
#
#   scripts/bench.sh NAME       (gateway)
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

NAME=${1:?"bench.sh wants the name of a bench: gateway"}
LOCKED=
[ -z "${CI:-}" ] || LOCKED=--locked

# shellcheck disable=SC2086 # No word at all outside CI.
{
    build_server() { cargo build $LOCKED --release -p latchkey-server --bin latchkey; }
    build_bench() { cargo build $LOCKED --release -p latchkey-bench --bin "bench-$NAME"; }
}

tools base
step "The server" build_server
step "The bench" build_bench
rm -f "$LATCHKEY_STEPS"
exec "target/release/bench-$NAME" target/release/latchkey
