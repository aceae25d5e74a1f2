//! Keys of seals: the private half with which a run that applies seals, the public half with which
//! everybody checks, and the words by which one key hands over to the next and that one takes over.
//! Pure; shows nothing of a private key.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::digest::{hex, short_digest};
use super::stack::StackId;

/// What the text of a private key begins with; 32 bytes in base64 (URL alphabet, no padding) follow.
pub const SEAL_KEY_PREFIX: &str = "rolecall-seal-ed25519:";
/// What the text of a public key begins with; 32 bytes in base64 (URL alphabet, no padding) follow.
const PUBLIC_PREFIX: &str = "ed25519:";
/// Bytes of either half (RFC 8032, section 5.1.5).
const KEY_BYTES: usize = 32;
/// Bytes of a signature (RFC 8032, section 5.1.6).
const SIGNATURE_BYTES: usize = 64;
/// What tells the word of a key about its successor from everything else that it signs.
const SUCCESSOR: &str = "rolecall seal successor v1";
/// What tells the word of a key about its predecessor from everything else that it signs.
const PREDECESSOR: &str = "rolecall seal predecessor v1";
/// The encodings of the eight points of small order, in hexadecimal and with the bit of the sign
/// (the highest of the last byte) clear: with it set they are fourteen. For such a key signatures can
/// be made without a private half. Computed from the curve of RFC 8032, section 5.1: a point of the
/// curve times the order of the base point has one of five `y`; of these 0 and 1 have a second
/// encoding, with the prime 2^255 - 19 added, which decoders may take.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// The public half of a seal key. It stands in the configuration, and everybody may know it.
#[derive(Clone)]
pub struct SealPublicKey {
    text: String,
    id: String,
    parsed: Arc<ParsedPublicKey>,
}

impl SealPublicKey {
    /// Reads `ed25519:` and 43 letters of base64.
    ///
    /// # Errors
    /// A fragment that says what a public key looks like, and nothing of the text given, which may be
    /// the private one.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with(SEAL_KEY_PREFIX) {
            return Err(
                "this is a private seal key, and whoever reads this file has it now; make a new one \
                 with `rolecall seal new`, and write its public half here"
                    .to_owned(),
            );
        }
        let digits = text.strip_prefix(PUBLIC_PREFIX);
        let bytes = digits.and_then(decode::<KEY_BYTES>).ok_or_else(|| {
            "a public seal key is `ed25519:` and 43 letters of base64, as `rolecall seal show` \
             prints it"
                .to_owned()
        })?;
        if has_small_order(bytes) {
            return Err(
                "nobody has a private half of this key, and yet everybody can make signatures that \
                 fit it (it is a point of small order); make a key with `rolecall seal new`"
                    .to_owned(),
            );
        }
        Self::of_bytes(&bytes).ok_or_else(|| "this is no Ed25519 public key".to_owned())
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            text: format!("{PUBLIC_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)),
            id: short_digest(bytes, 16),
            parsed: Arc::new(ParsedPublicKey::new(&ED25519, bytes).ok()?),
        })
    }

    /// The key as text, as a configuration holds it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The short name by which seals call the key: the first 16 hexadecimal digits of the SHA-256
    /// of its 32 bytes.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the signature, 86 letters of base64, is by this key over these bytes.
    pub(super) fn signed(&self, bytes: &[u8], signature: &str) -> bool {
        decode::<SIGNATURE_BYTES>(signature)
            .is_some_and(|signature| self.parsed.verify_sig(bytes, &signature).is_ok())
    }

    /// Whether this key has signed, for this stack, that `new` takes its place.
    pub fn hands_over(&self, stack: &StackId, new: &Self, signature: &str) -> bool {
        self.signed(&word(SUCCESSOR, stack, new), signature)
    }

    /// Whether this key has signed, for this stack, that it takes the place of `old`.
    pub fn takes_over(&self, stack: &StackId, old: &Self, signature: &str) -> bool {
        self.signed(&word(PREDECESSOR, stack, old), signature)
    }
}

impl PartialEq for SealPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for SealPublicKey {}

impl fmt::Debug for SealPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealPublicKey({})", self.text)
    }
}

/// The private half: the secret of the job that applies.
pub struct SealKey {
    seed: Zeroizing<[u8; KEY_BYTES]>,
    pair: Ed25519KeyPair,
    public: SealPublicKey,
}

