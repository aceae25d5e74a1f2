//! The temporary login of a workload identity: exchanged when it is needed, one exchange at a time for all
//! requests, and anew with a fresh identity token before it ends. What cannot be renewed is told, and
//! begins no birth.
//!
//! Source: cnquery's `providers-sdk/v1/upstream/sts.go` and Mondoo's documentation of workload identity
//! federation: `SecureTokenService/ExchangeExternalToken`, whose answer holds a service account's
//! credential in base64.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::auth::{Identity, ServiceAccount};
use super::credential::Credential;
use super::failure::{self, Failure};
use super::transport::Transport;
use super::workload::{TokenSource, Workload};
use crate::http::{self, Again, Answer, Retry, Time, Verdict, without_token};
use crate::identity_token::{ACTIONS_RIGHTS, Claims, LARGEST, of_actions};
use crate::ports::{Effect, ErrorKind};

/// How often one exchange, or one question for a token, is sent.
const RETRY: Retry = Retry::STEADY;
/// A login that ends within this time is exchanged anew before it is used.
const EARLY: SignedDuration = SignedDuration::from_secs(30);
/// What a birth needs from its first write to its last: a login that ends before begins none.
const BIRTH: SignedDuration = SignedDuration::from_mins(5);
/// So long one failure is the answer to all that wait for the same exchange.
const SHARED: SignedDuration = SignedDuration::from_secs(5);

/// Reads a whole file.
pub type ReadFile = Box<dyn Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync>;

/// What a machine lends to logins by workload identity.
pub struct Outlet {
    /// Reads a whole file.
    pub read_file: ReadFile,
    /// Connections to where GitHub Actions gives tokens, where [`Workload::asks`] names an origin.
    pub actions: Option<http::Client>,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlet")
    }
}

impl Default for Outlet {
    /// Lends nothing.
    fn default() -> Self {
        Self {
            read_file: Box::new(|_| Err(io::ErrorKind::NotFound.into())),
            actions: None,
        }
    }
}

/// What a request needs of its login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// To be answered.
    Answer,
    /// To be finished, with all that follows from it.
    Birth,
}

/// A login that was got for an identity token.
pub(super) struct Temporary {
    pub(super) account: ServiceAccount,
    /// When it ends by the local clock, where that is told.
    until: Option<Timestamp>,
    /// How long it was good when it was new.
    lifetime: Option<SignedDuration>,
    /// When the token ends for which it was given.
    token_until: Option<Timestamp>,
    /// Whether the platform has ever taken it.
    worked: AtomicBool,
}

impl Temporary {
    fn lasts(&self, now: Timestamp, needed: SignedDuration) -> bool {
        self.until.is_none_or(|until| now + needed < until)
    }

    /// The platform has answered to it.
    pub(super) fn works(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }
}

/// The login of one run.
pub(super) struct Session {
    held: Mutex<Option<Arc<Temporary>>>,
    /// Whose turn it is to exchange, and how the last one failed.
    turn: tokio::sync::Mutex<Option<(Timestamp, Failure)>>,
    pub(super) outlet: Outlet,
}

impl Session {
    pub(super) fn new(outlet: Outlet) -> Self {
        Self {
            held: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            outlet,
        }
    }

