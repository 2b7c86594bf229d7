#!/usr/bin/env bash
# `make bench-build`: how long this commit takes to build, beside an older one, in turn on this machine.
#
#   scripts/bench-build.sh [WHAT…]      (run, edit and test; without a word: all of them)
#
#   run    `make run` until the server answers, with nothing built: `ratio cold-run`
#   edit   the same after a page, and after the checker, was changed: `ratio rebuild-after-a-page-edit` and
#          `ratio rebuild-after-a-checker-edit` (the median of LATCHKEY_BENCH_ROUNDS, 3; wants a `run` before it)
#   test   everything that `make test` does, with nothing built: `ratio cold-test`
#
# A ratio is this commit's time by the older one's. The older one is LATCHKEY_BENCH_OLD, or the one that the bars
# of `docs/benchmarks.md` are set against. Both are cloned to target/bench-build, with tools of their own: what a
# commit compiles to build itself is part of its time. The system's packages, Rust and the download of the crates
# are not. All of it takes two and a half hours on two cores: nothing else should run meanwhile.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
OLD=${LATCHKEY_BENCH_OLD:-9f96182}
ROUNDS=${LATCHKEY_BENCH_ROUNDS:-3}
WORK=$ROOT/target/bench-build
PORT=${LATCHKEY_BENCH_PORT:-3999}
URL=http://127.0.0.1:$PORT
TIMEOUT_SECONDS=5400

die() {
    printf '\nlatchkey: %s\n' "$*" >&2
    exit 1
}

# in_clone SIDE COMMAND…: in its folder, with nothing of this shell's that a build reads. Node.js and Rust are found
# as the scripts of the clone find them.
in_clone() {
    local side=$1
    shift
    (
        cd "$WORK/$side"
        unset CARGO_TARGET_DIR LATCHKEY_FRONT_TARGET_DIR LATCHKEY_ROOT LATCHKEY_STEPS RUSTFLAGS COMPILER_PATH RUSTUP_TOOLCHAIN
        export CI=1 LATCHKEY_TOOLS="$WORK/tools-$side"
        exec "$@"
    )
}

clone() {
    local side=$1 commit=$2
    git -C "$ROOT" rev-parse --quiet --verify "$commit^{commit}" >/dev/null ||
        die "the commit $commit is not in this clone. Fetch the whole history, or name another one: LATCHKEY_BENCH_OLD=…"
    commit=$(git -C "$ROOT" rev-parse "$commit^{commit}")
    [ -d "$WORK/$side" ] || git clone --quiet --shared --no-checkout "$ROOT" "$WORK/$side"
    git -C "$WORK/$side" checkout --quiet --force "$commit"
    git -C "$WORK/$side" clean --quiet -fd
    printf '%-5s %s\n' "$side" "$(git -C "$WORK/$side" log -1 --format='%h %s')"
    in_clone "$side" scripts/bootstrap.sh base >"$WORK/$side.log" 2>&1 || die "$side: see $WORK/$side.log"
    in_clone "$side" bash -c '. scripts/env.sh && cargo fetch --locked --quiet'
}

cold() { rm -rf "$WORK/$1/target" "$WORK/$1/style/node_modules" "$WORK/$1/end2end/node_modules"; }

now_ms() { date +%s%3N; }

SERVER=
stop_server() {
    [ -n "$SERVER" ] || return 0
    kill -- "-$SERVER" 2>/dev/null || true
    wait "$SERVER" 2>/dev/null || true
    SERVER=
}
trap stop_server EXIT

