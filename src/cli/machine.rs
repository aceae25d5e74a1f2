//! What this machine lends to sinks: the environment's logins, the clock, the way to the network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::http::{Proxy, Time};
use crate::model::Origin;
use crate::secret::Secret;
use crate::sinks::{Gates, Machine, Programs, VARIABLES};

use super::failure::Failure;
use super::options::PlatformChoice;
use super::reach::{authorities, certificates, variable};
use super::reporter::Reporter;

/// A wait this long is told. Those that sinks choose themselves are shorter.
const TOLD: Duration = Duration::from_secs(3);

/// Takes from the environment what sinks may have of it. Logins go only where they came from, or where
/// `allowed` says. The programs are those that the command line allows.
///
/// # Errors
/// What is wrong with the proxy or the authorities that the environment names.
pub fn machine(
    choice: &PlatformChoice,
    allowed: Vec<Origin>,
    programs: Programs,
    reporter: &Reporter,
) -> Result<Machine, Failure> {
    let variables: BTreeMap<&'static str, Secret<String>> = VARIABLES
        .iter()
        .filter_map(|name| Some((*name, variable(name)?)))
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(name, value)| (name, Secret::new(value)))
        .collect();
    let watcher = reporter.clone();
    let time = Time {
        now: Arc::new(jiff::Timestamp::now),
        sleep: Arc::new(move |duration: Duration| {
            if duration >= TOLD {
                let seconds = duration.as_secs_f64().round();
                watcher.note(&format!(
                    "A destination asks to wait; it is asked again in {seconds} s"
                ));
            }
            Box::pin(tokio::time::sleep(duration))
        }),
    };
    let observer = reporter.clone();
    Ok(Machine {
        variables,
        time,
        proxy: Proxy::find(&variable).map_err(|error| Failure::error(error.to_string()))?,
        authorities: certificates(choice.ca_file.as_deref())?,
        in_place: authorities().map_err(Failure::error)?,
        patience: choice.patience(),
        allowed,
        programs,
        observer: Box::new(move |request| observer.sink_request(request)),
        gates: Gates::default(),
    })
}
