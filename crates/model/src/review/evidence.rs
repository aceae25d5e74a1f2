//! Whether a verdict is evidence: whether the run that it came from is of the default branch's own file, and whether
//! what it says is of this request.
//! Pure. A comment, a status, a check and the name of an artifact are never looked at: anybody who can write makes
//! those.
//!
//! Sources: GitHub's documentation, "Events that trigger workflows" (which event takes the workflow file from where)
//! and "REST API endpoints for workflow runs"; GitLab's documentation, "CI/CD pipelines" (`source`).

use jiff::Timestamp;

use super::facts::{Artifact, Job, Repository, Request, Run};
use super::names::{Digest, artifact};
use super::verdict::{Host, Judged, Verdict};
use crate::model::StackId;

/// Events on which GitHub takes the workflow file from the default branch, whatever a request holds; and the one on
/// which a person may name a branch, which is held to the default branch besides.
const GITHUB_EVENTS: [&str; 3] = ["pull_request_target", "workflow_run", "workflow_dispatch"];
/// What starts a pipeline on a branch that is named, and not by pushing to it.
const GITLAB_SOURCES: [&str; 5] = ["api", "pipeline", "schedule", "trigger", "web"];

/// What evidence is wanted of.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Where.
    pub host: Host,
    /// The repository.
    pub repository: &'a Repository,
    /// The file whose runs count, from the root of the repository.
    pub workflow: &'a str,
    /// The request.
    pub request: &'a Request,
    /// The stack.
    pub stack: &'a StackId,
}

/// A verdict that counts, and the time of the job that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The verdict.
    pub verdict: Verdict,
    /// When its job began.
    pub began: Timestamp,
    /// When its job ended: before, nobody could have read it.
    pub ended: Timestamp,
}

/// The verdict that stands, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingVerdict {
    /// The newest.
    pub verdict: Verdict,
    /// When the first job began that came to the same, with no other result in between.
    pub began: Timestamp,
    /// When that job ended.
    pub since: Timestamp,
}

/// Whether a run may have made a verdict: it is of the default branch's own file, in this repository.
/// `on_default` says whether its commit is the default branch's, or in the history of that.
///
/// # Errors
/// Why not, a fragment.
pub fn vouches(
    artifact: &Artifact,
    run: &Run,
    on_default: bool,
    wanted: &Wanted<'_>,
) -> Result<(), String> {
    let Run {
        id,
        attempts: _,
        path,
        event,
        head,
        head_branch,
        head_repository,
        repository,
    } = run;
    if artifact.run != Some(*id) {
        return Err("it is not known of which run it is".to_owned());
    }
    if *repository != wanted.repository.id {
        return Err(format!("its run {id} is of another repository"));
    }
    if *head_repository != Some(wanted.repository.id) {
        return Err(format!("its run {id} has the file of a fork"));
    }
    let default = &wanted.repository.default_branch;
    let of_default = head_branch.as_deref() == Some(default.as_str());
    match wanted.host {
        Host::Github => {
            if path != wanted.workflow {
                return Err(format!("its run {id} is of another workflow file"));
            }
            if !GITHUB_EVENTS.contains(&event.as_str()) {
                return Err(format!(
                    "its run {id} was started by {}, whose workflow file is not the default branch's",
                    word(event)
                ));
            }
            // The one event on which whoever starts it names the branch.
            if event == "workflow_dispatch" && !of_default {
                return Err(format!("its run {id} was started on another branch"));
            }
        }
        Host::Gitlab => {
            if !GITLAB_SOURCES.contains(&event.as_str()) || !of_default {
                return Err(format!(
                    "its pipeline {id} was not started on the default branch"
                ));
            }
        }
    }
    if !on_default {
        return Err(format!(
            "its run {id} has the file of the commit {}, which is not in the default branch",
            head.short()
        ));
    }
    Ok(())
}

