//! "Did you mean": the nearest of the known names.
//! Pure.

/// The most candidates that are looked at: a map may have many thousand keys, and many uses that miss.
const MAX_CANDIDATES: usize = 1_000;

/// Returns the candidate nearest to `name`, when one is near enough to be a slip of the hand.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > 200 {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| *candidate != name && candidate.len() <= 200)
        .filter_map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            let limit = (lower.chars().count().max(candidate.chars().count()) / 3).max(1);
            (distance <= limit).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let known = ["viewer", "editor", "owner"];
        assert_eq!(suggest("viewr", known), Some("viewer"));
        assert_eq!(suggest("Owner", known), Some("owner"));
        assert_eq!(suggest("scanner", known), None);
        assert_eq!(suggest("x", []), None);
    }

    #[test]
    fn ties_are_settled_by_name() {
        assert_eq!(suggest("abd", ["abe", "abc"]), Some("abc"));
    }
}
