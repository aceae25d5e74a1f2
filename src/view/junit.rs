//! What policies say of every account, as a JUnit report: one suite, one case for each policy and
//! account. Pure. Foreign text is made inert, then written as XML can hold it.

use std::fmt::Write as _;

use super::inert;
use crate::model::{PolicyOrigin, PolicySeverity};
use crate::plan::{JudgedAccount, Judgement, PolicyInfo, Said};

/// The report, with a line end. Without a judgement it has no cases.
pub fn junit(judgement: Option<&Judgement>) -> String {
    let (mut failures, mut errors, mut skipped, mut tests) = (0, 0, 0, 0);
    let mut cases = String::new();
    for (policy, account, said) in judgement.iter().flat_map(|judgement| judgement.all()) {
        tests += 1;
        match (said, policy.severity) {
            (Some(Said::Violated(_)), PolicySeverity::Error) => failures += 1,
            (Some(Said::Unevaluable(_)), _) => errors += 1,
            (Some(Said::Exempt), _) => skipped += 1,
            (Some(Said::Violated(_)), PolicySeverity::Warning) | (None, _) => {}
        }
        case(&mut cases, policy, account, said);
    }
    let counts = format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\""
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"rolecall\" {counts}>\n  \
         <testsuite name=\"policies\" {counts}>\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

fn case(out: &mut String, policy: &PolicyInfo, account: &JudgedAccount, said: Option<&Said>) {
    let class = match policy.origin {
        PolicyOrigin::Configuration => policy.name.clone(),
        PolicyOrigin::PolicyDir => format!("policy-dir/{}", policy.name),
    };
    let mut places = format!("policy: {}", policy.declared_at);
    if let Some(place) = &account.declared_at {
        places = format!("account: {place}, {places}");
    }
    let inside = match (said, policy.severity) {
        (None, _) => None,
        (Some(Said::Exempt), _) => Some("<skipped message=\"exempt\"/>".to_owned()),
        (Some(Said::Violated(what)), PolicySeverity::Error) => {
            Some(element("failure", "violated", what, &places))
        }
        (Some(Said::Unevaluable(why)), _) => Some(element("error", "unevaluable", why, &places)),
        (Some(Said::Violated(what)), PolicySeverity::Warning) => Some(format!(
            "<system-out>{}</system-out>",
            xml(&format!("warning: {what} ({places})"))
        )),
    };
    let name = xml(&account.shown());
    let class = xml(&class);
    // Writing to a String cannot fail.
    let _ = match inside {
        None => writeln!(out, "    <testcase classname=\"{class}\" name=\"{name}\"/>"),
        Some(inside) => writeln!(
            out,
            "    <testcase classname=\"{class}\" name=\"{name}\">\n      {inside}\n    </testcase>"
        ),
    };
}

fn element(name: &str, kind: &str, message: &str, places: &str) -> String {
    format!(
        "<{name} type=\"{kind}\" message=\"{}\">{}</{name}>",
        xml(message),
        xml(places)
    )
}

/// Foreign text as the content of an element or of an attribute in double quotes.
fn xml(foreign: &str) -> String {
    let mut out = String::with_capacity(foreign.len());
    for c in inert(foreign).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // XML 1.0 has no such characters, not even as references.
            '\u{fffe}' | '\u{ffff}' | '\0'..='\u{1f}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(
            xml("<a href=\"x\" b='y'>&amp;]]></a>"),
            "&lt;a href=&quot;x&quot; b=&apos;y&apos;&gt;&amp;amp;]]&gt;&lt;/a&gt;"
        );
        assert_eq!(xml("a\u{1b}[31m\n\t\0b"), "a\\u{1b}[31m\\n\\t\\u{0}b");
        assert_eq!(xml("\u{fffe}\u{ffff}"), "\u{fffd}\u{fffd}");
        assert_eq!(xml("::add-mask::x"), ":\\u{3a}add-mask::x");
        assert_eq!(xml("Überwachung 監視 😀"), "Überwachung 監視 😀");
    }
}
