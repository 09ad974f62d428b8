//! The harness itself: a plugin that remembers is caught.

use std::cell::Cell;

use super::*;
use crate::Batch;

struct EveryOther {
    rows: Cell<usize>,
}

impl Transform for EveryOther {
    type Config = Json;
    type Table = ();
    const NAME: &'static str = "every-other";
    const VERSION: &'static str = "0.0.0";

    fn configure(_: Json, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
        Ok(Self { rows: Cell::new(0) })
    }

    fn plan(&self, table: &TableSchema) -> Result<Decision<()>, Failure> {
        Ok(Plan::of(table).reads(["id"]).build()?.with(()))
    }

    fn process(&self, (): &(), batch: &Batch<'_>) -> Result<Edit, Failure> {
        crate::log::info("called");
        Ok(Edit::keep(batch.keep(|_| {
            self.rows.set(self.rows.get() + 1);
            self.rows.get().is_multiple_of(2)
        })))
    }
}

#[test]
fn a_plugin_that_counts_rows_is_impure() {
    let plugin = Harness::<EveryOther>::configured(&json!({})).expect("configured");
    let schema = table("d", "t").column("id", DataType::Int64);
    let error = plugin.run(&schema, &json!([[1], [2]])).expect_err("impure");
    insta::assert_snapshot!(error, @"impure: row 1 alone is answered otherwise");
    assert!(take_log().contains(&(Level::Info, "called".to_owned())));
    assert!(take_log().is_empty());
}

#[test]
fn a_literal_that_does_not_fit_is_named() {
    let schema = table("d", "t").column("day", DataType::Date);
    let error = rows(&schema, &json!([["2024-01-31"], ["2024-02-31"]])).expect_err("no day");
    insta::assert_snapshot!(error, @r#"literal: row 1, column `day`: "2024-02-31" is no date"#);
    assert!(rows(&schema, &json!([[1, 2]])).is_err());
}

#[test]
fn an_edit_of_the_wrong_length_is_refused() {
    struct Short;
    impl Transform for Short {
        type Config = Json;
        type Table = ();
        const NAME: &'static str = "short";
        const VERSION: &'static str = "0.0.0";
        fn configure(_: Json, _: &[Attachment], _: Limits) -> Result<Self, ConfigError> {
            Ok(Self)
        }
        fn plan(&self, table: &TableSchema) -> Result<Decision<()>, Failure> {
            Ok(Plan::of(table).computed("x", DataType::Utf8, true).build()?.with(()))
        }
        fn process(&self, (): &(), _: &Batch<'_>) -> Result<Edit, Failure> {
            Ok(Edit::new().with_column(crate::TextBuilder::utf8(0).finish()))
        }
    }
    let plugin = Harness::<Short>::configured(&json!({})).expect("configured");
    let schema = table("d", "t").column("id", DataType::Int64);
    let error = plugin.run(&schema, &json!([[1]])).expect_err("short");
    insta::assert_snapshot!(error, @"edit: computed column 0 is utf8 with 0 rows, planned is utf8 with 1");
}
