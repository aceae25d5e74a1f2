//! The printed schema stands in `fixtures/schema/mondoo.graphql`, and says nothing that the
//! reference, typed from public sources, does not say.

use apollo_compiler::{Schema, schema::ExtendedType};
use rolecall_server::Quirks;

use super::client::memory;

const PRINTED: &str = "../../fixtures/schema/mondoo.graphql";
const REFERENCE: &str = "../../fixtures/schema/reference.graphql";

#[test]
fn the_printed_schema_is_the_committed_one() {
    let sdl = memory(Quirks::default()).sdl();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(PRINTED, &sdl).expect("writes");
    }
    let committed = std::fs::read_to_string(PRINTED).expect("reads");
    assert!(
        committed == sdl,
        "the schema moved: look at it, then run with UPDATE=1"
    );
}

fn parse(path: &str) -> Schema {
    let text = std::fs::read_to_string(path).expect("reads");
    match Schema::parse_and_validate(&text, path) {
        Ok(schema) => schema.into_inner(),
        Err(error) => panic!("{error}"),
    }
}

/// Every difference that would make the printed schema say more, or other, than the reference.
fn beyond(printed: &Schema, reference: &Schema) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: String, ours: String, theirs: Option<String>| match theirs {
        Some(theirs) if theirs == ours => {}
        Some(theirs) => wrong.push(format!("{what} is {ours}, the reference says {theirs}")),
        None => wrong.push(format!("{what} is not in the reference")),
    };
    for (name, ty) in printed.types.iter().filter(|(_, ty)| !ty.is_built_in()) {
        let theirs = reference.types.get(name);
        match (ty, theirs) {
            (ExtendedType::Object(ours), Some(ExtendedType::Object(theirs))) => {
                for (field_name, field) in &ours.fields {
                    let other = theirs.fields.get(field_name);
                    let what = format!("{name}.{field_name}");
                    check(
                        what.clone(),
                        field.ty.to_string(),
                        other.map(|f| f.ty.to_string()),
                    );
                    for argument in &field.arguments {
                        let found = other.and_then(|f| f.argument_by_name(&argument.name));
                        check(
                            format!("{what}({})", argument.name),
                            argument.ty.to_string(),
                            found.map(|a| a.ty.to_string()),
                        );
                    }
                    // A missing argument would be a refusal of requests that clients send.
                    for argument in other.iter().flat_map(|f| &f.arguments) {
                        if field.argument_by_name(&argument.name).is_none() {
                            let missing = "missing".to_owned();
                            let theirs = Some(argument.ty.to_string());
                            check(format!("{what}({})", argument.name), missing, theirs);
                        }
                    }
                }
            }
            (ExtendedType::InputObject(ours), Some(ExtendedType::InputObject(theirs))) => {
                // Inputs must be complete: both ways.
                let names = ours.fields.keys().chain(theirs.fields.keys());
                for field in names {
                    let ty = |fields: &apollo_compiler::collections::IndexMap<
                        _,
                        apollo_compiler::schema::Component<
                            apollo_compiler::ast::InputValueDefinition,
                        >,
                    >| { fields.get(field).map(|f| f.ty.to_string()) };
                    let missing = || "missing".to_owned();
                    check(
                        format!("{name}.{field}"),
                        ty(&ours.fields).unwrap_or_else(missing),
                        ty(&theirs.fields),
                    );
                }
            }
            (ExtendedType::Enum(ours), Some(ExtendedType::Enum(theirs))) => {
                let list = |values: Vec<&apollo_compiler::Name>| {
                    let mut values: Vec<_> = values.iter().map(|v| v.as_str()).collect();
                    values.sort_unstable();
                    values.join(" ")
                };
                check(
                    name.to_string(),
                    list(ours.values.keys().collect()),
                    Some(list(theirs.values.keys().collect())),
                );
            }
            (ExtendedType::Scalar(_), Some(ExtendedType::Scalar(_))) => {}
            (ExtendedType::Union(ours), Some(ExtendedType::Union(theirs))) => {
                let list = |members: Vec<String>| {
                    let mut members = members;
                    members.sort_unstable();
                    members.join(" ")
                };
                check(
                    name.to_string(),
                    list(ours.members.iter().map(|m| m.name.to_string()).collect()),
                    Some(list(
                        theirs.members.iter().map(|m| m.name.to_string()).collect(),
                    )),
                );
            }
            (_, other) => check(
                name.to_string(),
                "a type".to_owned(),
                other.map(|_| "another kind of type".to_owned()),
            ),
        }
    }
    wrong
}

#[test]
fn the_schema_says_nothing_beyond_the_reference() {
    let wrong = beyond(&parse(PRINTED), &parse(REFERENCE));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every operation of the access-management part is served, and every field of what it answers.
#[test]
fn the_schema_leaves_nothing_of_the_reference_out() {
    let (printed, reference) = (parse(PRINTED), parse(REFERENCE));
    let mut missing = Vec::new();
    for (name, ty) in reference.types.iter().filter(|(_, ty)| !ty.is_built_in()) {
        let ExtendedType::Object(theirs) = ty else {
            continue;
        };
        let Some(ExtendedType::Object(ours)) = printed.types.get(name) else {
            missing.push(name.to_string());
            continue;
        };
        let fields = theirs.fields.keys();
        missing.extend(
            fields
                .filter(|field| !ours.fields.contains_key(*field))
                .map(|field| format!("{name}.{field}")),
        );
    }
    // An error of the console's unions that no operation of this part answers.
    assert_eq!(missing, ["AuthenticationRequired"]);
}

#[test]
fn the_comparison_sees_every_kind_of_difference() {
    let parse = |text: &str| {
        Schema::parse_and_validate(text, "test.graphql")
            .expect("valid")
            .into_inner()
    };
    let reference = parse(
        "type Query { a(x: Int, y: Int): String b: String } input I { a: Int b: Int } enum E { A B } \
         type V { a: Int } union U = V",
    );
    let printed = parse(
        "type Query { a(x: Int!, z: Int): String! c(i: I, e: E): T } \
         input I { a: Int! } enum E { A } type T { a: Int } union U = T",
    );
    let wrong = beyond(&printed, &reference);
    for expected in [
        "Query.a ",
        "Query.a(x)",
        "Query.a(y)",
        "Query.a(z)",
        "Query.c ",
        "I.a ",
        "I.b ",
        "E ",
        "T ",
        "U ",
    ] {
        assert!(
            wrong.iter().any(|w| w.starts_with(expected)),
            "{expected}: {wrong:#?}"
        );
    }
    assert!(beyond(&reference, &reference).is_empty());
}
