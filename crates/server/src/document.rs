//! GraphQL documents, read within bounds: what the library would walk without end is refused before
//! it sees it. Pure.

use std::collections::BTreeMap;

use async_graphql::{
    ServerError,
    parser::{
        parse_query,
        types::{ExecutableDocument, Field, Selection, SelectionSet},
    },
};
use serde_json::Value;

/// The most brackets of any kind that may be open at once, and the deepest variables and
/// selections. Introspection queries of common tools need 15.
pub(crate) const NESTING: usize = 64;
/// The most fields, fragments and spreads in one request, those of fragments counted wherever they
/// are spread, so that neither aliases nor fragments multiply work without end.
pub(crate) const SIZE: usize = 8_000;
/// The most arguments of one field or directive; no field of the schema has ten.
const ARGUMENTS: usize = 100;

/// Reads a document.
///
/// # Errors
/// It nests too deep, it is too large, or it is no document.
pub(crate) fn read(query: &str) -> Result<ExecutableDocument, ServerError> {
    check_nesting(query).map_err(refused)?;
    let document = parse_query(query)?;
    check_size(&document).map_err(refused)?;
    Ok(document)
}

/// Whether variables nest no deeper than documents may.
///
/// # Errors
/// The sentence about those that do.
pub(crate) fn check_variables(variables: &Value) -> Result<(), ServerError> {
    // The object that holds them is no value itself.
    if is_deeper(variables, NESTING + 1) {
        let message = format!("a variable is nested more than {NESTING} levels deep");
        return Err(refused(message));
    }
    Ok(())
}

fn refused(message: String) -> ServerError {
    ServerError::new(message, None)
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else {
        return matches!(value, Value::Array(_) | Value::Object(_));
    };
    match value {
        Value::Array(items) => items.iter().any(|item| is_deeper(item, left)),
        Value::Object(fields) => fields.values().any(|item| is_deeper(item, left)),
        _ => false,
    }
}

/// Counts open brackets outside of texts and comments. A text that does not end is refused too:
/// the parser might look for brackets in what this takes for its content.
fn check_nesting(query: &str) -> Result<(), String> {
    let mut rest = query.as_bytes();
    let mut open = 0_usize;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'#' => {
                let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                rest = &rest[end.unwrap_or(rest.len())..];
            }
            b'"' => {
                let after = match rest.strip_prefix(b"\"\"") {
                    Some(content) => after_block_text(content),
                    None => after_text(rest),
                };
                rest = after.ok_or_else(|| "a text in the document does not end".to_owned())?;
            }
            b'(' | b'[' | b'{' => {
                open += 1;
                if open > NESTING {
                    return Err(format!("more than {NESTING} brackets are open at once"));
                }
            }
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

fn after_text(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'\\', _, after @ ..] => after,
            [b'"', after @ ..] => return Some(after),
            [] | [b'\n' | b'\r', ..] => return None,
            [_, after @ ..] => after,
        };
    }
}

fn after_block_text(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'\\', b'"', b'"', b'"', after @ ..] => after,
            [b'"', b'"', b'"', after @ ..] => return Some(after),
            [_, after @ ..] => after,
            [] => return None,
        };
    }
}

/// What one definition has itself, without what its spreads bring in.
#[derive(Default)]
struct Own<'a> {
    items: usize,
    depth: usize,
    /// Each spread with its depth.
    spreads: Vec<(&'a str, usize)>,
}

impl<'a> Own<'a> {
    /// Measures a selection; the parser has seen that it nests no deeper than brackets may.
    fn measure(&mut self, set: &'a SelectionSet, depth: usize) -> Result<(), String> {
        self.depth = self.depth.max(depth);
        for item in &set.items {
            self.items += 1;
            match &item.node {
                Selection::Field(field) => {
                    check_arguments(&field.node)?;
                    self.measure(&field.node.selection_set.node, depth + 1)?;
                }
                Selection::InlineFragment(inner) => {
                    self.measure(&inner.node.selection_set.node, depth + 1)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node.as_str();
                    self.spreads.push((name, depth));
                }
            }
        }
        Ok(())
    }

