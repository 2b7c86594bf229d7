//! What holds when requests race, clients leave, and several nodes share a database.

mod abandoned;
mod cache;
mod direct_url;
mod held_back;
mod late_writes;
mod leases;
mod level_limits;
pub(crate) mod nodes;
mod old_budgets;
mod pepper;
pub(crate) mod shared_limits;
mod spend;
mod spend_rules;
pub(crate) mod stores;
