//! Requests to a code host: sent again where that is safe, told in a log. Knows no host; each says what its answers
//! mean.

use std::fmt;
use std::time::Duration;

use super::error::{ForgeError, ForgeErrorKind};
use crate::http::{
    Again, Answer, Client, Failure, Method, Proxy, Request, Retry, Settings, Time, Verdict, Words,
    is_loopback,
};
use crate::secret::Secret;

/// How often one request is sent, and how long is waited in between.
const RETRY: Retry = Retry::STEADY;
/// The largest file that is fetched, in bytes.
const LARGEST_FILE: usize = 64 * 1024 * 1024;

const WORDS: Words = Words {
    authorities: "--ca-file",
    trust: "--ca-file FILE (or SSL_CERT_FILE)",
    longer: "--timeout SECONDS waits longer",
    address: "the address of the code host's API",
};

/// One request, sent once, and how that went: what a log may hold of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgeRequest {
    /// What was asked for, a few words that are the same for every request of its kind.
    pub operation: &'static str,
    /// Whom: the origin.
    pub host: String,
    /// How often it was sent by now, from 1.
    pub attempt: usize,
    /// The status of the answer, if one came.
    pub status: Option<u16>,
    /// How long it took, by the local clock.
    pub took: Duration,
}

/// Is told of every request once it is over; must not fail.
pub type ForgeObserver = Box<dyn Fn(&ForgeRequest) + Send + Sync>;

/// What a run gives to the client of a code host.
pub struct Means {
    /// The token.
    pub token: Secret<String>,
    /// The variable that held it.
    pub token_from: &'static str,
    /// The clock.
    pub time: Time,
    /// The proxy, where the environment names one.
    pub proxy: Option<Proxy>,
    /// Certificates in PEM that are trusted besides the system's (`--ca-file`).
    pub authorities: Option<Vec<u8>>,
    /// What in the environment names authorities in the place of the system's.
    pub in_place: Option<String>,
    /// How long one answer may take.
    pub patience: Duration,
    /// Is told of every request.
    pub observer: ForgeObserver,
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Means(token of {})", self.token_from)
    }
}

/// A request of a kind, which can be made again and again.
pub(super) struct Asked<'a> {
    /// What it asks for, a few words.
    pub(super) operation: &'static str,
    /// Whether it changes something.
    pub(super) writes: bool,
    /// Makes it.
    pub(super) make: &'a (dyn Fn() -> Request + Send + Sync),
    /// How long an answer asks to wait, if it says that too much was asked.
    pub(super) limited: fn(&Answer) -> Option<Duration>,
}

impl Means {
    /// A client of one origin; nothing is sent yet.
    ///
    /// # Errors
    /// Why no connection can be prepared.
    pub(super) fn client(&self, origin: &str) -> Result<Client, ForgeError> {
        let settings = Settings {
            authorities: self.authorities.as_deref(),
            identity: None,
            in_place: self.in_place.as_deref(),
            proxy: self.proxy.as_ref(),
            patience: self.patience,
            words: WORDS,
        };
        Client::new(origin, &settings)
            .map_err(|error| ForgeError::new(ForgeErrorKind::Setup, error.to_string()))
    }

    /// Sends a request until its answer counts.
    ///
    /// # Errors
    /// If no whole answer came, or the host wants to be left alone for longer than is waited.
    pub(super) async fn send(
        &self,
        client: &Client,
        asked: &Asked<'_>,
    ) -> Result<Answer, ForgeError> {
        let mut tries = RETRY.tries();
        let mut told = ForgeRequest {
            operation: asked.operation,
            host: client.shown().to_owned(),
            attempt: 1,
            status: None,
            took: Duration::ZERO,
        };
        loop {
            let began = (self.time.now)();
            let answer = client.send((asked.make)()).await;
            let took = (self.time.now)().duration_since(began);
            told.took = Duration::try_from(took).unwrap_or_default();
            told.status = answer.as_ref().ok().map(|answer| answer.status);
            (self.observer)(&told);
            told.attempt += 1;
            let limit = answer.as_ref().ok().and_then(asked.limited);
            let (again, wait) = match &answer {
                Ok(_) if limit.is_some() => (Again::Always, limit),
                Ok(answer) if (500..=599).contains(&answer.status) => {
                    (Again::Reads, answer.retry_after)
                }
                Ok(_) => (Again::Never, None),
                Err(failure) if failure.lasting => (Again::Never, None),
                Err(failure) if failure.maybe_sent => (Again::Reads, None),
                Err(_) => (Again::Always, None),
            };
            if let Verdict::Wait(wait) = tries.after(again, asked.writes, wait) {
                (self.time.sleep)(wait).await;
                continue;
            }
            return match (answer, limit) {
                (Ok(_), Some(wait)) => Err(limited(client.shown(), wait)),
                (Ok(answer), None) => Ok(answer),
                (Err(failure), _) => Err(lost(&failure, asked.writes)),
            };
        }
    }

