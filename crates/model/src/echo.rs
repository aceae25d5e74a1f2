//! What may be shown of an input. An option, an argument or a variable that takes a name may hold a
//! secret by mistake, and many people read what a run prints: one rule for all of them.
//! Pure: text in, text out. Knows no option; whoever asks says which one takes the value.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// The longest name that is shown, in bytes.
const LONGEST: usize = 200;
/// A run of so many letters, digits, `+` or `=` is no name. `/`, `-`, `_` and `.` end a run.
const RUN: usize = 40;
/// The shortest base64 that is looked into, in bytes.
const SHORTEST_ENCODED: usize = 40;
/// How often something may be encoded again and is still looked into.
const LAYERS: usize = 3;
/// What the text of a private seal key begins with.
const SEAL_KEY: &str = "rolecall-seal-ed25519:";
/// What a token begins with: base64 of `{"`.
const TOKEN: &str = "eyJ";
/// What a file name means by this, a shell puts in its place, where it is not quoted.
const TILDE: &str = "~/";

/// What a text looks like that is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// A credential's file, JSON.
    Credential,
    /// A credential's file, YAML.
    Yaml,
    /// Base64 of a credential's file.
    EncodedCredential,
    /// Base64 or hexadecimal digits of base64 or such digits of a credential or a private key.
    EncodedTwice,
    /// Hexadecimal digits of a credential's file or a private key.
    Hex,
    /// A private key in PEM.
    PrivateKey,
    /// Base64 of a private key.
    EncodedKey,
    /// The private key of seals.
    SealKey,
    /// A bearer token (JWT).
    Token,
    /// Something else in PEM.
    Pem,
    /// A text of several lines.
    Lines,
    /// Something else with braces.
    Json,
    /// Something long without anything that parts it.
    Random,
    /// A name that is too long for one.
    Long,
    /// What holds a user or a query, or no address at all.
    Address,
}

impl Looks {
    /// Whether it opens something by itself, and must not have been where it was.
    pub fn is_credential(self) -> bool {
        match self {
            Self::Credential
            | Self::Yaml
            | Self::EncodedCredential
            | Self::EncodedTwice
            | Self::Hex
            | Self::PrivateKey
            | Self::EncodedKey
            | Self::SealKey
            | Self::Token => true,
            Self::Pem | Self::Lines | Self::Json | Self::Random | Self::Long | Self::Address => {
                false
            }
        }
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credential => "a credential in JSON",
            Self::Yaml => "a credential in YAML",
            Self::EncodedCredential => "a credential in base64",
            Self::EncodedTwice => "a credential encoded twice",
            Self::Hex => "a credential in hexadecimal digits",
            Self::PrivateKey => "a private key in PEM",
            Self::EncodedKey => "a private key in base64",
            Self::SealKey => "the private key of seals",
            Self::Token => "a token (JWT)",
            Self::Pem => "a text in PEM",
            Self::Lines => "a text of several lines",
            Self::Json => "JSON",
            Self::Random => "base64, a key or a token",
            Self::Long => "no name, since it is so long",
            Self::Address => "no plain address",
        })
    }
}

/// An input as messages show it: as it is, or what it looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    text: Cow<'a, str>,
    hidden: Option<Looks>,
    taker: Option<&'a str>,
}

impl<'a> Shown<'a> {
    /// The same, naming the option or variable that takes the value if it is not shown.
    #[must_use]
    pub fn given(self, taker: &'a str) -> Self {
        Self {
            taker: Some(taker),
            ..self
        }
    }

    /// Whether the input itself is shown.
    pub fn is_plain(&self) -> bool {
        self.hidden.is_none()
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(looks) = self.hidden else {
            return f.write_str(&self.text);
        };
        let bytes = self.text.len();
        let noun = if bytes == 1 { "byte" } else { "bytes" };
        write!(f, "a value of {bytes} {noun} that looks like {looks}")?;
        match self.taker {
            Some(taker) => write!(f, " (given as {taker})"),
            None => Ok(()),
        }
    }
}

/// A path as messages show it.
pub fn path(path: &Path) -> Shown<'_> {
    vetted(path.to_string_lossy())
}

/// Any other input that is meant to be a name: an id, a resource name, an address, a role.
pub fn text(text: &str) -> Shown<'_> {
    vetted(Cow::Borrowed(text))
}

/// A digest: up to 64 hexadecimal digits, `sha256:` before them or not. Anything else is looked at as a name.
pub fn digest(text: &str) -> Shown<'_> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if digits.len() <= 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return plain(Cow::Borrowed(text));
    }
    vetted(Cow::Borrowed(text))
}

