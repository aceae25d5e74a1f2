//! The kinds of findings about expressions and syntax.

crate::diag::codes! {
    SYNTAX = "syntax", "invalid syntax",
        "correct the text at the mark; the rest of this file has not been read";
    MERGE_CONFLICT = "merge-conflict", "merge conflict is not resolved",
        "keep one of the two versions, or combine them, and remove git's lines `<<<<<<<`, `=======` and `>>>>>>>`";
    NOT_UTF8 = "not-utf8", "file is not UTF-8 text",
        "save the file as UTF-8";
    FILE_TOO_LARGE = "file-too-large", "file is too large",
        "split it: all `.hcl` files of a directory are one configuration";
    UNKNOWN_REFERENCE = "unknown-reference", "unknown reference",
        "use a name that a block declares, as `var.NAME`, `local.NAME`, `space.NAME`, `role.NAME` or `sink.KIND.NAME`";
    UNKNOWN_FUNCTION = "unknown-function", "unknown function",
        "`rolecall docs language` lists all functions";
    UNSUPPORTED_ATTRIBUTE = "unsupported-attribute", "value has no such attribute",
        "check what the value before the dot is, or leave the attribute out";
    INVALID_INDEX = "invalid-index", "invalid index",
        "use an index or key that is there; `lookup(map, key, default)` gives a default in its \
         place, and `contains(list, value)` tells whether a value is there";
    INVALID_OPERAND = "invalid-operand", "invalid operand",
        "give the operator values of the type that it takes, or convert them with `tonumber(…)`, `tostring(…)` or `tobool(…)`";
    NEVER_EQUAL = "never-equal", "values of different types are never equal",
        "compare values of one type: convert one with `tostring(…)`, `tonumber(…)` or `tobool(…)`, or ask `contains(list, value)`";
    DIVISION_BY_ZERO = "division-by-zero", "division by zero",
        "ask for zero first, as in `n == 0 ? 0 : total / n`";
    INVALID_CONDITION = "invalid-condition", "invalid condition",
        "write a comparison, as in `value == \"x\"`, or a value that is true or false";
    INCONSISTENT_TYPES = "inconsistent-types", "the two results of a condition have different types",
        "give both results one type";
    INVALID_TEMPLATE = "invalid-template", "value cannot stand in a template",
        "only strings, numbers and bools stand in a template; `join(\", \", list)` and `jsonencode(value)` make text of others";
    INVALID_FOR = "invalid-for", "invalid for expression",
        "give `for` a list, a set, a map or an object";
    INVALID_KEY = "invalid-key", "invalid object key",
        "write the key as a string, or an expression for it in parentheses";
    DUPLICATE_KEY = "duplicate-key", "duplicate object key",
        "remove one of them; in a `for`, write `...` after the value to gather all of one key";
    INVALID_ARGUMENT = "invalid-argument", "invalid function argument",
        "`rolecall docs language` says what each function takes";
    WRONG_ARGUMENT_COUNT = "wrong-argument-count", "wrong number of function arguments",
        "`rolecall docs language` says what each function takes";
    FUNCTION_FAILED = "function-failed", "function call failed",
        "change the arguments so that they go together";
    TOO_DEEP = "too-deep", "expression is nested too deeply",
        "name parts of the expression in a `locals` block";
    TOO_MUCH_WORK = "too-much-work", "evaluation takes too much work",
        "make the value smaller: it grows with the product of its parts";
    INVALID_TYPE = "invalid-type", "invalid type",
        "write `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({…})` or `tuple([…])`";
    REFERENCE_CYCLE = "reference-cycle", "values refer to each other in a circle",
        "write one value of the circle without the others";
}