    /// The login in use, if there is one yet.
    pub(super) fn held(&self) -> Option<Arc<Temporary>> {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn hold(&self, login: Option<Arc<Temporary>>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = login;
    }

    /// The platform no longer takes a login. Tells whether another may help: a new one that was refused at
    /// once would be refused again.
    pub(super) fn refused(&self, login: &Arc<Temporary>) -> bool {
        if self
            .held()
            .is_some_and(|current| Arc::ptr_eq(&current, login))
        {
            self.hold(None);
        }
        login.worked.load(Ordering::Relaxed)
    }

    /// When the login ends and whether it is renewed, in a sentence without a stop, once there is one.
    pub(super) fn told(&self, workload: &Workload) -> Option<String> {
        let login = self.held()?;
        let source = workload.source.as_ref()?;
        let end = match login.until {
            Some(until) => format!("temporary, until {until}"),
            None => "temporary; the platform does not tell until when".to_owned(),
        };
        Some(match (source.renews(), login.token_until) {
            (true, _) => format!("{end}, and renewed by {source}"),
            (false, Some(last)) => format!(
                "{end}. It cannot be renewed after {last}, when the identity token in {source} ends: what \
                 could not be finished by then is not begun"
            ),
            (false, None) => format!(
                "{end}, and renewed while the identity token in {source} is taken: what could not be \
                 finished is not begun"
            ),
        })
    }

    /// The login for a request, exchanged if there is none that lasts. `exchanged` is told of every exchange
    /// that was sent.
    pub(super) async fn login<T: Transport>(
        &self,
        workload: &Workload,
        transport: &T,
        time: &Time,
        need: Need,
        exchanged: &impl Fn(usize, Timestamp, Option<&Answer>),
    ) -> Result<Arc<Temporary>, Failure> {
        let Some(source) = &workload.source else {
            return Err(failed(ErrorKind::Unauthenticated, "no identity token"));
        };
        let good = |login: &Temporary| login.lasts((time.now)(), needed(need, login, source));
        if let Some(login) = self.held().filter(|login| good(login)) {
            return Ok(login);
        }
        let mut turn = self.turn.lock().await;
        // Whoever had the turn before may have got one.
        if let Some(login) = self.held().filter(|login| good(login)) {
            return Ok(login);
        }
        let now = (time.now)();
        if let Some((at, failure)) = turn.as_ref()
            && now.duration_since(*at) < SHARED
        {
            return Err(failure.clone());
        }
        let before = self.held();
        let over = |login: &Arc<Temporary>| {
            !source.renews() && login.token_until.is_some_and(|end| end <= now)
        };
        if let Some(last) = before.filter(over) {
            return Err(unrenewable(&last, source));
        }
        let login = match self
            .exchange(workload, source, transport, time, exchanged)
            .await
        {
            Ok(login) => Arc::new(login),
            Err(failure) => {
                *turn = Some(((time.now)(), failure.clone()));
                return Err(failure);
            }
        };
        *turn = None;
        self.hold(Some(Arc::clone(&login)));
        // What can be renewed goes on, however short it lasts.
        match good(&login) || need == Need::Answer || source.renews() {
            true => Ok(login),
            false => Err(unrenewable(&login, source)),
        }
    }

    async fn exchange<T: Transport>(
        &self,
        workload: &Workload,
        source: &TokenSource,
        transport: &T,
        time: &Time,
        exchanged: &impl Fn(usize, Timestamp, Option<&Answer>),
    ) -> Result<Temporary, Failure> {
        let token = self.token(source, time).await?;
        let Some(claims) = Claims::read(&token) else {
            return Err(failed(
                ErrorKind::Unauthenticated,
                format!("what {source} holds is no identity token (JWT), and was not sent"),
            ));
        };
        let issuer = workload.issuer.as_deref().unwrap_or(claims.issuer());
        if issuer.trim_end_matches('/') != claims.issuer().trim_end_matches('/') {
            return Err(failed(
                ErrorKind::Unauthenticated,
                format!(
                    "the identity token from {source} is of another issuer than the credential's \
                     `issuerUri`, {issuer:?}, and was not sent: it says {claims}"
                ),
            ));
        }
        #[derive(Serialize)]
        struct Asked<'a> {
            audience: &'a str,
            issuer_uri: &'a str,
            jwt_token: &'a str,
        }
        let asked = Asked {
            audience: &workload.audience,
            issuer_uri: issuer,
            jwt_token: &token,
        };
        let mut tries = RETRY.tries();
        let mut attempt = 0;
        loop {
            attempt += 1;
            // Large enough not to grow, since growing leaves a copy of the token behind.
            let mut body = Zeroizing::new(Vec::with_capacity(token.len() + 16 * 1024));
            serde_json::to_writer(&mut *body, &asked)
                .map_err(|_| failed(ErrorKind::Transport, "the exchange cannot be written"))?;
            let sent = (time.now)();
            let answer = transport.exchange(body).await;
            exchanged(attempt, sent, answer.as_ref().ok());
            let outcome = answer
                .map_err(Failure::from)
                .and_then(|answer| match answer.status {
                    200 => granted(&answer, &claims, sent),
                    _ => Err(refused(&answer, &token, &claims, workload, source, sent)),
                });
            let failure = match outcome {
                Ok(login) => return Ok(login),
                Err(failure) => failure,
            };
            // An exchange changes nothing that is anybody's: to send it again gives another login.
            match tries.after(failure.again, false, failure.after) {
                Verdict::Wait(wait) => (time.sleep)(wait).await,
                Verdict::Final | Verdict::TooLong | Verdict::Spent => {
                    let why = format!("the identity token cannot be exchanged: {}", failure.why);
                    return Err(failed(failure.kind, without_token(&why, &token)));
                }
            }
        }
    }

