//! The names that an expression uses, found without evaluating it.
//! Pure.

use super::frame::{Binding, Frame, bare_root, unknown_member, unknown_root};
use super::functions;
use crate::diag::{Diagnostics, FileId, Span};
use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ForExpr, FuncCall, Traversal, TraversalOperator};
use hcl_edit::template::ForDirective;
use hcl_edit::visit::{self, Visit};

/// One use of a name: `root`, or `root.member`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The first name.
    pub root: String,
    /// The place of the first name.
    pub root_span: Span,
    /// The second name, when there is one, and its place.
    pub member: Option<(String, Span)>,
    /// The third name, when there is one.
    pub third: Option<String>,
}

/// Everything that an expression takes from outside itself.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// Names, without those that a `for` inside the expression makes.
    pub names: Vec<Use>,
    /// Functions: name, place, number of arguments unless the last one is expanded.
    calls: Vec<(String, Span, Option<usize>)>,
}

impl Uses {
    /// Collects the uses of an expression of `file`.
    pub fn of(expression: &Expression, file: FileId) -> Uses {
        let mut collector = Collector {
            file,
            uses: Uses::default(),
            bound: Vec::new(),
        };
        collector.visit_expr(expression);
        collector.uses
    }

    /// Reports names and functions that do not exist.
    pub fn check(&self, scope: &Frame<'_>, out: &mut Diagnostics) {
        for (name, span, count) in &self.calls {
            if let Err(problem) = functions::lookup(name, *span, *count) {
                out.push(problem);
            }
        }
        for used in &self.names {
            match scope.find(&used.root) {
                None => out.push(unknown_root(&used.root, used.root_span, scope)),
                Some(Binding::Value(_)) => {}
                Some(Binding::Names(names)) => match &used.member {
                    None => out.push(bare_root(&used.root, used.root_span, names)),
                    Some((member, span))
                        if !names.partial && !names.slots.contains_key(member.as_str()) =>
                    {
                        out.push(unknown_member(&used.root, member, *span, names));
                    }
                    Some(_) => {}
                },
            }
        }
    }
}

struct Collector {
    file: FileId,
    uses: Uses,
    bound: Vec<String>,
}

impl Collector {
    fn span(&self, node: &impl hcl_edit::Span) -> Span {
        let range = node.span().unwrap_or(0..0);
        Span::new(self.file, range.start, range.end)
    }

    fn name(&mut self, root: &hcl_edit::Decorated<hcl_edit::Ident>) -> Option<&mut Use> {
        if self.bound.iter().any(|bound| bound == root.as_str()) {
            return None;
        }
        let root_span = self.span(root);
        self.uses.names.push(Use {
            root: root.as_str().to_owned(),
            root_span,
            member: None,
            third: None,
        });
        self.uses.names.last_mut()
    }
}

/// Returns the constant name that a traversal step selects.
pub(super) fn constant_step(operator: &TraversalOperator) -> Option<&str> {
    match operator {
        TraversalOperator::GetAttr(name) => Some(name.as_str()),
        TraversalOperator::Index(Expression::String(name)) => Some(name.as_str()),
        _ => None,
    }
}

/// Returns the bytes of the name or index that a step selects, without its punctuation.
pub(super) fn step_range(operator: &TraversalOperator) -> Option<std::ops::Range<usize>> {
    match operator {
        TraversalOperator::GetAttr(name) => name.span(),
        TraversalOperator::Index(index) => index.span(),
        _ => None,
    }
}

impl Visit for Collector {
    fn visit_expr(&mut self, node: &Expression) {
        if let Expression::Variable(name) = node {
            self.name(name);
        } else {
            visit::visit_expr(self, node);
        }
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        if let Expression::Variable(root) = &node.expr {
            let file = self.file;
            if let Some(used) = self.name(root) {
                let mut steps = node.operators.iter().map_while(|operator| {
                    let range = step_range(operator.value()).unwrap_or(0..0);
                    let span = Span::new(file, range.start, range.end);
                    constant_step(operator.value()).map(|name| (name.to_owned(), span))
                });
                used.member = steps.next();
                used.third = steps.next().map(|(name, _)| name);
            }
        } else {
            self.visit_expr(&node.expr);
        }
        for operator in &node.operators {
            self.visit_traversal_operator(operator);
        }
    }

    fn visit_func_call(&mut self, node: &FuncCall) {
        let mut name = String::new();
        for part in &node.name.namespace {
            name.push_str(part.as_str());
            name.push_str("::");
        }
        name.push_str(node.name.name.as_str());
        let count = (!node.args.expand_final()).then(|| node.args.len());
        let span = self.span(&node.name.name);
        self.uses.calls.push((name, span, count));
        for argument in node.args.iter() {
            self.visit_expr(argument);
        }
    }

    fn visit_for_expr(&mut self, node: &ForExpr) {
        self.visit_expr(&node.intro.collection_expr);
        let outer = self.bound.len();
        self.bound.extend(
            node.intro
                .key_var
                .iter()
                .map(|name| name.as_str().to_owned()),
        );
        self.bound.push(node.intro.value_var.as_str().to_owned());
        if let Some(key) = &node.key_expr {
            self.visit_expr(key);
        }
        self.visit_expr(&node.value_expr);
        if let Some(condition) = &node.cond {
            self.visit_expr(&condition.expr);
        }
        self.bound.truncate(outer);
    }

    fn visit_for_directive(&mut self, node: &ForDirective) {
        let intro = &node.for_expr;
        self.visit_expr(&intro.collection_expr);
        let outer = self.bound.len();
        self.bound
            .extend(intro.key_var.iter().map(|name| name.as_str().to_owned()));
        self.bound.push(intro.value_var.as_str().to_owned());
        self.visit_template(&intro.template);
        self.bound.truncate(outer);
    }
}
