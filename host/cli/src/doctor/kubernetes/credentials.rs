//! Whether the API server accepts who asks.

use http::StatusCode;
use podstamp::pods::kubernetes::Failure;
use serde::Deserialize;
use serde_json::json;

use super::Api;
use crate::doctor::finding::Finding;
use crate::doctor::standpoint::Standpoint;

/// Who asks, as the server calls them. Empty: it accepts them and does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::doctor) struct User(pub(in crate::doctor) String);

/// Asks the server who we are.
pub(in crate::doctor) async fn check(api: &Api, standpoint: Standpoint) -> (Finding, Option<User>) {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let reviewed = api.review(SELF_SUBJECT_REVIEWS, &review).await;
    match reviewed {
        Ok(SelfSubjectReview { status: ReviewStatus { user_info: UserInfo { username } } }) => {
            let finding = Finding::fine(format!("accepted, as {username}"));
            let anonymous = username == "system:anonymous";
            let finding = if anonymous { stranger(api) } else { finding };
            (finding, Some(User(username)))
        }
        Err(Failure { status: Some(StatusCode::UNAUTHORIZED), message, .. }) => {
            (refused(api, standpoint, &message), None)
        }
        // Servers before 1.28 have no such review; whoever may not ask for one was recognised all the same.
        Err(Failure { status: Some(status), .. }) if matches!(status.as_u16(), 403..=405) => {
            (Finding::fine(format!("accepted, of {}", api.connection.identity)), Some(User::default()))
        }
        Err(failure) => {
            let summary = format!("the server does not say whether it accepts them: {}", failure.message);
            (Finding::failed(summary, "try again, and look at the API server's own log"), None)
        }
    }
}

#[derive(Deserialize)]
struct SelfSubjectReview {
    status: ReviewStatus,
}

#[derive(Deserialize)]
struct ReviewStatus {
    #[serde(rename = "userInfo")]
    user_info: UserInfo,
}

#[derive(Deserialize)]
struct UserInfo {
    username: String,
}

fn refused(api: &Api, standpoint: Standpoint, message: &str) -> Finding {
    let summary = format!("those of {} are not accepted ({message})", api.connection.identity);
    match standpoint {
        Standpoint::Inside => Finding::failed(
            summary,
            "the token has expired, or its ServiceAccount was deleted: start the pod anew; a token in a Secret of one's own \
             has to be made anew",
        ),
        _ => Finding::failed(
            summary,
            "the token or certificate has expired, or is another cluster's: log in again",
        )
        .command("kubectl auth whoami"),
    }
}

fn stranger(api: &Api) -> Finding {
    Finding::warning(
        format!("{} asks as nobody: system:anonymous", api.connection.identity),
        "give credentials: `auth_type: serviceAccount` in a pod, or a user in the kubeconfig",
    )
}

const SELF_SUBJECT_REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
