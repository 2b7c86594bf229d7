#!/usr/bin/env bash
# Installs the Debian package in a bare Debian with systemd as process 1, and goes through its life: install, start,
# secrets as credentials, upgrade, upgrade on a full disk, remove, install again, purge. Also checks the unit, the
# Dockerfile, its steps that make the runtime image, and compose.yaml.
#
#   scripts/test-package.sh [PACKAGE]         (without one, target/debug/latchkey is packaged)
#   scripts/test-package.sh --where-possible  says why and succeeds where it can't be done
#
# Needs root on Debian or Ubuntu, namespaces and 2 GB of memory. The package touches nothing on this machine.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$LATCHKEY_ROOT"

# What `systemd-analyze security` gives the unit, in tenths; 100 is worst.
EXPOSURE=20
PACKAGE=${1:-}
IMPOSSIBLE=die
if [ "$PACKAGE" = --where-possible ]; then PACKAGE='' IMPOSSIBLE=skip; fi
MACHINE=
# Read by the shells that the steps are.
STATE=$(mktemp -d)

cleanup() {
    # Its process 1 and all others end with it, and so do its mounts.
    if [ -n "$MACHINE" ]; then
        kill -KILL "$MACHINE" 2>/dev/null || true
        wait "$MACHINE" 2>/dev/null || true
    fi
    rm -rf "$STATE"
}

# --- Files -----------------------------------------------------------------------------------------

lint() {
    local linters=$LATCHKEY_TOOLS/package-linters/bin
    "$linters/hadolint" Dockerfile
    "$linters/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
    shellcheck packaging/with-secrets packaging/container/* packaging/debian/{postinst,postrm,prerm}
}

debug_package() {
    scripts/package.sh --debug 0.1.0
    cp "target/package/latchkey_0.1.0_$(dpkg --print-architecture).deb" "$STATE/old.deb"
}

# newer_package NEW: the same one with a higher version, and another line in its configuration file.
newer_package() {
    local folder=$STATE/newer
    dpkg-deb --raw-extract "$STATE/old.deb" "$folder"
    sed -i 's/^Version: .*/Version: 99.0.0/' "$folder/DEBIAN/control"
    echo '# A line of the newer version.' >>"$folder/etc/latchkey/latchkey.toml"
    # Their sums would be of the former file.
    rm -f "$folder/DEBIAN/md5sums"
    dpkg-deb --root-owner-group --build -Znone "$folder" "$STATE/new.deb" >/dev/null
    rm -rf "$folder"
}

# --- The machine -----------------------------------------------------------------------------------

in_machine() { nsenter --target "$(cat "$STATE/pid")" --mount --pid --uts --ipc --cgroup --net -- \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }

# http ARGUMENT…: curl of this machine in the other one's network.
http() { nsenter --target "$(cat "$STATE/pid")" --net -- curl --silent --show-error --max-time 10 "$@"; }

# wait_for COMMAND…: until it succeeds, half a minute at most.
wait_for() {
    local tries
    for tries in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    in_machine journalctl --no-pager --lines 30 >&2 || true
    die "gave up after $tries tries: $*"
}

is_booted() { in_machine systemctl is-system-running | grep -qE 'running|degraded'; }

child_of() { tr -d ' ' <"/proc/$1/task/$1/children"; }

has_child() { [ -n "$(child_of "$1")" ]; }

boot() {
    local parent=$1 child
    wait_for has_child "$parent"
    child=$(child_of "$parent")
    echo "$child" >"$STATE/pid"
    wait_for is_booted
    in_machine mkdir -p /srv
    for child in old new; do in_machine sh -c "cat >/srv/$child.deb" <"$STATE/$child.deb"; done
}

