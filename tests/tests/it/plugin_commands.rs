//! `sluice plugin` and `sluice test` as an author uses them, over the recorded shop and without a manifest. What the
//! languages' own tools do is checked by `scripts/sdks.sh`.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use sluice_tests::{checkout, host};

/// No carts; every order begins as one.
const CONFIG: &str = r#"{"where": "status <> 'cart'"}"#;

fn log() -> PathBuf {
    checkout::root().join("examples/quickstart/log/shop-bin.000001")
}

/// A command over the recorded orders and the bundled filter.
fn over_orders(command: &str) -> host::Call {
    let filter = checkout::plugin("filter");
    host::sluice(["plugin", command])
        .and(&filter.to_string_lossy())
        .and(&log().to_string_lossy())
        .and("--table")
        .and("shop.orders")
        .and("--config")
        .and(CONFIG)
}

#[test]
fn trying_a_plugin_shows_each_row_image_before_and_after() {
    let outcome = over_orders("try").and("--rows").and("60").and("--json").run().done();
    let images: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(images.len(), 60);
    let (mut kept, mut dropped) = (0, 0);
    for image in &images {
        let is_cart = image.pointer("/in/status") == Some(&Value::from("cart"));
        match image.get("out") {
            Some(Value::Null) => dropped += usize::from(is_cart),
            out => {
                assert_eq!(out, image.get("in"), "a filter changes nothing");
                assert_eq!(image.pointer("/route/table"), Some(&Value::from("orders")));
                kept += usize::from(!is_cart);
            }
        }
    }
    assert!(kept > 0 && dropped > 0 && kept + dropped == 60, "{kept} kept, {dropped} dropped");
    let text = over_orders("try").and("--rows").and("1").run().done().stdout;
    assert!(text.starts_with("shop.orders insert\n  in        {\"id\":"), "{text}");
    assert!(text.ends_with("  dropped\n"), "{text}");
}

#[test]
fn a_table_that_the_log_does_not_have_and_a_configuration_that_is_none_are_named() {
    let filter = checkout::plugin("filter");
    let call = |table: &str, config: &str| {
        host::sluice(["plugin", "try"])
            .and(&filter.to_string_lossy())
            .and(&log().to_string_lossy())
            .and("--table")
            .and(table)
            .and("--config")
            .and(config)
            .run()
    };
    let _ = call("shop.gone", CONFIG).failed(2, &["has no rows of `shop.gone`", "sluice inspect"]);
    let _ = call("orders", CONFIG).failed(2, &["--table `orders`", "help: "]);
    let _ = call("shop.orders", "{where}").failed(2, &["--config is no JSON", "help: "]);
    let _ = call("shop.orders", r#"{"where": "status ="}"#).failed(2, &["where"]);
}

#[test]
fn a_plan_and_a_cost_are_told_for_a_table_of_a_log() {
    let filter = checkout::plugin("filter");
    let outcome = host::sluice(["plugin", "info"])
        .and(&filter.to_string_lossy())
        .and("--table")
        .and("shop.orders")
        .and("--config")
        .and(CONFIG)
        .and("--log")
        .and(&log().to_string_lossy())
        .run()
        .done();
    for line in ["table    shop.orders", "plan     called, reads status", "ids      id"] {
        assert!(outcome.stdout.lines().any(|found| found == line), "{line}: {}", outcome.stdout);
    }
    let outcome = over_orders("bench").and("--rounds").and("2").and("--json").run().done();
    let figures: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    for name in ["images", "ns-an-image", "bytes-in-a-round", "calls-a-round"] {
        let figure = figures.get(name).and_then(Value::as_f64);
        assert!(figure.is_some_and(|figure| figure > 0.0), "{name}: {figures}");
    }
}

#[test]
fn a_new_plugin_whose_tools_are_missing_says_how_to_get_them() {
    let folder = tempfile::tempdir().expect("a folder");
    for (language, remedy) in [
        ("rust", "https://rustup.rs"),
        ("go", "https://go.dev/dl"),
        ("c", "ziglang"),
        ("js", "npm install"),
        ("python", "componentize-py"),
    ] {
        let name = format!("keep-{language}");
        let _ = host::sluice(["plugin", "new", "--lang", language, &name])
            .within(folder.path())
            .run()
            .done();
        let _ = host::sluice(["plugin", "build", &name])
            .within(folder.path())
            .with("PATH", folder.path())
            .run()
            .failed(2, &["is missing", remedy]);
    }
}

#[test]
fn a_case_that_differs_names_the_plugin_and_a_report_holds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let case = checkout::root().join("plugins/mask/tests/mask-keeps-the-key");
    let expected = folder.path().join("case/expected/lake/c");
    fs::create_dir_all(&expected).expect("a folder");
    let root = checkout::root().to_string_lossy().into_owned();
    for name in ["case.toml", "sluice.toml"] {
        let text = fs::read_to_string(case.join(name)).expect("the case");
        let text = text.replace("../../../..", &root);
        fs::write(folder.path().join("case").join(name), text).expect("the case");
    }
    let table = fs::read_to_string(case.join("expected/lake/c/t_img.jsonl")).expect("a table");
    let spoiled = table.replacen(r#""t":"tex""#, r#""t":"text""#, 1);
    assert_ne!(table, spoiled, "the case has such a value");
    fs::write(expected.join("t_img.jsonl"), spoiled).expect("the case");
    let outcome =
        host::sluice(["test", "case", "--junit", "report.xml"]).within(folder.path()).run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let difference = r#"t   expected "text"  got "tex"   by mask"#;
    assert!(outcome.stdout.contains(difference), "{}", outcome.stdout);
    let report = fs::read_to_string(folder.path().join("report.xml")).expect("a report");
    assert!(report.contains(r#"tests="1" failures="1""#), "{report}");
    assert!(report.contains("got &quot;tex&quot;   by mask"), "{report}");
}
