//! Constraints on the version of rolecall, as in Terraform: `>= 0.1, < 2.0`, `~> 0.3`.
//! Pure.

/// Three numbers of a version, missing ones zero, and how many were written.
type Version = ([u64; 3], usize);

/// Tells whether `version` satisfies a constraint; the error says what is wrong with the text.
pub(super) fn satisfies(constraint: &str, version: &str) -> Result<bool, String> {
    let current = version.split(['-', '+']).next().unwrap_or(version);
    let (current, _) = parse(current).ok_or_else(|| format!("`{version}` is not a version"))?;
    let mut all = true;
    for part in constraint.split(',') {
        let part = part.trim();
        let end = part
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(part.len());
        let (operator, text) = part.split_at(end);
        let Some((wanted, given)) = parse(text.trim()) else {
            return Err(format!("`{part}` is not a constraint like `>= 0.1`"));
        };
        all &= match operator.trim() {
            "" | "=" => current == wanted,
            "!=" => current != wanted,
            ">" => current > wanted,
            ">=" => current >= wanted,
            "<" => current < wanted,
            "<=" => current <= wanted,
            "~>" => {
                // The last number written may rise, those before it may not.
                let fixed = given.saturating_sub(1).max(1);
                current >= wanted && current[..fixed] == wanted[..fixed]
            }
            other => return Err(format!("`{other}` is not one of = != > >= < <= ~>")),
        };
    }
    Ok(all)
}

fn parse(text: &str) -> Option<Version> {
    let mut numbers = [0; 3];
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() > 3 {
        return None;
    }
    for (at, part) in parts.iter().enumerate() {
        numbers[at] = part.parse().ok()?;
    }
    Some((numbers, parts.len()))
}

#[cfg(test)]
mod tests {
    use super::satisfies;

    #[test]
    fn constraints_mean_what_they_mean_in_terraform() {
        for (constraint, version, wanted) in [
            (">= 0.1", "0.1.0", true),
            (">= 0.1, < 0.2", "0.2.0", false),
            ("~> 0.3", "0.9.1", true),
            ("~> 0.3", "1.0.0", false),
            ("~> 0.3.1", "0.3.7", true),
            ("~> 0.3.1", "0.4.0", false),
            ("0.1.0", "0.1.0", true),
            ("!= 0.1.0", "0.1.0", false),
            (">= 1", "1.0.0-dev", true),
        ] {
            assert_eq!(
                satisfies(constraint, version),
                Ok(wanted),
                "{constraint} {version}"
            );
        }
        for constraint in ["", "x", ">= x", "=> 1", "1.2.3.4", ">= 1,"] {
            assert!(satisfies(constraint, "1.0.0").is_err(), "{constraint}");
        }
    }
}
