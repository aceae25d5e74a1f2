//! Whether a request that was merged is approved: by somebody who may, after the verdict could be read, and with
//! nothing moved since.
//! Pure.
//!
//! Sources: GitHub's documentation, "REST API endpoints for pull request reviews" and "Issue event types"; that an
//! approval is moved to a new head with the same patch: github.com/max-sixty/tend/issues/884.

use std::collections::BTreeMap;

use super::evidence::StandingVerdict;
use super::facts::{Person, Pusher, Request, Review, ReviewState, Right, Turn, Turned};
use super::text::plain;

/// All that is known of a request.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The request.
    pub request: &'a Request,
    /// The verdict that stands.
    pub standing: &'a StandingVerdict,
    /// All reviews, in the order in which they were handed in.
    pub reviews: &'a [Review],
    /// What happened to the request.
    pub turns: &'a [Turned],
    /// What the reviewers may do, by login in small letters.
    pub rights: &'a BTreeMap<String, Right>,
    /// Who pushed the head.
    pub pusher: &'a Pusher,
    /// Whether a rule of the base demands an approval by somebody else than who pushed last; `None` if the host
    /// does not tell.
    pub last_push_rule: Option<bool>,
}

/// What follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whose approvals count, by login.
    pub approved_by: Vec<String>,
    /// What is missing, a fragment each; approved is what lacks nothing.
    pub missing: Vec<String>,
    /// What the host does not tell, a fragment each.
    pub cannot_tell: Vec<String>,
}

/// Decides.
pub fn approved(asked: &Asked<'_>) -> Answer {
    let Asked {
        request,
        standing,
        reviews,
        turns,
        rights,
        pusher,
        last_push_rule,
    } = *asked;
    let mut answer = Answer::default();
    for turned in turns {
        // It is what it was since the plan began, up to its merge.
        let after = request.merged_at.is_some_and(|merged| turned.at > merged);
        if turned.at < standing.began || after {
            continue;
        }
        answer.missing.push(match turned.turn {
            Turn::ForcePushed => {
                format!("its branch was pushed with force at {}", turned.at)
            }
            Turn::BaseChanged => {
                format!("its base branch was changed at {}", turned.at)
            }
        });
    }
    let mut refused = Vec::new();
    for (by, review) in last_words(reviews) {
        let right = rights.get(&by.login.to_ascii_lowercase());
        let right = right.copied().unwrap_or(Right::Unknown);
        let login = plain(&by.login);
        match review.state {
            ReviewState::ChangesRequested if by.human && right == Right::Write => {
                let missing = format!("{login} asks for changes and has not taken that back");
                answer.missing.push(missing);
            }
            ReviewState::Approved => match counts(asked, by, review, right) {
                Ok(()) => answer.approved_by.push(login),
                Err(why) => refused.push(format!("{login} {why}")),
            },
            ReviewState::ChangesRequested | ReviewState::Dismissed | ReviewState::Remark => {}
        }
    }
    if answer.approved_by.is_empty() {
        answer.missing.push(match refused.is_empty() {
            true => "nobody approved it after the verdict".to_owned(),
            false => format!("no approval counts: {}", refused.join("; ")),
        });
    }
    if let Pusher::Unknown(why) = pusher {
        let told = format!("who pushed the head ({why})");
        if last_push_rule != Some(true) {
            answer.missing.push(format!(
                "nobody can tell {told}, and no rule of the branch demands an approval by somebody else \
                 (require_last_push_approval)"
            ));
        }
        answer.cannot_tell.push(told);
    }
    answer
}

/// The last of what each person said that decides something.
fn last_words(reviews: &[Review]) -> Vec<(&Person, &Review)> {
    let mut last: Vec<(&Person, &Review)> = Vec::new();
    for review in reviews {
        let (Some(by), false) = (&review.by, review.state == ReviewState::Remark) else {
            continue;
        };
        match last.iter_mut().find(|(person, _)| person.is(&by.login)) {
            Some(held) => *held = (by, review),
            None => last.push((by, review)),
        }
    }
    last
}

