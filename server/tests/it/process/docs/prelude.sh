# Comes before the commands of a page. They run as somebody pastes them, in one shell from top to bottom, but the
# first that fails ends the page.
# shellcheck shell=bash disable=SC2034 # Pages use what is set here.
set -Eeuo pipefail
# Each job has a process group of its own, so that a server ends with the shell that started it.
set -m
shopt -s inherit_errexit 2>/dev/null || true

# Debian keeps PostgreSQL's programs off the path. The newest is the last.
for FOLDER in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
    if [ -x "$FOLDER/pg_dump" ]; then PATH=${PATH%%:*}:$FOLDER:${PATH#*:}; fi
done

PLACE=start
SERVERS=''
trap 'stop' EXIT

# What follows ends at the first failure, or goes on.
strict() {
    set -eu -o pipefail
    trap 'echo "$PLACE: exit code $? of: $BASH_COMMAND" >&2' ERR
}
lenient() {
    trap - ERR
    set +eu +o pipefail
}
strict

# Ends the servers, as the text of a page says.
stop() {
    local server
    for server in $SERVERS; do
        kill -TERM -- "-$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    SERVERS=''
}

# serve CODE: runs commands that have no end, and returns when the server answers.
serve() {
    local address=$LATCHKEY_LISTEN try
    case $1 in
        *--latchkey-listen=*) address=${1##*--latchkey-listen=} && address=${address%%[!0-9.:]*} ;;
    esac
    (trap - ERR EXIT && eval "$1") >>server.log 2>&1 </dev/null &
    SERVERS="$SERVERS $!"
    for ((try = 0; try < 600; try++)); do
        if curl -fs -o /dev/null "http://$address/readyz"; then return; fi
        if ! kill -0 "$!" 2>/dev/null; then break; fi
        sleep 0.05
    done
    tail -n 5 server.log >&2
    echo "$PLACE: the server is not ready" >&2
    return 1
}

# Signs in to the server that runs: LATCHKEY_TOKEN, ORGANIZATION and PROJECT are those of the first person.
sign_in() {
    curl -fs -o /dev/null -c out/jar -H "Origin: $LATCHKEY_URL" --data-urlencode "code=$LATCHKEY_LOCAL_CODE" \
        "$LATCHKEY_URL/auth/local"
    LATCHKEY_TOKEN=$(curl -fs -b out/jar -c out/jar -X POST -H "Origin: $LATCHKEY_URL" "$LATCHKEY_URL/refresh" |
        sed 's/.*"token":"\([^"]*\)".*/\1/')
    export LATCHKEY_TOKEN
    ORGANIZATION=$(curl -fs -H "Authorization: Bearer $LATCHKEY_TOKEN" "$LATCHKEY_URL/v1/me" | grep -o 'org_[0-9a-z]*')
    PROJECT=$(latchkey projects list --organization "$ORGANIZATION" | cut -f 1)
}
