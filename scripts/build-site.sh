#!/usr/bin/env bash
# Builds everything a browser loads into target/site: the WebAssembly and its JavaScript, the style sheet
# and the fonts, under names that change with their content, and manifest.json, which names them.
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
    dev) PROFILE=wasm-dev ;;
    release) PROFILE=wasm-release ;;
    *) die "build-site.sh knows dev and release, not '$MODE'" ;;
esac

STAGE=target/site-build/$MODE
WASM=$LATCHKEY_FRONT_TARGET_DIR/wasm32-unknown-unknown/$PROFILE/frontend.wasm
mkdir -p "$STAGE" target/site

# One at a time, where the system can say so (macOS cannot).
if have flock; then
    exec 9>target/site-build/lock
    flock 9
fi

web_assembly() {
    local locked=
    [ -z "${CI:-}" ] || locked=--locked
    # shellcheck disable=SC2086 # No word at all outside CI.
    cargo build $locked --package latchkey-frontend --lib --target wasm32-unknown-unknown \
        --target-dir "$LATCHKEY_FRONT_TARGET_DIR" --profile "$PROFILE"
}

java_script() {
    local new=$STAGE/pkg.new
    rm -rf "$new"
    wasm-bindgen --target web --no-typescript --out-name latchkey --out-dir "$new" "$WASM"
    if [ "$MODE" = release ]; then
        wasm-opt -Oz --enable-bulk-memory --enable-multivalue --enable-mutable-globals \
            --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext \
            "$new/latchkey_bg.wasm" -o "$new/latchkey_opt.wasm"
        mv "$new/latchkey_opt.wasm" "$new/latchkey_bg.wasm"
    fi
    wasm-bindgen --version >"$new/made-by"
    rm -rf "$STAGE/pkg"
    mv "$new" "$STAGE/pkg"
}

# Anything newer than the style sheet that could change it?
style_is_stale() {
    [ ! -f "$STAGE/latchkey.css" ] || [ -n "$(find style app/src -name node_modules -prune -o \
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
step "WebAssembly" web_assembly
if ! [ "$STAGE/pkg/made-by" -nt "$WASM" ] ||
    [ "$(cat "$STAGE/pkg/made-by")" != "$(wasm-bindgen --version)" ]; then
    words="JavaScript around it (wasm-bindgen)"
    [ "$MODE" = dev ] || words="JavaScript around it (wasm-bindgen), and its size (wasm-opt)"
    step "$words" java_script
fi
if style_is_stale; then
    step "Style sheet (Tailwind)" style_sheet
fi
step "Site in target/site" node scripts/site.mjs "$MODE"