/// Whether what a run that vouches has written is a verdict of this request: `digest` is that of the plan beside it,
/// `jobs` are those of the attempt that it names, and `named` is the artifact's name.
///
/// # Errors
/// Why not, a fragment.
pub fn counts(
    verdict: Verdict,
    run: &Run,
    jobs: &[Job],
    digest: &Digest,
    named: &str,
    wanted: &Wanted<'_>,
) -> Result<Evidence, String> {
    let request = wanted.request;
    let different = [
        ("another host", verdict.host != wanted.host),
        ("another run", verdict.run != run.id),
        (
            "an attempt that its run does not have",
            verdict.attempt == 0 || verdict.attempt > run.attempts,
        ),
        (
            "a run that something else started",
            verdict.event != run.event,
        ),
        (
            "another repository",
            verdict.repository != wanted.repository.id,
        ),
        ("another request", verdict.number != request.number),
        ("another base branch", verdict.base != request.base),
        ("another head commit", verdict.head != request.head),
        ("another stack", verdict.stack != *wanted.stack),
        ("another plan", verdict.digest != *digest),
        (
            "what its artifact's name does not say",
            named != artifact(verdict.number, &verdict.head, &verdict.stack),
        ),
        (
            "a configuration that is removed",
            matches!(verdict.result, Judged::Removed | Judged::Owned),
        ),
    ];
    if let Some((what, _)) = different.iter().find(|(_, differs)| *differs) {
        return Err(format!("it is of {what}"));
    }
    let mut same = jobs.iter().filter(|job| job.name == verdict.job);
    let (Some(job), None) = (same.next(), same.next()) else {
        return Err("its run has no such job, or several".to_owned());
    };
    if job.conclusion.as_deref() != Some("success") {
        return Err("the job that made it did not succeed".to_owned());
    }
    let (Some(began), Some(ended)) = (job.began, job.ended) else {
        return Err("the host does not tell when the job that made it ran".to_owned());
    };
    Ok(Evidence {
        verdict,
        began,
        ended,
    })
}

/// The verdict that stands: the newest, since the first of those before it that came to the same plan.
pub fn newest(mut all: Vec<Evidence>) -> Option<StandingVerdict> {
    all.sort_by_key(|evidence| std::cmp::Reverse(evidence.ended));
    let mut all = all.into_iter();
    let newest = all.next()?;
    let mut standing = StandingVerdict {
        began: newest.began,
        since: newest.ended,
        verdict: newest.verdict,
    };
    for older in all {
        if older.verdict.digest != standing.verdict.digest {
            break;
        }
        standing.began = older.began;
        standing.since = older.ended;
    }
    Some(standing)
}

