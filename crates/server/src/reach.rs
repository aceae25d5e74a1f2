//! Where documents of issuers may be asked for: who may bind an issuer must not be able to have the
//! platform ask whatever its machine can reach. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// Why an address is not asked. A fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// It is no URL, or has parts that an issuer's has not.
    Form,
    /// It is neither https nor, where that is allowed, plain http on this machine.
    Scheme,
    /// It lies on this machine or in its own network, and that is not allowed.
    Local,
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Form => "is no plain URL (no user, no query, no fragment)",
            Self::Scheme => "is not an https URL",
            Self::Local => {
                "lies on this machine or in its network; rolecall platform serve \
                 --allow-local-issuers permits that"
            }
        })
    }
}

/// Reads an address that may be asked. With `local`, the machine itself and its network may be.
/// Names are checked by what they say; what they resolve to is checked by [`is_public`].
///
/// # Errors
/// Why it may not.
pub(crate) fn read(text: &str, local: bool) -> Result<Url, Unreachable> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\');
    let authority = text.split_once("://").map(|(_, rest)| rest);
    let authority = authority.and_then(|rest| rest.split('/').next());
    if !text.chars().all(plain) || authority.is_none_or(|a| a.is_empty() || a.contains('@')) {
        return Err(Unreachable::Form);
    }
    let url = Url::parse(text).map_err(|_| Unreachable::Form)?;
    let here = is_here(&url);
    match url.scheme() {
        "https" => {}
        "http" if here => {}
        _ => return Err(Unreachable::Scheme),
    }
    if !local && is_local(&url) {
        return Err(Unreachable::Local);
    }
    Ok(url)
}

/// Whether an address is this machine's by its own words.
pub(crate) fn is_here(url: &Url) -> bool {
    match literal(url) {
        Some(address) => address.is_loopback(),
        None => is_localhost(url),
    }
}

/// Whether an address lies on this machine or in its network by its own words.
pub(crate) fn is_local(url: &Url) -> bool {
    match literal(url) {
        Some(address) => !is_public(address),
        None => is_localhost(url),
    }
}

fn is_localhost(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// The address that a host is written as, in any of its spellings.
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let host = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    host.parse().ok()
}

/// Whether an address belongs to the public network: not to this machine, a private or link-local
/// network, a group, or a range set aside (source: IANA's special-purpose address registries).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let inside = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // Written within the newer form, or reached through a translator.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            inside(high, low)
        }
        [0x2002, high, low, ..] => inside(high, low),
        // Tunnels, documentation, and what else is set aside within the public range.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_a_plain_url() {
        for good in [
            "https://accounts.example.com",
            "https://accounts.example.com:8443/realms/a",
            "https://token.actions.githubusercontent.com/",
            "https://1.1.1.1/x",
            "https://[2606:4700::1111]",
        ] {
            assert!(read(good, false).is_ok(), "{good}");
        }
        for bad in [
            "https://a.example?x=",
            "https://a.example/?",
            "https://a.example#",
            "https://a.example/x#y",
            "https://user@a.example",
            "https://@a.example",
            "https://user:pass@a.example/",
            "http://127.0.0.1@a.example",
            "https://a.example\\@127.0.0.1",
            "https://a.example/ x",
            "https://a.example/\n",
            "https://",
            "https:///path",
            "https:a.example",
            "https://exämple.com",
            "",
        ] {
            for local in [false, true] {
                assert_eq!(read(bad, local), Err(Unreachable::Form), "{bad}");
            }
        }
        for bad in [
            "http://accounts.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
        ] {
            assert_eq!(read(bad, true), Err(Unreachable::Scheme), "{bad}");
        }
        assert!(read("file:///etc/passwd", true).is_err());
    }

    #[test]
    fn this_machine_and_its_network_want_the_flag() {
        for local in [
            "http://127.0.0.1:4000",
            "http://localhost/x",
            "http://[::1]:80",
            "https://127.0.0.1",
            "https://127.1",
            "https://0x7f000001/",
            "https://2130706433",
            "https://localhost:1",
            "https://localhost.",
            "https://a.LOCALHOST",
            "https://10.0.0.1",
            "https://192.168.1.1/x",
            "https://172.31.255.255",
            "https://169.254.169.254/latest",
            "https://100.64.0.1",
            "https://0.0.0.0",
            "https://[::]",
            "https://[::ffff:127.0.0.1]",
            "https://[::ffff:10.0.0.1]",
            "https://[fe80::1]",
            "https://[fd00::1]",
            "https://[64:ff9b::a00:1]",
            "https://[2002:7f00:1::]",
        ] {
            assert_eq!(read(local, false), Err(Unreachable::Local), "{local}");
            assert!(read(local, true).is_ok(), "{local}");
        }
        // Plain http stays on the machine, whatever is allowed.
        for bad in [
            "http://10.0.0.1",
            "http://169.254.169.254",
            "http://[fe80::1]",
        ] {
            assert_eq!(read(bad, true), Err(Unreachable::Scheme), "{bad}");
        }
    }

    #[test]
    fn public_addresses_are_public() {
        for public in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2a00:1450::1",
            "2002:808:808::1",
            "64:ff9b::808:808",
            "2001:4860::8888",
        ] {
            assert!(is_public(public.parse().expect(public)), "{public}");
        }
        for other in [
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "203.0.113.9",
            "2001:db8::1",
            "2001::1",
            "ff02::1",
            "100::1",
            "fec0::1",
            "::2",
            "3fff::1",
        ] {
            assert!(!is_public(other.parse().expect(other)), "{other}");
        }
    }
}
