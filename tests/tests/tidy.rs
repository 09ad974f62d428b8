//! The whole checkout against the rules of `sluice_tests::tidy`. Needs no server and no build of the host.

#![expect(clippy::expect_used, reason = "what stands below a test fails it with a message")]

use std::fs;
use std::path::Path;

use sluice_tests::checkout::{self, Tree};
use sluice_tests::tidy;

fn tree() -> Tree {
    Tree::read(&checkout::root()).expect("the checkout can be read")
}

fn nothing_found(found: &[String]) {
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}

fn manifest(text: &str) -> toml::Table {
    text.parse().expect("a Cargo.toml is TOML")
}

#[test]
fn every_file_of_code_reads_as_the_style_asks() {
    let tree = tree();
    let code: Vec<_> = tree.with_extension(&["rs", "py", "sh"]).collect();
    assert!(code.len() > 20, "the tree was not found: {} files of code", code.len());
    let found: Vec<_> = code.iter().flat_map(|f| tidy::source(&f.path, &f.text)).collect();
    nothing_found(&found);
}

#[test]
fn no_test_waits_for_a_time() {
    let tree = tree();
    let tests = tree
        .with_extension(&["rs"])
        .filter(|f| f.path.starts_with("tests/") && !f.path.starts_with("tests/guests"));
    let found: Vec<_> = tests.flat_map(|f| tidy::test_waits(&f.path, &f.text)).collect();
    nothing_found(&found);
}

#[test]
fn versions_stand_in_the_root_manifest_alone() {
    let tree = tree();
    let members = tree.named("Cargo.toml").filter(|f| f.path != "Cargo.toml");
    let found: Vec<_> =
        members.flat_map(|f| tidy::member_manifest(&f.path, &manifest(&f.text))).collect();
    nothing_found(&found);
}

#[test]
fn dependencies_between_the_crates_run_one_way() {
    let tree = tree();
    let mut found = Vec::new();
    let mut crates = 0;
    for file in tree.named("Cargo.toml") {
        let manifest = manifest(&file.text);
        let package = manifest.get("package").and_then(|p| p.get("name")).and_then(|n| n.as_str());
        let forbidden = tidy::forbidden_dependencies(package.unwrap_or_default());
        crates += usize::from(!forbidden.is_empty());
        for (_, name, _) in tidy::dependencies(&manifest) {
            if forbidden.contains(&name.as_str()) {
                found.push(format!("{}: `{name}` is not for this crate", file.path));
            }
        }
    }
    assert!(crates >= 9, "only {crates} crates have directions");
    nothing_found(&found);
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let tree = tree();
    let exists = |path: &str| checkout::root().join(path).exists();
    let pages = tree.with_extension(&["md"]);
    let found: Vec<_> = pages.flat_map(|f| tidy::page_links(&f.path, &f.text, &exists)).collect();
    nothing_found(&found);
}

#[test]
fn every_command_of_every_page_exists() {
    let tree = tree();
    let makefile = fs::read_to_string(checkout::root().join("Makefile")).expect("the Makefile");
    let targets = tidy::make_targets(&makefile);
    let mut found = Vec::new();
    for file in tree.with_extension(&["md"]) {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new("")).to_owned();
        let root = checkout::root();
        let exists =
            |path: &str| root.join(path).exists() || root.join(&folder).join(path).exists();
        for (line, command) in tidy::shell_commands(&file.text) {
            if !tidy::known_command(&command, &targets, &exists) {
                found.push(format!("{}:{line}: nobody knows `{command}`", file.path));
            }
        }
    }
    nothing_found(&found);
}

#[test]
fn the_pages_that_a_newcomer_looks_for_are_there() {
    let root = checkout::root();
    let pages =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "deny.toml"];
    let missing: Vec<_> = pages
        .iter()
        .filter(|p| !root.join(p).is_file())
        .map(|p| format!("{p} is missing"))
        .collect();
    nothing_found(&missing);
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let lines = text.lines().count();
    assert!(lines < tidy::ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines");
    for plugin in fs::read_dir(root.join("plugins")).expect("plugins").flatten() {
        assert!(
            plugin.path().join("README.md").is_file(),
            "{} has no README.md",
            plugin.path().display()
        );
    }
}
