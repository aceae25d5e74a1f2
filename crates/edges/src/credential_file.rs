//! The form of Mondoo's credential files, for who writes them and who reads them: the JSON that the
//! console gives, base64 of it, and the YAML of Mondoo's own tools. Pure; errors never repeat what they
//! read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::echo;
use crate::yaml::{self, Content, Members, Node};

/// What the values are called. Keys count whatever their case.
pub mod key {
    /// The account's resource name.
    pub const MRN: &str = "mrn";
    /// The private key in PEM.
    pub const PRIVATE_KEY: &str = "private_key";
    /// The certificate in PEM.
    pub const CERTIFICATE: &str = "certificate";
    /// Where the API is.
    pub const ENDPOINT: &str = "api_endpoint";
    /// The proxy to the API.
    pub const PROXY: &str = "api_proxy";
    /// A bearer token, which newer tools of Mondoo's store in place of a key.
    pub const TOKEN: &str = "token";
    /// The scope that the account lives in; the first that is there counts. Source: the console's
    /// files, older ones, and those of Mondoo's Terraform provider.
    pub const SCOPES: [&str; 3] = ["scope_mrn", "space_mrn", "parent_mrn"];
}

/// Why bytes are no credential file: a fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FormError {
    message: String,
}

impl FormError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// What a new file says. The file that Mondoo's console gives for download has these keys in this
/// order, and its `typename`. Source: cnquery's `cli/config` tests for space and organization accounts.
#[derive(Serialize)]
pub struct CredentialFile<'a> {
    /// The account's resource name.
    pub mrn: &'a str,
    /// Its certificate in PEM.
    pub certificate: &'a str,
    /// Its private key in PEM.
    pub private_key: &'a str,
    /// The scope it lives in.
    pub scope_mrn: &'a str,
    /// Where the API is.
    pub api_endpoint: &'a str,
    /// The scope again, as older tools read it.
    pub space_mrn: &'a str,
    /// What the console calls the form.
    pub typename: Typename,
}

/// The one name of the form.
#[derive(Clone, Copy, Serialize)]
pub enum Typename {
    /// As the console writes it.
    ServiceAccountCredential,
}

impl CredentialFile<'_> {
    /// The file's bytes; `None` only if it cannot be written as JSON.
    pub fn json(&self) -> Option<Zeroizing<Vec<u8>>> {
        // Large enough not to grow, since growing leaves a copy of the key behind; an escape takes six
        // letters at most.
        let texts = 6 * (self.certificate.len() + self.private_key.len());
        let mut json = Zeroizing::new(Vec::with_capacity(texts + 16 * 1024));
        serde_json::to_writer_pretty(&mut *json, self).ok()?;
        json.push(b'\n');
        Some(json)
    }
}

/// Base64 of a file in one line, as variables hold it; `None` only if that fails.
pub fn base64_line(json: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::new());
    line.resize(json.len().div_ceil(3) * 4 + 1, b'\n');
    STANDARD.encode_slice(json, &mut line).ok()?;
    Some(line)
}

/// The account whose credential these bytes are, in either form, and the endpoint it names;
/// `None` if they are none.
pub fn holder(bytes: &[u8]) -> Option<(String, Option<String>)> {
    #[derive(Deserialize)]
    struct Holder {
        mrn: String,
        #[serde(rename = "private_key")]
        _key: IgnoredAny,
        api_endpoint: Option<String>,
    }
    let bytes = bytes.trim_ascii();
    let found: Holder = if bytes.starts_with(b"{") {
        serde_json::from_slice(bytes).ok()?
    } else {
        let json = STANDARD.decode(bytes).map(Zeroizing::new).ok()?;
        serde_json::from_slice(&json).ok()?
    };
    (!found.mrn.is_empty()).then_some((found.mrn, found.api_endpoint))
}

/// The text that a JSON string stands for, in one piece of memory; `None` if it is no string.
pub fn unescape(raw: &str) -> Option<Zeroizing<String>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    // No escape is shorter than what it stands for, so this never grows and leaves no copy.
    let mut text = Zeroizing::new(String::with_capacity(inner.len()));
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let mut escaped = rest[at + 1..].chars();
        let (c, width) = match escaped.next()? {
            'n' => ('\n', 1),
            'r' => ('\r', 1),
            't' => ('\t', 1),
            'b' => ('\u{8}', 1),
            'f' => ('\u{c}', 1),
            'u' => {
                // A pair of them is a letter that no key has.
                let code = escaped.as_str().get(..4)?;
                (char::from_u32(u32::from_str_radix(code, 16).ok()?)?, 5)
            }
            c @ ('"' | '\\' | '/') => (c, 1),
            _ => return None,
        };
        text.push(c);
        rest = &rest[at + 1 + width..];
    }
    text.push_str(rest);
    Some(text)
}

