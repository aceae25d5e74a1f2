//! Where a store is: `https://HOST` with a port.
//! Pure. What is no plain origin is refused, so that no two programs read it in two ways.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The origin of a server: scheme, host and port, in one spelling. Plain http is for this machine alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Origin(String);

impl Origin {
    /// Reads `https://HOST` or `https://HOST:PORT`, with or without a `/` behind it. The host is in ASCII;
    /// its case does not count.
    ///
    /// # Errors
    /// What is wrong, a fragment: it repeats nothing of the text.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "an address looks like https://vault.acme.example:8200";
        let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err("an address ends with its host and port, without a path");
        }
        if rest.contains('@') {
            return Err("an address holds no user name and no password");
        }
        let (host, port) = split(rest).ok_or(FORM)?;
        let host = host.to_ascii_lowercase();
        let usual = match scheme {
            "https" => "443",
            "http" if loopback(&host) => "80",
            "http" => {
                return Err(
                    "plain http would show the key to the network; write https (http is for this \
                     machine alone)",
                );
            }
            _ => return Err(FORM),
        };
        let port = match port {
            Some(port) => {
                let digits = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
                let number = port.parse::<u16>().ok().filter(|_| digits);
                number.ok_or("a port is a number from 1 to 65535")?;
                Some(port).filter(|port| *port != usual)
            }
            None => None,
        };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(format!("{scheme}://{host}{port}")))
    }

    /// The text: `https://vault.acme.example:8200`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Host and port; `None` if the host is none.
fn split(rest: &str) -> Option<(&str, Option<&str>)> {
    if let Some(inner) = rest.strip_prefix('[') {
        let (address, port) = inner.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        let host = &rest[..address.len() + 2];
        return match port {
            "" => Some((host, None)),
            port => Some((host, Some(port.strip_prefix(':')?))),
        };
    }
    let (host, port) = match rest.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let mut labels = host.split('.');
    let named = host.len() <= 253
        && labels.all(|label| (1..=63).contains(&label.len()) && label.bytes().all(plain));
    // What ends with a number is an IPv4 address, which other programs read in octal or with parts left out.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    let fits = named && (!numeric || host.parse::<std::net::Ipv4Addr>().is_ok());
    fits.then_some((host, port))
}

fn loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|one| one.is_loopback())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

impl TryFrom<String> for Origin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_spelling() {
        for (text, origin) in [
            ("https://vault.acme.example", "https://vault.acme.example"),
            ("https://Vault.ACME.example/", "https://vault.acme.example"),
            (
                "https://vault.acme.example:443",
                "https://vault.acme.example",
            ),
            ("https://vault:8200/", "https://vault:8200"),
            ("https://10.0.0.1:80", "https://10.0.0.1:80"),
            ("https://[2001:db8::1]:8200", "https://[2001:db8::1]:8200"),
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200"),
            ("http://localhost:80", "http://localhost"),
            ("http://[::1]:8200", "http://[::1]:8200"),
        ] {
            assert_eq!(Origin::new(text).map(|one| one.0).as_deref(), Ok(origin));
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_no_address() {
        for (text, why) in [
            ("", "looks like"),
            ("vault.acme.example", "looks like"),
            ("ftp://vault", "looks like"),
            ("HTTPS://vault", "looks like"),
            ("https://", "looks like"),
            ("https://vault:", "number"),
            ("https://vault:0", "number"),
            ("https://vault:+80", "number"),
            ("https://vault:080", "number"),
            ("https://vault:65536", "number"),
            ("https://vault/v1", "without a path"),
            ("https://vault?x", "without a path"),
            ("https://vault#x", "without a path"),
            ("https://vault.acme.example\\@evil.example", "no user name"),
            ("https://user:pw@vault", "no user name"),
            ("https://vault\\evil", "looks like"),
            ("https://väult", "looks like"),
            ("https://vault .example", "looks like"),
            ("https://vault\t", "looks like"),
            ("https://a..b", "looks like"),
            ("https://vault.", "looks like"),
            ("https://0177.0.0.1", "looks like"),
            ("https://2130706433", "looks like"),
            ("https://0x7f000001", "looks like"),
            ("https://[::1", "looks like"),
            ("https://[::1]8200", "looks like"),
            ("https://[vault]", "looks like"),
            ("http://vault.acme.example", "plain http"),
            ("http://127.0.0.1.evil.example", "plain http"),
            ("http://localhost.evil.example", "plain http"),
        ] {
            let found = Origin::new(text).expect_err(text);
            assert!(found.contains(why), "{text}: {found}");
        }
    }
}
