//! The proxy that is named for Mondoo alone.
//! Pure over an injected environment.

use crate::http::{Proxy, ProxyError};
use crate::secret::Secret;

/// Names one for Mondoo alone, as for Mondoo's own tools.
const OF_MONDOO: &str = "MONDOO_API_PROXY";
/// The key of a credential's file that does.
const OF_FILE: &str = "api_proxy";

/// The proxy that is named for Mondoo alone, if one is: by `MONDOO_API_PROXY`, else by the `api_proxy`
/// of the credential's file. It leads to every host of Mondoo's, whatever `NO_PROXY` lists.
///
/// # Errors
/// If the value is not a proxy's address.
pub(super) fn of_mondoo(
    own: Option<&Secret<String>>,
    var: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, ProxyError> {
    let set = var(OF_MONDOO).filter(|value| !value.trim().is_empty());
    let found = match (&set, own) {
        (Some(value), _) => Proxy::of_one(
            OF_MONDOO,
            "unset it, since NO_PROXY has no say there",
            value,
        ),
        (None, Some(own)) => Proxy::of_one(
            OF_FILE,
            "take it out of the credential's file, since NO_PROXY has no say there",
            own.expose(),
        ),
        (None, None) => return Ok(None),
    };
    found.map(Some)
}

/// Whether a credential's file names the proxy, and no variable.
pub(super) fn is_of_file(error: &ProxyError) -> bool {
    error.named == OF_FILE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_mondoo_is_the_variables_then_the_files_and_has_no_exceptions() {
        let of_mondoo = |set: &[(&str, &str)], own: Option<&str>| {
            let own = own.map(|own| Secret::new(own.to_owned()));
            let var = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let found = super::of_mondoo(own.as_ref(), &var).map_err(|e| e.to_string())?;
            Ok(found.map(|proxy| {
                let (named, url, except) = proxy.facts();
                (named, url, except.map(str::to_owned))
            }))
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
}