/// A URL without its user, its query and its fragment.
pub fn url(text: &str) -> Shown<'_> {
    let hidden = |looks| Shown {
        text: Cow::Borrowed(text),
        hidden: Some(looks),
        taker: None,
    };
    if let Some(looks) = credential(text) {
        return hidden(looks);
    }
    let (scheme, rest) = match text.trim().split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text.trim()),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match (scheme, authority.rsplit_once('@')) {
        (Some(_), Some((_, host))) => host,
        _ => authority,
    };
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) {
            name
        } else {
            host
        }
    });
    let named = !name.is_empty()
        && (name.starts_with('[') && name.ends_with(']')
            || name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')));
    let word = scheme.is_none_or(|s| s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+'));
    if !named || !word || path.contains(['@', ':']) {
        return hidden(looks(text).unwrap_or(Looks::Address));
    }
    let short = match scheme {
        Some(scheme) => format!("{scheme}://{host}{path}"),
        None => format!("{host}{path}"),
    };
    match looks(&short) {
        Some(looks) => hidden(looks),
        None => plain(Cow::Owned(short)),
    }
}

fn plain(text: Cow<'_, str>) -> Shown<'_> {
    Shown {
        text,
        hidden: None,
        taker: None,
    }
}

fn vetted(text: Cow<'_, str>) -> Shown<'_> {
    let hidden = looks(&text);
    Shown {
        text,
        hidden,
        taker: None,
    }
}

/// What a text looks like if it must not be shown as a name.
pub fn looks(text: &str) -> Option<Looks> {
    if let Some(found) = credential(text) {
        return Some(found);
    }
    if text.contains("BEGIN") {
        return Some(Looks::Pem);
    }
    if text.contains(['\n', '\r']) {
        return Some(Looks::Lines);
    }
    if text.contains('{') {
        return Some(Looks::Json);
    }
    if longest_run(text) >= RUN {
        return Some(Looks::Random);
    }
    (text.len() > LONGEST).then_some(Looks::Long)
}

fn longest_run(text: &str) -> usize {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '+' | '=');
    let runs = text.split(|c| !inside(c));
    runs.map(|run| run.chars().count()).max().unwrap_or(0)
}

/// The credential that a text is or holds, wherever in it: an account's file, a private key, base64 of
/// either, a token.
pub fn credential(text: &str) -> Option<Looks> {
    in_clear(text).or_else(|| encoded(text)).or_else(|| {
        let mut starts = text.match_indices(TOKEN);
        starts
            .any(|(at, _)| is_token(&text[at..]))
            .then_some(Looks::Token)
    })
}

fn in_clear(text: &str) -> Option<Looks> {
    if field(text, "private_key") {
        return Some(if text.contains('{') {
            Looks::Credential
        } else {
            Looks::Yaml
        });
    }
    if text.contains("BEGIN") && text.contains("PRIVATE KEY") {
        return Some(Looks::PrivateKey);
    }
    text.contains(SEAL_KEY).then_some(Looks::SealKey)
}

/// Whether a text has a field of this name, in JSON or YAML.
fn field(text: &str, name: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices(name).any(|(at, _)| {
        let behind = text[at + name.len()..].trim_start_matches(['"', '\'', '\\']);
        behind.trim_start().starts_with(':')
    })
}

/// What the base64 and the hexadecimal digits in a text hold.
fn encoded(text: &str) -> Option<Looks> {
    within(text, LAYERS)
}

/// The same, through so many layers of it.
fn within(text: &str, layers: usize) -> Option<Looks> {
    let left = layers.checked_sub(1)?;
    // Line ends may have become letters on the way.
    let compact: Zeroizing<String> = Zeroizing::new(
        text.replace("\\n", "")
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| match c {
                '-' => '+',
                '_' => '/',
                c => c,
            })
            .collect(),
    );
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    for run in compact.split(|c| !inside(c)) {
        // Wherever in the run it begins, it is read from there or from a place that four letters part.
        for skipped in 0..4_usize.min(run.len()) {
            let rest = &run[skipped..];
            if rest.len() < SHORTEST_ENCODED {
                break;
            }
            let whole = &rest[..rest.len() - rest.len() % 4];
            let Ok(bytes) = engine.decode(whole).map(Zeroizing::new) else {
                continue;
            };
            if let Some(looks) = decoded(&bytes, left) {
                return Some(looks);
            }
        }
    }
    for run in compact.split(|c: char| !c.is_ascii_hexdigit()) {
        if run.len() < 2 * SHORTEST_ENCODED {
            continue;
        }
        for skipped in 0..2 {
            let found = decoded(&bytes_of(&run[skipped..]), left);
            if let Some(looks) = found {
                return Some(match looks {
                    Looks::EncodedTwice => looks,
                    _ => Looks::Hex,
                });
            }
        }
    }
    None
}

/// What decoded bytes hold, with so many layers left below them.
fn decoded(bytes: &[u8], left: usize) -> Option<Looks> {
    if holds_private_key(bytes) {
        return Some(Looks::EncodedKey);
    }
    let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
    match in_clear(&text) {
        Some(Looks::PrivateKey) => Some(Looks::EncodedKey),
        Some(_) => Some(Looks::EncodedCredential),
        None => within(&text, left).map(|_| Looks::EncodedTwice),
    }
}

/// The bytes of hexadecimal digits; one that is left over is none.
fn bytes_of(digits: &str) -> Zeroizing<Vec<u8>> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let pairs = digits.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| Some(16 * digit(pair[0])? + digit(pair[1])?);
    Zeroizing::new(pairs.filter_map(byte).collect())
}