    /// The identity token, read or asked for anew.
    async fn token(&self, source: &TokenSource, time: &Time) -> Result<Zeroizing<String>, Failure> {
        let nobody = |why: String| failed(ErrorKind::Unauthenticated, why);
        match source {
            TokenSource::Held { token, .. } => Ok(Zeroizing::new(token.expose().trim().to_owned())),
            TokenSource::File(path) => {
                let bytes = (self.outlet.read_file)(path)
                    .map(Zeroizing::new)
                    .map_err(|error| {
                        let why = match error.kind() {
                            io::ErrorKind::NotFound => "there is no such file".to_owned(),
                            io::ErrorKind::PermissionDenied => {
                                "this user may not read it".to_owned()
                            }
                            _ => error.to_string(),
                        };
                        nobody(format!(
                            "the identity token cannot be read from {source}: {why}"
                        ))
                    })?;
                let text = std::str::from_utf8(&bytes).ok();
                match text.filter(|text| text.len() <= LARGEST) {
                    Some(text) => Ok(Zeroizing::new(text.trim().to_owned())),
                    None => Err(nobody(format!(
                        "what {source} holds is no identity token (JWT), and was not sent"
                    ))),
                }
            }
            TokenSource::Actions { .. } => {
                let asked = source.asked().and_then(Result::ok);
                let (Some(client), Some(asked)) = (&self.outlet.actions, asked) else {
                    return Err(nobody("GitHub Actions cannot be asked".to_owned()));
                };
                let mut tries = RETRY.tries();
                loop {
                    let answer = client.send(asked.request()).await;
                    let (again, after, why) = match answer {
                        Ok(answer) => match of_actions(&answer) {
                            Some(token) => return Ok(token),
                            None => (
                                match answer.status {
                                    429 | 500..=599 => Again::Reads,
                                    _ => Again::Never,
                                },
                                answer.retry_after,
                                format!("HTTP {}; {ACTIONS_RIGHTS}", answer.status),
                            ),
                        },
                        Err(failure) if failure.lasting => (Again::Never, None, failure.whole()),
                        Err(failure) => (Again::Reads, None, failure.whole()),
                    };
                    match tries.after(again, false, after) {
                        Verdict::Wait(wait) => (time.sleep)(wait).await,
                        Verdict::Final | Verdict::TooLong | Verdict::Spent => {
                            return Err(nobody(format!("GitHub gives no identity token: {why}")));
                        }
                    }
                }
            }
        }
    }
}

/// How long a login has to last for a request.
fn needed(need: Need, login: &Temporary, source: &TokenSource) -> SignedDuration {
    match need {
        Need::Answer => EARLY,
        Need::Birth if !source.renews() => BIRTH,
        // One that lives for a short time would be exchanged for every birth.
        Need::Birth => {
            let half = login.lifetime.map_or(BIRTH, |lifetime| lifetime / 2);
            BIRTH.min(half).max(EARLY)
        }
    }
}

/// Nothing of a request was sent.
fn failed(kind: ErrorKind, why: impl Into<String>) -> Failure {
    Failure::new(kind, Effect::None, Again::Never, why)
}

