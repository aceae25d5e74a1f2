//! Talking to one GitLab: as who is logged in, and what is asked about a variable.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::answer::{self, Asked, TOKEN, Variable, malformed, refuse};
use super::login;
use crate::http::{Answer, Client, Method, Request, Words};
use crate::model::{GitlabPlace, Origin};
use crate::ports::{Effect, SinkError, SinkErrorKind};
use crate::sinks::machine::Machine;
use crate::sinks::remote::{self, Call};

/// How often a write is looked for: a server that answers may not have heard of it yet.
const LOOKS: u32 = 4;
/// The largest answer that is read, in bytes: a variable is far smaller.
const LARGEST: usize = 4 * 1024 * 1024;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "the sink's address",
};

/// A server as one run sees it.
pub(super) struct Server {
    machine: Arc<Machine>,
    client: Client,
    token: Zeroizing<String>,
    /// Whether the token was looked at.
    checked: OnceCell<()>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.client.shown())
    }
}

/// What is asked of a server.
struct Wanted<'a> {
    operation: &'static str,
    method: Method,
    url: &'a str,
    body: Option<&'a Zeroizing<Vec<u8>>>,
}

/// What is at a place, and the bytes in which it came.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) variable: Option<Variable>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Looked {
    /// What it holds, if it is there.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.variable.as_ref().map(Variable::bytes)
    }
}

/// A write that GitLab refused, or whose answer was lost.
pub(super) struct Unwritten {
    pub(super) error: SinkError,
    /// Whether a new variable was refused since one is there.
    pub(super) taken: bool,
    /// Whether an answer says that nothing was written. One of status 403 was seen after a write had been
    /// done. Source: python-gitlab/python-gitlab#1650.
    pub(super) surely: bool,
}

impl Server {
    /// A server that nothing was sent to yet.
    ///
    /// # Errors
    /// If there is no login for it, or no connection can be prepared.
    pub(super) fn new(machine: Arc<Machine>, address: &Origin) -> Result<Self, SinkError> {
        let token = login::token(&machine, address)?;
        Ok(Self {
            client: machine.client(address.as_str(), None, WORDS)?,
            token,
            machine,
            checked: OnceCell::new(),
        })
    }

    async fn ask(&self, wanted: &Wanted<'_>) -> Result<Answer, SinkError> {
        let make = || {
            let request = Request::new(wanted.method, wanted.url)
                .secret("private-token", self.token.clone())
                .header("accept", "application/json");
            let mut request = match wanted.body {
                Some(body) => request
                    .header("content-type", "application/json")
                    .body(body.clone()),
                None => request,
            };
            request.largest_answer = LARGEST;
            request
        };
        let call = Call {
            operation: wanted.operation,
            writes: wanted.method != Method::Get,
            make: &make,
            again: remote::usual,
        };
        remote::send(&self.machine, &self.client, &call).await
    }

    /// An answer that refuses; `value` is what was sent.
    fn refused(
        &self,
        answer: &Answer,
        place: &GitlabPlace,
        writes: bool,
        value: &str,
    ) -> SinkError {
        let asked = Asked {
            place,
            token: &self.token,
            value,
            writes,
        };
        answer::refused(answer, &asked)
    }

    /// Refuses a token of which GitLab says that it may only read, once a run.
    pub(super) async fn may_write(&self, place: &GitlabPlace) -> Result<(), SinkError> {
        let check = || async {
            #[derive(Deserialize)]
            struct Told {
                #[serde(default)]
                scopes: Vec<String>,
            }
            let url = format!(
                "{}{}/personal_access_tokens/self",
                place.address,
                GitlabPlace::API
            );
            let wanted = Wanted {
                operation: "gitlab login",
                method: Method::Get,
                url: &url,
                body: None,
            };
            let answer = self.ask(&wanted).await?;
            match answer.status {
                200 => {}
                401 => return Err(self.refused(&answer, place, false, "")),
                // Some servers and some kinds of tokens do not tell.
                _ => return Ok(()),
            }
            let Ok(Told { scopes }) = serde_json::from_slice::<Told>(&answer.body) else {
                return Err(malformed(
                    "the answer is not GitLab's; is the sink's address that of one?",
                ));
            };
            let has = |name: &str| scopes.iter().any(|scope| scope == name);
            match has("read_api") && !has("api") && !has("granular") {
                false => Ok(()),
                // A token keeps the scopes that it was made with.
                true => Err(refuse(
                    SinkErrorKind::Unauthenticated,
                    format!("the token of {TOKEN} may only read: it has the scope `read_api`"),
                    "make one with the scope `api`",
                )),
            }
        };
        self.checked.get_or_try_init(check).await.copied()
    }