is_ready() { http --fail --output /dev/null http://127.0.0.1:3000/readyz; }

main_pid() { in_machine systemctl show --property MainPID --value latchkey; }

# shellcheck disable=SC2016 # The words of dpkg-query.
installed_version() { in_machine dpkg-query --show --showformat '${Version}' latchkey; }

expect() { [ "$1" = "$2" ] || die "expected '$2', found '$1'${3:+ ($3)}"; }

key_is_valid() { expect "$(in_machine latchkey check "$(cat "$STATE/key")")" valid; }

# --- The life of a package -------------------------------------------------------------------------

install_from_nothing() {
    in_machine dpkg --install /srv/old.deb
    wait_for is_ready
    expect "$(in_machine stat -c '%U %a' /var/lib/latchkey /etc/latchkey/latchkey.toml | tr '\n' ' ')" \
        'latchkey 700 latchkey 600 '
    expect "$(in_machine stat -c %U "/proc/$(main_pid)")" latchkey
    expect "$(in_machine systemctl is-enabled latchkey)" enabled
    in_machine test -s /usr/share/man/man1/latchkey-serve.1.gz
    in_machine test -s /usr/share/bash-completion/completions/latchkey
}

check_unit() {
    in_machine systemd-analyze verify --man=no latchkey.service
    in_machine systemd-analyze security --no-pager --offline=true --threshold="$EXPOSURE" \
        /usr/lib/systemd/system/latchkey.service | tail -n 1
}

# A setting of the administrator's, and a key made by somebody who has signed in on the machine.
configure_and_make_key() {
    local code=0123456789abcdef0123456789abcdef origin=http://127.0.0.1:3000 token organization project
    printf 'local_code = "%s"\nsession_ttl = 86400\n' "$code" |
        in_machine sh -c 'cat >>/etc/latchkey/latchkey.toml'
    in_machine systemctl restart latchkey
    wait_for is_ready
    http --output /dev/null --cookie-jar "$STATE/cookies" -H "Origin: $origin" -d "code=$code" "$origin/auth/local"
    token=$(http --cookie "$STATE/cookies" -X POST -H "Origin: $origin" "$origin/refresh" |
        node -p 'JSON.parse(require("fs").readFileSync(0)).token')
    organization=$(http -H "Authorization: Bearer $token" "$origin/v1/me" |
        node -p 'JSON.parse(require("fs").readFileSync(0)).organizations[0].id')
    project=$(in_machine LATCHKEY_TOKEN="$token" latchkey projects create --organization "$organization" --name packaged | cut -f1)
    in_machine LATCHKEY_TOKEN="$token" latchkey keys create --project "$project" --name packaged 2>/dev/null >"$STATE/key"
    key_is_valid
}

# As docs/operating/packages.md says it.
pepper_as_credential() {
    in_machine install -d -m 0700 /etc/latchkey/credentials
    in_machine mv /var/lib/latchkey/pepper /etc/latchkey/credentials/latchkey_pepper
    in_machine chown root:root /etc/latchkey/credentials/latchkey_pepper
    in_machine mkdir -p /etc/systemd/system/latchkey.service.d
    printf '[Service]\nLoadCredential=latchkey_pepper:/etc/latchkey/credentials/latchkey_pepper\n' |
        in_machine sh -c 'cat >/etc/systemd/system/latchkey.service.d/secrets.conf'
    in_machine systemctl daemon-reload
    in_machine systemctl restart latchkey
    wait_for is_ready
    key_is_valid
    if in_machine test -e /var/lib/latchkey/pepper; then die "the server has made another pepper"; fi
}

# The former version serves on, and starts again.
upgrade_on_full_disk() {
    local before free status=0
    before=$(main_pid)
    free=$(in_machine df --output=avail --block-size=1M / | tail -n 1)
    # Enough for dpkg's lists, not for the program.
    in_machine fallocate --length "$((free - 24))M" /srv/filler
    in_machine dpkg --force-confold --install /srv/new.deb >"$STATE/dpkg" 2>&1 || status=$?
    sed 's/^/    | /' "$STATE/dpkg"
    [ "$status" -ne 0 ] || die "the package was upgraded on a full disk"
    grep -q 'No space left on device' "$STATE/dpkg" || die "dpkg does not say that the disk is full"
    expect "$(installed_version)" "$(dpkg-deb --field "$STATE/old.deb" Version)"
    expect "$(main_pid)" "$before" 'the server was restarted'
    is_ready
    key_is_valid
    in_machine systemctl restart latchkey
    wait_for is_ready
    key_is_valid
    in_machine rm /srv/filler
}

upgrade() {
    local before
    before=$(main_pid)
    in_machine dpkg --force-confold --install /srv/new.deb
    expect "$(installed_version)" 99.0.0
    wait_for is_ready
    [ "$(main_pid)" != "$before" ] || die "the upgrade has not restarted the server"
    key_is_valid
    in_machine grep -q '^session_ttl = 86400$' /etc/latchkey/latchkey.toml
    expect "$(in_machine stat -c '%U %a' /etc/latchkey/latchkey.toml)" 'latchkey 600'
}

remove_and_install_again() {
    in_machine dpkg --remove latchkey | tee "$STATE/dpkg"
    grep -q 'is kept' "$STATE/dpkg"
    in_machine test -s /var/lib/latchkey/latchkey.db
    in_machine test -s /etc/latchkey/latchkey.toml
    if is_ready 2>/dev/null; then die "the server still runs after its removal"; fi
    in_machine dpkg --force-confold --install /srv/new.deb
    wait_for is_ready
    key_is_valid
}

no_errors_in_log() {
    local found
    found=$(in_machine journalctl --unit latchkey --output cat | grep -E '"level":"(WARN|ERROR)"|panicked' |
        grep -v 'The site is not built' || true) # A debug binary reads it from the checkout.
    [ -z "$found" ] || die "the server has logged: $found"
}

purge() {
    in_machine dpkg --purge latchkey | tee "$STATE/dpkg"
    grep -q 'deleting /var/lib/latchkey' "$STATE/dpkg"
    if in_machine test -e /var/lib/latchkey; then die "/var/lib/latchkey is still there"; fi
    if in_machine getent passwd latchkey; then die "the user is still there"; fi
    if in_machine test -e /etc/latchkey/latchkey.toml; then die "the settings are still there"; fi
    # What the administrator has put there is the administrator's.
    in_machine test -s /etc/latchkey/credentials/latchkey_pepper
}

# --- The image -------------------------------------------------------------------------------------

# The instructions of the Dockerfile's last stage, one a line, without those before it.
runtime_stage() {
    sed -e '/^#/d' -e ':join; /\\$/ { N; s/ *\\\n */ /; b join }' Dockerfile |
        awk '/^FROM / { n = 0 } NF { lines[++n] = $0 } END { for (i = 1; i <= n; i++) print lines[i] }'
}

# copy_into_image SOURCE… FOLDER: of the checkout; the binary is that of the package.
copy_into_image() {
    local sources=("${@:1:$#-1}") target=${*: -1} source
    for source in "${sources[@]}"; do
        if [ "$source" = /src/target/release/latchkey ]; then
            in_machine sh -c 'dpkg-deb --fsys-tarfile /srv/old.deb | tar -x -C / ./usr/bin/latchkey'
            in_machine test -x "$target"
        else
            in_machine mkdir -p "$target"
            in_machine sh -c "cat >'$target${source##*/}' && chmod 755 '$target${source##*/}'" <"$source"
        fi
    done
}

# The steps of the runtime stage in the bare Debian, which has the certificates: nothing is downloaded here. Then what
# the image would start, as its user, with a secret as a file; and its health check.
run_image() {
    local instruction rest user='' folder='' settings=() words
    runtime_stage >"$STATE/stage"
    while read -r instruction rest <&3; do
        read -r -a words <<<"$rest"
        case $instruction in
            RUN) case $rest in apt-get*) ;; *) in_machine sh -e -c "$rest" </dev/null ;; esac ;;
            COPY) while [ "${words[0]#--}" != "${words[0]}" ]; do words=("${words[@]:1}"); done && copy_into_image "${words[@]}" ;;
            USER) user=$rest ;;
            WORKDIR) folder=$rest ;;
            ENV) settings+=("${words[@]}") ;;
            ENTRYPOINT | CMD) printf '%s\n' "$rest" >>"$STATE/command" ;;
            HEALTHCHECK) printf '%s\n' "${rest#*CMD }" >"$STATE/health" ;;
            FROM | VOLUME | EXPOSE | STOPSIGNAL) ;;
            *) die "scripts/test-package.sh knows no $instruction; teach it" ;;
        esac
    done 3<"$STATE/stage"
    in_machine mkdir -p /run/secrets
    in_machine sh -c 'echo of-a-file >/run/secrets/latchkey_github_client_secret'
    mapfile -t words < <(node -p 'require("fs").readFileSync(0, "utf8").trim().split("\n").flatMap(JSON.parse).join("\n")' <"$STATE/command")
    as_image_user() {
        in_machine setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups \
            env --chdir="$folder" "${settings[@]}" LATCHKEY_PUBLIC_URL=https://keys.example LATCHKEY_GITHUB_CLIENT_ID=an-id "$@"
    }
    as_image_user "${words[@]}" >"$STATE/image.log" 2>&1 &
    mapfile -t words < <(node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).join("\n")' <"$STATE/health")
    (wait_for as_image_user "${words[@]}") || {
        cat "$STATE/image.log" >&2
        return 1
    }
    expect "$(in_machine stat -c '%u %a' "$folder/pepper" | tr '\n' ' ')" '10001 600 '
    in_machine sh -c ': >/run/secrets/latchkey_pepper'
    if as_image_user /usr/lib/latchkey/with-secrets true 2>"$STATE/refused"; then die "an empty secret is taken"; fi
    grep -q 'latchkey_pepper is empty' "$STATE/refused"
}

