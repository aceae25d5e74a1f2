//! The kinds of findings about expressions and syntax.

crate::diag::codes! {
    SYNTAX = "syntax", "invalid syntax";
    NOT_UTF8 = "not-utf8", "file is not UTF-8 text";
    FILE_TOO_LARGE = "file-too-large", "file is too large";
    UNKNOWN_REFERENCE = "unknown-reference", "unknown reference";
    UNKNOWN_FUNCTION = "unknown-function", "unknown function";
    UNSUPPORTED_ATTRIBUTE = "unsupported-attribute", "value has no such attribute";
    INVALID_INDEX = "invalid-index", "invalid index";
    INVALID_OPERAND = "invalid-operand", "invalid operand";
    DIVISION_BY_ZERO = "division-by-zero", "division by zero";
    INVALID_CONDITION = "invalid-condition", "invalid condition";
    INCONSISTENT_TYPES = "inconsistent-types", "the two results of a condition have different types";
    INVALID_TEMPLATE = "invalid-template", "value cannot stand in a template";
    INVALID_FOR = "invalid-for", "invalid for expression";
    INVALID_KEY = "invalid-key", "invalid object key";
    DUPLICATE_KEY = "duplicate-key", "duplicate object key";
    INVALID_ARGUMENT = "invalid-argument", "invalid function argument";
    WRONG_ARGUMENT_COUNT = "wrong-argument-count", "wrong number of function arguments";
    FUNCTION_FAILED = "function-failed", "function call failed";
    TOO_DEEP = "too-deep", "expression is nested too deeply";
    TOO_MUCH_WORK = "too-much-work", "evaluation takes too much work";
    INVALID_TYPE = "invalid-type", "invalid type";
    REFERENCE_CYCLE = "reference-cycle", "values refer to each other in a circle";
}