    /// What is at a place.
    pub(super) async fn look(&self, place: &GitlabPlace) -> Result<Looked, SinkError> {
        let wanted = Wanted {
            operation: "gitlab look",
            method: Method::Get,
            url: &place.variable(&place.environment_scope),
            body: None,
        };
        let answer = self.ask(&wanted).await?;
        match answer.status {
            200 => Ok(Looked {
                variable: Some(Variable::read(&answer.body)?),
                body: answer.body,
            }),
            404 if answer::is_absent(&answer) => Ok(Looked::default()),
            _ => Err(self.refused(&answer, place, false, "")),
        }
    }

    /// What is at a place, and whether a variable of the same name and of another scope is there, which a job
    /// may get in its place: only where a scope is of several environments.
    pub(super) async fn look_around(
        &self,
        place: &GitlabPlace,
    ) -> Result<(Looked, bool), SinkError> {
        if !place.environment_scope.contains('*') {
            return Ok((self.look(place).await?, false));
        }
        let url = format!("{}/{}", place.variables(), place.name);
        let wanted = Wanted {
            operation: "gitlab look",
            method: Method::Get,
            url: &url,
            body: None,
        };
        let answer = self.ask(&wanted).await?;
        match answer.status {
            200 => {}
            404 if answer::is_absent(&answer) => return Ok((Looked::default(), false)),
            409 if answer::is_ambiguous(&answer) => return Ok((self.look(place).await?, true)),
            _ => return Err(self.refused(&answer, place, false, "")),
        }
        let only = Variable::read(&answer.body)?;
        let scope = only.environment_scope.as_deref();
        if scope.is_some_and(|scope| scope != place.environment_scope) {
            return Ok((Looked::default(), true));
        }
        let looked = Looked {
            variable: Some(only),
            body: answer.body,
        };
        Ok((looked, false))
    }

    /// Looks a few times, until what is there is as `done` wants it.
    pub(super) async fn look_for(
        &self,
        place: &GitlabPlace,
        done: impl Fn(&Looked) -> bool,
    ) -> Result<Looked, SinkError> {
        for look in 1..LOOKS {
            let looked = self.look(place).await?;
            if done(&looked) {
                return Ok(looked);
            }
            (self.machine.time.sleep)(Duration::from_millis(250 << look)).await;
        }
        self.look(place).await
    }

    /// Writes a value into the variable that is there, which stays as it is besides, or into a new one.
    /// Gives the variable as GitLab says that it is now.
    pub(super) async fn write(
        &self,
        place: &GitlabPlace,
        there: Option<&Variable>,
        value: &str,
    ) -> Result<Variable, Unwritten> {
        let unsent = |error| Unwritten {
            error,
            taken: false,
            surely: true,
        };
        let body = answer::body(place, there, value).map_err(unsent)?;
        let (method, url, good) = match there {
            None => (Method::Post, place.variables(), 201),
            Some(_) => (Method::Put, place.variable(&place.environment_scope), 200),
        };
        let wanted = Wanted {
            operation: "gitlab write",
            method,
            url: &url,
            body: Some(&body),
        };
        let answer = match self.ask(&wanted).await {
            Ok(answer) => answer,
            Err(error) => {
                return Err(Unwritten {
                    surely: error.effect == Effect::None,
                    taken: false,
                    error,
                });
            }
        };
        if answer.status == good {
            return Variable::read(&answer.body).map_err(|error| Unwritten {
                error,
                taken: false,
                surely: false,
            });
        }
        Err(Unwritten {
            error: self.refused(&answer, place, true, value),
            taken: answer::is_taken(&answer),
            surely: matches!(answer.status, 300..=499) && answer.status != 403,
        })
    }

    /// Deletes the place's variable of an environment scope; one that is not there any more is deleted.
    pub(super) async fn delete(
        &self,
        place: &GitlabPlace,
        environment_scope: &str,
    ) -> Result<(), SinkError> {
        let wanted = Wanted {
            operation: "gitlab delete",
            method: Method::Delete,
            url: &place.variable(environment_scope),
            body: None,
        };
        let answer = self.ask(&wanted).await?;
        match answer.status {
            200 | 204 => Ok(()),
            404 if answer::is_absent(&answer) => Ok(()),
            _ => Err(self.refused(&answer, place, true, "")),
        }
    }
}
