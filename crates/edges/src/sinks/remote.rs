//! Requests of a sink to its store: sent again where that is safe, told in a log, lost with an effect.
//! Knows no store; each says what its answers mean.

use std::time::Duration;

use super::machine::{Machine, SinkRequest};
use crate::http::{Again, Answer, Client, Failure, Request, Retry, Verdict};
use crate::model::Destination;
use crate::ports::{Effect, SinkError, SinkErrorKind};

/// How often one request is sent, and how long is waited in between.
const RETRY: Retry = Retry::STEADY;

/// A request of a kind, which can be made again and again.
pub(super) struct Call<'a> {
    /// What it asks for, a few words that are the same for every place: `vault read`.
    pub(super) operation: &'static str,
    /// Whether it changes something.
    pub(super) writes: bool,
    /// Makes it.
    pub(super) make: &'a dyn Fn() -> Request,
    /// Whether an answer asks for it to be sent again.
    pub(super) again: fn(&Answer) -> Again,
}

/// Sends a request until its answer counts.
///
/// # Errors
/// If no whole answer came. Its effect is unknown where the request writes and may have been sent.
pub(super) async fn send(
    machine: &Machine,
    client: &Client,
    call: &Call<'_>,
) -> Result<Answer, SinkError> {
    let sent = sent(machine, client, call, false).await?;
    Ok(sent.answer)
}

/// An answer that counts.
pub(super) struct Sent {
    pub(super) answer: Answer,
    /// Whether an earlier try of the same request may have been worked on, whatever this answer says.
    pub(super) unsure: bool,
}

/// As [`send`]; a request that `repeats` changes nothing more the second time, and is sent again though the first
/// may have been worked on.
///
/// # Errors
/// If no whole answer came. Its effect is unknown where the request writes and any try may have been sent.
pub(super) async fn sent(
    machine: &Machine,
    client: &Client,
    call: &Call<'_>,
    repeats: bool,
) -> Result<Sent, SinkError> {
    let mut tries = RETRY.tries();
    let mut earlier = false;
    let or_earlier = |error: SinkError, earlier: bool| match earlier && call.writes {
        true => unsure(error),
        false => error,
    };
    let mut told = SinkRequest {
        operation: call.operation,
        host: client.shown().to_owned(),
        attempt: 1,
        status: None,
        took: Duration::ZERO,
    };
    loop {
        machine.gates.open(client.shown(), &machine.time).await;
        let began = (machine.time.now)();
        let answer = client.send((call.make)()).await;
        let took = (machine.time.now)().duration_since(began);
        told.took = Duration::try_from(took).unwrap_or_default();
        told.status = answer.as_ref().ok().map(|answer| answer.status);
        (machine.observer)(&told);
        told.attempt += 1;
        let (again, asked) = match &answer {
            Ok(answer) => ((call.again)(answer), answer.retry_after),
            Err(failure) if failure.lasting => (Again::Never, None),
            Err(failure) if failure.maybe_sent => (Again::Reads, None),
            Err(_) => (Again::Always, None),
        };
        let counts = |answer| Sent {
            answer,
            unsure: earlier,
        };
        if again == Again::Never {
            let failed = |failure| or_earlier(lost(&failure, call.writes), earlier);
            return answer.map(counts).map_err(failed);
        }
        let end = match tries.after(again, call.writes && !repeats, asked) {
            Verdict::Wait(wait) => {
                earlier |= again == Again::Reads;
                if asked.is_some() {
                    // What else is asked of this store would be refused too.
                    let until = (machine.time.now)() + wait;
                    machine.gates.close(client.shown(), until);
                } else {
                    (machine.time.sleep)(wait).await;
                }
                continue;
            }
            Verdict::Final => String::new(),
            Verdict::TooLong => format!(
                "; it asks to wait longer than the {} s that rolecall waits",
                RETRY.longest_asked.as_secs()
            ),
            Verdict::Spent => format!("; gave up after {} attempts", RETRY.attempts),
        };
        if let (Ok(answer), Some(asked), false) = (&answer, asked, end.is_empty())
            && asked > RETRY.longest_asked
        {
            let error = asks_too_long(answer.status, asked, call.writes);
            return Err(or_earlier(error, earlier));
        }
        // What an answer means is said by who knows the store.
        return answer.map(counts).map_err(|failure| {
            let mut error = lost(&failure, call.writes);
            error.message.push_str(&end);
            or_earlier(error, earlier)
        });
    }
}