/// Whether an approval counts, else why not.
fn counts(asked: &Asked<'_>, by: &Person, review: &Review, right: Right) -> Result<(), String> {
    let Asked {
        request,
        standing,
        reviews: _,
        turns: _,
        rights: _,
        pusher,
        last_push_rule: _,
    } = asked;
    if !by.human {
        return Err("is no person".to_owned());
    }
    if request
        .author
        .as_ref()
        .is_some_and(|author| author.is(&by.login))
    {
        return Err("is its author".to_owned());
    }
    if let Pusher::Known(logins) = pusher
        && logins.iter().any(|login| by.is(login))
    {
        return Err("pushed its head".to_owned());
    }
    match right {
        Right::Write => {}
        Right::Less => return Err("may not write here".to_owned()),
        Right::Unknown => {
            return Err("may perhaps not write here: the host does not tell".to_owned());
        }
    }
    if review.commit.as_ref() != Some(&request.head) {
        return Err("approved another commit".to_owned());
    }
    match review.at {
        Some(at) if at > standing.since => Ok(()),
        Some(_) => Err("approved before the verdict".to_owned()),
        None => Err("approved at a time that is not told".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::{request, time};
    use super::super::verdict::tests::{commit, verdict};
    use super::*;

    fn person(login: &str) -> Person {
        Person {
            login: login.to_owned(),
            human: !login.ends_with("[bot]"),
        }
    }

    fn review(login: &str, state: ReviewState, minute: i8, digit: char) -> Review {
        Review {
            by: Some(person(login)),
            state,
            at: Some(time(minute)),
            commit: Some(commit(digit)),
        }
    }

    struct Case {
        reviews: Vec<Review>,
        turns: Vec<Turned>,
        pusher: Pusher,
        rule: Option<bool>,
    }

    impl Case {
        fn answer(&self) -> Answer {
            let rights = [
                ("ada", Right::Write),
                ("bob", Right::Write),
                ("eve", Right::Less),
                ("dan", Right::Write),
                ("app[bot]", Right::Write),
            ];
            let rights = rights.map(|(login, right)| (login.to_owned(), right));
            let standing = StandingVerdict {
                verdict: verdict(),
                began: time(1),
                since: time(3),
            };
            approved(&Asked {
                request: &request(),
                standing: &standing,
                reviews: &self.reviews,
                turns: &self.turns,
                rights: &rights.into(),
                pusher: &self.pusher,
                last_push_rule: self.rule,
            })
        }
    }

    fn case(reviews: Vec<Review>) -> Case {
        Case {
            reviews,
            turns: Vec::new(),
            pusher: Pusher::Known(vec!["ada".to_owned()]),
            rule: Some(false),
        }
    }

    use ReviewState::{Approved, ChangesRequested, Dismissed, Remark};

    #[test]
    fn a_person_with_write_access_who_read_the_verdict_approves() {
        let answer = case(vec![review("Bob", Approved, 4, 'a')]).answer();
        assert_eq!(answer.approved_by, ["Bob"]);
        assert_eq!(answer.missing, Vec::<String>::new());
        assert_eq!(answer.cannot_tell, Vec::<String>::new());
    }

    #[test]
    fn an_approval_that_counts_for_nothing_is_told_with_its_reason() {
        for (review, why) in [
            (
                review("bob", Approved, 3, 'a'),
                "bob approved before the verdict",
            ),
            (
                review("bob", Approved, 4, 'b'),
                "bob approved another commit",
            ),
            (review("ADA", Approved, 4, 'a'), "ADA is its author"),
            (review("eve", Approved, 4, 'a'), "eve may not write"),
            (
                review("zoe", Approved, 4, 'a'),
                "zoe may perhaps not write here",
            ),
            (
                review("app[bot]", Approved, 4, 'a'),
                "app[bot] is no person",
            ),
            (review("bob", Remark, 4, 'a'), "nobody approved it"),
            (review("bob", Dismissed, 4, 'a'), "nobody approved it"),
        ] {
            let answer = case(vec![review]).answer();
            assert_eq!(answer.approved_by, Vec::<String>::new(), "{why}");
            assert_eq!(answer.missing.len(), 1, "{answer:?}");
            assert!(answer.missing[0].contains(why), "{answer:?}");
        }
        let mut timeless = review("bob", Approved, 4, 'a');
        timeless.at = None;
        let answer = case(vec![timeless]).answer();
        assert!(answer.missing[0].contains("not told"), "{answer:?}");
    }

    /// Somebody who is not the author may push to the branch, and then approve what he pushed.
    #[test]
    fn who_pushed_the_head_does_not_approve_it() {
        let mut pushed = case(vec![review("dan", Approved, 4, 'a')]);
        pushed.pusher = Pusher::Known(vec!["ada".to_owned(), "Dan".to_owned()]);
        assert!(pushed.answer().missing[0].contains("dan pushed its head"));
        pushed.pusher = Pusher::Unknown("the fork is gone".to_owned());
        for (rule, missing) in [(Some(true), 0), (Some(false), 1), (None, 1)] {
            pushed.rule = rule;
            let answer = pushed.answer();
            assert_eq!(answer.missing.len(), missing, "{answer:?}");
            assert!(
                answer.cannot_tell[0].contains("the fork is gone"),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn what_a_person_said_last_counts_and_a_remark_takes_nothing_back() {
        let said = |words: &[(ReviewState, i8)]| {
            let words = words.iter();
            case(
                words
                    .map(|(state, at)| review("bob", *state, *at, 'a'))
                    .collect(),
            )
            .answer()
        };
        assert!(said(&[(Approved, 4), (Remark, 5)]).missing.is_empty());
        assert!(
            said(&[(ChangesRequested, 4), (Approved, 5)])
                .missing
                .is_empty()
        );
        let answer = said(&[(Approved, 4), (ChangesRequested, 5)]);
        assert!(answer.missing[0].contains("asks for changes"), "{answer:?}");
        assert!(answer.approved_by.is_empty());
        assert!(!said(&[(Approved, 4), (Dismissed, 5)]).missing.is_empty());
        // Another's wish stands beside a yes; that of somebody who may not write does not.
        for (login, stops) in [("dan", true), ("eve", false), ("app[bot]", false)] {
            let answer = case(vec![
                review("bob", Approved, 4, 'a'),
                review(login, ChangesRequested, 5, 'a'),
            ])
            .answer();
            assert_eq!(!answer.missing.is_empty(), stops, "{login}");
        }
    }

    #[test]
    fn a_force_push_or_a_change_of_base_since_the_plan_began_voids_it() {
        for (turn, minute, voids) in [
            (Turn::ForcePushed, 0, false),
            (Turn::ForcePushed, 1, true),
            (Turn::ForcePushed, 5, true),
            (Turn::BaseChanged, 2, true),
            (Turn::BaseChanged, 50, true),
            (Turn::BaseChanged, 51, false),
        ] {
            let mut moved = case(vec![review("bob", Approved, 6, 'a')]);
            moved.turns = vec![Turned {
                turn,
                at: time(minute),
            }];
            let answer = moved.answer();
            assert_eq!(!answer.missing.is_empty(), voids, "{turn:?} at {minute}");
        }
    }
}