/// A whole credential as it was delivered, in either form.
pub struct Whole {
    /// The account's resource name.
    pub mrn: String,
    /// Its certificate in PEM; empty where there is none.
    pub certificate: String,
    /// Its private key in PEM.
    pub private_key: Zeroizing<String>,
    /// The scope that it lives in.
    pub scope_mrn: String,
    /// The scope as older tools read it.
    pub space_mrn: String,
    /// The API's base URL, if it names one.
    pub api_endpoint: Option<String>,
}

/// Reads a whole credential, in JSON or in base64 of it, without leaving a copy of its key behind;
/// `None` if it is none.
pub fn whole(bytes: &[u8]) -> Option<Whole> {
    #[derive(Deserialize)]
    struct File<'a> {
        mrn: String,
        certificate: Option<String>,
        // As it stands there: where serde_json takes it apart, a copy is left behind.
        #[serde(borrow)]
        private_key: &'a RawValue,
        scope_mrn: Option<String>,
        space_mrn: Option<String>,
        api_endpoint: Option<String>,
    }
    let bytes = bytes.trim_ascii();
    let decoded;
    let json = if bytes.starts_with(b"{") {
        bytes
    } else {
        decoded = STANDARD.decode(bytes).map(Zeroizing::new).ok()?;
        decoded.as_slice()
    };
    let File {
        mrn,
        certificate,
        private_key,
        scope_mrn,
        space_mrn,
        api_endpoint,
    } = serde_json::from_slice(json).ok()?;
    let scope_mrn = scope_mrn.or_else(|| space_mrn.clone())?;
    let private_key = unescape(private_key.get())?;
    (!mrn.is_empty()).then(|| Whole {
        mrn,
        certificate: certificate.unwrap_or_default(),
        private_key,
        space_mrn: space_mrn.unwrap_or_else(|| scope_mrn.clone()),
        scope_mrn,
        api_endpoint,
    })
}

/// What stands in Mondoo's files besides what rolecall reads. Source: cnquery's `cli/config`.
const UNUSED: [&str; 14] = [
    "agent_mrn",
    "annotations",
    "audience",
    "auth",
    "features",
    "issuerUri",
    "jwtToken",
    "labels",
    "providers_url",
    "scopes",
    "subjectTokenType",
    "type",
    "universeDomain",
    "updates_url",
];

/// What to do about a credential whose line ends have become two letters each.
pub const LINE_ENDS: &str = "its line ends stand there as two letters, `\\n`; take the file as it was delivered, or pass it on as \
     base64, which has no line ends to lose";

/// Whether a text is in one line, with `\n` in two letters where lines should end.
pub fn escaped_line_ends(text: &str) -> bool {
    let text = text.trim();
    if text.contains('\n') || !text.contains("\\n") {
        return false;
    }
    // In JSON they are right inside of strings.
    match text.strip_prefix('{') {
        Some(inside) => inside.trim_start().starts_with("\\n"),
        None => true,
    }
}

/// The keys that are there and that rolecall has no use for, as Mondoo's tools spell them.
pub fn unused(fields: &Fields) -> Vec<&'static str> {
    let stands = |name: &&&str| {
        let name = name.to_lowercase();
        let below = |key: &String| key.split('.').next() == Some(name.as_str());
        fields.keys().any(below)
    };
    UNUSED.iter().filter(stands).copied().collect()
}

/// The text of a credential, and whether it stood in base64: neither JSON nor YAML does without a
/// colon, which base64 lacks.
///
/// # Errors
/// If they are no text, or base64 that cannot be undone.
pub fn plain(bytes: &[u8]) -> Result<(Zeroizing<String>, bool), FormError> {
    let not_text = |_| FormError::new("the credential is not UTF-8 text");
    let text = std::str::from_utf8(bytes).map_err(not_text)?;
    let text = text.trim_start_matches('\u{feff}');
    let symbol = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let empty = text.trim().is_empty();
    if escaped_line_ends(text)
        && text
            .replace("\\n", "")
            .bytes()
            .all(|b| symbol(b) || b.is_ascii_whitespace())
    {
        return Err(FormError::new(format!(
            "the credential is base64, and {LINE_ENDS}"
        )));
    }
    if empty || !text.bytes().all(|b| symbol(b) || b.is_ascii_whitespace()) {
        return Ok((Zeroizing::new(text.to_owned()), false));
    }
    let compact: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    match echo::credential(&compact) {
        Some(echo::Looks::EncodedTwice) => {
            return Err(FormError::new(
                "the credential is encoded twice: decode it once",
            ));
        }
        Some(echo::Looks::Hex) => {
            return Err(FormError::new(
                "the credential stands in hexadecimal digits: decode it, or give base64 of its file",
            ));
        }
        _ => {}
    }
    let bytes = STANDARD.decode(compact.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| {
        FormError::new(
            "the credential is neither a service account's file nor valid standard base64 of one, \
             with padding; it may be cut off. An API token goes into MONDOO_API_TOKEN",
        )
    })?;
    let text = std::str::from_utf8(&bytes).map_err(not_text)?;
    Ok((Zeroizing::new(text.to_owned()), true))
}

