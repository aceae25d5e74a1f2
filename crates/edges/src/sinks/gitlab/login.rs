//! Who rolecall is at GitLab: a token of the environment, never of the configuration, and where it may go.
//!
//! Source: GitLab's documentation, "REST API authentication" and "Predefined CI/CD variables reference".

use zeroize::Zeroizing;

use super::answer::{TOKEN, refuse};
use crate::model::{GitlabPlace, Origin};
use crate::ports::{SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;

/// The variable that says where the API of a job's own GitLab is.
const API: &str = "CI_API_V4_URL";

/// The token, if it is for this server.
///
/// # Errors
/// That there is none, or that it is for another server. Nothing was sent.
pub(super) fn token(machine: &Machine, to: &Origin) -> Result<Zeroizing<String>, SinkError> {
    let Some(token) = machine.variable(TOKEN) else {
        return Err(refuse(
            SinkErrorKind::Unauthenticated,
            format!("nobody is logged in to GitLab: {TOKEN} was looked for"),
            "set it to a token with the scope `api` (rolecall docs sink-gitlab); CI_JOB_TOKEN and \
             GITLAB_TOKEN are not used, since that of a job cannot write variables",
        ));
    };
    let told = machine.variable(API).unwrap_or(GitlabPlace::PUBLIC);
    let bare = told.strip_suffix('/').unwrap_or(told);
    let origin = bare.strip_suffix(GitlabPlace::API).unwrap_or(bare);
    machine.may_log_in(to, Some(origin), API)?;
    Ok(Zeroizing::new(token.trim().to_owned()))
}