impl SealKey {
    /// Reads `rolecall-seal-ed25519:` and 43 letters of base64, with white space around it.
    ///
    /// # Errors
    /// A fragment that says what a key looks like and nothing of the one given.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.strip_prefix(SEAL_KEY_PREFIX);
        let seed = digits
            .and_then(|digits| decode::<KEY_BYTES>(digits).map(Zeroizing::new))
            .ok_or_else(|| {
                let what = if text.starts_with(PUBLIC_PREFIX) {
                    "this is the public half, which seals nothing; "
                } else if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    "64 hexadecimal digits are the key of an earlier form, which is not read any more; "
                } else {
                    ""
                };
                format!(
                    "{what}a seal key is `{SEAL_KEY_PREFIX}` and 43 letters of base64, as `rolecall \
                     seal new` makes it"
                )
            })?;
        if seed.iter().all(|byte| *byte == seed[0]) {
            return Err("a seal key is random, and this one repeats one byte".to_owned());
        }
        Self::of_seed(seed)
    }

    /// The key of 32 random bytes.
    ///
    /// # Errors
    /// A fragment, if the cryptography refuses them; no bytes are known that it does.
    pub fn of_seed(seed: Zeroizing<[u8; KEY_BYTES]>) -> Result<Self, String> {
        let refused = || "this seal key cannot be used".to_owned();
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| refused())?;
        let public = SealPublicKey::of_bytes(pair.public_key().as_ref()).ok_or_else(refused)?;
        Ok(Self { seed, pair, public })
    }

    /// The key as text: a secret.
    pub fn text(&self) -> Zeroizing<String> {
        let digits = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.seed.as_slice()));
        Zeroizing::new([SEAL_KEY_PREFIX, digits.as_str()].concat())
    }

    /// The half that everybody may know.
    pub fn public(&self) -> &SealPublicKey {
        &self.public
    }

    /// The signature of these bytes, 86 letters of base64 (URL alphabet, no padding).
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(bytes).as_ref())
    }

    /// The word of this key that, for this stack, `new` takes its place.
    pub fn hand_over(&self, stack: &StackId, new: &SealPublicKey) -> String {
        self.sign(&word(SUCCESSOR, stack, new))
    }

    /// The word of this key that, for this stack, it takes the place of `old`. Without it anybody
    /// could name a key of their own as the former one.
    pub fn take_over(&self, stack: &StackId, old: &SealPublicKey) -> String {
        self.sign(&word(PREDECESSOR, stack, old))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.public.id)
    }
}

/// What a key signs about another one.
fn word(purpose: &str, stack: &StackId, other: &SealPublicKey) -> Vec<u8> {
    let mut text = SignedText::new(purpose, 256);
    text.part(&stack.to_string());
    text.part(other.text());
    text.bytes
}

fn has_small_order(mut key: [u8; KEY_BYTES]) -> bool {
    key[KEY_BYTES - 1] &= 0x7f;
    SMALL_ORDER.contains(&hex(&key).as_str())
}

/// Bytes to sign: a word that says what they are for, then each part with its length before it as
/// eight bytes, most significant first, so that no two lists of parts give the same bytes.
pub(super) struct SignedText {
    pub(super) bytes: Vec<u8>,
}

impl SignedText {
    /// `room` is about how many bytes there will be.
    pub(super) fn new(purpose: &str, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room);
        bytes.extend(purpose.as_bytes());
        Self { bytes }
    }

    pub(super) fn part(&mut self, text: &str) {
        self.bytes.extend((text.len() as u64).to_be_bytes());
        self.bytes.extend(text.as_bytes());
    }
}

/// Exactly `N` bytes in base64 (URL alphabet, no padding).
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // It may be a private key.
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    bytes.as_slice().try_into().ok()
}

