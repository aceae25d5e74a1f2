//! What a function is, and what its body takes and gives.
//! Pure.

use crate::lang::compare::Unlike;
use crate::lang::{Number, Type, Value};

/// How marks and unknown values pass through a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// Anything sensitive or unknown anywhere in an argument makes the whole result so.
    Deep,
    /// Only an argument that is itself so; what is inside keeps its own mark.
    Shallow,
    /// The function deals with them.
    Own,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name in messages.
    pub name: &'static str,
    /// What arguments are converted to.
    pub ty: Type,
    /// Whether null is taken.
    pub nullable: bool,
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The argument at fault, when it is one.
    pub argument: Option<usize>,
    /// The reason, a lowercase fragment.
    pub message: String,
}

impl CallError {
    /// Blames the call as a whole.
    pub fn call(message: impl Into<String>) -> Self {
        Self {
            argument: None,
            message: message.into(),
        }
    }

    /// Blames one argument.
    pub fn argument(at: usize, message: impl Into<String>) -> Self {
        Self {
            argument: Some(at),
            message: message.into(),
        }
    }

    /// Blames the second argument for what it never is.
    pub(super) fn unlike(unlike: &Unlike) -> Self {
        Self::argument(1, format!("{}: {}", unlike.message, unlike.help))
    }
}

/// What a function gives.
pub type Outcome = Result<Value, CallError>;

/// One function.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) optional: usize,
    pub(super) rest: Option<Parameter>,
    /// The type of its result.
    pub result: Type,
    pub(in crate::lang) marks: Marks,
    pub(in crate::lang) body: fn(&[Value]) -> Outcome,
}

impl Function {
    pub(super) fn new(
        name: &'static str,
        about: &'static str,
        result: Type,
        body: fn(&[Value]) -> Outcome,
    ) -> Self {
        let (parameters, rest) = (Vec::new(), None);
        Self {
            name,
            about,
            parameters,
            optional: 0,
            rest,
            result,
            marks: Marks::Deep,
            body,
        }
    }

    pub(super) fn arg(mut self, name: &'static str, ty: Type) -> Self {
        self.parameters.push(Parameter {
            name,
            ty,
            nullable: false,
        });
        self
    }

    pub(super) fn optional_arg(mut self, name: &'static str, ty: Type) -> Self {
        self.optional += 1;
        self.arg(name, ty)
    }

    pub(super) fn nullable_arg(mut self, name: &'static str, ty: Type) -> Self {
        self.parameters.push(Parameter {
            name,
            ty,
            nullable: true,
        });
        self
    }

    pub(super) fn rest(mut self, name: &'static str, ty: Type) -> Self {
        self.rest = Some(Parameter {
            name,
            ty,
            nullable: false,
        });
        self
    }

    pub(super) fn nullable_rest(mut self, name: &'static str, ty: Type) -> Self {
        self.rest = Some(Parameter {
            name,
            ty,
            nullable: true,
        });
        self
    }

    pub(super) fn marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// Returns the parameter that takes the argument at `at`.
    pub(in crate::lang) fn parameter(&self, at: usize) -> &Parameter {
        self.parameters
            .get(at)
            .or(self.rest.as_ref())
            .unwrap_or(&ANYTHING)
    }

    /// Returns how it is called, for messages.
    pub fn usage(&self) -> String {
        let mut shown: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| parameter.name.to_owned())
            .collect();
        let required = shown.len() - self.optional;
        for name in &mut shown[required..] {
            *name = format!("[{name}]");
        }
        if let Some(rest) = &self.rest {
            shown.push(format!("{}...", rest.name));
        }
        format!("{}({}): {}", self.name, shown.join(", "), self.about)
    }
}

static ANYTHING: Parameter = Parameter {
    name: "value",
    ty: Type::Any,
    nullable: true,
};

/// Returns the text of an argument that was converted to a string.
pub(super) fn text_of(arguments: &[Value], at: usize) -> &str {
    arguments.get(at).and_then(Value::as_str).unwrap_or("")
}

/// Returns the items of an argument that was converted to a list or set.
pub(super) fn items_of(arguments: &[Value], at: usize) -> &[Value] {
    arguments.get(at).and_then(Value::as_items).unwrap_or(&[])
}

/// Returns an argument that must be a whole number.
pub(super) fn whole_of(arguments: &[Value], at: usize) -> Result<i64, CallError> {
    arguments
        .get(at)
        .and_then(Value::as_number)
        .and_then(Number::to_i64)
        .ok_or_else(|| CallError::argument(at, "a whole number is required"))
}

/// The longest text a function makes, in bytes.
pub(super) const MAX_TEXT: usize = 16 << 20;

/// Refuses texts that are longer.
pub(super) fn check_size(bytes: Option<usize>) -> Result<(), CallError> {
    match bytes {
        Some(bytes) if bytes <= MAX_TEXT => Ok(()),
        _ => Err(CallError::call("the result would be too long")),
    }
}
