//! Which proxy leads to the platform, as the environment's variables say.
//! Pure over an injected environment. A value that cannot be used is an error: to go without the
//! proxy that somebody named would be a surprise.

use std::fmt;

use reqwest::{NoProxy, Url};

use crate::secret::Secret;

/// In the order in which they count; both spellings are in use.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Names one for Mondoo alone, as for Mondoo's own tools.
const OF_MONDOO: &str = "MONDOO_API_PROXY";
/// The key of a credential's file that does.
const OF_FILE: &str = "api_proxy";
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A proxy that leads to hosts over TLS.
pub struct Proxy {
    /// The variable that names it.
    pub variable: &'static str,
    url: Url,
    /// The hosts that are reached without it, as the variable lists them.
    except: Option<String>,
}

/// A variable that names no usable proxy. Never repeats its value, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} names no proxy that can be used: {why}")]
pub struct ProxyError {
    variable: &'static str,
    why: &'static str,
}

impl ProxyError {
    /// Whether a credential's file names it, and no variable.
    pub(super) fn is_of_file(&self) -> bool {
        self.variable == OF_FILE
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.variable)
    }
}

impl Proxy {
    /// The proxy that is named for Mondoo alone, if one is: by `MONDOO_API_PROXY`, else by the `api_proxy`
    /// of the credential's file. It leads to every host of Mondoo's, whatever `NO_PROXY` lists.
    ///
    /// # Errors
    /// If the value is not a proxy's address.
    pub fn of_mondoo(
        own: Option<&Secret<String>>,
        var: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ProxyError> {
        let set = var(OF_MONDOO).filter(|value| !value.trim().is_empty());
        let (variable, value) = match (set, own) {
            (Some(value), _) => (OF_MONDOO, value),
            (None, Some(own)) => (OF_FILE, own.expose().clone()),
            (None, None) => return Ok(None),
        };
        let url = address(value.trim()).map_err(|why| ProxyError { variable, why })?;
        Ok(Some(Self {
            variable,
            url,
            except: None,
        }))
    }

    /// Finds the proxy: the first variable of `HTTPS_PROXY` and `ALL_PROXY` that is set, in
    /// capitals or not. `NO_PROXY` lists what is reached without it.
    ///
    /// # Errors
    /// If the value is not a proxy's address.
    pub fn find(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let set = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let named = PROXIES.iter().find_map(|name| Some((*name, set(name)?)));
        let Some((variable, value)) = named else {
            return Ok(None);
        };
        let url = address(value.trim()).map_err(|why| ProxyError { variable, why })?;
        let except = EXCEPTIONS.iter().find_map(|name| set(name));
        Ok(Some(Self {
            variable,
            url,
            except,
        }))
    }

    /// The same for the HTTP library.
    pub(super) fn rule(&self) -> reqwest::Result<reqwest::Proxy> {
        let except = self.except.as_deref().and_then(NoProxy::from_string);
        Ok(reqwest::Proxy::https(self.url.clone())?.no_proxy(except))
    }
}

/// How to go without the proxy that `variable` names.
pub(super) fn without(variable: &str) -> &'static str {
    match variable {
        OF_MONDOO => "unset it, since NO_PROXY has no say there",
        OF_FILE => "take it out of the credential's file, since NO_PROXY has no say there",
        _ => "add the host to NO_PROXY",
    }
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
        Ok(found.map(|proxy| (proxy.variable, proxy.url.to_string())))
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
        // What counts is judged, and nothing else stands in for it.
        assert!(find(&[("HTTPS_PROXY", "::"), ("ALL_PROXY", "http://c")]).is_err());
    }

    #[test]
    fn a_proxy_of_mondoo_is_the_variables_then_the_files_and_has_no_exceptions() {
        let of_mondoo = |set: &[(&str, &str)], own: Option<&str>| {
            let own = own.map(|own| Secret::new(own.to_owned()));
            let var = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let found = Proxy::of_mondoo(own.as_ref(), &var).map_err(|e| e.to_string())?;
            Ok(found.map(|proxy| (proxy.variable, proxy.url.to_string(), proxy.except)))
        };
        let found = |variable, url: &str| Ok::<_, String>(Some((variable, url.to_owned(), None)));
        let others = [("HTTPS_PROXY", "http://c"), ("NO_PROXY", "*")];
        assert_eq!(of_mondoo(&others, None), Ok(None));
        assert_eq!(
            of_mondoo(&others, Some("own:8")),
            found("api_proxy", "http://own:8/")
        );
        let both = [("MONDOO_API_PROXY", "http://a:1"), ("NO_PROXY", "*")];
        assert_eq!(
            of_mondoo(&both, Some("own:8")),
            found("MONDOO_API_PROXY", "http://a:1/")
        );
        assert_eq!(of_mondoo(&[("MONDOO_API_PROXY", " ")], None), Ok(None));
        for (set, own, name) in [
            (
                &[("MONDOO_API_PROXY", "me:hunter2@")][..],
                None,
                "MONDOO_API_PROXY",
            ),
            (&[], Some("socks5://me:hunter2@p:1"), "api_proxy"),
        ] {
            let why = of_mondoo(set, own).expect_err(name);
            assert!(why.starts_with(name) && !why.contains("hunter2"), "{why}");
        }
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
