//! The law that nothing of a configuration gets lost: what a block says is in what is desired, or
//! there is an error about it, or `validate` does not know it yet.
//! Pure. What is missing without a word would be deleted.

use super::codes;
use crate::diag::{Diagnostic, Diagnostics, Span};

/// What was found to be missing of a configuration.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    lost: Vec<(Span, String)>,
    /// What is missing where `validate` does not know some value.
    untold: Vec<(Span, String)>,
}

impl Ledger {
    /// Notes that something should be there, and whether it is.
    pub(super) fn expect(&mut self, there: bool, span: Span, what: impl FnOnce() -> String) {
        if !there {
            self.lost.push((span, what()));
        }
    }

    /// The same for what is not made as long as something that it is made of is not known.
    pub(super) fn expect_known(&mut self, there: bool, span: Span, what: impl FnOnce() -> String) {
        if !there {
            self.untold.push((span, what()));
        }
    }

    /// Reports what is missing, unless an error says why something may be; `told` says that all values
    /// are known.
    pub(super) fn close(self, told: bool, out: &mut Diagnostics) {
        if out.has_errors() {
            return;
        }
        let untold = self.untold.into_iter().filter(|_| told);
        for (span, what) in self.lost.into_iter().chain(untold) {
            out.push(
                Diagnostic::error(codes::INTERNAL_ERROR)
                    .at(span, format!("{what} was lost, and no finding says why")),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn closed(there: bool, before: Option<Diagnostic>) -> Vec<Diagnostic> {
        let span = Span::new(FileId::default(), 1, 2);
        let mut out = Diagnostics::new();
        before.into_iter().for_each(|found| out.push(found));
        let mut ledger = Ledger::default();
        ledger.expect(there, span, || "space `prod`".to_owned());
        ledger.close(false, &mut out);
        out.into_iter().collect()
    }

    #[test]
    fn what_is_not_known_yet_may_be_missing_and_nothing_else() {
        let span = Span::new(FileId::default(), 1, 2);
        for (told, errors) in [(true, 2), (false, 1)] {
            let mut out = Diagnostics::new();
            let mut ledger = Ledger::default();
            ledger.expect(false, span, || "`local.a`".to_owned());
            ledger.expect_known(false, span, || "service account `ci`".to_owned());
            ledger.close(told, &mut out);
            assert_eq!(out.len(), errors);
        }
    }

    #[test]
    fn what_is_lost_without_an_error_is_an_error_that_names_it() {
        assert!(closed(true, None).is_empty());
        let warning = Diagnostic::warning(codes::UNUSED_ROLE);
        for before in [None, Some(warning)] {
            let found = closed(false, before);
            let last = found.last().expect("an error");
            assert_eq!(last.code, codes::INTERNAL_ERROR.id);
            assert!(last.labels[0].message.contains("space `prod`"), "{last:?}");
        }
        let error = Diagnostic::error(codes::INVALID_VALUE);
        assert_eq!(closed(false, Some(error.clone())), [error]);
    }
}