/// A word of the host's, if it is one.
fn word(text: &str) -> &str {
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'_';
    match text.len() < 40 && text.bytes().all(plain) {
        true => text,
        false => "something",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::verdict::tests::{commit, digest, stack, verdict};
    use super::*;

    pub(in super::super) fn time(minute: i8) -> Timestamp {
        format!("2026-11-27T10:{minute:02}:00Z")
            .parse()
            .expect("a time")
    }

    pub(in super::super) fn repository() -> Repository {
        Repository {
            id: 1001,
            default_branch: "main".to_owned(),
            public: false,
        }
    }

    pub(in super::super) fn request() -> Request {
        use super::super::facts::Person;
        Request {
            number: 7,
            author: Some(Person {
                login: "ada".to_owned(),
                human: true,
            }),
            open: false,
            merged_at: Some(time(50)),
            merge_commit: Some(commit('c')),
            head: commit('a'),
            head_branch: "topic".to_owned(),
            head_repository: Some((1001, "acme/access".to_owned())),
            base: "main".to_owned(),
            base_commit: commit('b'),
            base_repository: 1001,
        }
    }

    fn found() -> (Artifact, Run, Vec<Job>) {
        let name = artifact(7, &commit('a'), &stack());
        let made = Artifact {
            id: 9,
            name,
            expired: false,
            run: Some(500),
            size: 900,
        };
        let run = Run {
            id: 500,
            attempts: 1,
            path: ".github/workflows/rolecall.yml".to_owned(),
            event: "pull_request_target".to_owned(),
            head: commit('b'),
            head_branch: Some("main".to_owned()),
            head_repository: Some(1001),
            repository: 1001,
        };
        let job = Job {
            name: "plan (access)".to_owned(),
            conclusion: Some("success".to_owned()),
            began: Some(time(1)),
            ended: Some(time(3)),
        };
        (made, run, vec![job])
    }

    /// What a whole piece of evidence comes to after a change.
    fn tried(
        host: Host,
        change: impl FnOnce(&mut Artifact, &mut Run, &mut Vec<Job>, &mut Verdict, &mut bool),
    ) -> Result<Evidence, String> {
        let (mut made, mut run, mut jobs) = found();
        let (mut verdict, mut on_default) = (verdict(), true);
        verdict.host = host;
        change(
            &mut made,
            &mut run,
            &mut jobs,
            &mut verdict,
            &mut on_default,
        );
        let (repository, request, stack) = (repository(), request(), stack());
        let wanted = Wanted {
            host,
            repository: &repository,
            workflow: ".github/workflows/rolecall.yml",
            request: &request,
            stack: &stack,
        };
        vouches(&made, &run, on_default, &wanted)?;
        counts(verdict, &run, &jobs, &digest('d'), &made.name, &wanted)
    }

    #[test]
    fn a_run_of_the_default_branchs_file_makes_evidence() {
        let good = tried(Host::Github, |_, _, _, _, _| {}).expect("evidence");
        assert_eq!((good.began, good.ended), (time(1), time(3)));
        for event in GITHUB_EVENTS {
            let good = tried(Host::Github, |_, run, _, verdict, _| {
                run.event = event.to_owned();
                verdict.event = event.to_owned();
            });
            assert!(good.is_ok(), "{event}");
        }
    }

    /// Each is what somebody who can push a branch, or open a request, makes of an artifact of the right name.
    #[test]
    fn no_other_run_makes_evidence_whatever_its_artifact_says() {
        type Change = fn(&mut Artifact, &mut Run, &mut Vec<Job>, &mut Verdict, &mut bool);
        let attacks: [(&str, Change); 12] = [
            ("not known of which run", |made, _, _, _, _| made.run = None),
            ("not known of which run", |made, _, _, _, _| {
                made.run = Some(501);
            }),
            ("another repository", |_, run, _, _, _| run.repository = 2),
            ("a fork", |_, run, _, _, _| run.head_repository = Some(2)),
            ("a fork", |_, run, _, _, _| run.head_repository = None),
            ("another workflow", |_, run, _, _, _| {
                run.path = ".github/workflows/other.yml".to_owned();
            }),
            ("started by pull_request,", |_, run, _, verdict, _| {
                (run.event, verdict.event) = ("pull_request".into(), "pull_request".into());
            }),
            ("started by merge_group,", |_, run, _, verdict, _| {
                (run.event, verdict.event) = ("merge_group".into(), "merge_group".into());
            }),
            ("started by push,", |_, run, _, verdict, _| {
                (run.event, verdict.event) = ("push".into(), "push".into());
            }),
            ("another branch", |_, run, _, verdict, _| {
                run.event = "workflow_dispatch".into();
                verdict.event = "workflow_dispatch".into();
                run.head_branch = Some("topic".into());
            }),
            ("not in the default branch", |_, _, _, _, on_default| {
                *on_default = false;
            }),
            ("started by something,", |_, run, _, _, _| {
                run.event = "::error::x".to_owned();
            }),
        ];
        for (why, attack) in attacks {
            let refused = tried(Host::Github, attack).expect_err(why);
            assert!(refused.contains(why), "{refused} / {why}");
        }
    }

    #[test]
    fn a_verdict_of_anything_else_is_no_evidence_of_this_request() {
        type Change = fn(&mut Artifact, &mut Run, &mut Vec<Job>, &mut Verdict, &mut bool);
        let others: [(&str, Change); 14] = [
            ("another host", |_, _, _, verdict, _| {
                verdict.host = Host::Gitlab
            }),
            ("another run", |_, _, _, verdict, _| verdict.run = 499),
            ("an attempt", |_, _, _, verdict, _| verdict.attempt = 2),
            ("an attempt", |_, _, _, verdict, _| verdict.attempt = 0),
            ("something else started", |_, _, _, verdict, _| {
                verdict.event = "workflow_run".into();
            }),
            ("another repository", |_, _, _, verdict, _| {
                verdict.repository = 2
            }),
            ("another request", |_, _, _, verdict, _| verdict.number = 8),
            ("another base branch", |_, _, _, verdict, _| {
                verdict.base = "release".into();
            }),
            ("another head", |_, _, _, verdict, _| {
                verdict.head = commit('e')
            }),
            ("another stack", |_, _, _, verdict, _| {
                verdict.stack = StackId::new("other", "k7m2q9ta").expect("a stack");
            }),
            ("another plan", |_, _, _, verdict, _| {
                verdict.digest = digest('e')
            }),
            ("artifact's name", |made, _, _, _, _| {
                made.name.push('0');
            }),
            ("removed", |_, _, _, verdict, _| {
                verdict.result = Judged::Removed
            }),
            ("no such job", |_, _, _, verdict, _| verdict.job.push('x')),
        ];
        for (why, change) in others {
            let refused = tried(Host::Github, change).expect_err(why);
            assert!(refused.contains(why), "{refused} / {why}");
        }
    }

    #[test]
    fn the_job_that_made_it_has_to_have_succeeded_alone_and_at_a_time() {
        for (why, change) in [
            ("did not succeed", Some("failure")),
            ("did not succeed", Some("skipped")),
            ("did not succeed", None),
        ] {
            let refused = tried(Host::Github, |_, _, jobs, _, _| {
                jobs[0].conclusion = change.map(str::to_owned);
            });
            assert!(refused.expect_err(why).contains(why));
        }
        let twice = tried(Host::Github, |_, _, jobs, _, _| {
            jobs.push(jobs[0].clone());
        });
        assert!(twice.expect_err("two").contains("or several"));
        let timeless = tried(Host::Github, |_, _, jobs, _, _| jobs[0].ended = None);
        assert!(timeless.expect_err("no time").contains("does not tell"));
    }

    #[test]
    fn gitlabs_pipelines_count_where_they_were_started_on_the_default_branch() {
        for (source, branch, counts) in [
            ("schedule", "main", true),
            ("api", "main", true),
            ("trigger", "topic", false),
            ("merge_request_event", "main", false),
            ("push", "main", false),
        ] {
            let tried = tried(Host::Gitlab, |_, run, _, verdict, _| {
                (run.event, verdict.event) = (source.into(), source.into());
                run.head_branch = Some(branch.into());
                run.path = String::new();
            });
            assert_eq!(tried.is_ok(), counts, "{source} {branch}: {tried:?}");
        }
    }

    #[test]
    fn an_older_verdict_of_another_plan_ends_since_when_it_stands() {
        let at = |minute: i8, digit: char| {
            let mut verdict = verdict();
            verdict.digest = digest(digit);
            Evidence {
                verdict,
                began: time(minute - 1),
                ended: time(minute),
            }
        };
        assert_eq!(newest(Vec::new()), None);
        let standing = newest(vec![at(5, 'd'), at(30, 'd'), at(20, 'd'), at(10, 'e')]);
        let standing = standing.expect("one stands");
        assert_eq!(standing.verdict.digest, digest('d'));
        assert_eq!((standing.began, standing.since), (time(19), time(20)));
        let standing = newest(vec![at(5, 'd'), at(30, 'e')]).expect("one stands");
        assert_eq!(
            (standing.verdict.digest, standing.since),
            (digest('e'), time(30))
        );
    }
}