# Secrets are made once.
secrets_of_compose() {
    packaging/container/make-secrets "$STATE/secrets" >/dev/null
    (cd "$STATE/secrets" && sha256sum ./*) >"$STATE/sums"
    packaging/container/make-secrets "$STATE/secrets" >/dev/null
    (cd "$STATE/secrets" && sha256sum --quiet --check "$STATE/sums")
    expect "$(stat -c '%a' "$STATE/secrets" "$STATE/secrets/database_url" | tr '\n' ' ')" '700 444 '
}

skip() {
    say "*** Not tested: $*"
    exit
}

can_have_machine() {
    # shellcheck disable=SC2016 # Of the inner shell.
    unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --cgroup --net sh -c \
        'd=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && mount -t cgroup2 cgroup2 "$d"' 2>/dev/null
}

if ! have dpkg || ! have unshare; then "$IMPOSSIBLE" "the package is tested on Debian and Ubuntu alone"; fi
[ "$(id -u)" -eq 0 ] || "$IMPOSSIBLE" "root is required to test the package (in a system of its own, in namespaces)"
can_have_machine || "$IMPOSSIBLE" "this system allows no namespaces with cgroups, in which the package could be tested"
tools base package package-root
step "Lint: Dockerfile, compose.yaml and the package's scripts" lint
if [ -n "$PACKAGE" ]; then
    cp "$PACKAGE" "$STATE/old.deb"
else
    step "Package target/debug/latchkey" debug_package
fi
step "The same with a higher version" newer_package
# 160 MB of a debug binary stand there twice during an upgrade, beside two packages.
unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --cgroup --net \
    scripts/package-machine.sh "$LATCHKEY_TOOLS/package-root.tar" 1024 &
MACHINE=$!
step "Start a bare Debian" boot "$MACHINE"
step "Install from nothing, start" install_from_nothing
step "Unit: systemd-analyze verify and security" check_unit
step "Change a setting, make a key" configure_and_make_key
step "The pepper as a credential" pepper_as_credential
step "Upgrade on a full disk" upgrade_on_full_disk
step "Upgrade" upgrade
step "Remove and install again" remove_and_install_again
step "The log has no warning" no_errors_in_log
step "Purge" purge
step "Image: the steps of its last stage, start, health check" run_image
step "Compose: secrets" secrets_of_compose
say "The package passes."
