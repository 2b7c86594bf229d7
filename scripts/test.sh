#!/usr/bin/env bash
# Everything that has to hold: formatting, lints for the server and for the browser, the unit and storage
# tests on SQLite and on a PostgreSQL of its own, and the product in a real Chromium.
#
#   scripts/test.sh [all|unit|e2e|agents|openapi|fuzz-api|faults|alerts|lint|fmt|deps]
#
# The browser's half is linted and built at the same time as the server's; no test runs meanwhile.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

WHAT=${1:-all}
LOCKED=
if [ -n "${CI:-}" ]; then
    LOCKED=--locked
    # Nothing is built twice there: what a next build could use again is not worth its time.
    export CARGO_INCREMENTAL=0
fi
# Without the browser's entry: it would turn on `hydrate` beside `ssr` in the shared crates.
NATIVE="--workspace --exclude latchkey-frontend"
FRONT="--target wasm32-unknown-unknown --target-dir $LATCHKEY_FRONT_TARGET_DIR"

# shellcheck disable=SC2086 # Lists of words, in all of these.
{
    format() { cargo fmt --all -- --check; }

    check_source() { node scripts/check-source.mjs; }

    check_circles() { node scripts/check-circles.mjs; }

    # Each exception has to be needed still. Advisories want the network: `make deny`.
    allowed_crates() { cargo deny $LOCKED check -D unmatched-skip -D unnecessary-skip licenses bans sources; }

    unused_crates() { cargo machete; }

    lint_server() {
        with_progress cargo clippy $LOCKED $NATIVE --all-targets -- -D warnings
        # The scripts too, where there is something to read them.
        if have shellcheck; then shellcheck -x scripts/*.sh server/tests/it/process/docs/*.sh .ci/run; fi
    }

    # Links that lead nowhere are errors, those of private items too. The flags are those of every build. The example
    # is named because cargo then gives crates the features that they have in tests: clippy has checked those already.
    lint_docs() {
        RUSTDOCFLAGS="$RUSTFLAGS -Dwarnings" with_progress cargo doc $LOCKED $NATIVE --no-deps --document-private-items \
            --lib --bins --example doors
    }

    lint_page() {
        with_progress cargo clippy $LOCKED $FRONT --profile wasm-release -p latchkey-frontend -p latchkey-app -p latchkey-ui \
            --features latchkey-app/hydrate --no-deps -- -D warnings
    }

    build_tests() { with_progress cargo test $LOCKED $NATIVE --no-run; }

    # And the API that clients/axum protects in a test. With all packages, features are those of the tests, so that
    # nothing is compiled twice.
    build_server() {
        with_progress cargo build $LOCKED $NATIVE --bin latchkey --bin github-stand-in --example doors
    }

    # One after the other: each has three nodes.
    fault_tests() {
        scripts/with-postgres.sh cargo test $LOCKED -p latchkey-server --test it -- faults:: --test-threads 1 --nocapture
    }

    # openapi_tests SECONDS [fuzz]: how long calls are made up, and whether that is all.
    openapi_tests() { target/openapi-python/bin/python end2end/openapi/check.py "$@"; }

    unit_tests() { scripts/with-postgres.sh cargo test $LOCKED $NATIVE; }
}

# The page that is shipped, where a debug server reads it: it is a third of the dev build's size, which each test loads
# anew, and its first load is weighed.
shipped_site() {
    scripts/build-site.sh release
    # Never without the folder: the server may be compiled against it meanwhile.
    cp -R target/site-release/. target/site/
}

# shellcheck disable=SC2317 # Called through `beside`.
page() {
    step "Tools for the site" scripts/bootstrap.sh site
    [ "$WHAT" = e2e ] || step "Lint: the site (clippy, hydrate)" lint_page
    [ "$WHAT" = unit ] || step "Build the site (WebAssembly, CSS, fonts)" shipped_site
}

browser_tests() {
    LATCHKEY_CHROMIUM=$(find_chromium)
    export LATCHKEY_CHROMIUM
    cd end2end
    npx tsc --noEmit
    npx playwright test
}

# Their answers are those of the gateway: no browser and no page.
agent_tests() {
    cd end2end
    npx playwright test --config agents.config.ts
}

DONE=
cleanup() {
    steps_table
    if [ "$EXIT_STATUS" -eq 0 ] && [ -n "$DONE" ]; then
        say "All stages passed ($WHAT)."
    else
        say "*** FAILED ($WHAT): see the stage marked FAILED or not finished."
    fi
}

mkdir -p target/site
case $WHAT in
    fmt) step "Format (rustfmt)" format ;;
    deps)
        tools base deny machete
        step "Dependencies: unused crates (cargo-machete)" unused_crates
        step "Dependencies: licences, versions and sources (cargo-deny)" allowed_crates
        ;;
    lint)
        tools base
        step "Lint: comments and names of types" check_source
        step "Lint: circles of files" check_circles
        beside "Lint: the site (clippy, hydrate)" lint_page
        step "Lint: the server (clippy, ssr)" lint_server
        step "Lint: the documentation (rustdoc)" lint_docs
        beside_join
        ;;
    unit)
        tools base postgres poolers proxies redis
        step "Tests: compile" build_tests
        step "Tests: unit and integration, on SQLite and PostgreSQL" unit_tests
        ;;
    faults)
        tools base postgres poolers redis
        step "Tests: compile" build_tests
        step "Tests: fault injection with three nodes, ${LATCHKEY_FAULTS:-2} times each" fault_tests
        ;;
    e2e)
        tools base e2e
        beside "Site" page
        step "Build the server and the GitHub stand-in" build_server
        beside_join
        step "Tests: end to end in Chromium (Playwright)" browser_tests
        ;;
    agents)
        tools base e2e agents
        step "Build the server and the GitHub stand-in" build_server
        step "Tests: coding agents (Playwright)" agent_tests
        ;;
    alerts)
        tools base promtool
        step "Build the server and the GitHub stand-in" build_server
        step "Tests: alert rules and dashboard (promtool)" scripts/check-alerts.sh
        ;;
    openapi | fuzz-api)
        tools base e2e
        step "Build the server and the GitHub stand-in" build_server
        if [ "$WHAT" = openapi ]; then
            step "Tests: OpenAPI linters, generators and generated clients" openapi_tests 120
        else
            step "Tests: API fuzzing (schemathesis)" openapi_tests "${LATCHKEY_FUZZ_SECONDS:-600}" fuzz
        fi
        ;;
    all)
        tools base e2e postgres poolers proxies redis promtool deny machete
        step "Format (rustfmt)" format
        step "Lint: comments and names of types" check_source
        step "Lint: circles of files" check_circles
        step "Dependencies: unused crates (cargo-machete)" unused_crates
        step "Dependencies: licences, versions and sources (cargo-deny)" allowed_crates
        beside "Site" page
        step "Lint: the server (clippy, ssr)" lint_server
        step "Lint: the documentation (rustdoc)" lint_docs
        step "Tests: compile" build_tests
        step "Build the server and the GitHub stand-in" build_server
        beside_join
        step "Tests: alert rules and dashboard (promtool)" scripts/check-alerts.sh
        step "Tests: unit and integration, on SQLite and PostgreSQL" unit_tests
        step "Tests: OpenAPI linters, generators and generated clients" openapi_tests 120
        step "Tests: end to end in Chromium (Playwright)" browser_tests
        step "Tests: the Debian package, in a bare Debian" scripts/test-package.sh --where-possible
        ;;
    *) die "unknown argument '$WHAT'; use all, unit, e2e, agents, openapi, fuzz-api, faults, alerts, lint, fmt or deps" ;;
esac
DONE=yes
