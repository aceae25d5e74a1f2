//! An expression that waits for one more value.
//! Pure. It keeps its names and its text, so that it can be evaluated long after its file was read.

use super::frame::{Binding, Frame, Slot};
use super::value::{Kind, RefKind, Value};
use super::{Evaluator, refs};
use crate::diag::{Diagnostic, SourceMap, Span};
use hcl_edit::expr::Expression;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// The work that one evaluation may do.
const MAX_WORK: usize = 200_000;

/// An expression, the names that it may use, and the text in which it stands.
#[derive(Debug, Clone)]
pub struct Deferred {
    expression: Expression,
    span: Span,
    scope: Arc<Frame<'static>>,
    sources: Arc<SourceMap>,
}

impl Deferred {
    /// Keeps an expression that stands at `span` of `sources`.
    pub fn new(
        expression: Expression,
        span: Span,
        scope: Arc<Frame<'static>>,
        sources: Arc<SourceMap>,
    ) -> Self {
        Self {
            expression,
            span,
            scope,
            sources,
        }
    }

    /// Evaluates it with a value under one more name. Takes the work that it does from what is
    /// `left` for many such evaluations.
    ///
    /// # Errors
    /// What is wrong, with its place: `main.hcl:3:1: summary: at the mark`.
    pub fn with(&self, name: &str, value: &Value, left: &mut usize) -> Result<Value, String> {
        if *left == 0 {
            return Err(self.at("all evaluations together have done too much work"));
        }
        let allowed = MAX_WORK.min(*left);
        let mut evaluator = Evaluator::within(&self.sources, allowed);
        let mut frame = self.scope.child();
        frame.set(name, value.clone());
        let result = evaluator.evaluate(self.span.file, &self.expression, &frame);
        let found = evaluator.take_diagnostics();
        // Each costs something, so that there cannot be endlessly many.
        *left = left.saturating_sub((allowed - evaluator.work_left()).max(1));
        result.map_err(|_| match found.iter().next() {
            Some(first) => self.describe(first),
            None => self.at("a name that it uses has no value"),
        })
    }

    /// Says something about the expression, with its place.
    pub fn at(&self, what: &str) -> String {
        format!("{}: {what}", self.sources.describe(self.span))
    }

    fn describe(&self, found: &Diagnostic) -> String {
        let place = self.sources.describe(found.span().unwrap_or(self.span));
        let mark = found.labels.iter().find(|label| label.primary);
        match mark.map(|label| label.message.as_str()) {
            Some(mark) if !mark.is_empty() => format!("{place}: {}: {mark}", found.summary),
            _ => format!("{place}: {}", found.summary),
        }
    }

    /// Its text, and every value that it takes from outside: equal for two expressions only if they
    /// come to the same whatever they wait for.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        quote(self.sources.slice(self.span), &mut out);
        let uses = refs::Uses::of(&self.expression, self.span.file);
        let mut used = BTreeMap::new();
        for name in &uses.names {
            let member = name.member.as_ref().map(|(member, _)| member.as_str());
            used.insert((name.root.as_str(), member), ());
        }
        for (root, member) in used.into_keys() {
            let value = match (self.scope.find(root), member) {
                (Some(Binding::Value(value)), _) => Some(value),
                (Some(Binding::Names(names)), Some(member)) => match names.slots.get(member) {
                    Some(Slot::Value(value)) => Some(value),
                    Some(Slot::Failed) | None => None,
                },
                (Some(Binding::Names(_)) | None, _) => None,
            };
            if let Some(value) = value {
                quote(root, &mut out);
                quote(member.unwrap_or_default(), &mut out);
                write_value(value, &self.scope, &mut out);
            }
        }
        out
    }
}

fn quote(text: &str, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{}:{text};", text.len());
}

/// Writes a value so that no two look alike. A sensitive one is not written: what it decides is
/// refused.
fn write_value(value: &Value, scope: &Frame<'_>, out: &mut String) {
    if value.is_sensitive() {
        out.push('S');
        return;
    }
    match value.kind() {
        Kind::Unknown(_) => out.push('U'),
        Kind::Null => out.push('0'),
        Kind::Bool(yes) => out.push(if *yes { 'T' } else { 'F' }),
        Kind::Number(number) => {
            out.push('N');
            quote(&number.to_string(), out);
        }
        Kind::String(text) => {
            out.push('"');
            quote(text, out);
        }
        Kind::List(items) | Kind::Set(items) => {
            let list = matches!(value.kind(), Kind::List(_));
            out.push(if list { '[' } else { '<' });
            for item in items.iter() {
                write_value(item, scope, out);
            }
            out.push(']');
        }
        Kind::Map(members) => write_members(members, scope, out),
        Kind::Reference(reference) => {
            out.push('R');
            quote(&reference.address, out);
            match reference.kind {
                // Which instances a block has decides nothing that its address does not.
                RefKind::ServiceAccount => {}
                RefKind::Role => write_included(&reference.address, scope, out),
                _ => write_members(&reference.attributes, scope, out),
            }
        }
    }
}

