//! Compares the keys of a file with the database. Reads only.

use std::collections::HashSet;

use latchkey_domain::digest::KeyDigest;
use latchkey_domain::id::ApplicationId;
use latchkey_domain::key::KeyKind;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::faults::{MAX_ROWS, RowFaults};
use super::prepare::PreparedKey;
use super::read::{PreparedFile, numbered};
use crate::error::Error;
use crate::scope::ProjectScope;
use latchkey_store::entity::{application, imported_key, key};

/// Values in one query.
const VALUES: usize = 1_000;
/// Names that are read at once. A project that has more is asked for those of the file.
const NAMES: u64 = 20_000;

const HERE_ALREADY: &str = "This key is here already.";

/// Adds to the batch's faults what the database has already, and numbers a preset's taken names.
///
/// # Errors
/// The database fails.
pub(super) async fn compare(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    batch: &mut PreparedFile,
) -> Result<(), Error> {
    let PreparedFile { keys, faults, renames, .. } = batch;
    add_known_keys(database, keys, faults).await?;
    add_known_lookups(database, scope, keys, faults).await?;
    add_missing_applications(database, scope, keys, faults).await?;
    if *renames {
        let taken = taken_names(database, scope, keys).await?;
        let mut held: HashSet<_> =
            keys.iter().filter(|key| key.holds_name()).map(PreparedKey::name).collect();
        for key in keys.iter_mut().filter(|key| key.holds_name() && taken.contains(&key.name())) {
            let kind = key.request.kind;
            let is_taken = |name: &str| {
                let name = (kind, name.to_owned());
                held.contains(&name) || taken.contains(&name)
            };
            key.request.name = numbered(&key.request.name, key.row, is_taken);
            held.insert(key.name());
        }
    }
    let taken = taken_names(database, scope, keys).await?;
    add(faults, keys, "name", "This project has a key with this name.", |key| {
        key.holds_name() && taken.contains(&key.name())
    });
    Ok(())
}

fn add(
    faults: &mut RowFaults,
    keys: &[PreparedKey],
    field: &str,
    message: &str,
    is_wrong: impl Fn(&PreparedKey) -> bool,
) {
    // Of each field the first ones, so that all of the first wrong rows are among them.
    let (mut rows, mut last) = (0, None);
    for key in keys.iter().filter(|key| is_wrong(key)) {
        if last.replace(key.row) != Some(key.row) {
            rows += 1;
        }
        if rows > MAX_ROWS {
            return;
        }
        faults.add(key.row, field, message);
    }
}

/// Keys that are here already, in whatever form. A key may be known in both forms and is one fault.
async fn add_known_keys(
    database: &impl ConnectionTrait,
    keys: &[PreparedKey],
    faults: &mut RowFaults,
) -> Result<(), Error> {
    let foreign = known_foreign_digests(database, keys).await?;
    let presented = known_digests(database, keys).await?;
    add(faults, keys, "stored", HERE_ALREADY, |key| {
        foreign_digests(key).any(|digest| foreign.contains(&digest))
            || presented_digests(key).any(|digest| presented.contains(&digest))
    });
    Ok(())
}

/// Digests of what the other system stores of a key.
fn foreign_digests(key: &PreparedKey) -> impl Iterator<Item = KeyDigest> {
    let other = key.other.map(|other| other.foreign_digest);
    std::iter::once(key.foreign_digest).chain(other)
}

/// Digests of a key's own text, if the file has it.
fn presented_digests(key: &PreparedKey) -> impl Iterator<Item = KeyDigest> {
    let digests = [Some(key.digest), key.other.map(|other| other.digest)];
    digests.into_iter().flatten().filter(move |_| key.has_moved)
}

/// Imported keys of all projects: the same key can't be in two.
async fn known_foreign_digests(
    database: &impl ConnectionTrait,
    keys: &[PreparedKey],
) -> Result<HashSet<KeyDigest>, Error> {
    let mut known: HashSet<KeyDigest> = HashSet::new();
    if imported_key::Entity::find().limit(1).one(database).await?.is_none() {
        return Ok(known);
    }
    for chunk in keys.chunks(VALUES) {
        let digests = chunk.iter().flat_map(foreign_digests);
        let found: Vec<KeyDigest> = imported_key::Entity::find()
            .select_only()
            .column(imported_key::Column::ForeignDigest)
            .filter(imported_key::Column::ForeignDigest.is_in(digests))
            .into_tuple()
            .all(database)
            .await?;
        known.extend(found);
    }
    Ok(known)
}

