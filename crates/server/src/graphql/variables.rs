//! Checks that variables stand where their types may stand.
//!
//! The library has the rule but never runs it (async-graphql 7.2 does not pass input values on to
//! its rules), and a client that declares `String` where `String!` is wanted must learn it here:
//! the real platform refuses it.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Pos, Positioned, ServerError, Value,
    parser::types::{
        BaseType, ExecutableDocument, Field, InputValueDefinition, OperationDefinition,
        OperationType, Selection, SelectionSet, Type, TypeKind, TypeSystemDefinition,
        VariableDefinition,
    },
};

/// The types of fields, arguments and input fields, read from a schema's own text.
#[derive(Debug, Default)]
pub(crate) struct Types {
    objects: HashMap<Name, HashMap<Name, FieldType>>,
    inputs: HashMap<Name, HashMap<Name, Type>>,
}

#[derive(Debug)]
struct FieldType {
    name: Name,
    arguments: HashMap<Name, Type>,
}

fn by_name(definitions: Vec<Positioned<InputValueDefinition>>) -> HashMap<Name, Type> {
    definitions
        .into_iter()
        .map(|definition| (definition.node.name.node, definition.node.ty.node))
        .collect()
}

fn innermost(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => innermost(inner),
    }
}

impl Types {
    /// Reads a schema; one that cannot be read has no types, and then nothing is checked.
    pub(crate) fn read(sdl: &str) -> Self {
        let mut types = Self::default();
        let definitions = async_graphql::parser::parse_schema(sdl)
            .map(|document| document.definitions)
            .unwrap_or_default();
        for definition in definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let name = definition.node.name.node;
            match definition.node.kind {
                TypeKind::Object(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let name = innermost(&field.node.ty.node).clone();
                        let arguments = by_name(field.node.arguments);
                        (field.node.name.node, FieldType { name, arguments })
                    });
                    types.objects.insert(name, fields.collect());
                }
                TypeKind::InputObject(input) => {
                    types.inputs.insert(name, by_name(input.fields));
                }
                _ => {}
            }
        }
        types
    }

    /// The errors of all variables of an operation that stand in a wrong place.
    pub(crate) fn check(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
    ) -> Vec<ServerError> {
        let mut walk = Walk {
            types: self,
            document,
            variables: &operation.variable_definitions,
            seen: HashSet::new(),
            errors: Vec::new(),
        };
        let root = match operation.ty {
            OperationType::Mutation => "Mutation",
            _ => "Query",
        };
        walk.selections(&operation.selection_set.node, root);
        walk.errors
    }
}

struct Walk<'a> {
    types: &'a Types,
    document: &'a ExecutableDocument,
    variables: &'a [Positioned<VariableDefinition>],
    seen: HashSet<&'a str>,
    errors: Vec<ServerError>,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet, parent: &str) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => self.field(&field.node, parent),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let parent = condition.map_or(parent, |c| c.node.on.node.as_str());
                    self.selections(&fragment.node.selection_set.node, parent);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && self.seen.insert(name)
                    {
                        let parent = fragment.node.type_condition.node.on.node.as_str();
                        self.selections(&fragment.node.selection_set.node, parent);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &'a Field, parent: &str) {
        let types = self.types;
        let known = types
            .objects
            .get(parent)
            .and_then(|fields| fields.get(field.name.node.as_str()));
        // Unknown fields are another rule's business.
        let Some(known) = known else { return };
        for (name, value) in &field.arguments {
            if let Some(ty) = known.arguments.get(name.node.as_str()) {
                // The parser's own value type has no public name here. As a constant, a variable
                // becomes an enum value that no document can write.
                let marked = value.node.clone().into_const_with(|name| {
                    Ok::<_, ()>(Value::Enum(Name::new(format!("${name}"))))
                });
                if let Ok(marked) = marked {
                    self.value(&marked, ty, value.pos);
                }
            }
        }
        self.selections(&field.selection_set.node, &known.name);
    }

    fn value(&mut self, value: &Value, expected: &Type, pos: Pos) {
        match (value, &expected.base) {
            (Value::Enum(name), _) => {
                if let Some(variable) = name.strip_prefix('$') {
                    self.variable(variable, expected, pos);
                }
            }
            (Value::List(values), BaseType::List(inner)) => {
                for value in values {
                    self.value(value, inner, pos);
                }
            }
            (Value::Object(fields), BaseType::Named(input)) => {
                let types = self.types;
                for (name, value) in fields {
                    if let Some(ty) = types.inputs.get(input).and_then(|input| input.get(name)) {
                        self.value(value, ty, pos);
                    }
                }
            }
            _ => {}
        }
    }

    fn variable(&mut self, name: &str, expected: &Type, pos: Pos) {
        let definition = self
            .variables
            .iter()
            .find(|v| v.node.name.node.as_str() == name);
        let Some(definition) = definition else { return };
        let given = &definition.node.var_type.node;
        let default = definition.node.default_value.as_ref();
        let defaulted = default.is_some_and(|value| value.node != Value::Null);
        if !fits(given, expected, defaulted) {
            let message = format!(
                "Variable \"${name}\" of type \"{given}\" used in position expecting type \
                 \"{expected}\"."
            );
            let mut error = ServerError::new(message, Some(definition.pos));
            error.locations.push(pos);
            self.errors.push(error);
        }
    }
}

/// Whether a value of one type may stand where another is expected; a default value stands in
/// for a missing one.
fn fits(given: &Type, expected: &Type, defaulted: bool) -> bool {
    if given.nullable && !expected.nullable && !defaulted {
        return false;
    }
    match (&given.base, &expected.base) {
        (BaseType::Named(given), BaseType::Named(expected)) => given == expected,
        (BaseType::List(given), BaseType::List(expected)) => fits(given, expected, false),
        _ => false,
    }
}
