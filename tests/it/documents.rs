//! The client's documents against the two schemas: the one that the embedded platform prints, and
//! the one written down from public sources.

use apollo_compiler::{ExecutableDocument, Schema};

fn schema(path: &str) -> apollo_compiler::validation::Valid<Schema> {
    let text = std::fs::read_to_string(path).expect("the schema is there");
    Schema::parse_and_validate(text, path).expect("the schema is valid")
}

#[test]
fn every_document_is_valid_against_both_schemas() {
    let documents = rolecall::platform::documents();
    assert!(documents.len() >= 10, "all operations are listed");
    for path in [
        "fixtures/schema/mondoo.graphql",
        "fixtures/schema/reference.graphql",
    ] {
        let schema = schema(path);
        for (name, text) in documents {
            let parsed = ExecutableDocument::parse_and_validate(&schema, *text, *name);
            if let Err(error) = parsed {
                panic!("{name} against {path}:\n{error}");
            }
        }
    }
}

#[test]
fn a_wrong_field_would_be_found() {
    let schema = schema("fixtures/schema/mondoo.graphql");
    let (name, text) = rolecall::platform::documents()
        .iter()
        .find(|(_, text)| text.contains("lastUsed"))
        .expect("some document reads lastUsed");
    let wrong = text.replace("lastUsed", "lastUsd");
    assert!(ExecutableDocument::parse_and_validate(&schema, wrong, *name).is_err());
}
