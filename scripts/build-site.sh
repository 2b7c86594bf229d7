#!/usr/bin/env bash
# Builds everything a browser loads into target/site (release: target/site-release): the WebAssembly in pieces
# and its JavaScript, the style sheet and the fonts, under names that change with their content, and
# manifest.json, which names them.
#
#   scripts/build-site.sh [dev|release]
#
# `release` optimises for size, compresses beside each file (.br, .gz), weighs the first load and fails when it
# has outgrown its ceiling. When nothing has changed, it is done in less than a second.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

MODE=${1:-dev}
case $MODE in
    dev) PROFILE=wasm-dev SITE=target/site ;;
    release) PROFILE=wasm-release SITE=target/site-release ;;
    *) die "unknown mode '$MODE'; use dev or release" ;;
esac

STAGE=target/site-build/$MODE
WASM=$LATCHKEY_FRONT_TARGET_DIR/wasm32-unknown-unknown/$PROFILE/frontend.wasm
BUILDER=$LATCHKEY_FRONT_TARGET_DIR/debug/page-builder
LOCKED=
[ -z "${CI:-}" ] || LOCKED=--locked
mkdir -p "$STAGE" "$SITE"

# One at a time, where the system can say so (macOS cannot).
if have flock; then
    exec 9>target/site-build/lock
    flock 9
fi

web_assembly() {
    # shellcheck disable=SC2086 # No word at all outside CI.
    with_progress cargo build $LOCKED --package latchkey-frontend --features split --lib --target wasm32-unknown-unknown \
        --target-dir "$LATCHKEY_FRONT_TARGET_DIR" --profile "$PROFILE"
}

builder() {
    # shellcheck disable=SC2086 # No word at all outside CI.
    with_progress cargo build $LOCKED --package latchkey-page-builder --target-dir "$LATCHKEY_FRONT_TARGET_DIR"
}

# The pieces but the first must not be touched but by wasm-opt. What it would inline compresses better as it is, and so
# do repeated expressions: 7 per cent less in brotli than with -Oz, which makes 7 per cent less of plain WebAssembly.
java_script() {
    local new=$STAGE/pkg.new piece
    rm -rf "$new"
    "$BUILDER" "$WASM" "$new"
    if [ "$MODE" = release ]; then
        for piece in "$new"/*.wasm; do
            wasm-opt -Os --one-caller-inline-max-function-size 0 --flexible-inline-max-function-size 0 \
                --always-inline-max-function-size 1 --skip-pass=local-cse \
                --enable-bulk-memory --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int \
                --enable-reference-types --enable-sign-ext --strip-debug --strip-producers --strip-target-features \
                "$piece" -o "$piece.opt"
            mv "$piece.opt" "$piece"
        done
    fi
    made_by >"$new/made-by"
    rm -rf "$STAGE/pkg"
    mv "$new" "$STAGE/pkg"
}

made_by() {
    sha256sum <scripts/build-site.sh 2>/dev/null || shasum -a 256 <scripts/build-site.sh
}

# Anything newer than the style sheet that could change it?
style_is_stale() {
    [ ! -f "$STAGE/latchkey.css" ] || [ -n "$(find style app/src crates/ui/src -name node_modules -prune -o \
        \( -name '*.css' -o -name '*.rs' -o -name package-lock.json \) -newer "$STAGE/latchkey.css" -print)" ]
}

style_sheet() {
    local minify=
    [ "$MODE" = dev ] || minify=--minify
    # shellcheck disable=SC2086 # No word at all in dev.
    tailwindcss --input style/main.css --output "$STAGE/latchkey.css.new" $minify
    mv "$STAGE/latchkey.css.new" "$STAGE/latchkey.css"
}

scripts/bootstrap.sh site
read_tools
step "WebAssembly" web_assembly
step "Build the program that splits the site (compiled once, about 1 minute)" builder
if ! [ "$STAGE/pkg/made-by" -nt "$WASM" ] || ! [ "$STAGE/pkg/made-by" -nt "$BUILDER" ] ||
    [ "$(cat "$STAGE/pkg/made-by")" != "$(made_by)" ]; then
    words="Its pieces and the JavaScript around them"
    [ "$MODE" = dev ] || words="$words, and their size (wasm-opt)"
    step "$words" java_script
fi
if style_is_stale; then
    step "Style sheet (Tailwind)" style_sheet
fi
step "Site in $SITE" node scripts/site.mjs "$MODE"