fn asks_too_long(status: u16, asked: Duration, writes: bool) -> SinkError {
    let (kind, effect) = kind_of(status, writes);
    SinkError {
        kind,
        effect,
        message: format!(
            "the server takes no more requests for now (HTTP {status}) and asks to wait {} s, longer than \
             the {} s that rolecall waits",
            asked.as_secs(),
            RETRY.longest_asked.as_secs()
        ),
        help: Some("run again then".to_owned()),
    }
}

fn lost(failure: &Failure, writes: bool) -> SinkError {
    SinkError {
        kind: match failure.lasting {
            true => SinkErrorKind::Unfit,
            false => SinkErrorKind::Unavailable,
        },
        effect: match writes && failure.maybe_sent {
            true => Effect::Unknown,
            false => Effect::None,
        },
        message: failure.message.clone(),
        help: failure.help.clone(),
    }
}

/// What most stores mean with a status: wait and ask again, or not.
pub(super) fn usual(answer: &Answer) -> Again {
    match answer.status {
        429 => Again::Always,
        500..=599 => Again::Reads,
        _ => Again::Never,
    }
}

/// The kind of a failure that a status tells, where a store says nothing better, and whether a write
/// may have happened.
pub(super) fn kind_of(status: u16, writes: bool) -> (SinkErrorKind, Effect) {
    let kind = match status {
        401 => SinkErrorKind::Unauthenticated,
        403 => SinkErrorKind::PermissionDenied,
        404 => SinkErrorKind::NotFound,
        409 | 412 => SinkErrorKind::Moved,
        413 | 507 => SinkErrorKind::Full,
        429 => SinkErrorKind::RateLimited,
        500..=599 => SinkErrorKind::Unavailable,
        _ => SinkErrorKind::Malformed,
    };
    // An answer that is none of what a store refuses with says nothing of what it did.
    let surely_nothing = matches!(status, 300..=499);
    match !writes || surely_nothing {
        true => (kind, Effect::None),
        false => (kind, Effect::Unknown),
    }
}

/// The same error, of what may have been done all the same.
pub(super) fn unsure(error: SinkError) -> SinkError {
    SinkError {
        effect: Effect::Unknown,
        ..error
    }
}

/// An error with the place and what was being done there.
pub(super) fn at(to: &Destination, doing: &str, error: SinkError) -> SinkError {
    SinkError {
        message: format!("{to}: {doing} failed: {}", error.message),
        ..error
    }
}

#[cfg(test)]
mod tests {
    use rolecall_standins::{Call as Asked, Reply, Standin, serve};

    use super::*;
    use crate::http::{Method, Words};
    use crate::sinks::fixture::Lent;

    /// Refuses the first requests with a wait of so many seconds.
    struct Busy {
        refuses: usize,
        seconds: &'static str,
    }

    impl Standin for Busy {
        fn answer(&mut self, _: &Asked) -> Reply {
            match self.refuses.checked_sub(1) {
                Some(left) => {
                    self.refuses = left;
                    Reply::empty(429).header("retry-after", self.seconds)
                }
                None => Reply::empty(200),
            }
        }
    }

    const WORDS: Words = Words {
        authorities: "A",
        trust: "B",
        longer: "C",
        address: "D",
    };

    async fn ask(machine: &Machine, client: &Client) -> Result<Answer, SinkError> {
        let url = format!("{}/x", client.shown());
        let call = Call {
            operation: "test",
            writes: true,
            make: &|| Request::new(Method::Post, url.as_str()),
            again: usual,
        };
        send(machine, client, &call).await
    }

    #[tokio::test]
    async fn a_store_that_wants_to_be_left_alone_is_left_alone_by_all() {
        let busy = |refuses, seconds| Busy { refuses, seconds };
        let server = serve(busy(1, "30"), ([127, 0, 0, 1], 0).into()).expect("serves");
        let (machine, _) = Lent::machine(&[]);
        let client = machine.client(&server.url, None, WORDS).expect("a client");
        let start = (machine.time.now)();
        assert_eq!(ask(&machine, &client).await.expect("answers").status, 200);
        let waited = (machine.time.now)().duration_since(start).as_secs();
        assert!((30..40).contains(&waited), "{waited}");
        // Whoever comes while it is closed waits too, and for no other store.
        let until = (machine.time.now)() + jiff::SignedDuration::from_secs(50);
        machine.gates.close(client.shown(), until);
        let other = serve(busy(0, ""), ([127, 0, 0, 1], 0).into()).expect("serves");
        let beside = machine.client(&other.url, None, WORDS).expect("a client");
        ask(&machine, &beside).await.expect("answers");
        assert!((machine.time.now)() < until);
        ask(&machine, &client).await.expect("answers");
        assert!((machine.time.now)() >= until);
        assert_eq!(server.calls().len(), 3);
    }

