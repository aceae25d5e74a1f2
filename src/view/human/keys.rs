//! Keys in a plan: the stores that they go to, the places that they leave, and accounts that need new ones.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{ALARM, CHANGE, HEAD, paint};
use crate::model::{Abilities, Address, Destination};
use crate::plan::{Generation, Plan, Revoked, Standing, Undelivered};
use crate::view::inert;

/// An account that needs a new key, and what to do about it.
pub(super) fn undelivered(of: &Undelivered) -> Vec<String> {
    let Undelivered {
        address,
        account,
        scope: _,
        to,
        why,
        declared_at,
    } = of;
    let mut lines = vec![
        format!(
            "  {} {}",
            paint(ALARM, "!"),
            paint(HEAD, &inert(&address.to_string()))
        ),
        format!("      account  {}", inert(account.as_str())),
    ];
    lines.extend(
        to.iter()
            .map(|to| format!("      for      {}", inert(&to.to_string()))),
    );
    lines.push(format!("      why      {}", inert(why)));
    lines.push(format!("      = {WAY_FROM_UNDELIVERED}"));
    lines.push(format!("      from {}", inert(&declared_at.to_string())));
    lines
}

/// What to do about an account that needs a new key. A key is told once.
pub(super) const WAY_FROM_UNDELIVERED: &str =
    "`rolecall rotate ADDRESS` makes a new key, for all its places";

/// A generation of which a person should know.
pub(super) fn generation(of: &Generation) -> Vec<String> {
    let (how, way) = stands(of);
    let mut lines = vec![
        format!(
            "  {} {}",
            match of.standing.needs_person() {
                true => paint(ALARM, "!"),
                false => paint(CHANGE, "…"),
            },
            paint(HEAD, &inert(&of.address.to_string()))
        ),
        format!(
            "      account  {} (generation {})",
            inert(of.account.as_str()),
            of.generation
        ),
        format!("      key      {how}"),
    ];
    lines.extend(way.map(|way| format!("      = {way}")));
    lines.push(format!("      from {}", inert(&of.declared_at.to_string())));
    lines
}

/// How a generation stands, and what to do about it.
pub(in crate::view) fn stands(of: &Generation) -> (String, Option<String>) {
    let address = inert(&argument(&of.address));
    let ends = || {
        format!(
            "find what uses it and let it read the new key; `rolecall revoke {address} --generation {}` \
             ends it at once",
            of.generation
        )
    };
    let due = || Some("`rolecall rotate --due` does it".to_owned());
    match &of.standing {
        Standing::Unfinished { lacking } => (
            format!(
                "rotation unfinished: {} may have the key of an earlier generation, so both keep their \
                 roles",
                inert(&lacking.join(", "))
            ),
            Some(format!(
                "`rolecall rotate {address}` makes one more key, for all its places"
            )),
        ),
        Standing::Due { since } => (
            format!("due for a new one since {since}, by rotate_after"),
            due(),
        ),
        Standing::Superseded => (
            "a former one: a newer key is everywhere, and no mark says since when".to_owned(),
            due(),
        ),
        Standing::Overlapping { until } => (
            format!("a former one, good until {until} for whoever still has it"),
            None,
        ),
        Standing::Used { at } => (
            format!("a former one that is still used though its time is over, last at {at}"),
            Some(ends()),
        ),
        Standing::UseUnknown => (
            "a former one whose time is over; the platform does not tell whether it is still used, so \
             nothing ends it"
                .to_owned(),
            Some(ends()),
        ),
        Standing::Over { powerful: true } => (
            "a former one that nobody uses any more: its roles go".to_owned(),
            due(),
        ),
        Standing::Over { powerful: false } => (
            "a former one that has no roles, and so opens nothing: its account goes".to_owned(),
            due(),
        ),
    }
}

/// An account whose power was taken back, and what to do about it.
pub(super) fn revoked(of: &Revoked) -> Vec<String> {
    let Revoked {
        address,
        account,
        scope: _,
        generation,
        sealed,
        declared_at,
    } = of;
    let mut lines = vec![
        format!(
            "  {} {}",
            paint(ALARM, "!"),
            paint(HEAD, &inert(&address.to_string()))
        ),
        format!("      account     {}", inert(account.as_str())),
        format!("      generation  {generation}"),
    ];
    if !sealed {
        lines.push(format!("      marked      {UNSEALED_REVOCATION}"));
    }
    lines.push(format!("      = {}", way_from_revoked(address)));
    lines.push(format!("      from {}", inert(&declared_at.to_string())));
    lines
}

/// What a revocation is worth that no seal vouches for.
pub(super) const UNSEALED_REVOCATION: &str = "by a label without a seal: whoever may write labels can take      it away, and then a plan would give the roles again";

/// How an account whose power was taken back works again.
pub(super) fn way_from_revoked(address: &Address) -> String {
    format!(
        "revoked, wants `rolecall rotate {}`: a new key gets the roles, this one never",
        inert(&argument(address))
    )
}

/// An address as a shell takes it.
pub(super) fn argument(address: &Address) -> String {
    let text = address.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// A sink that receives keys outside of the machine.
pub(super) struct Store<'a> {
    /// A place in it.
    place: &'a Destination,
    /// Who reads the places in it.
    readers: BTreeSet<String>,
    /// What lets more people read them.
    widened: BTreeSet<&'static str>,
}

/// Every sink that receives keys outside of the machine.
pub(super) fn receiving(plan: &Plan) -> Vec<Store<'_>> {
    stores(plan.changes.iter().flat_map(|change| &change.deliver_to))
}

