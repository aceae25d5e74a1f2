//! Logins at AWS: keys of the environment, a web identity, a profile, or the role of a container or an
//! instance, in the order of AWS's own programs.
//!
//! Source: AWS's "SDKs and Tools Reference Guide", "Standardized credential providers".

use std::sync::Arc;

use tokio::sync::Mutex;

use super::container;
use super::instance::{self, Asked};
use super::keys::{Keys, refuse};
use super::profile::{self, Of, Profiles};
use super::sts::{self, Role};
use crate::ports::SinkError;
use crate::sinks::machine::Machine;

/// The login of a run in one region.
#[derive(Debug)]
pub(super) struct Login {
    machine: Arc<Machine>,
    region: String,
    held: Mutex<Held>,
    account: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Option<Arc<Keys>>,
    /// Why the instance gave none: it is not waited for again by each who asks.
    no_instance: Option<String>,
}

impl Login {
    /// A login that is made when it is needed.
    pub(super) fn new(machine: &Arc<Machine>, region: &str) -> Self {
        Self {
            machine: Arc::clone(machine),
            region: region.to_owned(),
            held: Mutex::default(),
            account: Mutex::default(),
        }
    }

    /// Keys that are good for a while; those that are about to end are replaced.
    pub(super) async fn keys(&self) -> Result<Arc<Keys>, SinkError> {
        let mut held = self.held.lock().await;
        let now = (self.machine.time.now)();
        if let Some(keys) = held.keys.as_ref().filter(|keys| keys.lasts(now)) {
            return Ok(Arc::clone(keys));
        }
        let fresh = enter(&self.machine, &self.region, &mut held.no_instance).await?;
        let fresh = Arc::new(fresh);
        held.keys = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// The account of who is logged in.
    pub(super) async fn account(&self) -> Result<String, SinkError> {
        let mut held = self.account.lock().await;
        if let Some(account) = held.as_ref() {
            return Ok(account.clone());
        }
        let keys = self.keys().await?;
        let account = sts::account(&self.machine, &self.region, &keys).await?;
        *held = Some(account.clone());
        Ok(account)
    }
}

/// Two variables that only both say something.
fn pair<'m>(
    machine: &'m Machine,
    names: [&str; 2],
) -> Result<Option<(&'m str, &'m str)>, SinkError> {
    let [first, second] = names;
    match names.map(|name| machine.variable(name)) {
        [Some(one), Some(other)] => Ok(Some((one, other))),
        [None, None] => Ok(None),
        _ => refuse(
            format!("of {first} and {second} only one is set"),
            "set both, or neither",
        ),
    }
}

/// Logs in by the first source that the machine has. `no_instance` is why the instance gave no keys, once it
/// was asked.
///
/// # Errors
/// Why there is no login, with the sources that were tried.
async fn enter(
    machine: &Machine,
    region: &str,
    no_instance: &mut Option<String>,
) -> Result<Keys, SinkError> {
    if let Some((id, key)) = pair(machine, ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])? {
        let token = machine.variable("AWS_SESSION_TOKEN");
        return Ok(Keys::lasting(id, key, token));
    }
    const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
    if let Some((arn, file)) = pair(machine, ["AWS_ROLE_ARN", TOKEN_FILE])? {
        let role = Role {
            arn: arn.to_owned(),
            session: machine.variable("AWS_ROLE_SESSION_NAME").map(str::to_owned),
            ..Role::default()
        };
        return sts::by_token(machine, region, &role, file, TOKEN_FILE).await;
    }
    match Profiles::read(machine)?.login()? {
        Some(profile::Login::Keys(keys)) => return Ok(keys),
        Some(profile::Login::Token { role, file }) => {
            let named = "web_identity_token_file in the profile";
            return sts::by_token(machine, region, &role, &file, named).await;
        }
        Some(profile::Login::Role { role, of }) => {
            let own = match of {
                Of::Keys(keys) => keys,
                Of::Container => match container::enter(machine).await? {
                    Some(keys) => keys,
                    None => {
                        return refuse(
                            "the profile says credential_source = EcsContainer, and no variable of a \
                             container's role is set",
                            "see that the task or the pod has a role",
                        );
                    }
                },
                Of::Instance => match of_instance(machine, no_instance).await? {
                    Ok(keys) => keys,
                    Err(why) => {
                        return refuse(
                            format!(
                                "the profile says credential_source = Ec2InstanceMetadata, and {why}"
                            ),
                            "give the instance a role",
                        );
                    }
                },
            };
            return sts::by_keys(machine, region, &role, &own).await;
        }
        None => {}
    }
    if let Some(keys) = container::enter(machine).await? {
        return Ok(keys);
    }
    match of_instance(machine, no_instance).await? {
        Ok(keys) => Ok(keys),
        Err(why) => refuse(
            format!(
                "this machine has no login at AWS; tried were AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, \
                 AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE, the profile of AWS_PROFILE (`default`), \
                 AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI, and the role of an \
                 instance: {why}"
            ),
            "give it one of them; `aws configure export-credentials --format env` gives the first for any \
             login that the AWS CLI has",
        ),
    }
}

/// The keys of the instance's role, or why there are none.
async fn of_instance(
    machine: &Machine,
    known: &mut Option<String>,
) -> Result<Result<Keys, String>, SinkError> {
    if let Some(why) = known {
        return Ok(Err(why.clone()));
    }
    Ok(match instance::enter(machine).await? {
        Asked::Keys(keys) => Ok(keys),
        Asked::None(why) => {
            *known = Some(why.clone());
            Err(why)
        }
    })
}
