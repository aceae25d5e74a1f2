//! Base URLs of the API: normalised, and safe to send a credential to.
//! Pure: text in, URL out.

use std::fmt;

use reqwest::Url;

use crate::echo;
use crate::http::is_loopback;
use crate::model::{DEFAULT_ENDPOINT as DEFAULT, EndpointAssertion};

/// Why a text is no endpoint, or not the asserted one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EndpointError {
    message: String,
}

fn error<T>(message: String) -> Result<T, EndpointError> {
    Err(EndpointError { message })
}

/// A base URL of the API, without `/query` and without a slash at the end: https, or plain http
/// to the loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    base: String,
    loopback: bool,
}

impl Endpoint {
    /// Reads a base URL; a trailing `/` or `/query` is taken off.
    ///
    /// # Errors
    /// If it is no URL, holds a user, a query or a fragment, or is plain http to another host
    /// than the loopback.
    pub fn new(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        let Ok(url) = Url::parse(text) else {
            return error(format!(
                "{} is not a URL; an endpoint looks like {DEFAULT}",
                quoted(&echo::url(text))
            ));
        };
        let Some(host) = url.host_str() else {
            return error("an endpoint names a host".to_owned());
        };
        // It is told in every plan and document.
        let shown = echo::url(text);
        if !shown.is_plain() {
            return error(format!(
                "{shown} is no base URL; an endpoint looks like {DEFAULT}"
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return error(format!("the endpoint at {host} must not hold a user name"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return error(format!(
                "the endpoint at {host} must not hold `?` or `#`; it is a base URL such as {DEFAULT}"
            ));
        }
        let loopback = is_loopback(host);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => {
                return error(format!(
                    "plain http to {host} would show the credential to the network; use https \
                     (http is allowed to the loopback only)"
                ));
            }
            other => {
                return error(format!("an endpoint is https, not {}", echo::text(other)));
            }
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/query").unwrap_or(path);
        let path = path.trim_end_matches('/');
        Ok(Self {
            base: format!("{}{path}", url.origin().ascii_serialization()),
            loopback,
        })
    }

    /// The base URL, without `/query`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where GraphQL is spoken.
    pub fn query_url(&self) -> String {
        format!("{}/query", self.base)
    }

    /// Whether the endpoint is this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether its host is one of Mondoo's, reached over https. Source: the endpoints that Mondoo documents are
    /// all below `mondoo.com`.
    pub fn is_mondoo(&self) -> bool {
        let host = Url::parse(&self.base).ok();
        let host = host.filter(|url| url.scheme() == "https");
        host.as_ref()
            .and_then(Url::host_str)
            .is_some_and(|host| host.ends_with(".mondoo.com"))
    }

    /// Compares with what a configuration says; it asserts and never redirects.
    ///
    /// # Errors
    /// If the credential leads elsewhere, with the way out.
    pub fn assert(&self, assertion: &EndpointAssertion) -> Result<(), EndpointError> {
        let expected = match assertion {
            EndpointAssertion::Region(region) => match region.as_str() {
                "us" => Self::new("https://us.api.mondoo.com")?,
                "eu" => Self::new("https://eu.api.mondoo.com")?,
                _ => {
                    return error(format!(
                        "`{region}` is not a region of Mondoo; it has `us` and `eu`, and a \
                         private instance is named by its URL"
                    ));
                }
            },
            EndpointAssertion::Url(url) => Self::new(url)?,
        };
        if expected == *self {
            return Ok(());
        }
        error(format!(
            "the configuration is for {expected}, but the credential leads to {self}; nothing was \
             sent. Use a credential of {expected}, or --endpoint if the credential is valid there"
        ))
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            base: DEFAULT.to_owned(),
            loopback: false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

/// In quotes, where it is the text itself.
fn quoted(shown: &echo::Shown<'_>) -> String {
    match shown.is_plain() {
        true => format!("`{shown}`"),
        false => shown.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> Option<String> {
        Endpoint::new(text).ok().map(|e| e.base().to_owned())
    }

    #[test]
    fn one_endpoint_has_one_form() {
        for text in [
            "https://eu.api.mondoo.com",
            "https://eu.api.mondoo.com/",
            "https://eu.api.mondoo.com/query",
            "https://eu.api.mondoo.com/query/",
            "HTTPS://EU.api.mondoo.com:443/query",
            " https://eu.api.mondoo.com\n",
        ] {
            assert_eq!(base(text).as_deref(), Some("https://eu.api.mondoo.com"));
        }
        assert_eq!(
            base("https://h.example/mondoo/query").as_deref(),
            Some("https://h.example/mondoo")
        );
        let default = Endpoint::default();
        assert_eq!(Endpoint::new(DEFAULT), Ok(default.clone()));
        assert_eq!(default.query_url(), "https://us.api.mondoo.com/query");
    }

    #[test]
    fn plain_http_reaches_the_loopback_only() {
        for text in [
            "http://localhost:8989",
            "http://127.0.0.1:8989",
            "http://127.9.9.9",
            "http://[::1]:8989",
        ] {
            assert_eq!(base(text).as_deref(), Some(text));
        }
        for text in [
            "http://us.api.mondoo.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0",
            "http://10.0.0.1",
        ] {
            assert_eq!(base(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_base_url_is_refused_and_a_password_is_not_repeated() {
        for text in [
            "",
            "us.api.mondoo.com",
            "ftp://a.example",
            "https://a/?x=1",
            "https://a/#x",
        ] {
            assert_eq!(base(text), None, "{text}");
        }
        let why = Endpoint::new("https://me:hunter2@a.example")
            .expect_err("a user")
            .to_string();
        assert!(!why.contains("hunter2"), "{why}");
    }

    #[test]
    fn what_may_be_a_secret_is_no_part_of_a_base_url_and_is_not_repeated() {
        let secret = "kX9pQ2vR7tY4wZ1aB6cD3eF8gH5jK0mN2pQ4rS7tU9vW1xY3zA";
        for text in [
            secret.to_owned(),
            format!("https://a.example/{secret}"),
            format!("https://{secret}/"),
            format!("https://a.example/?key={secret}"),
            format!("https://a.example/x/{secret}/query"),
            format!("{secret}://a.example"),
            format!("https://a.example:{secret}"),
        ] {
            let why = Endpoint::new(&text).expect_err("not one").to_string();
            assert!(
                !why.to_lowercase().contains(&secret.to_lowercase()[..20]),
                "{why}"
            );
        }
    }

    #[test]
    fn a_configuration_asserts_and_never_redirects() {
        let eu = Endpoint::new("https://eu.api.mondoo.com").expect("valid");
        let region = |r: &str| eu.assert(&EndpointAssertion::Region(r.to_owned()));
        assert_eq!(region("eu"), Ok(()));
        let why = region("us").expect_err("another region").to_string();
        assert!(why.contains("us.api.mondoo.com") && why.contains("eu.api.mondoo.com"));
        assert!(region("ap").is_err());
        let url = |u: &str| eu.assert(&EndpointAssertion::Url(u.to_owned()));
        assert_eq!(url("https://eu.api.mondoo.com/query"), Ok(()));
        assert!(url("https://eu.api.mondoo.com.evil.example").is_err());
    }
}