    #[tokio::test]
    async fn a_wait_that_is_too_long_is_told_with_its_length() {
        let server = serve(
            Busy {
                refuses: 9,
                seconds: "3600",
            },
            ([127, 0, 0, 1], 0).into(),
        );
        let server = server.expect("serves");
        let (machine, _) = Lent::machine(&[]);
        let client = machine.client(&server.url, None, WORDS).expect("a client");
        let refused = ask(&machine, &client).await.expect_err("too long");
        assert!(refused.to_string().contains("wait 3600 s"), "{refused}");
        assert_eq!(
            (refused.kind, refused.effect, server.calls().len()),
            (SinkErrorKind::RateLimited, Effect::None, 1)
        );
    }

    /// Works on requests and loses its answer to the first.
    struct Losing(usize);

    impl Standin for Losing {
        fn answer(&mut self, _: &Asked) -> Reply {
            match self.0.checked_sub(1) {
                Some(left) => {
                    self.0 = left;
                    Reply::cut()
                }
                None => Reply::empty(403),
            }
        }
    }

    /// A refusal says nothing of the try before it.
    #[tokio::test]
    async fn what_was_sent_before_an_answer_that_refuses_may_have_been_done() {
        for (lost, repeats, unsure) in [
            (0, true, Some(false)),
            (1, true, Some(true)),
            (1, false, None),
        ] {
            let server = serve(Losing(lost), ([127, 0, 0, 1], 0).into()).expect("serves");
            let (machine, _) = Lent::machine(&[]);
            let client = machine.client(&server.url, None, WORDS).expect("a client");
            let url = format!("{}/x", client.shown());
            let call = Call {
                operation: "test",
                writes: true,
                make: &|| Request::new(Method::Post, url.as_str()),
                again: usual,
            };
            let sent = sent(&machine, &client, &call, repeats).await;
            match (sent, unsure) {
                (Ok(sent), Some(unsure)) => {
                    assert_eq!((sent.answer.status, sent.unsure), (403, unsure));
                }
                (Err(error), None) => assert_eq!(error.effect, Effect::Unknown),
                (sent, _) => panic!(
                    "{lost} {repeats}: {:?}",
                    sent.map(|sent| sent.answer.status)
                ),
            }
        }
        // Nobody serves there, so that no try was sent.
        let url = serve(Losing(0), ([127, 0, 0, 1], 0).into());
        let url = url.expect("serves").url.clone();
        let (machine, _) = Lent::machine(&[]);
        let client = machine.client(&url, None, WORDS).expect("a client");
        let call = Call {
            operation: "test",
            writes: true,
            make: &|| Request::new(Method::Post, url.as_str()),
            again: usual,
        };
        let error = sent(&machine, &client, &call, true).await.err();
        assert_eq!(error.map(|error| error.effect), Some(Effect::None));
    }

    /// What may pass is asked again for as long as whoever applies says; what cannot is not.
    #[tokio::test]
    async fn what_ends_the_same_each_time_is_no_outage() {
        let server = serve(
            Busy {
                refuses: 0,
                seconds: "",
            },
            ([127, 0, 0, 1], 0).into(),
        );
        let base = server.expect("serves").url.clone();
        let (machine, _) = Lent::machine(&[]);
        let client = machine.client(&base, None, WORDS).expect("a client");
        for (url, kind) in [
            // Nobody serves there any more.
            (format!("{base}/x"), SinkErrorKind::Unavailable),
            (
                "http://elsewhere.example/x".to_owned(),
                SinkErrorKind::Unfit,
            ),
        ] {
            let call = Call {
                operation: "test",
                writes: false,
                make: &|| Request::new(Method::Get, url.as_str()),
                again: usual,
            };
            let failed = send(&machine, &client, &call).await.expect_err("fails");
            assert_eq!(
                (failed.kind, failed.effect),
                (kind, Effect::None),
                "{failed}"
            );
            assert_eq!(failed.kind.may_pass(), kind == SinkErrorKind::Unavailable);
        }
    }
}