/// The same in a line each.
pub(in crate::view) fn receiving_in_short(plan: &Plan) -> Vec<String> {
    let line = |store: Store<'_>| {
        let readers: Vec<String> = store.readers.into_iter().collect();
        let wide = store.widened.into_iter().map(|what| format!("; ! {what}"));
        format!(
            "sink.{}: readable by {}{}",
            inert(store.place.sink()),
            readers.join("; "),
            wide.collect::<String>()
        )
    };
    receiving(plan).into_iter().map(line).collect()
}

fn stores<'a>(places: impl Iterator<Item = &'a Destination>) -> Vec<Store<'a>> {
    let mut by_sink: BTreeMap<&str, Store<'_>> = BTreeMap::new();
    for place in places.filter(|to| to.place().file().is_none()) {
        let store = by_sink.entry(place.sink()).or_insert_with(|| Store {
            place,
            readers: BTreeSet::new(),
            widened: BTreeSet::new(),
        });
        store.readers.insert(place.readers());
        store.widened.extend(place.widened());
    }
    by_sink.into_values().collect()
}

/// Who reads some places, and below them what lets more people do so.
fn read_by(readers: BTreeSet<String>, widened: BTreeSet<&'static str>) -> Vec<String> {
    let wide = widened.into_iter();
    let wide = wide.map(|what| paint(ALARM, &format!("! {what}")));
    readers.into_iter().chain(wide).collect()
}

/// Who reads what is delivered into a store, and what a write there can do.
pub(super) fn store(store: Store<'_>) -> Vec<String> {
    let Store {
        place: to,
        readers,
        widened,
    } = store;
    let Abilities {
        read_back,
        stage,
        compare_and_swap,
        restore,
    } = to.abilities();
    let can = [
        match compare_and_swap {
            true => "bound to what was seen there",
            false => "not bound to what was seen there",
        },
        match read_back {
            true => "read back",
            false => "never read back",
        },
        match restore {
            true => "undone where another place refuses",
            false => "not undone over a former key",
        },
    ];
    let staged = stage.then_some("first beside what is there");
    let writes: Vec<&str> = staged.into_iter().chain(can).collect();
    let mut lines = vec![format!("  sink.{}", inert(to.sink()))];
    for (n, line) in read_by(readers, widened).into_iter().enumerate() {
        let name = if n == 0 { "readable by" } else { "" };
        lines.push(format!("      {name:<11}  {line}"));
    }
    lines.push(format!("      writes are   {}", writes.join(", ")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        GithubApi, GithubApp, GithubOwner, GithubPlace, GithubVisibility, GitlabPlace, Place,
        samples,
    };

    /// The section of a plan about keys that go to these places, without colours.
    fn told(places: &[Destination]) -> String {
        let lines = stores(places.iter()).into_iter().flat_map(store);
        let lines: Vec<String> = lines.collect();
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    fn gitlab(edit: impl Fn(&mut GitlabPlace)) -> Destination {
        let mut places = samples::places().into_iter();
        let place = places.find_map(|place| match place {
            Place::Gitlab(place) if !place.hidden => Some(place),
            _ => None,
        });
        let mut place = place.expect("a sample");
        edit(&mut place);
        Destination::new("gitlab.ci", Place::Gitlab(place))
    }

    fn github(owner: GithubOwner) -> Destination {
        let place = GithubPlace {
            address: GithubApi::new(GithubApi::PUBLIC).expect("an address"),
            owner,
            app: GithubApp::Actions,
            name: "MONDOO_CONFIG_BASE64".to_owned(),
            format: crate::model::CredentialFormat::Base64,
        };
        Destination::new("github.ci", Place::Github(place))
    }

    /// A reviewer who sees one text for all of them approves a wider one unseen.
    #[test]
    fn a_plan_tells_apart_all_ways_in_which_a_variable_is_kept() {
        let mut seen = BTreeSet::new();
        for protected in [None, Some(true), Some(false)] {
            for (masked, hidden) in [(true, false), (false, false), (true, true)] {
                let place = gitlab(|place| {
                    (place.masked, place.hidden, place.protected) = (masked, hidden, protected);
                });
                let text = told(&[place]);
                let alarms = text.matches("! ").count();
                let wide = usize::from(!masked) + usize::from(protected == Some(false));
                assert_eq!(alarms, wide, "{text}");
                assert!(seen.insert(text.clone()), "{text}");
            }
        }
        let text = told(&[gitlab(|place| place.masked = false)]);
        assert!(
            text.contains("\n                   ! logs of jobs show it, by masked = false\n"),
            "{text}"
        );
    }

    #[test]
    fn a_plan_tells_apart_which_repositories_get_a_secret() {
        let of = |visibility| {
            let name = "acme".to_owned();
            github(GithubOwner::Organization { name, visibility })
        };
        use GithubVisibility::{All, Private, Selected};
        let all = [None, Some(Selected), Some(Private), Some(All)].map(of);
        let texts: BTreeSet<String> = all
            .iter()
            .map(|one| told(std::slice::from_ref(one)))
            .collect();
        assert_eq!(texts.len(), all.len(), "{texts:?}");
        let wide = |text: &&String| text.contains("! every repository of the organization");
        assert_eq!(texts.iter().filter(wide).count(), 1, "{texts:?}");
        // One sink may have places of several kinds of readers.
        let own = github(GithubOwner::Repository("acme/app".to_owned()));
        let both = told(&[own, of(Some(All))]);
        assert!(both.contains("any repository of that organization, public ones too"));
        assert!(both.contains("whoever may change a workflow of that repository\n"));
        assert_eq!(both.matches("readable by").count(), 1, "{both}");
    }
}
