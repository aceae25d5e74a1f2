//! Type constraints of variables: `map(string)`, `object({ id = string, n = optional(number, 1) })`.
//! Pure.

use crate::diag::{Diagnostic, FileId, Span};
use crate::lang::types::Field;
use crate::lang::value::RefKind;
use crate::lang::{Evaluator, Failed, Frame, Type, codes, convert};
use hcl_edit::expr::{Expression, FuncCall, ObjectKey};
use std::collections::BTreeMap;

const NAMES: [&str; 15] = [
    "any",
    "bool",
    "number",
    "string",
    "list",
    "set",
    "map",
    "tuple",
    "object",
    "optional",
    "organization",
    "space",
    "scope",
    "role",
    "sink",
];

/// Reads a type constraint.
pub(super) fn read(
    expression: &Expression,
    file: FileId,
    evaluator: &mut Evaluator<'_>,
) -> Result<Type, Failed> {
    let mut reader = Reader { file, evaluator };
    reader.read(expression)
}

struct Reader<'e, 's> {
    file: FileId,
    evaluator: &'e mut Evaluator<'s>,
}

impl Reader<'_, '_> {
    fn wrong<T>(
        &mut self,
        node: &impl hcl_edit::Span,
        message: &str,
        help: Option<String>,
    ) -> Result<T, Failed> {
        let range = node.span().unwrap_or(0..0);
        let span = Span::new(self.file, range.start, range.end);
        let found = Diagnostic::error(codes::INVALID_TYPE).at(span, message);
        self.evaluator.report(match help {
            Some(help) => found.help(help),
            None => found,
        });
        Err(Failed)
    }

    fn read(&mut self, expression: &Expression) -> Result<Type, Failed> {
        match expression {
            Expression::Variable(name) => match name.as_str() {
                "any" => Ok(Type::Any),
                "bool" => Ok(Type::Bool),
                "number" => Ok(Type::Number),
                "string" => Ok(Type::String),
                "organization" => Ok(Type::Reference(RefKind::Organization)),
                "space" => Ok(Type::Reference(RefKind::Space)),
                "role" => Ok(Type::Reference(RefKind::Role)),
                "sink" => Ok(Type::Reference(RefKind::Sink)),
                "scope" => Ok(Type::Scope),
                name @ ("list" | "set" | "map") => {
                    let help = format!("write what it holds, as in `{name}(string)`");
                    self.wrong(expression, "this type needs an argument", Some(help))
                }
                other => {
                    let near = crate::diag::suggest(other, NAMES);
                    let help = near.map(|near| format!("did you mean `{near}`?"));
                    self.wrong(expression, "there is no such type", help)
                }
            },
            Expression::FuncCall(call) => self.constructor(call),
            Expression::Parenthesis(inner) => self.read(inner.inner()),
            Expression::String(name) => {
                let help = Some(format!("write it without quotes: `{}`", name.as_str()));
                self.wrong(expression, "a type is not a string", help)
            }
            _ => self.wrong(expression, "this is not a type", None),
        }
    }

    fn constructor(&mut self, call: &FuncCall) -> Result<Type, Failed> {
        let name = call.name.name.as_str();
        let arguments: Vec<&Expression> = call.args.iter().collect();
        match (name, arguments.as_slice()) {
            ("list", [of]) => Ok(Type::list(self.read(of)?)),
            ("set", [of]) => Ok(Type::set(self.read(of)?)),
            ("map", [of]) => Ok(Type::map(self.read(of)?)),
            ("tuple", [Expression::Array(items)]) => {
                let items: Vec<_> = items.iter().map(|item| self.read(item)).collect();
                Ok(Type::Tuple(items.into_iter().collect::<Result<_, _>>()?))
            }
            ("object", [Expression::Object(object)]) => {
                let mut fields = BTreeMap::new();
                for (key, value) in object {
                    let name = match key {
                        ObjectKey::Ident(name) => name.as_str().to_owned(),
                        ObjectKey::Expression(Expression::String(name)) => name.as_str().to_owned(),
                        ObjectKey::Expression(other) => {
                            return self.wrong(other, "an attribute name is required", None);
                        }
                    };
                    fields.insert(name.into(), self.field(value.expr())?);
                }
                Ok(Type::Object(fields))
            }
            ("tuple", _) => self.wrong(
                &call.name.name,
                "takes a list of types",
                Some("write `tuple([string, number])`".into()),
            ),
            ("object", _) => self.wrong(
                &call.name.name,
                "takes attributes and their types",
                Some("write `object({ name = string })`".into()),
            ),
            ("optional", _) => {
                self.wrong(&call.name.name, "stands only inside `object({ … })`", None)
            }
            ("list" | "set" | "map", _) => self.wrong(&call.name.name, "takes one type", None),
            (other, _) => {
                let near = crate::diag::suggest(other, NAMES);
                let help = near.map(|near| format!("did you mean `{near}`?"));
                self.wrong(&call.name.name, "there is no such type", help)
            }
        }
    }

    fn field(&mut self, expression: &Expression) -> Result<Field, Failed> {
        let Expression::FuncCall(call) = expression else {
            return Ok(Field::required(self.read(expression)?));
        };
        if call.name.name.as_str() != "optional" {
            return Ok(Field::required(self.read(expression)?));
        }
        let arguments: Vec<&Expression> = call.args.iter().collect();
        let (ty, default) = match arguments.as_slice() {
            [ty] => (self.read(ty)?, None),
            [ty, default] => {
                let ty = self.read(ty)?;
                let value = self.evaluator.evaluate(self.file, default, &Frame::new())?;
                match convert::convert(&value, &ty) {
                    Ok(value) => (ty, Some(value)),
                    Err(error) => return self.wrong(*default, &error.describe(), None),
                }
            }
            _ => return self.wrong(&call.name.name, "takes a type and a default", None),
        };
        Ok(Field {
            ty,
            optional: true,
            default,
        })
    }
}
