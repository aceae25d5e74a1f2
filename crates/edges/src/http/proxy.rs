//! Which proxy leads to a host, as the environment's variables say.
//! Pure over an injected environment. A value that cannot be used is an error: to go without the
//! proxy that somebody named would be a surprise.

use std::fmt;
use std::net::IpAddr;

use reqwest::{NoProxy, Url};

/// In the order in which they count; both spellings are in use.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// How to go without a proxy that is for all hosts.
pub(super) const WITHOUT: &str = "add the host to NO_PROXY";

/// A proxy that leads to hosts over TLS.
pub struct Proxy {
    /// What names it, for people.
    pub named: &'static str,
    /// How to go without it, for people.
    pub without: &'static str,
    url: Url,
    /// The hosts that are reached without it, as the variable lists them.
    except: Option<String>,
}

/// No usable proxy is named. Never repeats the value, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{named} names no proxy that can be used: {why}")]
pub struct ProxyError {
    /// What names it, for people.
    pub named: &'static str,
    why: &'static str,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.named)
    }
}

impl Proxy {
    /// A proxy for one destination alone, by its address: it leads there whatever `NO_PROXY` lists.
    /// `named` and `without` tell people what names it and how to go without it.
    ///
    /// # Errors
    /// If the value is not a proxy's address.
    pub fn of_one(
        named: &'static str,
        without: &'static str,
        value: &str,
    ) -> Result<Self, ProxyError> {
        let url = address(value.trim()).map_err(|why| ProxyError { named, why })?;
        Ok(Self {
            named,
            without,
            url,
            except: None,
        })
    }

    /// Finds the proxy for all hosts: the first variable of `HTTPS_PROXY` and `ALL_PROXY` that is set,
    /// in capitals or not. `NO_PROXY` lists what is reached without it.
    ///
    /// # Errors
    /// If the value is not a proxy's address.
    pub fn find(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let set = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let found = PROXIES.iter().find_map(|name| Some((*name, set(name)?)));
        let Some((named, value)) = found else {
            return Ok(None);
        };
        let except = EXCEPTIONS.iter().find_map(|name| set(name));
        let proxy = Self::of_one(named, WITHOUT, &value)?;
        Ok(Some(Self { except, ..proxy }))
    }

    /// What names it, its address, and its exceptions.
    #[cfg(test)]
    pub(crate) fn facts(&self) -> (&'static str, String, Option<&str>) {
        (self.named, self.url.to_string(), self.except.as_deref())
    }

    /// The same for the HTTP library.
    pub(super) fn rule(&self) -> reqwest::Result<reqwest::Proxy> {
        let except = self.except.as_deref().and_then(NoProxy::from_string);
        Ok(reqwest::Proxy::https(self.url.clone())?.no_proxy(except))
    }
}

/// Whether a host, as a URL names it, is this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// `http://HOST:PORT`, where `http://` may be left out as other tools allow.
fn address(text: &str) -> Result<Url, &'static str> {
    const FORM: &str = "it should be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with %XX \
                        for special letters in the password";
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = Url::parse(&whole).map_err(|_| FORM)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("rolecall goes through HTTP proxies only: it should be http://HOST:PORT");
    }
    // A lone number would be taken for an address.
    let named = url.host_str().is_some() && text.parse::<u32>().is_err();
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if named && bare { Ok(url) } else { Err(FORM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<Option<(&'static str, String)>, ProxyError> {
        let var = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let found = Proxy::find(&var)?;
        Ok(found.map(|proxy| (proxy.named, proxy.url.to_string())))
    }

    #[test]
    fn the_first_variable_that_is_set_counts_in_either_spelling() {
        let full = [
            ("all_proxy", "http://d"),
            ("ALL_PROXY", "http://c"),
            ("https_proxy", "http://b"),
            ("HTTPS_PROXY", "http://a"),
        ];
        for (set, variable, url) in [
            (4, "HTTPS_PROXY", "http://a/"),
            (3, "https_proxy", "http://b/"),
            (2, "ALL_PROXY", "http://c/"),
            (1, "all_proxy", "http://d/"),
        ] {
            let found = find(&full[..set]).expect("usable");
            assert_eq!(found, Some((variable, url.to_owned())));
        }
        assert_eq!(find(&[("HTTPS_PROXY", " "), ("HTTP_PROXY", "x")]), Ok(None));
        let found = find(&[("HTTPS_PROXY", ""), ("https_proxy", "http://b")]);
        assert_eq!(found, Ok(Some(("https_proxy", "http://b/".to_owned()))));
        // What counts is checked, and nothing else stands in for it.
        assert!(find(&[("HTTPS_PROXY", "::"), ("ALL_PROXY", "http://c")]).is_err());
    }

    #[test]
    fn an_address_has_a_host_and_nothing_behind_it() {
        for (text, url) in [
            ("proxy:8080", "http://proxy:8080/"),
            ("proxy", "http://proxy/"),
            (" http://proxy:8080/ ", "http://proxy:8080/"),
            ("https://proxy", "https://proxy/"),
            ("me:p%23ss@proxy:1", "http://me:p%23ss@proxy:1/"),
            ("10.0.0.1:3128", "http://10.0.0.1:3128/"),
            ("[::1]:3128", "http://[::1]:3128/"),
        ] {
            let found = find(&[("HTTPS_PROXY", text)]);
            assert_eq!(found, Ok(Some(("HTTPS_PROXY", url.to_owned()))), "{text}");
        }
        for text in [
            "8080",
            "http://",
            ":8080",
            "proxy:port",
            "proxy 8080",
            "http//proxy:8080",
            "http:/proxy:8080",
            "http://proxy:8080/path",
            "http://me:p#ss@proxy:8080",
            "socks5://me:hunter2@proxy:1080",
            "me:hunter2@",
        ] {
            let why = find(&[("ALL_PROXY", text)]).expect_err(text).to_string();
            assert!(why.starts_with("ALL_PROXY names no proxy"), "{why}");
            assert!(why.contains("http://HOST:PORT"), "{why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