/// Fields by lower-cased key; `None` where the value is not text.
pub type Fields = BTreeMap<String, Option<Zeroizing<String>>>;

/// Reads JSON or YAML. The members of maps are called `outer.inner`.
///
/// # Errors
/// If it is neither, or gives a key twice.
pub fn fields(text: &str) -> Result<Fields, FormError> {
    let text = text.trim_start_matches('\u{feff}');
    // An indent of all lines is one: that of the first must stay.
    let text = match text.trim_start() {
        json if json.starts_with('{') => json,
        begun => {
            let blank = &text[..text.len() - begun.len()];
            &text[blank.rfind('\n').map_or(0, |end| end + 1)..]
        }
    };
    if text.trim_start().is_empty() {
        return Err(FormError::new("the credential is empty"));
    }
    if !text
        .trim_end()
        .contains(|c: char| c.is_whitespace() || ":{[\"".contains(c))
    {
        return Err(FormError::new(
            "the credential is a bare word; it should be a service account's file, as the Mondoo console \
             gives it; an API token goes into MONDOO_API_TOKEN",
        ));
    }
    let mut fields = Fields::new();
    let mut add = |key: String, value| {
        if fields.insert(key.to_lowercase(), value).is_some() {
            return Err(FormError::new(format!(
                "`{}` stands twice in the credential",
                key.to_lowercase()
            )));
        }
        Ok(())
    };
    if text.starts_with('{') {
        let json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|e| {
                let place = format!(
                    "the credential is not valid JSON (line {}, column {})",
                    e.line(),
                    e.column()
                );
                FormError::new(match escaped_line_ends(text) {
                    true => format!("{place}: {LINE_ENDS}"),
                    false => place,
                })
            })?;
        for (key, value) in json {
            match value {
                serde_json::Value::String(text) => add(key, Some(Zeroizing::new(text)))?,
                serde_json::Value::Null => {}
                serde_json::Value::Object(inner) => {
                    for (name, value) in inner {
                        let text = match value {
                            serde_json::Value::String(text) => Some(Zeroizing::new(text)),
                            serde_json::Value::Null => continue,
                            _ => None,
                        };
                        add(format!("{key}.{name}"), text)?;
                    }
                    add(key, None)?;
                }
                _ => add(key, None)?,
            }
        }
    } else {
        let pairs = pairs(text).map_err(|why| {
            let ends = match escaped_line_ends(text) {
                true => format!("; {LINE_ENDS}"),
                false => String::new(),
            };
            FormError::new(format!(
                "the credential is neither JSON nor YAML as Mondoo writes it: {why}{ends}"
            ))
        })?;
        for (key, value) in pairs {
            add(key, value)?;
        }
    }
    Ok(fields)
}

/// Keys and their texts; `None` where the value is not text.
type Pairs = Vec<(String, Option<Zeroizing<String>>)>;

/// The pairs of a map in YAML, those of maps right below it as `outer.inner`; what lies deeper is
/// nothing that a credential needs.
fn pairs(text: &str) -> Result<Pairs, String> {
    let members = match yaml::parse(text).map_err(|e| e.to_string())? {
        None => return Ok(Vec::new()),
        Some(Node { line, content }) => match content {
            Content::Map(members) => members,
            Content::List(_) => {
                return Err(format!("line {line} is a list where a key is expected"));
            }
            Content::Text(_) | Content::Null => {
                return Err(format!("line {line} is not `key: value`"));
            }
        },
    };
    let mut pairs = Pairs::new();
    for (outer, node) in members {
        match plain_text(node.content) {
            Ok(text) => pairs.push((outer.to_string(), text)),
            Err(inner) => {
                pairs.push((outer.to_string(), None));
                for (key, node) in inner {
                    let text = plain_text(node.content).unwrap_or_default();
                    pairs.push((format!("{}.{}", *outer, *key), text));
                }
            }
        }
    }
    Ok(pairs)
}

