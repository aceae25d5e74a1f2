//! Templates: quoted strings and heredocs with interpolations and directives.
//!
//! A template is first laid out as a flat run of parts, where trim marks and the indentation of
//! `<<-` heredocs are dealt with as in HCL, then evaluated.

use super::evaluator::{Evaluated, Evaluator, Failed};
use super::loops::Items;
use crate::diag::Diagnostic;
use crate::lang::types::noun_of;
use crate::lang::value::{Kind, Value};
use crate::lang::{Frame, Type, codes, convert};
use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::template::{
    Directive, Element, ForTemplateExpr, HeredocTemplate, StringTemplate, Strip, Template,
};

/// The longest text a template makes, in bytes.
const MAX_TEXT: usize = 16 << 20;

/// One part of a template laid flat. Markers hold the index of the part where they end.
enum Part<'t> {
    Text(String),
    Value(&'t Expression),
    If {
        condition: &'t Expression,
        otherwise: usize,
        end: usize,
    },
    For {
        intro: &'t ForTemplateExpr,
        end: usize,
    },
    /// `else`, `endif` or `endfor`.
    Mark,
}

/// The text made so far and what is known about it.
#[derive(Default)]
struct Text {
    text: String,
    unknown: bool,
    sensitive: bool,
}

impl Evaluator<'_> {
    pub(super) fn string_template(
        &mut self,
        template: &StringTemplate,
        scope: &Frame<'_>,
    ) -> Evaluated {
        // A lone interpolation is its value, whatever its type.
        if let Some(Element::Interpolation(lone)) = template.as_single_element() {
            return self.eval(&lone.expr, scope);
        }
        let mut layout = Layout {
            source: None,
            ..Layout::default()
        };
        layout.elements(template);
        self.parts(&layout.parts, scope)
    }

    pub(super) fn heredoc(&mut self, heredoc: &HeredocTemplate, scope: &Frame<'_>) -> Evaluated {
        let source = self.text.clone();
        let range = heredoc.span().unwrap_or(0..0);
        let indented = source
            .get(range)
            .is_some_and(|text| text.starts_with("<<-"));
        let mut layout = Layout {
            source: Some(&source),
            ..Layout::default()
        };
        layout.elements(&heredoc.template);
        if indented {
            layout.dedent();
        }
        self.parts(&layout.parts, scope)
    }

    fn parts(&mut self, parts: &[Part<'_>], scope: &Frame<'_>) -> Evaluated {
        let mut text = Text::default();
        self.run(parts, 0, parts.len(), scope, &mut text)?;
        let value = if text.unknown {
            Value::unknown(Type::String)
        } else {
            Value::from(text.text)
        };
        Ok(value.marked(text.sensitive))
    }

    fn run(
        &mut self,
        parts: &[Part<'_>],
        mut at: usize,
        end: usize,
        scope: &Frame<'_>,
        text: &mut Text,
    ) -> Result<(), Failed> {
        let mut result = Ok(());
        while at < end {
            match &parts[at] {
                Part::Text(literal) => text.text.push_str(literal),
                Part::Value(expression) => {
                    result = result.and(self.interpolate(expression, scope, text));
                }
                Part::If {
                    condition,
                    otherwise,
                    end,
                } => {
                    let value = self.eval(condition, scope)?;
                    text.sensitive |= value.is_sensitive();
                    match self.condition(&value, condition)? {
                        Some(true) => self.run(parts, at + 1, *otherwise, scope, text)?,
                        Some(false) => self.run(parts, *otherwise, *end, scope, text)?,
                        None => {
                            text.unknown = true;
                            self.run(parts, at + 1, *end, scope, text)?;
                        }
                    }
                    at = *end;
                }
                Part::For { intro, end } => {
                    self.repeat(parts, at, *end, intro, scope, text)?;
                    at = *end;
                }
                Part::Mark => {}
            }
            at += 1;
        }
        result
    }

    fn repeat(
        &mut self,
        parts: &[Part<'_>],
        at: usize,
        end: usize,
        intro: &ForTemplateExpr,
        scope: &Frame<'_>,
        text: &mut Text,
    ) -> Result<(), Failed> {
        let collection = self.eval(&intro.collection_expr, scope)?;
        text.sensitive |= collection.is_sensitive();
        let items = match self.items(&collection, &intro.collection_expr)? {
            Items::Known(items) => items,
            Items::Unknown(key, value) => {
                text.unknown = true;
                vec![(key, value)]
            }
        };
        let key_name = intro.key_var.as_ref().map(|name| name.as_str());
        for (key, value) in &items {
            self.charge(1, &intro.collection_expr)?;
            let frame = Self::turn(scope, key_name, intro.value_var.as_str(), key, value);
            self.run(parts, at + 1, end, &frame, text)?;
            if text.text.len() > MAX_TEXT {
                return self.error(
                    codes::TOO_MUCH_WORK,
                    &intro.collection_expr,
                    "this makes too long a text",
                );
            }
        }
        Ok(())
    }

    fn interpolate(
        &mut self,
        expression: &Expression,
        scope: &Frame<'_>,
        text: &mut Text,
    ) -> Result<(), Failed> {
        let value = self.eval(expression, scope)?;
        text.sensitive |= value.has_sensitive();
        match convert::convert(&value, &Type::String) {
            Ok(converted) if !converted.is_null() => {
                match converted.as_str() {
                    Some(part) => text.text.push_str(part),
                    None => text.unknown = true,
                }
                if text.text.len() > MAX_TEXT {
                    let message = "this makes too long a text";
                    return self.error(codes::TOO_MUCH_WORK, expression, message);
                }
                Ok(())
            }
            _ => {
                let span = self.span(expression);
                let found = Diagnostic::error(codes::INVALID_TEMPLATE)
                    .at(span, format!("this is {}", noun_of(&value)));
                self.fail(match value.kind() {
                    Kind::Reference(reference) => found.help(format!(
                        "take one of its attributes, as in `{}.id`",
                        reference.address
                    )),
                    Kind::Null => found.help("use `coalesce(…, \"\")` or a condition"),
                    Kind::List(_) | Kind::Set(_) => {
                        found.help("use `join(\", \", …)` or `jsonencode(…)`")
                    }
                    _ => found.help("use `jsonencode(…)`"),
                })
            }
        }
    }
}

/// Lays a template flat.
#[derive(Default)]
struct Layout<'t> {
    parts: Vec<Part<'t>>,
    /// The text of the file, for heredocs: their literals are read from it, line by line.
    source: Option<&'t str>,
    /// The last thing was a text that the next marker may trim.
    after_text: bool,
    /// The last marker asks for the next text to be trimmed.
    trim_next: bool,
}

impl<'t> Layout<'t> {
    fn elements(&mut self, template: &'t Template) {
        for element in template {
            match element {
                Element::Literal(literal) => match self.raw(literal) {
                    Some(raw) => {
                        for line in raw.split_inclusive('\n') {
                            self.text(unescape(line));
                        }
                    }
                    None => self.text(literal.value().clone()),
                },
                Element::Interpolation(interpolation) => {
                    self.marker(interpolation.strip, Part::Value(&interpolation.expr));
                }
                Element::Directive(directive) => self.directive(directive),
            }
        }
    }

    /// Returns the text of a heredoc's literal as it stands in the file.
    fn raw(&self, literal: &hcl_edit::Spanned<String>) -> Option<&'t str> {
        self.source?.get(literal.span()?)
    }

    fn text(&mut self, text: String) {
        let trim = std::mem::take(&mut self.trim_next);
        let text = if trim {
            text.trim_start().to_owned()
        } else {
            text
        };
        self.parts.push(Part::Text(text));
        self.after_text = true;
    }

    /// Adds a marker after trimming the text before it as asked; returns its index.
    fn marker(&mut self, strip: Strip, part: Part<'t>) -> usize {
        if strip.strip_start()
            && self.after_text
            && let Some(Part::Text(before)) = self.parts.last_mut()
        {
            before.truncate(before.trim_end().len());
        }
        self.after_text = false;
        self.trim_next = strip.strip_end();
        self.parts.push(part);
        self.parts.len() - 1
    }

    fn directive(&mut self, directive: &'t Directive) {
        match directive {
            Directive::If(node) => {
                let condition = &node.if_expr.cond_expr;
                let start = self.marker(
                    node.if_expr.strip,
                    Part::If {
                        condition,
                        otherwise: 0,
                        end: 0,
                    },
                );
                self.elements(&node.if_expr.template);
                let otherwise = node.else_expr.as_ref().map(|node| {
                    let at = self.marker(node.strip, Part::Mark);
                    self.elements(&node.template);
                    at
                });
                let end = self.marker(node.endif_expr.strip, Part::Mark);
                let otherwise = otherwise.unwrap_or(end);
                self.parts[start] = Part::If {
                    condition,
                    otherwise,
                    end,
                };
            }
            Directive::For(node) => {
                let intro = &node.for_expr;
                let start = self.marker(intro.strip, Part::For { intro, end: 0 });
                self.elements(&intro.template);
                let end = self.marker(node.endfor_expr.strip, Part::Mark);
                self.parts[start] = Part::For { intro, end };
            }
        }
    }

    /// Takes away the indentation that all lines have in common, as `<<-` asks.
    fn dedent(&mut self) {
        let mut least = usize::MAX;
        let mut starts = Vec::new();
        let mut line_start = true;
        for (at, part) in self.parts.iter().enumerate() {
            if line_start {
                line_start = false;
                match part {
                    Part::Text(text) if text.trim().is_empty() && text.ends_with('\n') => {}
                    Part::Text(text) => {
                        least = least.min(text.chars().take_while(|c| c.is_whitespace()).count());
                        starts.push(at);
                    }
                    _ => least = 0,
                }
            }
            if let Part::Text(text) = part {
                line_start |= text.ends_with('\n');
            }
        }
        for at in starts {
            if let Part::Text(text) = &mut self.parts[at] {
                let bytes: usize = text.chars().take(least).map(char::len_utf8).sum();
                text.drain(..bytes);
            }
        }
    }
}

/// Resolves the only escapes of heredocs; line ends become `\n` whatever the file has.
fn unescape(line: &str) -> String {
    line.replace("$${", "${")
        .replace("%%{", "%{")
        .replace("\r\n", "\n")
}
