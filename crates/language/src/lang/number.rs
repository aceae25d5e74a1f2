//! Exact numbers.
//! Pure. No operation overflows or rounds silently; what grows out of bounds is refused.

use bigdecimal::{BigDecimal, Signed, ToPrimitive, Zero};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The most decimal digits a number may have on either side of its point.
const MAX_DIGITS: i64 = 4096;

/// An exact decimal number of bounded size.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(BigDecimal);

/// Why an operation on numbers has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    /// The divisor is zero.
    DivisionByZero,
    /// The result has too many digits.
    TooLarge,
}

impl Number {
    /// Reads a number in decimal notation, with an optional sign, fraction and exponent.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let mantissa_end = digits.find(['e', 'E']).unwrap_or(digits.len());
        let (mantissa, exponent) = digits.split_at(mantissa_end);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let is_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        let exponent = exponent
            .get(1..)
            .map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
        let limit = 2 * MAX_DIGITS as usize;
        if !is_digits(whole)
            || !is_digits(fraction)
            || !exponent.is_none_or(|e| is_digits(e) && e.len() < 9)
            || text.len() > limit
        {
            return None;
        }
        Self::bounded(BigDecimal::from_str(text).ok()?).ok()
    }

    fn bounded(value: BigDecimal) -> Result<Self, NumberError> {
        if value.is_zero() {
            return Ok(Self(BigDecimal::zero()));
        }
        let value = value.normalized();
        let (_, scale) = value.as_bigint_and_scale();
        let whole = i64::try_from(value.digits())
            .unwrap_or(i64::MAX)
            .saturating_sub(scale);
        if scale > MAX_DIGITS || whole > MAX_DIGITS {
            return Err(NumberError::TooLarge);
        }
        Ok(Self(value))
    }

    /// Adds.
    pub fn add(&self, other: &Self) -> Result<Self, NumberError> {
        Self::bounded(&self.0 + &other.0)
    }

    /// Subtracts.
    pub fn sub(&self, other: &Self) -> Result<Self, NumberError> {
        Self::bounded(&self.0 - &other.0)
    }

    /// Multiplies.
    pub fn mul(&self, other: &Self) -> Result<Self, NumberError> {
        Self::bounded(&self.0 * &other.0)
    }

    /// Divides; a result that never ends is cut after a hundred digits.
    pub fn div(&self, other: &Self) -> Result<Self, NumberError> {
        if other.0.is_zero() {
            return Err(NumberError::DivisionByZero);
        }
        Self::bounded(&self.0 / &other.0)
    }

    /// Returns the remainder, with the sign of the dividend.
    pub fn rem(&self, other: &Self) -> Result<Self, NumberError> {
        if other.0.is_zero() {
            return Err(NumberError::DivisionByZero);
        }
        Self::bounded(&self.0 % &other.0)
    }

    /// Changes the sign.
    #[must_use]
    pub fn neg(&self) -> Self {
        Self(-&self.0)
    }

    /// Returns the distance from zero.
    #[must_use]
    pub fn abs(&self) -> Self {
        Self(self.0.abs())
    }

    /// Returns the nearest whole number that is not larger.
    #[must_use]
    pub fn floor(&self) -> Self {
        Self(
            self.0
                .with_scale_round(0, bigdecimal::RoundingMode::Floor)
                .normalized(),
        )
    }

    /// Returns the nearest whole number that is not smaller.
    #[must_use]
    pub fn ceil(&self) -> Self {
        Self(
            self.0
                .with_scale_round(0, bigdecimal::RoundingMode::Ceiling)
                .normalized(),
        )
    }

    /// Returns its text with exactly this many places after the point, rounded half to even.
    pub fn rounded(&self, places: usize) -> String {
        let places = i64::try_from(places).unwrap_or(MAX_DIGITS).min(MAX_DIGITS);
        self.0
            .with_scale_round(places, bigdecimal::RoundingMode::HalfEven)
            .to_plain_string()
    }

    /// Tells whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// Tells whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    /// Tells whether it has no fraction.
    pub fn is_whole(&self) -> bool {
        self.0.is_integer()
    }

    /// Returns it as a machine integer, when it is whole and fits.
    pub fn to_i64(&self) -> Option<i64> {
        if self.is_whole() {
            self.0.to_i64()
        } else {
            None
        }
    }

    /// Returns it as an index, when it is whole, not negative and fits.
    pub fn to_usize(&self) -> Option<usize> {
        self.to_i64().and_then(|n| usize::try_from(n).ok())
    }

    /// Compares by value.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self(BigDecimal::from(value as u64).normalized())
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(BigDecimal::from(value).normalized())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_plain_string())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(n("0.1").add(&n("0.2")), Ok(n("0.3")));
        let big = n("9223372036854775807");
        assert_eq!(
            big.mul(&big),
            Ok(n("85070591730234615847396907784232501249"))
        );
        assert_eq!(
            n("18446744073709551615").add(&n("1")),
            Ok(n("18446744073709551616"))
        );
        assert_eq!(n("-9223372036854775808").rem(&n("-1")), Ok(n("0")));
        assert_eq!(n("-7").rem(&n("3")), Ok(n("-1")));
        assert_eq!(n("5.5").rem(&n("2")), Ok(n("1.5")));
        assert_eq!(n("1").div(&n("0")), Err(NumberError::DivisionByZero));
        assert_eq!(n("1").div(&n("8")), Ok(n("0.125")));
    }

    #[test]
    fn what_grows_out_of_bounds_is_refused() {
        let mut number = n("1e300");
        let mut refused = false;
        for _ in 0..10 {
            match number.mul(&number) {
                Ok(next) => number = next,
                Err(error) => {
                    assert_eq!(error, NumberError::TooLarge);
                    refused = true;
                }
            }
        }
        assert!(refused);
        assert!(Number::parse("1e99999999").is_none());
        assert!(Number::parse("1e-99999999").is_none());
    }

    #[test]
    fn text_forms() {
        for (text, shown) in [
            ("1e3", "1000"),
            ("1.50", "1.5"),
            ("-0", "0"),
            ("1E-3", "0.001"),
            ("100", "100"),
        ] {
            assert_eq!(n(text).to_string(), shown);
        }
        for text in [
            "", "-", "1.", ".5", "1_0", "0x1", "+1", "1e", "NaN", "inf", "--1", "1e1.5",
        ] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
        assert_eq!(n("-1.5").floor(), n("-2"));
        assert_eq!(n("-1.5").ceil(), n("-1"));
        assert_eq!(n("120").floor().to_i64(), Some(120));
    }
}