    /// Fetches a file that the host keeps elsewhere: without the token, by https alone but on this machine, and from
    /// where it is said to be, not further.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(super) async fn fetch(
        &self,
        operation: &'static str,
        url: &str,
    ) -> Result<Answer, ForgeError> {
        let origin = origin(url).ok_or_else(|| {
            ForgeError::new(
                ForgeErrorKind::Strange,
                "the code host names an address for its file that is not fetched: it is no https",
            )
        })?;
        let client = self.client(&origin)?;
        let make = || {
            let mut request = Request::new(Method::Get, url);
            request.largest_answer = LARGEST_FILE;
            request
        };
        let asked = Asked {
            operation,
            writes: false,
            make: &make,
            limited: |_| None,
        };
        self.send(&client, &asked).await
    }
}

fn limited(host: &str, wait: Duration) -> ForgeError {
    let seconds = wait.as_secs();
    ForgeError::new(
        ForgeErrorKind::Limited,
        format!(
            "{host} takes no more requests of this login for now, and asks to wait {seconds} s"
        ),
    )
    .help(format!("run again in {seconds} s"))
}

fn lost(failure: &Failure, writes: bool) -> ForgeError {
    let kind = match failure.lasting {
        true => ForgeErrorKind::Setup,
        false => ForgeErrorKind::Unavailable,
    };
    let mut message = failure.message.clone();
    if writes && failure.maybe_sent {
        message.push_str("; it may have been done all the same");
    }
    ForgeError {
        kind,
        message,
        help: failure.help.clone(),
    }
}

/// The origin of a URL that may be fetched: https, or this machine.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if authority.is_empty() || !authority.bytes().all(plain) {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(six) => format!("[{}]", six.split(']').next()?),
        None => authority.split(':').next()?.to_owned(),
    };
    let good = scheme == "https" || scheme == "http" && is_loopback(&host);
    good.then(|| format!("{scheme}://{authority}"))
}

/// A text as a part of a path, or of a query.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into());
            }
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

/// The URL of the page behind this one, as the header `link` says (RFC 8288).
pub(super) fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|one| {
        let (url, rest) = one.trim().strip_prefix('<')?.split_once('>')?;
        let next = rest
            .split(';')
            .any(|parameter| parameter.trim() == "rel=\"next\"");
        next.then_some(url)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_fetched_over_https_or_from_this_machine_alone() {
        for (url, from) in [
            ("https://blob.example/x?sig=1", Some("https://blob.example")),
            (
                "https://blob.example:8443",
                Some("https://blob.example:8443"),
            ),
            ("http://127.0.0.1:81/x", Some("http://127.0.0.1:81")),
            ("http://[::1]:81/x", Some("http://[::1]:81")),
            ("http://blob.example/x", None),
            ("http://127.0.0.1.evil.example/x", None),
            ("https://user@blob.example/x", None),
            ("file:///etc/passwd", None),
            ("//blob.example/x", None),
        ] {
            assert_eq!(origin(url).as_deref(), from, "{url}");
        }
    }

    #[test]
    fn the_next_page_is_the_one_of_its_relation() {
        let link = "<https://h/x?page=1>; rel=\"prev\", <https://h/x?page=3>; rel=\"next\", \
                    <https://h/x?page=9>; rel=\"last\"";
        assert_eq!(next_page(link), Some("https://h/x?page=3"));
        assert_eq!(next_page("<https://h/x?page=9>; rel=\"last\""), None);
        assert_eq!(next_page(""), None);
    }

    #[test]
    fn what_is_put_into_a_path_leaves_it_nowhere() {
        assert_eq!(escape("a/../b?c#d e\u{e4}"), "a%2F..%2Fb%3Fc%23d%20e%C3%A4");
        assert_eq!(escape("v1.2_x-y~z"), "v1.2_x-y~z");
    }
}
