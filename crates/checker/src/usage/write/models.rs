//! Sums by model.

use std::collections::BTreeMap;

use sea_orm::{DatabaseTransaction, Set};

use super::sums::{self, stored};
use crate::usage::counts::Counts;
use crate::usage::models::ModelUsage;
use crate::usage::resolution::Resolution;
use latchkey_store::Error;
use latchkey_store::entity::model_usage;

/// Columns that are added to.
const SUMS: &[&str] =
    &["requests", "valid", "prompt_tokens", "completion_tokens", "cached_tokens", "cost"];

/// Adds usage by model to minutes, hours and days.
pub(super) async fn add(
    transaction: &DatabaseTransaction,
    models: &[ModelUsage],
) -> Result<(), Error> {
    let mut sums: BTreeMap<_, (u64, Counts)> = BTreeMap::new();
    for (project, model, counters) in models {
        for counter in counters {
            for resolution in Resolution::ALL {
                let start = resolution.floor(counter.minute);
                let place = (*project, resolution, start, counter.environment, &**model);
                let (valid, counts) = sums.entry(place).or_default();
                *valid += counter.valid;
                *counts += counter.counts;
            }
        }
    }
    let rows = sums.into_iter().map(
        |((project, resolution, start, environment, model), (valid, counts))| {
            model_usage::ActiveModel {
                project_id: Set(project),
                resolution: Set(resolution.as_str().to_owned()),
                start: Set(start),
                environment: Set(environment),
                model: Set(model.to_owned()),
                requests: Set(stored(counts.requests)),
                valid: Set(stored(valid)),
                prompt_tokens: Set(stored(counts.tokens.prompt)),
                completion_tokens: Set(stored(counts.tokens.completion)),
                cached_tokens: Set(stored(counts.tokens.cached)),
                cost: Set(stored(counts.cost.billionths())),
            }
        },
    );
    sums::add(transaction, rows.collect(), SUMS).await
}