    /// Items and depth with what the spreads bring in; `None` while one of them is not known. A
    /// fragment that is not there brings nothing: the library names it.
    fn whole(
        &self,
        fragments: &BTreeMap<&str, Own<'_>>,
        known: &BTreeMap<&str, Whole>,
    ) -> Option<Whole> {
        let mut whole = Whole {
            items: self.items,
            depth: self.depth,
        };
        for (name, at) in &self.spreads {
            match known.get(name) {
                Some(inner) => {
                    whole.items = whole.items.saturating_add(inner.items);
                    whole.depth = whole.depth.max(at.saturating_add(inner.depth));
                }
                None if fragments.contains_key(name) => return None,
                None => {}
            }
        }
        Some(whole)
    }
}

#[derive(Clone, Copy)]
struct Whole {
    items: usize,
    depth: usize,
}

fn check_arguments(field: &Field) -> Result<(), String> {
    let directives = field.directives.iter();
    let most = directives
        .map(|directive| directive.node.arguments.len())
        .fold(field.arguments.len(), usize::max);
    if most > ARGUMENTS {
        return Err(format!(
            "{most} arguments in one place, the limit is {ARGUMENTS}"
        ));
    }
    Ok(())
}

/// The library walks each definition with all that its spreads bring in, so all of them together
/// must stay within the bound.
fn check_size(document: &ExecutableDocument) -> Result<(), String> {
    let too_large = || {
        format!(
            "the request has more than {SIZE} fields, those of fragments counted where they are spread"
        )
    };
    let mut operations = Vec::new();
    for (_, operation) in document.operations.iter() {
        let mut own = Own::default();
        own.measure(&operation.node.selection_set.node, 1)?;
        operations.push(own);
    }
    let mut fragments = BTreeMap::new();
    for (name, fragment) in &document.fragments {
        let mut own = Own::default();
        own.measure(&fragment.node.selection_set.node, 1)?;
        fragments.insert(name.as_str(), own);
    }
    let own: usize = operations
        .iter()
        .chain(fragments.values())
        .map(|own| own.items)
        .sum();
    if own > SIZE {
        return Err(too_large());
    }
    // Each round knows those whose spreads the rounds before knew.
    let mut known = BTreeMap::new();
    for _ in 0..=NESTING {
        for (name, own) in &fragments {
            if !known.contains_key(name)
                && let Some(whole) = own.whole(&fragments, &known)
            {
                known.insert(*name, whole);
            }
        }
    }
    if let Some(name) = fragments.keys().find(|name| !known.contains_key(*name)) {
        return Err(format!(
            "fragment {name:?} contains itself, or others more than {NESTING} deep"
        ));
    }
    let of_operations = operations
        .iter()
        .filter_map(|own| own.whole(&fragments, &known));
    let all: Vec<Whole> = of_operations.chain(known.values().copied()).collect();
    let items = all
        .iter()
        .fold(0_usize, |sum, whole| sum.saturating_add(whole.items));
    if items > SIZE {
        return Err(too_large());
    }
    if all.iter().any(|whole| whole.depth > NESTING) {
        return Err(format!("a selection is more than {NESTING} levels deep"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn why(query: &str) -> String {
        read(query)
            .err()
            .map_or(String::new(), |error| error.message)
    }

    #[test]
    fn brackets_count_outside_of_texts_and_comments_only() {
        let nested = |open: &str, n: usize, close: &str| {
            format!("{{a(x:{}1{})}}", open.repeat(n), close.repeat(n))
        };
        // Two brackets are open around the value.
        for (open, close) in [("[", "]"), ("{a:", "}"), ("[{a:", "}]")] {
            let each = open.matches(['[', '{']).count();
            let fits = (NESTING - 2) / each;
            assert_eq!(why(&nested(open, fits, close)), "", "{open}");
            assert!(
                why(&nested(open, fits + 1, close)).contains("open at once"),
                "{open}"
            );
            assert!(
                why(&nested(open, 50_000, close)).contains("open at once"),
                "{open}"
            );
        }
        let many = "[({".repeat(100);
        for query in [
            format!("{{a(x:\"{many}\")}}"),
            format!("{{a(x:\"\\\"{many}\\\\\")}}"),
            format!("{{a(x:\"\"\"{many}\n\"\" \\\"\"\" {many}\"\"\")}}"),
            format!("{{a # {many}\n}}"),
            format!("{{a(x:\"#\" y:\"\")}} # {many}"),
            format!("{{{}}}", "a(x:[{b:1}]){c} ".repeat(100)),
        ] {
            assert_eq!(why(&query), "", "{query}");
        }
        // What begins like a text and is none hides nothing.
        for query in [
            format!("{{a(x:\"\"\"a\" {many})}}"),
            format!("{{a(x:\"a\n{many}\")}}"),
            format!("{{a(x:\"\"{many})}}"),
            format!("{{a(x:\"\"\"\"\"\"{many})}}"),
            format!("{{a(x:\"\\\\\"{many})}}"),
            format!("{{a # \"\n {many}"),
            format!("{{a # \"\r {many}"),
        ] {
            let why = why(&query);
            assert!(
                why.contains("open at once") || why.contains("does not end"),
                "{query}: {why}"
            );
        }
    }

    #[test]
    fn fragments_count_where_they_are_spread() {
        let doubled = |n: usize| {
            let mut query = "{...F0}".to_owned();
            for i in 0..n {
                query += &format!(" fragment F{i} on Query {{...F{j} ...F{j}}}", j = i + 1);
            }
            query + &format!(" fragment F{n} on Query {{viewer{{mrn}}}}")
        };
        assert_eq!(why(&doubled(9)), "");
        for n in [12, 28, 60] {
            assert!(why(&doubled(n)).contains("more than 8000"), "{n}");
        }
        // One fragment spread often; several operations; and one that nobody spreads.
        let wide = |n: usize| "a{b} ".repeat(n);
        for (fits, query) in [
            (
                true,
                format!(
                    "{{{}}} fragment F on Q {{{}}}",
                    "...F ".repeat(50),
                    wide(40)
                ),
            ),
            (
                false,
                format!(
                    "{{{}}} fragment F on Q {{{}}}",
                    "...F ".repeat(100),
                    wide(50)
                ),
            ),
            (
                false,
                format!("query A{{{}}} query B{{{}}}", wide(2_500), wide(2_500)),
            ),
            (false, format!("{{a}} fragment F on Q {{{}}}", wide(4_001))),
        ] {
            assert_eq!(why(&query).is_empty(), fits, "{}", why(&query));
        }
    }

    #[test]
    fn fragments_in_themselves_and_long_chains_are_refused() {
        let chain = |n: usize, last: &str| {
            let mut query = "{...F0}".to_owned();
            for i in 0..n {
                query += &format!(" fragment F{i} on Query {{...F{}}}", i + 1);
            }
            query + &format!(" fragment F{n} on Query {{{last}}}")
        };
        assert_eq!(why(&chain(40, "a")), "");
        for query in [
            chain(100, "a"),
            chain(2_000, "a"),
            chain(0, "...F0"),
            chain(3, "a{...F1}"),
            chain(300, "...F0"),
            "{a} fragment A on Q {... on Q {...B}} fragment B on Q {...A}".to_owned(),
        ] {
            let why = why(&query);
            assert!(
                why.contains("contains itself") || why.contains("levels deep"),
                "{query}: {why}"
            );
        }
        // Each of them shallow, all of them together deep.
        let mut query = "{...F0}".to_owned();
        for i in 0..20 {
            query += &format!(" fragment F{i} on Query {{a{{b{{c{{...F{}}}}}}}}}", i + 1);
        }
        query += " fragment F20 on Query {a}";
        assert!(why(&query).contains("levels deep"), "{}", why(&query));
    }

    #[test]
    fn many_arguments_in_one_place_are_refused() {
        let arguments = |n: usize| (0..n).map(|i| format!("a{i}:1 ")).collect::<String>();
        assert_eq!(why(&format!("{{a({})}}", arguments(100))), "");
        for query in [
            format!("{{a({})}}", arguments(101)),
            format!("{{b{{a({})}}}}", arguments(20_000)),
            format!("{{a @include({})}}", arguments(101)),
        ] {
            assert!(
                why(&query).contains("arguments in one place"),
                "{}",
                why(&query)
            );
        }
    }

    #[test]
    fn variables_are_as_deep_as_documents() {
        let nested = |n: usize, object: bool| {
            let mut value = json!(1);
            for _ in 0..n {
                value = if object {
                    json!({ "a": value })
                } else {
                    json!([value])
                };
            }
            json!({ "first": 1, "v": value })
        };
        for object in [false, true] {
            assert!(check_variables(&nested(NESTING, object)).is_ok());
            assert!(check_variables(&nested(NESTING + 1, object)).is_err());
            assert!(check_variables(&nested(120, object)).is_err());
        }
        assert!(check_variables(&Value::Null).is_ok());
    }
}