/// Whether a text begins with `HEADER.BODY.SIGNATURE`, of which the first two are JSON in base64.
fn is_token(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | '.');
    let text = &text[..text.find(|c| !letter(c)).unwrap_or(text.len())];
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() >= 3 && parts[..3].iter().all(|part| part.len() > 3)
}

/// Whether bytes hold DER of a private key: its version and what comes behind it, in the forms of PKCS#8,
/// SEC1 and PKCS#1 (RFC 5208, RFC 5915, RFC 8017).
fn holds_private_key(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|part| {
        matches!(
            part,
            [0x02, 0x01, 0, 0x30, _, 0x06]
                | [0x02, 0x01, 1, 0x04, 0x20 | 0x30 | 0x42, _]
                | [0x02, 0x01, 0, 0x02, 0x82, _]
        )
    })
}

/// What to do about a path in which the shell has left `~` as it is.
pub fn tilde(path: &Path) -> Option<&'static str> {
    let text = path.to_str()?;
    (text == "~" || text.starts_with(TILDE)).then_some(
        "`~` is a letter here: the shell puts the home directory in its place only where a word begins \
         with it, without quotes; write $HOME",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDQ\
                       nGkT5cXv1nJwq0Y3pBq7Yq2rYp1k2uY1\n-----END PRIVATE KEY-----\n";

    fn json() -> String {
        let key = PEM.replace('\n', "\\n");
        format!("{{\"mrn\":\"//agents.api.mondoo.app/x\",\"private_key\":\"{key}\"}}")
    }

    fn body() -> &'static str {
        PEM.lines().nth(1).expect("a line")
    }

    fn hex(text: &str) -> String {
        text.bytes().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn names_are_shown_as_they_are() {
        for name in [
            "access",
            "/home/me/Überwachung/access dir/main.hcl",
            "./a-b_c.d/e",
            "",
            "/nix/store/0c3q7m2kz5v1b9n8x4w6s7d3f2g1h0j5-access/main.hcl",
            &"a/".repeat(100),
            "service_account.ci[\"prod\"]",
            "//captain.api.mondoo.app/spaces/amazing-hofstadter-175565",
            "private_key.json",
            "/digests/0123456789abcdef-0123456789abcdef-0123456789abcdef-0123456789abcdef-0123456789abcdef",
            "/very/long/but/all/of/it/in/the/alphabet/of/base64/and/no/credential/at/all",
        ] {
            assert_eq!(text(name).to_string(), *name);
            assert_eq!(path(Path::new(name)).to_string(), *name);
        }
    }

    #[test]
    fn what_may_be_a_secret_is_described_and_named_by_who_takes_it() {
        let json = json();
        let yaml = format!("mrn: x\nprivate_key: |\n  {}\n", body());
        let token = format!(
            "{}.{}.{}",
            URL_SAFE_NO_PAD.encode("{\"alg\":\"ES384\"}"),
            URL_SAFE_NO_PAD.encode("{\"sub\":1}"),
            "c2lnbmF0dXJl"
        );
        for (given, like) in [
            (json.clone(), "a credential in JSON"),
            (json.to_uppercase(), "a credential in JSON"),
            (yaml.clone(), "a credential in YAML"),
            (STANDARD.encode(&json), "a credential in base64"),
            (STANDARD.encode(&yaml), "a credential in base64"),
            (URL_SAFE_NO_PAD.encode(&json), "a credential in base64"),
            (
                STANDARD.encode(&json)[..201].to_owned(),
                "a credential in base64",
            ),
            (
                format!("--credentials={}", STANDARD.encode(&json)),
                "a credential in base64",
            ),
            (format!("--var=key={json}"), "a credential in JSON"),
            (PEM.to_owned(), "a private key in PEM"),
            (format!("--{PEM}"), "a private key in PEM"),
            (body().to_owned(), "a private key in base64"),
            (STANDARD.encode(PEM), "a private key in base64"),
            (
                STANDARD.encode(STANDARD.encode(&json)),
                "a credential encoded twice",
            ),
            (
                format!("a/b-{}", STANDARD.encode(STANDARD.encode(PEM))),
                "a credential encoded twice",
            ),
            (STANDARD.encode(hex(&json)), "a credential encoded twice"),
            (
                hex(&STANDARD.encode(STANDARD.encode(&yaml))).to_uppercase(),
                "a credential encoded twice",
            ),
            (hex(&json), "a credential in hexadecimal digits"),
            (
                format!("--var=key={}", hex(PEM).to_uppercase()),
                "a credential in hexadecimal digits",
            ),
            (format!("{SEAL_KEY}c2VhbA=="), "the private key of seals"),
            (token.clone(), "a token (JWT)"),
            (format!("--var=t={token}"), "a token (JWT)"),
            (format!("names=[{token}]"), "a token (JWT)"),
            (
                format!("~/{}/x", STANDARD.encode(&json)),
                "a credential in base64",
            ),
            (
                format!("a/bc-{}", STANDARD.encode(&json)),
                "a credential in base64",
            ),
            (format!("https://h/{}?x", body()), "a private key in base64"),
        ] {
            let shown = text(&given).given("--ca-file").to_string();
            let n = given.len();
            let expected =
                format!("a value of {n} bytes that looks like {like} (given as --ca-file)");
            assert_eq!(shown, expected);
            assert!(
                credential(&given).is_some_and(Looks::is_credential),
                "{like}"
            );
        }
        for (given, like) in [
            ("-----BEGIN CERTIFICATE-----\nMIIB\n", "a text in PEM"),
            ("one\ntwo", "a text of several lines"),
            ("one\r", "a text of several lines"),
            ("{\"a\":1}", "JSON"),
            (&"x".repeat(RUN), "base64, a key or a token"),
            (
                "a/0123456789abcdef0123456789abcdef01234567=/b",
                "base64, a key",
            ),
            (&"ab-".repeat(67), "no name"),
        ] {
            let shown = path(Path::new(given)).to_string();
            assert!(
                shown.contains(like) && shown.starts_with("a value of "),
                "{shown}"
            );
            assert_eq!(credential(given), None, "{given}");
        }
        assert!(text(&"x".repeat(RUN - 1)).is_plain());
    }

    #[test]
    fn a_url_is_shown_without_what_opens_it() {
        for (given, shown) in [
            (
                "https://eu.api.mondoo.com/query",
                "https://eu.api.mondoo.com/query",
            ),
            ("us.api.mondoo.com:443", "us.api.mondoo.com:443"),
            (
                "https://me:hunter2@a.example:8/x?key=hunter2#hunter2",
                "https://a.example:8/x",
            ),
            ("http://[::1]:8989", "http://[::1]:8989"),
        ] {
            assert_eq!(url(given).to_string(), shown);
        }
        for given in [
            "me:hunter2@proxy:1",
            "https://me:hunt/er2@proxy",
            "https://me:12/hunter2@proxy",
            "hunter2@",
            &format!("https://a.example/{}", "hunter2".repeat(6)),
            &format!("https://{}/", "hunter2".repeat(6)),
            &json(),
        ] {
            let shown = url(given).to_string();
            assert!(
                !shown.contains("hunter2") && shown.starts_with("a value of "),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_digest_is_shown_in_its_form_and_in_no_other() {
        let full = "0123456789abcdef".repeat(4);
        for given in [
            full.as_str(),
            &format!("sha256:{full}"),
            "0123456789ab",
            "HEAD",
        ] {
            assert_eq!(digest(given).to_string(), given);
        }
        for given in [format!("{full}0"), format!("{full}g"), body().to_owned()] {
            assert!(!digest(&given).is_plain(), "{given}");
        }
    }

    #[test]
    fn a_tilde_that_no_shell_has_seen_is_named() {
        for given in ["~/cred.json", "~"] {
            assert!(tilde(Path::new(given)).is_some_and(|why| why.contains("$HOME")));
        }
        for given in ["/home/~/x", "a~/x", "~x"] {
            assert_eq!(tilde(Path::new(given)), None, "{given}");
        }
    }
}