# run_ms SIDE: milliseconds of `make run` until the server answers.
run_ms() {
    local side=$1 began
    began=$(now_ms)
    ! curl --silent --output /dev/null "$URL/healthz" || die "something already listens on $URL (LATCHKEY_BENCH_PORT=…)"
    set -m
    LATCHKEY_LISTEN=127.0.0.1:$PORT LATCHKEY_DATA_DIR=$(mktemp -d "$WORK/data.XXXXXX") \
        in_clone "$side" scripts/run.sh >"$WORK/$side.log" 2>&1 </dev/null &
    SERVER=$!
    set +m
    until curl --silent --fail --output /dev/null "$URL/healthz"; do
        kill -0 "$SERVER" 2>/dev/null || die "$side: make run failed; see $WORK/$side.log"
        [ $(($(now_ms) - began)) -lt $((TIMEOUT_SECONDS * 1000)) ] || die "$side: make run took too long"
        sleep 0.2
    done
    MILLISECONDS=$(($(now_ms) - began))
    stop_server
    rm -rf "$WORK"/data.*
}

# Each edit differs from the one before it, as cargo looks at the time and the compiler at the content.
edit_page() {
    sed -i.bak "s/\(<h1[^>]*>\)\"Sign in[^\"]*\"/\1\"Sign in $2\"/" "$WORK/$1/app/src/pages/login.rs"
    changed "$1" app/src/pages/login.rs
}

edit_checker() {
    local file
    for file in crates/checker/src/evaluate.rs services/src/check/admit.rs; do
        [ -f "$WORK/$1/$file" ] || continue
        sed -i.bak "s/\(-> Option<(Outcome, String)> {\).*/\1 std::hint::black_box($2);/" "$WORK/$1/$file"
        changed "$1" "$file"
        return
    done
    die "$1: the file that evaluates a key is not where it was"
}

changed() {
    ! cmp -s "$WORK/$1/$2" "$WORK/$1/$2.bak" || die "$1: the line to change is not in $2"
    rm "$WORK/$1/$2.bak"
}

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

# report NAME OLD_MS NEW_MS
report() {
    awk -v name="$1" -v old="$2" -v new="$3" 'BEGIN {
        printf "figure %s-old-seconds %.1f\nfigure %s-seconds %.1f\nratio %s %.3f\n", name, old / 1000, name, new / 1000, name, new / old
    }'
}

bench_run() {
    local old
    printf 'Cold run: each takes ten to twenty minutes.\n'
    for side in old new; do
        cold "$side"
        rm -rf "$WORK/tools-$side"
        in_clone "$side" scripts/bootstrap.sh base >"$WORK/$side.log" 2>&1
        run_ms "$side"
        [ "$side" = new ] || old=$MILLISECONDS
    done
    report cold-run "$old" "$MILLISECONDS"
}

# bench_edit NAME FUNCTION
bench_edit() {
    local round side
    printf 'Rebuild after a change of the %s: %s rounds.\n' "$1" "$ROUNDS"
    for side in old new; do
        : >"$WORK/$side-$1"
        run_ms "$side"
    done
    for round in $(seq "$ROUNDS"); do
        for side in old new; do
            "edit_$1" "$side" "$round"
            run_ms "$side"
            echo "$MILLISECONDS" >>"$WORK/$side-$1"
        done
    done
    report "rebuild-after-a-$1-edit" "$(median <"$WORK/old-$1")" "$(median <"$WORK/new-$1")"
}

bench_test() {
    local side began old
    printf 'Cold test: each takes half an hour to an hour.\n'
    for side in old new; do
        git -C "$WORK/$side" checkout --quiet --force HEAD
        cold "$side"
        began=$(now_ms)
        in_clone "$side" scripts/test.sh all >"$WORK/$side.log" 2>&1 </dev/null || die "$side: make test failed; see $WORK/$side.log"
        MILLISECONDS=$(($(now_ms) - began))
        [ "$side" = new ] || old=$MILLISECONDS
    done
    report cold-test "$old" "$MILLISECONDS"
}

WANTED=${*:-run edit test}
mkdir -p "$WORK"
clone old "$OLD"
clone new HEAD
for what in $WANTED; do
    case $what in
        run) bench_run ;;
        edit)
            bench_edit page
            bench_edit checker
            ;;
        test) bench_test ;;
        *) die "unknown argument '$what'; use run, edit or test" ;;
    esac
done
