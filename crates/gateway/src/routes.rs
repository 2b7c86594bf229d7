//! The gateway's routes and their OpenAPI descriptions.

use axum::extract::FromRef;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::media::handlers;
use super::state::Gateway;
use super::{call, counting, messages, models, responses};

/// The routes, for a server whose state contains a [`Gateway`].
pub fn routes<S>() -> [UtoipaMethodRouter<S>; 19]
where
    S: Clone + Send + Sync + 'static,
    Gateway: FromRef<S>,
{
    [
        routes!(call::chat_completions),
        routes!(call::completions),
        routes!(call::embeddings),
        routes!(messages::messages),
        routes!(counting::count_tokens),
        routes!(counting::input_tokens),
        routes!(responses::create),
        routes!(responses::compact),
        routes!(responses::get, responses::delete),
        routes!(responses::cancel),
        routes!(responses::input_items),
        routes!(handlers::rerank),
        routes!(handlers::moderations),
        routes!(handlers::image_generations),
        routes!(handlers::speech),
        routes!(handlers::transcriptions),
        routes!(handlers::translations),
        routes!(models::list_models),
        routes!(models::get_model),
    ]
}
