//! The functions of the language, with Terraform's names and results.
//!
//! Pure: none reads the clock, random numbers, files or the environment.

mod collection;
mod conversion;
mod encoding;
mod format;
mod json;
mod numeric;
mod sets;
mod text;

use super::compare::Unlike;
use super::value::Value;
use super::{Type, codes};
use crate::diag::{Diagnostic, Span};

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
    parameters: Vec<Parameter>,
    optional: usize,
    rest: Option<Parameter>,
    /// The type of its result.
    pub result: Type,
    pub(super) marks: Marks,
    pub(super) body: fn(&[Value]) -> Outcome,
}

impl Function {
    fn new(
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

    fn arg(mut self, name: &'static str, ty: Type) -> Self {
        self.parameters.push(Parameter {
            name,
            ty,
            nullable: false,
        });
        self
    }

    fn optional_arg(mut self, name: &'static str, ty: Type) -> Self {
        self.optional += 1;
        self.arg(name, ty)
    }

    fn nullable_arg(mut self, name: &'static str, ty: Type) -> Self {
        self.parameters.push(Parameter {
            name,
            ty,
            nullable: true,
        });
        self
    }

    fn rest(mut self, name: &'static str, ty: Type) -> Self {
        self.rest = Some(Parameter {
            name,
            ty,
            nullable: false,
        });
        self
    }

    fn nullable_rest(mut self, name: &'static str, ty: Type) -> Self {
        self.rest = Some(Parameter {
            name,
            ty,
            nullable: true,
        });
        self
    }

    fn marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// Returns the parameter that takes the argument at `at`.
    pub(super) fn parameter(&self, at: usize) -> &Parameter {
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

static TABLE: std::sync::LazyLock<Vec<Function>> = std::sync::LazyLock::new(|| {
    let mut table = Vec::new();
    text::add(&mut table);
    format::add(&mut table);
    collection::add(&mut table);
    sets::add(&mut table);
    conversion::add(&mut table);
    numeric::add(&mut table);
    encoding::add(&mut table);
    table.sort_by_key(|function| function.name);
    table
});

/// Returns every function, by name.
pub fn all() -> &'static [Function] {
    &TABLE
}

/// Finds a function; checks the number of arguments when it is known.
pub(super) fn lookup(
    name: &str,
    span: Span,
    count: Option<usize>,
) -> Result<&'static Function, Diagnostic> {
    let Ok(at) = TABLE.binary_search_by_key(&name, |function| function.name) else {
        let found = Diagnostic::error(codes::UNKNOWN_FUNCTION)
            .at(span, "there is no function of this name");
        return Err(match absent(name) {
            Some(why) => found.help(why),
            None => found.suggesting(name, TABLE.iter().map(|function| function.name)),
        });
    };
    let function = &TABLE[at];
    let Some(count) = count else {
        return Ok(function);
    };
    let least = function.parameters.len() - function.optional;
    let most = if function.rest.is_some() {
        usize::MAX
    } else {
        function.parameters.len()
    };
    if (least..=most).contains(&count) {
        return Ok(function);
    }
    let wanted = match (least, most) {
        (least, usize::MAX) => format!("at least {least}"),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    Err(Diagnostic::error(codes::WRONG_ARGUMENT_COUNT)
        .at(span, format!("takes {wanted}, not {count}"))
        .help(function.usage()))
}

/// Says why some of Terraform's functions are not here.
fn absent(name: &str) -> Option<&'static str> {
    match name {
        "timestamp" | "plantimestamp" | "uuid" | "bcrypt" => Some(
            "functions that read the clock or random numbers do not exist: equal files must make equal plans",
        ),
        "timeadd" | "timecmp" | "formatdate" => Some(
            "functions on times are not supported by this version yet; write the point in time itself, as in \"2027-06-30T00:00:00Z\"",
        ),
        "file" | "fileexists" | "fileset" | "filebase64" | "templatefile" | "abspath"
        | "dirname" | "basename" | "pathexpand" => {
            Some("functions on files are not supported by this version yet")
        }
        _ => None,
    }
}

/// Returns the text of an argument that was converted to a string.
fn text_of(arguments: &[Value], at: usize) -> &str {
    arguments.get(at).and_then(Value::as_str).unwrap_or("")
}

/// Returns the items of an argument that was converted to a list or set.
fn items_of(arguments: &[Value], at: usize) -> &[Value] {
    arguments.get(at).and_then(Value::as_items).unwrap_or(&[])
}

/// Returns an argument that must be a whole number.
fn whole_of(arguments: &[Value], at: usize) -> Result<i64, CallError> {
    arguments
        .get(at)
        .and_then(Value::as_number)
        .and_then(super::Number::to_i64)
        .ok_or_else(|| CallError::argument(at, "a whole number is required"))
}

/// The longest text a function makes, in bytes.
const MAX_TEXT: usize = 16 << 20;

fn check_size(bytes: Option<usize>) -> Result<(), CallError> {
    match bytes {
        Some(bytes) if bytes <= MAX_TEXT => Ok(()),
        _ => Err(CallError::call("the result would be too long")),
    }
}