/// The keys by which a configuration knows its accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealKeys {
    /// The key in use.
    pub current: SealPublicKey,
    /// The key before it, if it has handed over to the one in use, and that one has taken over.
    pub former: Option<SealPublicKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first test vector of RFC 8032, section 7.1: an independent source for both halves and the
    /// signature of the empty text.
    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    const EMPTY: &str = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";

    #[test]
    fn debug_shows_the_public_half_and_nothing_of_the_other() {
        let key = key();
        let public = format!("{:?}", key.public());
        assert_eq!(public, format!("SealPublicKey({})", key.public().text()));
        let (own, text) = (format!("{key:?}"), key.text());
        assert!(!own.contains(text.as_str()) && !own.contains(SEED), "{own}");
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal"))
            .collect()
    }

    fn key() -> SealKey {
        let text = format!("{SEAL_KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes(SEED)));
        SealKey::parse(&format!(" {text}\n")).expect("a key")
    }

    fn other() -> SealKey {
        SealKey::of_seed(Zeroizing::new(std::array::from_fn(|i| i as u8))).expect("a key")
    }

    #[test]
    fn a_key_is_shown_by_the_id_of_its_public_half() {
        let key = key();
        assert_eq!(
            format!("{key:?}"),
            format!("SealKey({})", key.public().id())
        );
    }

    #[test]
    fn keys_and_signatures_are_those_of_rfc_8032() {
        let key = key();
        let public = format!("ed25519:{}", URL_SAFE_NO_PAD.encode(bytes(PUBLIC)));
        assert_eq!(key.public().text(), public);
        assert_eq!(key.public().id(), short_digest(&bytes(PUBLIC), 16));
        assert_eq!(key.sign(b""), URL_SAFE_NO_PAD.encode(bytes(EMPTY)));
        let read = SealPublicKey::parse(&public).expect("a public key");
        assert!(read.signed(b"", &key.sign(b"")));
        assert!(!read.signed(b"x", &key.sign(b"")));
        assert_eq!(
            SealKey::parse(&key.text()).expect("its own text").public(),
            &read
        );
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let text = key().text();
        let digits = text.strip_prefix(SEAL_KEY_PREFIX).expect("a prefix");
        for bad in [
            "",
            "abc",
            digits,
            &text[..text.len() - 1],
            &format!("{}A", text.as_str()),
            &format!("{}=", text.as_str()),
            &format!("{SEAL_KEY_PREFIX}{}", "A".repeat(43)),
            &format!("{SEAL_KEY_PREFIX}{}", "+".repeat(43)),
        ] {
            let why = SealKey::parse(bad).expect_err("refused");
            assert!(bad.is_empty() || !why.contains(bad), "{why}");
            assert!(!why.contains(&digits[..8]), "{why}");
            assert!(SealPublicKey::parse(bad).is_err(), "{bad}");
        }
        let private = SealPublicKey::parse(&text).expect_err("the wrong half");
        assert!(
            private.contains("private") && !private.contains(&digits[..8]),
            "{private}"
        );
        assert!(!format!("{:?}", key()).contains(&digits[..8]));
    }

    #[test]
    fn what_looks_like_a_key_and_is_none_is_called_by_its_name() {
        let why = |text: &str| SealKey::parse(text).expect_err("refused");
        let public = key().public().text().to_owned();
        for (text, says) in [
            (SEED, "earlier form"),
            (&*SEED.to_uppercase(), "earlier form"),
            (&public, "public half"),
        ] {
            let why = why(text);
            assert!(
                why.contains(says) && why.contains("`rolecall-seal-ed25519:` and 43"),
                "{why}"
            );
            assert!(!why.contains(&text[8..]), "{why}");
        }
        assert!(
            why(&SEED[1..]).starts_with("a seal key is"),
            "63 digits are nothing"
        );
    }

    #[test]
    fn a_key_hands_over_to_one_key_of_one_stack() {
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        let another = StackId::new("acme", "k7m2q9tb").expect("valid");
        let (old, new) = (key(), other());
        let word = old.hand_over(&stack, new.public());
        assert!(old.public().hands_over(&stack, new.public(), &word));
        assert!(!old.public().hands_over(&another, new.public(), &word));
        assert!(!old.public().hands_over(&stack, old.public(), &word));
        assert!(!new.public().hands_over(&stack, new.public(), &word));
        assert!(!old.public().hands_over(&stack, new.public(), &word[1..]));
        let own = new.hand_over(&stack, new.public());
        assert!(
            !old.public().hands_over(&stack, new.public(), &own),
            "by itself"
        );
    }

    #[test]
    fn a_key_takes_over_from_one_key_of_one_stack_and_by_no_other_word() {
        let stack = StackId::new("acme", "k7m2q9ta").expect("valid");
        let another = StackId::new("acme", "k7m2q9tb").expect("valid");
        let (old, new) = (key(), other());
        let word = new.take_over(&stack, old.public());
        assert!(new.public().takes_over(&stack, old.public(), &word));
        assert!(!new.public().takes_over(&another, old.public(), &word));
        assert!(!new.public().takes_over(&stack, new.public(), &word));
        assert!(!old.public().takes_over(&stack, old.public(), &word));
        // A hand-over the other way round is no word of taking over, nor is one the other.
        let back = new.hand_over(&stack, old.public());
        assert!(!new.public().takes_over(&stack, old.public(), &back));
        assert!(!new.public().hands_over(&stack, old.public(), &word));
        let by_itself = old.take_over(&stack, old.public());
        assert!(!new.public().takes_over(&stack, old.public(), &by_itself));
    }

    /// What everybody can sign for is a key of nobody, in every way to write it.
    #[test]
    fn a_public_key_of_small_order_is_refused() {
        let mut refused = 0;
        for point in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut point = bytes(point);
                point[31] |= sign;
                let text = format!("ed25519:{}", URL_SAFE_NO_PAD.encode(&point));
                let why = SealPublicKey::parse(&text).expect_err("refused");
                assert!(why.contains("small order"), "{text}: {why}");
                refused += 1;
            }
        }
        assert_eq!(refused, 14);
        for one in ["A".repeat(43), format!("AQ{}", "A".repeat(41))] {
            let why = SealPublicKey::parse(&format!("ed25519:{one}")).expect_err("refused");
            assert!(why.contains("small order"), "{why}");
        }
        assert!(SealPublicKey::parse(key().public().text()).is_ok());
    }
}
