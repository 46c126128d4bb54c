//! `openapi.json` against what the routes do: methods, and the statuses that people have to handle.

use serde_json::Value;

use super::caller::Running;
use super::listed;
use crate::http::routes::table;
use crate::http::status::OPENAPI;
use crate::http::{Door, Face};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

#[tokio::test]
async fn every_path_takes_the_methods_that_are_described_and_no_other() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    for face in [Face::Map, Face::Messages] {
        let (state, _store) = listed(face, Door::open());
        methods_of(&Running::start(state).await, face, &document).await;
    }
}

async fn methods_of(node: &Running, face: Face, document: &Value) {
    let routes = table();
    let here = |path: &str| {
        routes
            .iter()
            .any(|route| route.path == path && route.is_on(face))
    };
    let described = document["paths"].as_object().unwrap();
    for (path, described) in described.iter().filter(|(path, _)| here(path)) {
        let place = path
            .replace("{site}", "office")
            .replace("{client}", "0000000000000001")
            .replace("{point}", "1")
            .replace("{consumer}", "wms")
            .replace("{zone}", "reception-1")
            .replace("{ap}", "ap-1")
            .replace("{file}", "app.js");
        assert!(
            !place.contains('{'),
            "{path} has a parameter that is new here"
        );
        for method in METHODS {
            let answer = node.send(method, &place, "", "").await;
            let is_described = described.get(method.to_lowercase()).is_some();
            assert_eq!(answer.status != 405, is_described, "{method} {path}");
        }
    }
}

#[test]
fn what_a_calibration_or_survey_can_be_refused_with_is_described() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let at = "/api/v1/sites/{site}/";
    for (path, method, statuses) in [
        ("calibration", "post", &["404", "409", "500", "503"][..]),
        ("survey", "get", &["404", "409", "500"]),
        ("survey", "post", &["404", "409", "500", "503"]),
        ("survey/{point}", "delete", &["404", "409", "500"]),
    ] {
        let responses = &document["paths"][format!("{at}{path}")][method]["responses"];
        for status in statuses {
            assert!(responses.get(status).is_some(), "{method} {path}: {status}");
        }
    }
}
