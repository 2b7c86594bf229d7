//! Models in the format of Anthropic's API: a list has pages, which begin after a model or end
//! before one.

use axum::extract::Query;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::GatewayError;

/// Models in a page if the client does not say, and the most it may ask for.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1_000;

/// A model in the format of Anthropic’s API.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AnthropicModel {
    /// The string `model`, always.
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    /// The ID, as there is no other name.
    display_name: String,
    /// Always the Unix epoch, because it is unknown.
    created_at: &'static str,
}

impl AnthropicModel {
    pub(super) fn of(id: String) -> Self {
        let display_name = id.clone();
        Self { kind: "model", id, display_name, created_at: "1970-01-01T00:00:00Z" }
    }
}

/// A page of models that the key may use, in the format of Anthropic’s API.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AnthropicModelList {
    data: Vec<AnthropicModel>,
    /// Whether there are more in the direction of the page.
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

/// Which page a client asks for.
#[derive(Debug, Default)]
pub(super) struct ModelPage {
    limit: Option<usize>,
    after: Option<String>,
    before: Option<String>,
}

#[derive(Deserialize)]
struct PageQuery {
    limit: Option<String>,
    after_id: Option<String>,
    before_id: Option<String>,
}

impl ModelPage {
    /// Reads the query of a request. An empty parameter is none.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub(super) fn read(uri: &Uri) -> Result<Self, GatewayError> {
        let query = Query::<PageQuery>::try_from_uri(uri);
        let Query(query) =
            query.map_err(|_| GatewayError::invalid("query", "Send each parameter once."))?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let limit = given(query.limit).map(|text| {
            let limit = text.parse::<usize>().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
            let message = "Use a whole number from 1 to 1000.";
            limit.ok_or_else(|| GatewayError::invalid("limit", message))
        });
        let page = Self {
            limit: limit.transpose()?,
            after: given(query.after_id),
            before: given(query.before_id),
        };
        if page.after.is_some() && page.before.is_some() {
            let message = "Send `after_id` or `before_id`, not both.";
            return Err(GatewayError::invalid("before_id", message));
        }
        Ok(page)
    }

    /// The page of a list.
    ///
    /// # Errors
    /// 400: the model after or before which it is does not exist.
    pub(super) fn of(self, ids: Vec<String>) -> Result<AnthropicModelList, GatewayError> {
        let place = |id: &str, param| {
            let found = ids.iter().position(|one| one == id);
            found.ok_or_else(|| GatewayError::invalid(param, "There is no such model."))
        };
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        let (begin, end, has_more) = match (&self.after, &self.before) {
            (_, Some(before)) => {
                let end = place(before, "before_id")?;
                let begin = end.saturating_sub(limit);
                (begin, end, begin > 0)
            }
            (after, None) => {
                let begin = match after {
                    Some(after) => place(after, "after_id")? + 1,
                    None => 0,
                };
                let end = (begin + limit).min(ids.len());
                (begin, end, end < ids.len())
            }
        };
        let shown = ids.into_iter().skip(begin).take(end - begin);
        let data: Vec<AnthropicModel> = shown.map(AnthropicModel::of).collect();
        let id = |model: Option<&AnthropicModel>| model.map(|model| model.id.clone());
        let (first_id, last_id) = (id(data.first()), id(data.last()));
        Ok(AnthropicModelList { data, has_more, first_id, last_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids of the page and whether there are more; None if it is refused.
    fn page(query: &str) -> Option<(String, bool)> {
        let ids = ["a", "b", "c/d", "e"].map(str::to_owned).to_vec();
        let uri: Uri = format!("/v1/models{query}").parse().unwrap();
        let list = ModelPage::read(&uri).and_then(|page| page.of(ids)).ok()?;
        let shown: Vec<&str> = list.data.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(list.first_id.as_deref(), shown.first().copied());
        assert_eq!(list.last_id.as_deref(), shown.last().copied());
        Some((shown.join(" "), list.has_more))
    }

    #[test]
    fn pages_follow_each_other_in_both_directions() {
        for (query, ids, has_more) in [
            ("", "a b c/d e", false),
            ("?limit=2", "a b", true),
            ("?limit=2&after_id=b", "c/d e", false),
            ("?limit=1&after_id=b", "c/d", true),
            ("?after_id=c%2Fd", "e", false),
            ("?after_id=e", "", false),
            ("?limit=2&before_id=e", "b c/d", true),
            ("?limit=9&before_id=b", "a", false),
            ("?before_id=a", "", false),
            ("?limit=&after_id=&before_id=", "a b c/d e", false),
            ("?limit=1000&x=7", "a b c/d e", false),
        ] {
            assert_eq!(page(query), Some((ids.to_owned(), has_more)), "{query}");
        }
    }

    #[test]
    fn page_that_cannot_be_found_is_refused() {
        for query in [
            "?limit=0",
            "?limit=1001",
            "?limit=x",
            "?limit=-1",
            "?after_id=x",
            "?before_id=x",
            "?after_id=a&before_id=b",
            "?limit=1&limit=2",
        ] {
            assert_eq!(page(query), None, "{query}");
        }
    }
}
