//! What to write instead of something that is not here: the very text, for the very place.
//! Pure.

use crate::lang::value::{Kind, RefKind, Value};
use hcl_edit::Span as _;
use hcl_edit::expr::{Conditional, Expression, FuncCall};

/// The longest expression that is repeated in a hint, in characters.
const MAX_SHOWN: usize = 120;
/// The most instances that are written out.
const MAX_WRITTEN: usize = 10;

/// The text of an expression on one line; `instead` where it is too long to be repeated.
fn shown(text: &str, expression: &Expression, instead: &str) -> String {
    let range = expression.span().unwrap_or(0..0);
    let text = text.get(range).unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // A comment would swallow what stands behind it on one line.
    let comment = text.contains('\n') && (text.contains('#') || text.contains("//"));
    if line.is_empty() || comment || line.chars().count() > MAX_SHOWN {
        instead.to_owned()
    } else {
        line
    }
}

/// What to write for Terraform's `count`; `text` is that of the file.
pub(super) fn count(text: &str, expression: &Expression) -> String {
    let (attribute, then) = match expression {
        Expression::Number(number) => {
            let count = number
                .value()
                .as_u64()
                .and_then(|n| usize::try_from(n).ok());
            match count {
                Some(count) if count <= MAX_WRITTEN => {
                    let keys: Vec<String> = (0..count).map(|n| format!("\"{n}\"")).collect();
                    (format!("toset([{}])", keys.join(", ")), None)
                }
                _ => (numbered(&shown(text, expression, "COUNT")), None),
            }
        }
        Expression::Conditional(conditional) => match switch(conditional) {
            Some((yes, no)) => {
                let condition = shown(text, &conditional.cond_expr, "CONDITION");
                (format!("toset({condition} ? {yes} : {no})"), None)
            }
            None => (numbered(&shown(text, expression, "COUNT")), None),
        },
        Expression::FuncCall(call) => match length(call) {
            Some(list) => {
                let list = shown(text, list, "LIST");
                let then = format!("`each.value` stands where `{list}[count.index]` stood");
                (format!("toset({list})"), Some(then))
            }
            None => (numbered(&shown(text, expression, "COUNT")), None),
        },
        _ => (numbered(&shown(text, expression, "COUNT")), None),
    };
    let then = then.unwrap_or_else(|| "`each.key` stands where `count.index` stood".to_owned());
    format!("write `for_each = {attribute}`; {then}")
}

fn numbered(count: &str) -> String {
    format!("toset([for n in range({count}) : tostring(n)])")
}

/// A count of one or none.
fn switch(conditional: &Conditional) -> Option<(&'static str, &'static str)> {
    let number = |expression: &Expression| match expression {
        Expression::Number(number) => number.value().as_u64(),
        _ => None,
    };
    match (
        number(&conditional.true_expr)?,
        number(&conditional.false_expr)?,
    ) {
        (1, 0) => Some(("[\"0\"]", "[]")),
        (0, 1) => Some(("[]", "[\"0\"]")),
        _ => None,
    }
}

/// The list whose length is counted.
fn length(call: &FuncCall) -> Option<&Expression> {
    let plain = call.name.namespace.is_empty() && call.name.name.as_str() == "length";
    (plain && call.args.len() == 1).then(|| call.args.get(0))?
}

/// What to write for a `for_each` that is a list, or a set of something else than strings.
pub(super) fn for_each(text: &str, expression: &Expression, items: &[Value]) -> String {
    let mut of = expression;
    if let Expression::FuncCall(call) = of
        && matches!(call.name.name.as_str(), "toset" | "tolist")
        && let Some(inner) = call.args.get(0)
    {
        of = inner;
    }
    let list = shown(text, of, "LIST");
    let scope = |item: &Value| {
        let reference = item.as_reference();
        reference.is_some_and(|r| matches!(r.kind, RefKind::Organization | RefKind::Space))
    };
    let plain = |item: &Value| matches!(item.kind(), Kind::Number(_) | Kind::Bool(_));
    if items.iter().all(|item| item.as_str().is_some()) {
        format!("write `toset({list})`: elements of a list have no keys")
    } else if items.iter().all(scope) {
        format!(
            "scopes are no keys: write a map, as in `{{ for s in {list} : s.id => s }}`, or \
             `{{ NAME = space.NAME }}`"
        )
    } else if items
        .iter()
        .all(|item| plain(item) || item.as_str().is_some())
    {
        format!("write `toset([for item in {list} : tostring(item)])`")
    } else {
        format!(
            "write a map, as in `{{ for item in {list} : item.NAME => item }}`, by what names each"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(text: &str) -> String {
        let text = format!("count = {text}\n");
        let body = hcl_edit::parser::parse_body(&text).expect("parses");
        count(&text, &body.attributes().next().expect("there").value)
    }

    #[test]
    fn only_the_length_of_one_list_is_counted_by_its_elements() {
        assert!(counting("length(var.a)").contains("toset(var.a)"));
        for other in ["max(var.a)", "length(var.a, var.b)"] {
            let hint = counting(other);
            assert!(!hint.contains("toset(var.a)"), "{hint}");
        }
    }

    #[test]
    fn an_expression_that_is_long_is_not_repeated() {
        for (length, repeated) in [(MAX_SHOWN, true), (MAX_SHOWN + 1, false), (300, false)] {
            let name = "n".repeat(length - "var.".len());
            let hint = counting(&format!("var.{name}"));
            assert_eq!(hint.contains(&name), repeated, "{length}: {hint}");
            assert_eq!(hint.contains("COUNT"), !repeated, "{length}: {hint}");
        }
    }
}