/// A value's text, if it is one; else the members of a map.
fn plain_text(content: Content) -> Result<Option<Zeroizing<String>>, Members> {
    match content {
        Content::Text(text) => Ok(Some(text)),
        Content::Null => Ok(Some(Zeroizing::default())),
        Content::List(_) => Ok(None),
        Content::Map(members) => Err(members),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, key: &str) -> Option<String> {
        let pairs = pairs(text).expect("YAML");
        let found = pairs.into_iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.expect("a text").to_string())
    }

    #[test]
    fn flat_pairs_in_every_quoting() {
        let text = "---\n# comment\na: plain # not this\nb: \"q\\n#q\" # c\nc: 'it''s'\n\
                    \"d\": x:y\ne:\nf: ~\ng: https://h:8989/x\r\n";
        assert_eq!(get(text, "a").as_deref(), Some("plain"));
        assert_eq!(get(text, "b").as_deref(), Some("q\n#q"));
        assert_eq!(get(text, "c").as_deref(), Some("it's"));
        assert_eq!(get(text, "d").as_deref(), Some("x:y"));
        assert_eq!(get(text, "e").as_deref(), Some(""));
        assert_eq!(get(text, "f").as_deref(), Some(""));
        assert_eq!(get(text, "g").as_deref(), Some("https://h:8989/x"));
    }

    #[test]
    fn block_scalars_keep_their_lines_and_end_where_the_indent_does() {
        let text = "key: |\n  one\n\n    two\n  three\nnext: |-\n    a\n    b\nlast: z\n";
        assert_eq!(get(text, "key").as_deref(), Some("one\n\n  two\nthree\n"));
        assert_eq!(get(text, "next").as_deref(), Some("a\nb"));
        assert_eq!(get(text, "last").as_deref(), Some("z"));
        assert_eq!(get("key: |\nnext: x\n", "next").as_deref(), Some("x"));
    }

    #[test]
    fn maps_one_level_deep_and_lists_are_passed_over() {
        let text = "auth:\n  method: ssh\n  deep:\n    mrn: no\nlabels:\n- a\n- b\n\
                    features:\n  - x\nmrn: yes\nflow: {a: b}\n";
        assert_eq!(get(text, "auth.method").as_deref(), Some("ssh"));
        assert_eq!(get(text, "mrn").as_deref(), Some("yes"));
        assert_eq!(get(text, "auth.mrn"), None);
        assert_eq!(get(text, "flow.a").as_deref(), Some("b"));
    }

    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nthe\tkey \"\\\n-----END PRIVATE KEY-----\n";

    fn file() -> CredentialFile<'static> {
        CredentialFile {
            mrn: "//agents.api.mondoo.app/spaces/a/serviceaccounts/x",
            certificate: "-----BEGIN CERTIFICATE-----\nc\n-----END CERTIFICATE-----\n",
            private_key: PEM,
            scope_mrn: "//captain.api.mondoo.app/spaces/a",
            api_endpoint: "https://eu.api.mondoo.com",
            space_mrn: "//captain.api.mondoo.app/spaces/b",
            typename: Typename::ServiceAccountCredential,
        }
    }

    #[test]
    fn what_is_written_is_read_by_the_same_names() {
        let json = file().json().expect("JSON");
        for bytes in [&json, &base64_line(&json).expect("base64")] {
            let (text, base64) = plain(bytes).expect("a text");
            assert_eq!(base64, !bytes.starts_with(b"{"));
            let fields = fields(&text).expect("fields");
            let get = |name: &str| fields.get(name)?.as_ref().map(|text| text.as_str());
            let CredentialFile {
                mrn,
                certificate,
                private_key,
                scope_mrn,
                api_endpoint,
                space_mrn,
                typename: _,
            } = file();
            assert_eq!(get(key::MRN), Some(mrn));
            assert_eq!(get(key::CERTIFICATE), Some(certificate));
            assert_eq!(get(key::PRIVATE_KEY), Some(private_key));
            assert_eq!(get(key::ENDPOINT), Some(api_endpoint));
            assert_eq!(get(key::SCOPES[0]), Some(scope_mrn));
            assert_eq!(get(key::SCOPES[1]), Some(space_mrn));
            assert_eq!(get("typename"), Some("ServiceAccountCredential"));
            assert_eq!(fields.len(), 7);
            assert_eq!(unused(&fields), Vec::<&str>::new());
            let expected = (mrn.to_owned(), Some(api_endpoint.to_owned()));
            assert_eq!(holder(bytes), Some(expected));
        }
    }
}
