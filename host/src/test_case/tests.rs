//! Test cases over recorded logs, and every way in which one can differ.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::chain;

/// A folder of recorded logs that the project carries.
fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/corpus/mysql-9.7")
}

/// A case over a recorded log, with a manifest without plugins.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(case: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = "[pipeline]\nname = \"p\"\ncheckpoint = \"${NOT_SET}\"\n\
            [source]\nhost = \"${NOT_SET}\"\ntables = [\"c.*\"]\n\
            [sink]\npath = \"/lake/${STAGE}/{table}\"\n";
        fs::write(folder.path().join("sluice.toml"), manifest).expect("written");
        fs::create_dir(folder.path().join("case-1")).expect("a folder");
        let fixture = Self { folder };
        fixture.write("case.toml", case);
        fixture
    }

    fn over(log: &str) -> Self {
        let log = corpus().join(log);
        Self::new(&format!(
            "manifest = \"../sluice.toml\"\ninput = \"{}\"\nenv = {{ STAGE = \"test\" }}\n",
            log.display()
        ))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join("case-1").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("case-1").join(name)).expect("a file")
    }

    fn case(&self) -> Result<Case, CaseError> {
        let mut cases = find(&[self.folder.path().to_owned()])?;
        Ok(cases.pop().expect("one case"))
    }

    fn run(&self, mode: Mode) -> Verdict {
        let engine = plugin::Engine::new(plugin::EngineOptions::default()).expect("an engine");
        run(&self.case().expect("a case"), &engine, mode).expect("it runs")
    }

    fn differences(&self) -> String {
        match self.run(Mode::Compare) {
            Verdict::Failed(differences) => {
                differences.iter().map(|difference| format!("{difference}\n")).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_was_blessed_passes_and_every_edit_of_it_fails() {
    let fixture = Fixture::over("16_savepoints.binlog");
    assert!(matches!(fixture.run(Mode::Bless), Verdict::Blessed { files: 2 }));
    assert!(matches!(fixture.run(Mode::Compare), Verdict::Passed));
    let file = "expected/lake/test/sp.jsonl";
    let right = fixture.read(file);
    insta::assert_snapshot!(right, @r#"
        {"columns":{"id":"int32","v":"int32"},"id-columns":["id"]}
        {"id":1,"v":1}
        {"id":3,"v":3}
    "#);
    let lines: Vec<_> = right.lines().collect();
    let without_last = lines[..lines.len() - 1].join("\n");
    fixture.write(file, &without_last);
    insta::assert_snapshot!(fixture.differences(), @r#"/lake/test/sp  not expected, but came out: {"id":3,"v":3}"#);
    fixture.write(file, &right.replace("\"id\":1,", "\"id\":100,"));
    insta::assert_snapshot!(fixture.differences(), @r#"
        /lake/test/sp  id=100   expected, but the row did not come out
        /lake/test/sp  not expected, but came out: {"id":1,"v":1}
    "#);
    fixture.write(file, &right.replace("int32", "int64"));
    insta::assert_snapshot!(fixture.differences(), @r#"/lake/test/sp  line 1   expected {"columns":{"id":"int64","v":"int64"},"id-columns":["id"]}  got {"columns":{"id":"int32","v":"int32"},"id-columns":["id"]}"#);
}

#[test]
fn a_target_too_many_or_missing_is_named() {
    let fixture = Fixture::over("16_savepoints.binlog");
    insta::assert_snapshot!(fixture.differences(), @r#"
        /lake/test/ny  not expected, but came out, rows: 1
        /lake/test/sp  not expected, but came out, rows: 2
    "#);
    fixture.run(Mode::Bless);
    fixture.write(
        "expected/lake/test/other.jsonl",
        "{\"columns\":{\"a\":\"int8\"},\"id-columns\":[\"a\"]}\n",
    );
    insta::assert_snapshot!(fixture.differences(), @"lake/test/other.jsonl  expected, but nothing was written to this target");
    fixture.run(Mode::Bless);
    assert!(matches!(fixture.run(Mode::Compare), Verdict::Passed), "blessing removes stale files");
}

#[test]
fn net_changes_are_compared_transaction_by_transaction_where_they_are_expected() {
    let fixture = Fixture::over("11_multi_table_tx.binlog");
    fixture.run(Mode::Bless);
    assert!(!fixture.folder.path().join("case-1/expected/changes.jsonl").exists());
    fixture.write("expected/changes.jsonl", "");
    assert!(
        fixture.differences().starts_with("changes.jsonl:1   expected nothing  got {\"target\"")
    );
    fixture.run(Mode::Bless);
    assert!(matches!(fixture.run(Mode::Compare), Verdict::Passed));
    assert!(fixture.read("expected/changes.jsonl").lines().count() > 1);
}

#[test]
fn a_case_that_cannot_be_read_says_why() {
    let error = |case: &str| Fixture::new(case).case().expect_err("the case is wrong").to_string();
    let named = |case: &str| {
        let text = error(case);
        text.rsplit_once("case-1/").map_or(text.clone(), |(_, rest)| rest.to_owned())
    };
    insta::assert_snapshot!(named("manifest = \"m\"\ninput = \"x\"\ntypo = 1\n"), @"case.toml:3: unknown field `typo`, expected one of `manifest`, `input`, `env`, `plugins`");
    insta::assert_snapshot!(named("manifest = \"m\"\n"), @"case.toml:1: missing field `input`");
    insta::assert_snapshot!(named("manifest = \"m\"\ninput = \"nothing.*\"\n"), @"case.toml: no recorded log matches `nothing.*`");
    insta::assert_snapshot!(named("manifest = \"m\"\ninput = \"changes.jsonl\"\n"), @"case.toml: `changes.jsonl` is not a recorded log, and written changes as input are not built yet");
}

#[test]
fn expected_files_that_make_no_sense_are_told_with_their_line() {
    let fixture = Fixture::over("16_savepoints.binlog");
    let case = fixture.case().expect("a case");
    let cases = [
        ("", "1: the first line has to be"),
        ("{\"columns\":{\"a\":\"int8\"}}\n", "1: the first line has to be"),
        (
            "{\"columns\":{\"a\":\"int8\"},\"id-columns\":[\"b\"]}\n",
            "1: id column `b` is not among",
        ),
        (
            "{\"columns\":{\"a\":\"int8\"},\"id-columns\":[\"a\"]}\n\n{\"a\":1}\n{\"a\":1}\n",
            "4: this key is in the file twice",
        ),
        (
            "{\"columns\":{\"a\":\"int8\"},\"id-columns\":[\"a\"]}\n{\"b\":1}\n",
            "2: column `b` is not among",
        ),
        ("{\"columns\":{\"a\":\"int8\"},\"id-columns\":[\"a\"]}\nnot json\n", "2: expected"),
    ];
    for (text, message) in cases {
        fixture.write("expected/t.jsonl", text);
        let error = Expected::read(&case.expected_folder()).expect_err(text).to_string();
        assert!(error.contains(&format!("t.jsonl:{message}")), "{error}");
    }
}

#[test]
fn a_plugin_that_the_manifest_does_not_have_is_named() {
    let fixture = Fixture::over("16_savepoints.binlog");
    let case = fixture.read("case.toml");
    fixture.write("case.toml", &format!("{case}plugins = [\"mask\"]\n"));
    let engine = chain::engine(None).expect("an engine");
    let error = run(&fixture.case().expect("a case"), &engine, Mode::Compare).expect_err("wrong");
    assert!(error.message().ends_with("the manifest has no plugin `mask` (it has: )"));
}

#[test]
fn rejected_rows_are_compared_without_their_order_and_detail() {
    let rejected = |id: i32, detail: &str| RejectedRow {
        table: "d.t".to_owned(),
        plugin: "p".to_owned(),
        code: "bad".to_owned(),
        row: serde_json::from_value(json!({ "id": id })).expect("an object"),
        detail: detail.to_owned(),
    };
    let expected = Expected {
        rejected: vec![rejected(1, ""), rejected(2, ""), rejected(2, "")],
        ..Expected::default()
    };
    let got = |rejected| Content { rejected, ..Content::default() };
    let same = got(vec![rejected(2, "x"), rejected(2, "y"), rejected(1, "z")]);
    assert_eq!(compare(&expected, &same), []);
    let other = compare(&expected, &got(vec![rejected(2, "x"), rejected(3, "why")]));
    let text: String = other.iter().map(|d| format!("{d}\n")).collect();
    insta::assert_snapshot!(text, @r#"
        d.t  id=3  rejected by p with `bad`: why
        d.t  id=1  not rejected, expected `bad` by p
        d.t  id=2  not rejected, expected `bad` by p
    "#);
}

#[test]
fn a_result_that_depends_on_batches_is_told_as_such() {
    let table = |value: i32| TableContent {
        columns: vec![("id".to_owned(), "int32".to_owned()), ("v".to_owned(), "int32".to_owned())],
        id_columns: Some(vec!["id".to_owned()]),
        rows: vec![serde_json::from_value(json!({ "id": 1, "v": value })).expect("an object")],
    };
    let content = |value| Content {
        tables: [("/lake/t".to_owned(), table(value))].into(),
        ..Content::default()
    };
    assert_eq!(difference::between_runs(&content(1), &content(1)), []);
    let torn = difference::between_runs(&content(1), &content(2));
    insta::assert_snapshot!(torn[0], @"other batch boundaries, other result: /lake/t  id=1  v   expected 1  got 2 (expected = all at once, got = one transaction a batch)");
}

#[test]
fn a_target_is_a_file_below_the_expected_folder() {
    for (target, file) in [
        ("/lake/acme/users", "lake/acme/users"),
        ("./lake/a.b", "lake/a.b"),
        ("../../out/t", "out/t"),
    ] {
        assert_eq!(expected::file_of(target), Path::new(file));
    }
}
