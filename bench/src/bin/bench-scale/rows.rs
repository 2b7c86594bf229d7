//! Bulk keys. The secret of a key is derived from its number, so that any of millions can be
//! checked without storing secrets.

use anyhow::Context;
use hmac::{Hmac, KeyInit, Mac};
use latchkey_bench::in_process::{Owner, PEPPER};
use latchkey_bench::report;
use latchkey_bench::stopwatch::Stopwatch;
use latchkey_domain::key::Environment;
use latchkey_domain::secret::{KeyPrefix, SecretKey};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sha2::Sha256;

/// Rows per statement. Progress is printed after each.
const CHUNK: u64 = 500_000;
/// The digests are passed as one parameter: ten million rows of SQL would cost more than the rows.
const INSERT: &str = "\
    INSERT INTO keys (id, project_id, kind, environment, name, digest, hint, created_by, created_at, search) \
    SELECT ('01' || lpad(to_hex(n), 30, '0'))::uuid, $1, 'api', 'live', 'bulk ' || n, \
    substring($2 FROM (32 * (n - $3) + 1)::int FOR 32), 'lk_live_aaaa...bbbb', $4, 1700000000000 + n, 'bulk ' || n \
    FROM generate_series($3::bigint, $5::bigint) AS n";

/// The secret of the key with this number.
pub(crate) fn secret(number: u64) -> SecretKey {
    let mut random = StdRng::seed_from_u64(number);
    SecretKey::generate(&KeyPrefix::default(), Environment::Live, |buffer| {
        random.fill_bytes(buffer);
    })
}

/// Adds the keys from `first` to `last`, then vacuums and checkpoints, so that neither runs during
/// the measurement.
pub(crate) async fn fill(
    admin: &DatabaseConnection,
    owner: &Owner,
    first: u64,
    last: u64,
) -> anyhow::Result<()> {
    let (project, user) = (owner.project, owner.user);
    let mac = Hmac::<Sha256>::new_from_slice(PEPPER).context("HMAC takes a key of any length")?;
    let mut from = first;
    while from <= last {
        let to = last.min(from + CHUNK - 1);
        let watch = Stopwatch::start();
        let digests: Vec<u8> =
            (from..=to).flat_map(|number| digest(mac.clone(), &secret(number))).collect();
        let [from_row, to_row] = [i64::try_from(from)?, i64::try_from(to)?];
        let values = [project.into(), digests.into(), from_row.into(), user.into(), to_row.into()];
        admin
            .execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, INSERT, values))
            .await?;
        report::say(&format!("{to} keys ({:.0} s)", watch.elapsed().as_secs_f64()));
        from = to + 1;
    }
    let watch = Stopwatch::start();
    admin.execute_unprepared("VACUUM (ANALYZE) keys").await?;
    admin.execute_unprepared("CHECKPOINT").await?;
    report::say(&format!("vacuum and checkpoint ({:.0} s)", watch.elapsed().as_secs_f64()));
    Ok(())
}

/// The stored digest of a secret. It is the services' own algorithm: otherwise a check would not
/// find the key.
fn digest(mut mac: Hmac<Sha256>, secret: &SecretKey) -> [u8; 32] {
    mac.update(secret.expose().as_bytes());
    mac.finalize().into_bytes().into()
}