/// Writes what a role block includes: whoever asks about it is answered by that.
fn write_included(address: &str, scope: &Frame<'_>, out: &mut String) {
    let name = address.strip_prefix("role.").unwrap_or_default();
    let role = scope.value("role", name).and_then(Value::as_reference);
    for role in role
        .and_then(|role| role.includes.as_ref())
        .into_iter()
        .flat_map(|i| i.iter())
    {
        quote(role, out);
    }
    out.push(';');
}

fn write_members(members: &super::value::Members, scope: &Frame<'_>, out: &mut String) {
    out.push('{');
    for (key, value) in members {
        quote(key, out);
        write_value(value, scope, out);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Diagnostics;
    use crate::lang::{Names, syntax};

    fn deferred(text: &str, team: Value) -> Deferred {
        let mut sources = SourceMap::new();
        let source = format!("x = {text}\n");
        let mut out = Diagnostics::new();
        let tree = syntax::parse("x.hcl", source.as_bytes(), &mut sources, &mut out);
        let tree = tree.expect("it parses");
        let expression = tree.body.get_attribute("x").expect("there").value.clone();
        let span = Span::new(tree.file, 4, source.len() - 1);
        let mut scope = Frame::new();
        let mut local = Names::new("local value");
        local.slots.insert("team".into(), Slot::Value(team));
        scope.set_names("local", local);
        Deferred::new(expression, span, Arc::new(scope), Arc::new(sources))
    }

    #[test]
    fn it_waits_for_one_value_and_tells_where_it_fails() {
        let same = deferred("it.name == local.team", "a".into());
        let it = |name: Value| Value::map([("name".into(), name)].into());
        assert_eq!(
            same.with("it", &it("a".into()), &mut { MAX_WORK }),
            Ok(true.into())
        );
        assert_eq!(
            same.with("it", &it("b".into()), &mut { MAX_WORK }),
            Ok(false.into())
        );
        let mut left = 1;
        assert!(
            same.with("it", &it("a".into()), &mut left).is_err(),
            "too little"
        );
        let spent = same
            .with("it", &it("a".into()), &mut left)
            .expect_err("spent");
        assert!(spent.contains("together"), "{spent}");
        let mut left = 1_000;
        assert!(same.with("it", &it("a".into()), &mut left).is_ok());
        assert!((900..1_000).contains(&left), "{left}");
        let older = deferred("it.name > 3", Value::null());
        let wrong = older
            .with("it", &it(Value::null()), &mut { MAX_WORK })
            .expect_err("null");
        assert!(wrong.starts_with("x.hcl:1:5: invalid operand: "), "{wrong}");
        let misspelt = deferred("it.nam", Value::null());
        let wrong = misspelt
            .with("it", &it(Value::null()), &mut { MAX_WORK })
            .expect_err("none");
        assert!(wrong.starts_with("x.hcl:1:8: value has no such"), "{wrong}");
        let endless = deferred(
            "length([for a in range(1000) : [for b in range(1000) : a]])",
            Value::null(),
        );
        let wrong = endless
            .with("it", &Value::null(), &mut { MAX_WORK })
            .expect_err("too much");
        assert!(wrong.contains("too much work"), "{wrong}");
    }

    #[test]
    fn its_canonical_form_holds_the_values_that_it_uses() {
        let text = "contains(local.team, it.name)";
        let list = |items: &[&str]| Value::list(items.iter().map(|i| (*i).into()).collect());
        let one = deferred(text, list(&["a", "b"])).canonical();
        assert_eq!(one, deferred(text, list(&["a", "b"])).canonical());
        for other in [
            list(&["a"]),
            list(&["a,b"]),
            list(&["ab"]),
            Value::set(vec!["a".into(), "b".into()]),
        ] {
            assert_ne!(one, deferred(text, other).canonical());
        }
        assert_ne!(
            one,
            deferred("contains(local.team, it.nam)", list(&["a", "b"])).canonical()
        );
        let hidden = deferred(text, Value::from("hunter2").marked(true)).canonical();
        assert!(!hidden.contains("hunter2"), "{hidden}");
    }
}
