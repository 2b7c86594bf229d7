//! What both halves of a sign-in with GitHub refuse.

use crate::http::responses::refusals;

refusals! {
    /// GitHub is not set up, or too much has failed.
    NoGithubSignIn {
        404: "`not_found`: GitHub sign-in is not configured",
        429: "`too_many_failures`: more than 60 sign-ins and refreshes from this IP address failed or were not completed in the last minute. Browsers are redirected to `/login`. See `Retry-After`",
    }
}