fn unrenewable(login: &Temporary, source: &TokenSource) -> Failure {
    let end = |what: &str, at: Option<Timestamp>| match at {
        Some(at) => format!("{what} ends at {at}"),
        None => format!("nobody tells when {what} ends"),
    };
    failed(
        ErrorKind::Unauthenticated,
        format!(
            "{}, and {}, which nobody renews; nothing was begun that could not be finished. Run again with a \
             new token, and give it a longer life, or take one from a file that is renewed",
            end("the temporary login", login.until),
            end(
                &format!("the identity token in {source}"),
                login.token_until
            ),
        ),
    )
}

/// The login in an answer.
fn granted(answer: &Answer, claims: &Claims, sent: Timestamp) -> Result<Temporary, Failure> {
    #[derive(Deserialize)]
    struct Granted {
        #[serde(deserialize_with = "crate::secret::zeroizing")]
        base64_credential: Zeroizing<String>,
    }
    let malformed = |why: &str| {
        failed(
            ErrorKind::Malformed,
            format!("the answer is no temporary credential: {why}"),
        )
    };
    let granted: Granted = serde_json::from_slice(&answer.body)
        .map_err(|_| malformed("it is not what is documented"))?;
    let credential = Credential::parse(granted.base64_credential.as_bytes())
        .map_err(|why| malformed(&why.to_string()))?;
    let Identity::ServiceAccount(account) = credential.identity else {
        return Err(malformed("it is no service account's"));
    };
    // The platform's clock counts, and this machine's may be another. Both are told in whole seconds.
    let ahead = answer
        .date
        .map_or(0, |date| date.as_second() - sent.as_second());
    let here = |at: Timestamp| Timestamp::from_second(at.as_second() - ahead).unwrap_or(at);
    let until = account.until().map(here);
    Ok(Temporary {
        lifetime: until.map(|until| until.duration_since(sent)),
        until,
        account,
        token_until: claims.until().map(here),
        worked: AtomicBool::new(false),
    })
}

