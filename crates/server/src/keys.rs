//! Keys and certificates of service accounts.
//!
//! A key is made, handed out once and never stored; only its certificate stays.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use zeroize::Zeroizing;

use super::{ids, status::Status};

/// A fresh P-384 key as PKCS#8 PEM, and its self-signed certificate as PEM and DER.
pub(crate) struct Issued {
    pub(crate) private_key: Zeroizing<String>,
    pub(crate) certificate: String,
    pub(crate) certificate_der: Vec<u8>,
}

/// Makes a key and a certificate with the facts of the platform's own: issuer and subject
/// `O=<scope MRN>`, the account's MRN as DNS name, a random serial of 128 bits, for digital
/// signature, key encipherment and server authentication, no CA.
pub(crate) fn issue(
    mrn: &str,
    scope_mrn: &str,
    now: Timestamp,
    valid_until: Option<Timestamp>,
) -> Result<Issued, Status> {
    let failed = |error: rcgen::Error| Status::internal(format!("certificate: {error}"));
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).map_err(failed)?;
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, scope_mrn);
    params.distinguished_name = name;
    params.subject_alt_names = vec![SanType::DnsName(mrn.try_into().map_err(failed)?)];
    let mut serial = ids::random::<16>()?;
    // A serial is a positive integer of exactly 16 bytes: the top bit clear, the next one set.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (year, month, day, rest) = civil(now);
    params.not_before = rcgen::date_time_ymd(year, month, day) + rest;
    params.not_after = match valid_until.map(civil) {
        Some((year, month, day, rest)) => rcgen::date_time_ymd(year, month, day) + rest,
        // RFC 5280's "no well-defined expiration date".
        None => rcgen::date_time_ymd(9999, 12, 31) + Duration::from_secs(86_399),
    };
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(Issued {
        private_key: Zeroizing::new(key.serialize_pem()),
        certificate: certificate.pem(),
        certificate_der: certificate.der().to_vec(),
    })
}

/// Year, month, day and the time since midnight, in UTC, as rcgen builds its dates.
fn civil(at: Timestamp) -> (i32, u8, u8, Duration) {
    let at = at.to_zoned_datetime(TimeZone::UTC).datetime();
    let small = |part: i8| u8::try_from(part).unwrap_or_default();
    let seconds = u64::from(small(at.hour())) * 3600
        + u64::from(small(at.minute())) * 60
        + u64::from(small(at.second()));
    (
        i32::from(at.year()),
        small(at.month()),
        small(at.day()),
        Duration::from_secs(seconds),
    )
}
