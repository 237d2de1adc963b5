//! `openapi.json` says what the routes and the wire messages are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use serde_json::Value as Json;

fn document() -> Json {
    serde_json::from_str(include_str!("../openapi.json")).unwrap()
}

/// Every route with its method, as the router's source names them.
fn routes() -> BTreeSet<(String, String)> {
    let source = include_str!("../src/http.rs");
    let found = source.split(".route(\"").skip(1).map(|rest| {
        let (path, rest) = rest.split_once('"').unwrap();
        let method = rest.trim_start_matches([',', ' ']).split('(').next().unwrap();
        (path.to_owned(), method.to_owned())
    });
    found.collect()
}

#[test]
fn the_document_has_the_routes_of_the_server_and_no_others() {
    let document = document();
    let paths = document["paths"].as_object().unwrap().iter();
    let named = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
    });
    assert_eq!(named.collect::<BTreeSet<_>>(), routes());
    assert!(routes().len() >= 5);
}

/// Follows a reference.
fn schema<'d>(document: &'d Json, schema: &'d Json) -> &'d Json {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}")),
        None => schema,
    }
}

/// Checks that a message has the members the document requires and none it does not know, at every depth.
fn check(document: &Json, expected: &Json, message: &Json, place: &str) {
    let expected = schema(document, expected);
    if let Some(choices) = expected["oneOf"].as_array() {
        let name = if message.get("void").is_some() { "Void" } else { "Group" };
        let choice = choices.iter().find(|choice| choice["$ref"].as_str().unwrap().ends_with(name)).unwrap();
        return check(document, choice, message, place);
    }
    match message {
        Json::Array(items) => {
            assert_eq!(expected["type"], "array", "{place}");
            items.iter().for_each(|item| check(document, &expected["items"], item, place));
        }
        Json::Object(members) => {
            assert_eq!(expected["type"], "object", "{place}");
            for required in expected["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(required.as_str().unwrap()), "{place} lacks {required}");
            }
            let Some(properties) = expected["properties"].as_object() else { return };
            for (name, member) in members {
                let known = properties.get(name).unwrap_or_else(|| panic!("{place}.{name} is not documented"));
                check(document, known, member, &format!("{place}.{name}"));
            }
        }
        Json::String(_) => assert_eq!(expected["type"], "string", "{place}"),
        Json::Number(_) => assert_eq!(expected["type"], "integer", "{place}"),
        Json::Bool(_) => assert_eq!(expected["type"], "boolean", "{place}"),
        Json::Null => panic!("{place} is null"),
    }
}

/// The golden messages are of the documented shapes.
#[test]
fn the_documented_shapes_are_those_of_the_golden_messages() {
    let document = document();
    let vectors: Json = serde_json::from_str(include_str!("../../protocol/vectors/wire.json")).unwrap();
    let mut checked = BTreeSet::new();
    for case in vectors["exact"].as_array().unwrap() {
        let name = match case["kind"].as_str().unwrap() {
            "hello_answer" => "HelloAnswer",
            "push_request" => "PushRequest",
            "push_answer" => "PushAnswer",
            "pull_request" => "PullRequest",
            "pull_answer" => "PullAnswer",
            "problem" => "Problem",
            other => panic!("{other}"),
        };
        let message: Json = serde_json::from_str(case["json"].as_str().unwrap()).unwrap();
        check(&document, &document["components"]["schemas"][name], &message, name);
        checked.insert(name);
    }
    assert_eq!(checked.len(), 6);
}

/// Every reference leads somewhere.
#[test]
fn no_reference_is_broken() {
    fn walk(document: &Json, at: &Json, seen: &mut usize) {
        if at["$ref"].is_string() {
            schema(document, at);
            *seen += 1;
        }
        match at {
            Json::Object(members) => members.values().for_each(|member| walk(document, member, seen)),
            Json::Array(items) => items.iter().for_each(|item| walk(document, item, seen)),
            _ => {}
        }
    }
    let (document, mut seen) = (document(), 0);
    walk(&document, &document, &mut seen);
    assert!(seen > 20);
}