/// Why there is none.
fn refused(
    answer: &Answer,
    token: &str,
    claims: &Claims,
    workload: &Workload,
    source: &TokenSource,
    now: Timestamp,
) -> Failure {
    let Err(mut failure) = failure::classify(answer, now, token, String::new) else {
        return Failure::malformed("the answer is none");
    };
    if !matches!(answer.status, 400 | 401 | 403 | 404 | 412) || http::is_page(&answer.body) {
        return failure;
    }
    let said = failure::foreign_words(&answer.body, token);
    let said = said.map(|words| format!(": {words}")).unwrap_or_default();
    let late = match claims.until() {
        Some(until) if until < now => " (which is over by this machine's clock)",
        Some(_) | None => "",
    };
    failure.kind = ErrorKind::Unauthenticated;
    failure.effect = Effect::None;
    failure.again = Again::Never;
    failure.why = format!(
        "the platform does not take the one from {source} (HTTP {}{said}). It says {claims}{late}. Compare that \
         with the binding in {}: its issuer and subject have to be these, its allowed audiences have to name \
         this aud, and each of its mappings has to be one of these claims (rolecall docs keyless)",
        answer.status, workload.audience
    );
    failure
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::super::client::Client;
    use super::super::endpoint::Endpoint;
    use super::super::fixture::{NOW, SPACE, p384, time, wire};
    use super::super::{Environment, Login, Source};
    use super::*;
    use crate::model::{RoleSet, Scope};
    use crate::ports::{NewAccount, Reader as _, Writer as _};

    const MINUTE: i64 = 60;

    /// A platform that exchanges identity tokens, with its clock.
    struct Desk {
        now: Arc<Mutex<Timestamp>>,
        /// How many seconds its own clock is ahead.
        ahead: i64,
        /// How many seconds a login lives; `None` says no end.
        lifetime: Option<i64>,
        /// What was sent to be exchanged.
        exchanged: RefCell<Vec<Value>>,
        /// What else was asked, with the account that asked.
        asked: RefCell<Vec<String>>,
        /// What it answers to the next exchanges, in place of a login.
        refuses: RefCell<Vec<Answer>>,
        /// How many of the next requests are not accepted.
        unaccepted: Cell<usize>,
    }

    impl Desk {
        fn new(lifetime: Option<i64>) -> Self {
            Self {
                now: Arc::new(Mutex::new(time(NOW))),
                ahead: 0,
                lifetime,
                exchanged: RefCell::default(),
                asked: RefCell::default(),
                refuses: RefCell::default(),
                unaccepted: Cell::new(0),
            }
        }

        fn now(&self) -> Timestamp {
            *self.now.lock().expect("no panic")
        }

        fn login(&self, number: usize) -> Value {
            let mut login = json!({
                "mrn": format!("{SPACE}/serviceaccounts/{number}")
                    .replace("captain", "agents"),
                "private_key": p384(),
                "parent_mrn": SPACE,
                "api_endpoint": "https://elsewhere.example",
            });
            if let Some(lifetime) = self.lifetime {
                let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384);
                let mut params = rcgen::CertificateParams::default();
                let end = self.now().as_second() + self.ahead + lifetime;
                let since = end - time("2026-11-23T00:00:00Z").as_second();
                let since = std::time::Duration::from_secs(u64::try_from(since).expect("late"));
                params.not_after = rcgen::date_time_ymd(2026, 11, 23) + since;
                let certificate = params.self_signed(&key.expect("a key")).expect("signed");
                login["certificate"] = certificate.pem().into();
            }
            login
        }

        fn tokens(&self) -> Vec<String> {
            let exchanged = self.exchanged.borrow();
            let text = |one: &Value| one["jwt_token"].as_str().expect("a token").to_owned();
            exchanged.iter().map(text).collect()
        }
    }

    impl Transport for &Desk {
        async fn send(&self, _: Vec<u8>, authorization: String) -> Result<Answer, http::Failure> {
            let head = authorization.trim_start_matches("Bearer ");
            let head = head.split('.').next().expect("a header");
            let head = URL_SAFE_NO_PAD.decode(head).expect("base64");
            let head: Value = serde_json::from_slice(&head).expect("JSON");
            let who = head["kid"].as_str().expect("an account");
            let number = who.rsplit('/').next().expect("a number").to_owned();
            self.asked.borrow_mut().push(number);
            if self.unaccepted.get() > 0 {
                self.unaccepted.set(self.unaccepted.get() - 1);
                return Ok(Answer::new(401, ""));
            }
            Ok(Answer::new(200, wire("viewer")))
        }

        async fn exchange(&self, body: Zeroizing<Vec<u8>>) -> Result<Answer, http::Failure> {
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let number = {
                let mut exchanged = self.exchanged.borrow_mut();
                exchanged.push(body);
                exchanged.len()
            };
            // Others come while this one is under way.
            tokio::task::yield_now().await;
            if !self.refuses.borrow().is_empty() {
                return Ok(self.refuses.borrow_mut().remove(0));
            }
            let login = STANDARD.encode(self.login(number).to_string());
            let mut answer = Answer::new(200, json!({"base64_credential": login}).to_string());
            answer.date = Some(self.now() + SignedDuration::from_secs(self.ahead));
            Ok(answer)
        }
    }

    const ISSUER: &str = "https://token.actions.githubusercontent.com";

    /// An identity token that ends so many seconds after the begin.
    fn token(id: &str, seconds: i64) -> String {
        let exp = time(NOW).as_second() + seconds;
        let claims = json!({"iss": ISSUER, "sub": "repo:acme@7/x@42:ref:refs/heads/main",
            "aud": SPACE, "repository_id": "42", "jti": id, "exp": exp});
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!(
            "{}.{}.c2lnbmF0dXJl",
            part(&json!({"alg": "RS256"})),
            part(&claims)
        )
    }

    struct Rig<'a> {
        client: Client<&'a Desk>,
        desk: &'a Desk,
        file: Arc<Mutex<String>>,
    }

    impl<'a> Rig<'a> {
        /// A run whose identity token is in a file.
        fn file(desk: &'a Desk, token: &str) -> Self {
            Self::of(desk, json!({"file": "/token"}), token)
        }

        /// A run whose identity token is in a variable.
        fn variable(desk: &'a Desk, token: &str) -> Self {
            Self::of(desk, json!({"environment_variable": "ID"}), token)
        }

        fn of(desk: &'a Desk, source: Value, token: &str) -> Self {
            let text = json!({"type": "external_account", "audience": SPACE, "issuerUri": ISSUER,
                "credential_source": source});
            let vars = BTreeMap::from([("ID", token.to_owned())]);
            let environment = Environment {
                var: &|name| vars.get(name).cloned(),
                read_file: &|_| Err(io::ErrorKind::NotFound.into()),
                home: None,
            };
            let credential = Credential::parse(text.to_string().as_bytes()).expect("read");
            let login = Login::new(credential, Source::ConfigBase64, None, &environment);
            let file = Arc::new(Mutex::new(token.to_owned()));
            let (read, now) = (Arc::clone(&file), Arc::clone(&desk.now));
            let sleeps = Arc::clone(&desk.now);
            let time = Time {
                now: Arc::new(move || *now.lock().expect("no panic")),
                sleep: Arc::new(move |wait| {
                    *sleeps.lock().expect("no panic") += wait;
                    Box::pin(std::future::ready(()))
                }),
            };
            let outlet = Outlet {
                read_file: Box::new(move |path| {
                    assert_eq!(path, Path::new("/token"));
                    Ok(read.lock().expect("no panic").clone().into_bytes())
                }),
                actions: None,
            };
            let identity = login.expect("a login").identity;
            Self {
                client: Client::new(desk, Endpoint::default(), identity, time).lent(outlet),
                desk,
                file,
            }
        }

        fn later(&self, seconds: i64) {
            *self.desk.now.lock().expect("no panic") += SignedDuration::from_secs(seconds);
        }

        async fn ask(&self) -> Result<(), String> {
            let space = crate::model::SpaceId::new("x-1234").expect("an id");
            // What comes is no space; that it came is what counts.
            match self.client.space(&space).await {
                Err(error) if error.kind == ErrorKind::Unauthenticated => Err(error.message),
                Ok(_) | Err(_) => Ok(()),
            }
        }

        async fn bear(&self) -> Result<(), String> {
            let account = NewAccount {
                scope: Scope::from_mrn(SPACE).expect("a scope"),
                name: "ci".to_owned(),
                description: None,
                labels: BTreeMap::new(),
                roles: RoleSet::new(),
                valid_until: None,
            };
            match self.client.create(&account).await {
                Err(error) if error.kind == ErrorKind::Unauthenticated => {
                    assert_eq!(error.effect, Effect::None);
                    Err(error.message)
                }
                Ok(_) | Err(_) => Ok(()),
            }
        }

        fn asked(&self) -> Vec<String> {
            self.desk.asked.borrow().clone()
        }
    }

    #[tokio::test]
    async fn a_login_is_exchanged_anew_with_a_fresh_token_before_it_ends() {
        let desk = Desk::new(Some(10 * MINUTE));
        let (first, second) = (token("1", 5 * MINUTE), token("2", 15 * MINUTE));
        let rig = Rig::file(&desk, &first);
        rig.ask().await.expect("asked");
        rig.later(9 * MINUTE);
        rig.ask().await.expect("asked");
        assert_eq!(desk.tokens().len(), 1, "it still lasts");
        *rig.file.lock().expect("no panic") = format!("{second}\n");
        rig.later(MINUTE - 29);
        rig.ask().await.expect("asked");
        assert_eq!(desk.tokens(), [first, second]);
        assert_eq!(rig.asked(), ["1", "1", "2"]);
        let told = rig.client.temporary().expect("a login");
        assert_eq!(
            told,
            "temporary, until 2026-11-23T12:19:31Z, and renewed by the file /token"
        );
    }

    #[tokio::test]
    async fn there_is_one_exchange_at_a_time_for_all_requests() {
        let desk = Desk::new(Some(10 * MINUTE));
        let rig = Rig::file(&desk, &token("1", 60 * MINUTE));
        let (a, b, c) = tokio::join!(rig.ask(), rig.ask(), rig.ask());
        a.and(b).and(c).expect("asked");
        assert_eq!((desk.tokens().len(), rig.asked().len()), (1, 3));
        // One refusal is the answer to all that wait for it.
        let desk = Desk::new(None);
        desk.refuses.borrow_mut().push(Answer::new(401, ""));
        let rig = Rig::file(&desk, &token("1", 60 * MINUTE));
        let (a, b, c) = tokio::join!(rig.ask(), rig.ask(), rig.ask());
        for refused in [a, b, c] {
            refused.expect_err("refused");
        }
        assert_eq!((desk.tokens().len(), rig.asked().len()), (1, 0));
        rig.later(6);
        rig.ask().await.expect("asked again");
    }

    #[tokio::test]
    async fn a_variable_cannot_be_renewed_and_begins_no_birth_that_could_not_be_finished() {
        let desk = Desk::new(Some(10 * MINUTE));
        let rig = Rig::variable(&desk, &token("1", 5 * MINUTE));
        rig.bear().await.expect("begun");
        let told = rig.client.temporary().expect("a login");
        assert_eq!(
            told,
            "temporary, until 2026-11-23T12:10:00Z. It cannot be renewed after 2026-11-23T12:05:00Z, when the \
             identity token in the variable ID ends: what could not be finished by then is not begun"
        );
        // While the token lives, it is exchanged again for a birth that the login would not outlast.
        rig.later(4 * MINUTE);
        rig.bear().await.expect("begun");
        assert_eq!(
            desk.tokens().len(),
            1,
            "the login lasts for six minutes more"
        );
        rig.later(2 * MINUTE);
        let sent = rig.asked().len();
        let why = rig.bear().await.expect_err("four minutes are too few");
        assert_eq!((rig.asked().len(), desk.tokens().len()), (sent, 1));
        for word in [
            "ends at 2026-11-23T12:10:00Z",
            "nobody renews",
            "nothing was begun",
        ] {
            assert!(why.contains(word), "{why}");
        }
        // What is begun can be finished meanwhile.
        rig.ask().await.expect("answered");
        rig.later(4 * MINUTE);
        rig.ask().await.expect_err("over");
        assert_eq!(desk.tokens().len(), 1);
    }

    #[tokio::test]
    async fn a_token_of_a_variable_is_exchanged_again_while_it_lives() {
        let desk = Desk::new(Some(10 * MINUTE));
        let rig = Rig::variable(&desk, &token("1", 60 * MINUTE));
        rig.bear().await.expect("begun");
        rig.later(6 * MINUTE);
        rig.bear().await.expect("begun");
        assert_eq!(
            (desk.tokens().len(), rig.asked()),
            (2, vec!["1".into(), "2".into()])
        );
    }

    #[tokio::test]
    async fn a_file_that_is_not_renewed_begins_no_birth_either() {
        let desk = Desk::new(Some(10 * MINUTE));
        let rig = Rig::file(&desk, &token("1", 5 * MINUTE));
        rig.bear().await.expect("begun");
        rig.later(6 * MINUTE);
        desk.refuses.borrow_mut().push(Answer::new(401, ""));
        let sent = rig.asked().len();
        let why = rig.bear().await.expect_err("refused");
        assert!(why.contains("over by this machine's clock"), "{why}");
        assert_eq!(rig.asked().len(), sent);
        rig.ask().await.expect("what is begun can be finished");
        assert_eq!(desk.tokens().len(), 2);
    }

    #[tokio::test]
    async fn a_short_login_that_is_renewed_is_not_exchanged_for_every_birth() {
        let desk = Desk::new(Some(4 * MINUTE));
        let rig = Rig::file(&desk, &token("1", 60 * MINUTE));
        for _ in 0..3 {
            rig.bear().await.expect("begun");
        }
        assert_eq!(desk.tokens().len(), 1);
        rig.later(2 * MINUTE + 1);
        rig.bear().await.expect("begun");
        assert_eq!(desk.tokens().len(), 2);
    }

    #[tokio::test]
    async fn a_login_that_ends_before_its_time_is_exchanged_once_more() {
        let desk = Desk::new(None);
        let rig = Rig::file(&desk, &token("1", 60 * MINUTE));
        rig.ask().await.expect("asked");
        desk.unaccepted.set(1);
        rig.ask().await.expect("asked with another login");
        assert_eq!(rig.asked(), ["1", "1", "2"]);
        // One that was never accepted is no reason for the next.
        let desk = Desk::new(None);
        let rig = Rig::file(&desk, &token("1", 60 * MINUTE));
        desk.unaccepted.set(9);
        rig.ask().await.expect_err("not accepted");
        assert_eq!((rig.asked().len(), desk.tokens().len()), (1, 1));
    }

    #[tokio::test]
    async fn the_platforms_clock_counts() {
        let desk = Desk {
            ahead: 3600,
            ..Desk::new(Some(10 * MINUTE))
        };
        let rig = Rig::file(&desk, &token("1", 60 * MINUTE));
        for seconds in [0, 9 * MINUTE] {
            rig.later(seconds);
            rig.ask().await.expect("asked");
        }
        assert_eq!(desk.tokens().len(), 1);
        rig.later(MINUTE);
        rig.ask().await.expect("asked");
        assert_eq!(desk.tokens().len(), 2);
    }

    #[tokio::test]
    async fn a_refusal_names_the_claims_and_the_way_and_never_the_token() {
        let desk = Desk::new(None);
        let text = token("hunter2", -61);
        let said = json!({"code": 16, "message": format!("external token refused: {text}")});
        desk.refuses
            .borrow_mut()
            .push(Answer::new(401, said.to_string()));
        let rig = Rig::variable(&desk, &text);
        let why = rig.ask().await.expect_err("refused");
        for word in [
            "from the variable ID (HTTP 401: external token refused: [REDACTED])",
            "iss \"https://token.actions.githubusercontent.com\"",
            "sub \"repo:acme@7/x@42:ref:refs/heads/main\"",
            "repository_id \"42\"",
            "ends at 2026-11-23T11:58:59Z (which is over by this machine's clock)",
            SPACE,
            "rolecall docs keyless",
        ] {
            assert!(why.contains(word), "{word}: {why}");
        }
        for part in text.split('.') {
            assert!(!why.contains(part), "{why}");
        }
        assert!(!why.contains("hunter2"), "{why}");
    }

    #[tokio::test]
    async fn what_is_no_token_of_the_issuer_is_not_sent() {
        let other = token("1", 60).split('.').nth(1).map(|claims| {
            let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64");
            let mut claims: Value = serde_json::from_slice(&claims).expect("JSON");
            claims["iss"] = json!("https://gitlab.example");
            let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
            format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(&claims))
        });
        for (text, hint) in [
            (
                "root:x:0:0:root:/root:/bin/bash".to_owned(),
                "no identity token",
            ),
            (String::new(), "no identity token"),
            (other.expect("claims"), "another issuer"),
        ] {
            let desk = Desk::new(None);
            let rig = Rig::file(&desk, &text);
            let why = rig.ask().await.expect_err(hint);
            assert!(why.contains(hint) && why.contains("was not sent"), "{why}");
            assert!(!why.contains("/bin/bash"), "{why}");
            assert_eq!(desk.tokens().len(), 0);
        }
    }

    #[tokio::test]
    async fn an_exchange_that_fails_is_tried_again_and_an_answer_that_is_none_is_told() {
        let desk = Desk::new(None);
        desk.refuses.borrow_mut().push(Answer::new(503, ""));
        let rig = Rig::file(&desk, &token("1", 60 * MINUTE));
        rig.ask().await.expect("asked");
        assert_eq!(desk.tokens().len(), 2);
        for body in ["{}", "<html>", r#"{"base64_credential":"e30="}"#] {
            let desk = Desk::new(None);
            desk.refuses.borrow_mut().push(Answer::new(200, body));
            let rig = Rig::file(&desk, &token("1", 60 * MINUTE));
            let mrn = rig.client.caller().await.expect_err(body);
            assert!(
                mrn.message.contains("no temporary credential"),
                "{}",
                mrn.message
            );
            assert_eq!((rig.asked().len(), desk.tokens().len()), (0, 1));
        }
    }
}