/// Keys of ours, and imported ones that have moved, of which a file has the plaintext.
async fn known_digests(
    database: &impl ConnectionTrait,
    keys: &[PreparedKey],
) -> Result<HashSet<KeyDigest>, Error> {
    let digests: Vec<KeyDigest> = keys.iter().flat_map(presented_digests).collect();
    let mut known: HashSet<KeyDigest> = HashSet::new();
    for chunk in digests.chunks(VALUES) {
        for column in [key::Column::Digest, key::Column::OldDigest] {
            let found: Vec<KeyDigest> = key::Entity::find()
                .select_only()
                .column(column)
                .filter(column.is_in(chunk.iter().copied()))
                .into_tuple()
                .all(database)
                .await?;
            known.extend(found);
        }
    }
    Ok(known)
}

/// Starts by which another slow hash of the project is found.
async fn add_known_lookups(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    keys: &[PreparedKey],
    faults: &mut RowFaults,
) -> Result<(), Error> {
    let lookup = |key: &PreparedKey| key.lookup.as_ref().map(|start| start.as_str().to_owned());
    let starts: Vec<String> = keys.iter().filter_map(lookup).collect();
    let mut known: HashSet<String> = HashSet::new();
    for chunk in starts.chunks(VALUES) {
        let found: Vec<String> = imported_key::Entity::find()
            .select_only()
            .column(imported_key::Column::Lookup)
            .filter(imported_key::Column::ProjectId.eq(scope.id()))
            .filter(imported_key::Column::Lookup.is_in(chunk.iter().cloned()))
            .filter(imported_key::Column::MovedAt.is_null())
            .into_tuple()
            .all(database)
            .await?;
        known.extend(found);
    }
    add(faults, keys, "lookup", "This project has a key with this start.", |key| {
        key.lookup.as_ref().is_some_and(|start| known.contains(start.as_str()))
    });
    Ok(())
}

/// Applications that the project does not have.
pub(super) async fn add_missing_applications(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    keys: &[PreparedKey],
    faults: &mut RowFaults,
) -> Result<(), Error> {
    let named: HashSet<ApplicationId> =
        keys.iter().filter_map(|key| key.request.application_id).collect();
    let named: Vec<ApplicationId> = named.into_iter().collect();
    let mut there: HashSet<ApplicationId> = HashSet::new();
    for chunk in named.chunks(VALUES) {
        let found: Vec<ApplicationId> = application::Entity::find()
            .select_only()
            .column(application::Column::Id)
            .filter(application::Column::ProjectId.eq(scope.id()))
            .filter(application::Column::DeletedAt.is_null())
            .filter(application::Column::Id.is_in(chunk.iter().copied()))
            .into_tuple()
            .all(database)
            .await?;
        there.extend(found);
    }
    add(faults, keys, "application_id", "The project has no such application.", |key| {
        key.request.application_id.is_some_and(|id| !there.contains(&id))
    });
    Ok(())
}

/// Names of the project's keys that hold theirs, all of them or those that the file has too.
async fn taken_names(
    database: &impl ConnectionTrait,
    scope: &ProjectScope,
    keys: &[PreparedKey],
) -> Result<HashSet<(KeyKind, String)>, Error> {
    let held = || {
        key::Entity::find()
            .select_only()
            .column(key::Column::Kind)
            .column(key::Column::Name)
            .filter(key::Column::ProjectId.eq(scope.id()))
            .filter(key::Column::RevokedAt.is_null())
    };
    let found: Vec<(KeyKind, String)> = held().limit(NAMES).into_tuple().all(database).await?;
    if u64::try_from(found.len()).is_ok_and(|count| count < NAMES) {
        return Ok(found.into_iter().collect());
    }
    let mut taken = HashSet::new();
    for chunk in keys.chunks(VALUES) {
        let names = chunk.iter().map(|key| key.request.name.as_str());
        let found: Vec<(KeyKind, String)> =
            held().filter(key::Column::Name.is_in(names)).into_tuple().all(database).await?;
        taken.extend(found);
    }
    Ok(taken)
}
