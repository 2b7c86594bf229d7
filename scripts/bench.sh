#!/usr/bin/env bash
# `make bench-…`: builds the server and the benches as they are released, and runs one bench. The page is not
# needed for it: where there is none, the server has none inside, until `make build`.
#
#   scripts/bench.sh NAME       (check, doors, gateway, hostile, http, import, nodes or scale)
#
# `gateway` measures the server that LATCHKEY_BEFORE names too, an earlier build, if it does.
#
# `hostile` measures the server that LATCHKEY_BINARY names, if it does, instead of building one: to compare with another
# commit's.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

NAME=${1:?"bench.sh wants the name of a bench: check, doors, gateway, hostile, http, import, nodes or scale"}
LOCKED=
[ -z "${CI:-}" ] || LOCKED=--locked

# shellcheck disable=SC2086 # No word at all outside CI.
{
    build_server() { with_progress cargo build $LOCKED --release -p latchkey-server --bin latchkey; }
    build_bench() { with_progress cargo build $LOCKED --release -p latchkey-bench --bin "bench-$NAME"; }
    build_scale() { with_progress cargo build $LOCKED --release -p latchkey-bench --features in-process --bin bench-scale; }
    build_check() { with_progress cargo bench $LOCKED -p latchkey-bench --features in-process --bench check --no-run; }
    bench_check() { cargo bench $LOCKED --quiet -p latchkey-bench --features in-process --bench check; }
}

case $NAME in
    check)
        tools base
        step "Build the benchmarks" build_check
        rm -f "$LATCHKEY_STEPS"
        bench_check
        ;;
    scale)
        tools base postgres
        step "Build the benchmarks" build_scale
        rm -f "$LATCHKEY_STEPS"
        exec scripts/with-postgres.sh target/release/bench-scale
        ;;
    doors)
        tools base doors wrk
        step "Build the server" build_server
        step "Build the benchmarks" build_bench
        rm -f "$LATCHKEY_STEPS"
        exec target/release/bench-doors target/release/latchkey
        ;;
    http)
        tools base wrk
        step "Build the server" build_server
        step "Build the benchmarks" build_bench
        rm -f "$LATCHKEY_STEPS"
        exec target/release/bench-http target/release/latchkey
        ;;
    import | nodes)
        tools base postgres
        step "Build the server" build_server
        step "Build the benchmarks" build_bench
        rm -f "$LATCHKEY_STEPS"
        exec scripts/with-postgres.sh "target/release/bench-$NAME" target/release/latchkey
        ;;
    hostile)
        tools base postgres
        [ -n "${LATCHKEY_BINARY:-}" ] || step "Build the server" build_server
        step "Build the benchmarks" build_bench
        rm -f "$LATCHKEY_STEPS"
        exec scripts/with-postgres.sh target/release/bench-hostile "${LATCHKEY_BINARY:-target/release/latchkey}"
        ;;
    *)
        tools base
        step "Build the server" build_server
        step "Build the benchmarks" build_bench
        rm -f "$LATCHKEY_STEPS"
        exec "target/release/bench-$NAME" target/release/latchkey
        ;;
esac
