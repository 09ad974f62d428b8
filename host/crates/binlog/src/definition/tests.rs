//! Definitions behind statements: against a table of cases, and against a model under random ALTERs.

use change::definition::{Constant, DefaultValue};
use change::{Column, ColumnEdit, ColumnType, RowsEffect};
use proptest::prelude::*;

use super::*;
use crate::statement::definition::{Around, read};

/// A session in strict mode.
fn strict() -> Environment {
    Environment { is_strict: true, ..Environment::plain(None) }
}

/// Runs statements in the database `d`; returns what the last one does.
fn run_in(
    history: &mut History,
    environment: &Environment,
    statements: &[&str],
) -> Vec<TableAction> {
    let mut last = Vec::new();
    for (number, text) in statements.iter().enumerate() {
        let around = Around { database: "d", environment };
        let definition = read(text, around).expect("a statement about definitions");
        last = history.apply(&definition, environment, &format!("log:{number}"));
    }
    last
}

fn run(statements: &[&str]) -> (History, Vec<TableAction>) {
    let mut history = History::default();
    let last = run_in(&mut history, &strict(), statements);
    (history, last)
}

/// A table in short: columns with types, then keys.
fn shown(history: &History, table: &str) -> String {
    let name = TableName::new("d", table);
    let Some(definition) = history.get(&name) else {
        return history.reason(&name);
    };
    let definition = row_columns(definition);
    let columns = definition.columns.iter().map(|c| format!("{} {}", c.name, c.declared));
    let keys = definition.unique_keys();
    let keys = keys.iter().map(|key| format!("{} {:?}", key.name, key.columns));
    let primary = format!("{:?}", definition.primary_key());
    let parts =
        [columns.collect::<Vec<_>>().join(", "), primary, keys.collect::<Vec<_>>().join(" ")];
    parts.join(" | ").trim_end_matches([' ', '|']).to_owned()
}

/// The columns of a table that may not be NULL.
fn never_null(history: &History, table: &str) -> String {
    let definition = history.get(&TableName::new("d", table)).cloned().expect("a table");
    let set = definition.columns.iter().filter(|column| column.nullable == Some(false));
    set.map(|column| column.name.as_str()).collect::<Vec<_>>().join(" ")
}

const T: &str =
    "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(9) NOT NULL, UNIQUE u (b), KEY k (a))";

#[test]
fn an_alter_leads_to_the_table_that_a_server_has() {
    let cases = [
        ("ADD c int", "id int, a int, b varchar(9), c int | [0] | u [2]"),
        (
            "ADD c int FIRST, ADD e int AFTER a",
            "c int, id int, a int, e int, b varchar(9) | [1] | u [4]",
        ),
        ("DROP a, DROP INDEX u", "id int, b varchar(9) | [0]"),
        ("DROP b", "id int, a int | [0]"),
        ("RENAME COLUMN a TO b, RENAME COLUMN b TO a", "id int, b int, a varchar(9) | [0] | u [2]"),
        ("CHANGE b B text NOT NULL FIRST, DROP PRIMARY KEY", "B text, id int, a int | [] | u [0]"),
        (
            "MODIFY a bigint AFTER b, MODIFY id smallint",
            "id smallint, b varchar(9), a bigint | [0] | u [1]",
        ),
        ("DROP a, ADD a text FIRST", "a text, id int, b varchar(9) | [1] | u [2]"),
        ("ADD c int AFTER x, CHANGE a x int", "id int, x int, c int, b varchar(9) | [0] | u [3]"),
        (
            "ADD UNIQUE (a), ADD UNIQUE (id), RENAME INDEX u TO w",
            "id int, a int, b varchar(9) | [0] | id [0] w [2]",
        ),
        (
            "MODIFY a int NOT NULL, ADD UNIQUE (a)",
            "id int, a int, b varchar(9) | [0] | a [1] u [2]",
        ),
        (
            "DROP PRIMARY KEY, ADD PRIMARY KEY (b, id)",
            "id int, a int, b varchar(9) | [2, 0] | u [2]",
        ),
        ("ADD c int UNIQUE NOT NULL", "id int, a int, b varchar(9), c int | [0] | c [3] u [2]"),
        (
            "ADD COLUMN IF NOT EXISTS a text, DROP COLUMN IF EXISTS x",
            "id int, a int, b varchar(9) | [0] | u [2]",
        ),
        (
            "ADD SYSTEM VERSIONING",
            "id int, a int, b varchar(9), row_start timestamp(6), row_end timestamp(6) | [0, 4] | u [2, 4]",
        ),
        (
            "DROP INDEX k, ADD INDEX k (b), ADD UNIQUE x (id), RENAME INDEX u TO k2, RENAME INDEX q TO r",
            "id int, a int, b varchar(9) | [0] | k2 [2] x [0]",
        ),
        ("DROP INDEX k, RENAME INDEX u TO k", "id int, a int, b varchar(9) | [0] | k [2]"),
        ("ADD c int PARTITION BY KEY (id)", "id int, a int, b varchar(9), c int | [0] | u [2]"),
        (
            "ADD period int, DROP period",
            "it was altered at log:1, and a column is named that is not there",
        ),
        ("DROP PERIOD FOR x", "id int, a int, b varchar(9) | [0] | u [2]"),
        ("ENGINE=InnoDB, ORDER BY a, b", "id int, a int, b varchar(9) | [0] | u [2]"),
        ("ADD a int", "it was altered at log:1, and a column is added that is there"),
        ("DROP x", "it was altered at log:1, and a column is named that is not there"),
        (
            "ADD c int AFTER x",
            "it was altered at log:1, and a column is placed behind one that is not there",
        ),
        ("FROBNICATE", "it was altered at log:1, and a clause is not known"),
    ];
    for (clauses, expected) in cases {
        let (history, _) = run(&[T, &format!("ALTER TABLE t {clauses}")]);
        assert_eq!(shown(&history, "t"), expected, "{clauses}");
    }
}

#[test]
fn tables_change_places_and_go() {
    let (history, last) = run(&[
        "CREATE TABLE a (x int)",
        "CREATE TABLE b (y int)",
        "RENAME TABLE a TO tmp, b TO a, tmp TO b",
    ]);
    assert_eq!(
        (shown(&history, "a"), shown(&history, "b")),
        ("y int | []".into(), "x int | []".into())
    );
    assert_eq!(last.len(), 3);
    let (history, _) =
        run(&[T, "CREATE TABLE u LIKE t", "ALTER TABLE t DROP a, RENAME TO v", "DROP TABLE u"]);
    assert_eq!(shown(&history, "v"), "id int, b varchar(9) | [0] | u [1]");
    let unknown = "no definition of it was given or stands in the log before";
    assert_eq!((shown(&history, "t").as_str(), shown(&history, "u").as_str()), (unknown, unknown));
    let (history, last) = run(&[T, "DROP DATABASE d"]);
    assert!(history.definitions().is_empty());
    assert_eq!(last, [TableAction::Dropped { table: TableName::new("d", "*") }]);
    // What an unknown table brings along is not known.
    let (history, _) = run(&[T, "RENAME TABLE x TO t"]);
    assert_eq!(shown(&history, "t"), unknown);
    // Unless it may not have been there.
    let (history, _) = run(&[T, "RENAME TABLE IF EXISTS x TO t"]);
    assert!(shown(&history, "t").starts_with("id int"));
    let (history, _) = run(&["CREATE TABLE t AS SELECT 1"]);
    assert_eq!(shown(&history, "t"), "it was made at log:0, and its columns are those of a query");
    let (history, _) = run(&["CREATE TABLE t LIKE x"]);
    assert_eq!(shown(&history, "t"), "it was made at log:0 like d.x, which is not known");
}

#[test]
fn names_that_differ_in_their_case_alone_are_one_or_two_as_the_server_has_it() {
    use NameCase::{Counts, Folds, Unsaid};
    let alter = ["CREATE TABLE Orders (x int)", "ALTER TABLE ORDERS ADD y int"];
    let made = "CREATE TABLE Users (a int)";
    let swapped = [made, "DROP TABLE IF EXISTS users", "CREATE TABLE users (b int)"];
    let if_absent = [made, "CREATE TABLE IF NOT EXISTS users (b int)"];
    let replaced = [made, "CREATE OR REPLACE TABLE users (b int)"];
    let lower = ["CREATE TABLE users (a int)", "CREATE OR REPLACE TABLE Users (b int)"];
    let renamed = ["CREATE TABLE A (x int)", "CREATE TABLE b (y int)", "RENAME TABLE b TO a"];
    let unknown = "no definition of it was given or stands in the log before";
    let perhaps =
        "it was made at log:1 IF NOT EXISTS, which changes nothing where there was one before";
    let doubted = "a statement at log:1 names d.ORDERS, which may be another table or the same";
    let replaces = "a statement at log:1 names d.Users, which may be another table or the same";
    let cases: &[(NameCase, &[&str], &str, &str)] = &[
        // Rows and statements find the table however it was typed.
        (Folds, &alter, "orders", "x int, y int | []"),
        (Folds, &swapped, "users", "b int | []"),
        (Folds, &if_absent, "users", "a int | []"),
        (Folds, &replaced, "users", "b int | []"),
        (Folds, &lower, "users", "b int | []"),
        // Both are there.
        (Counts, &alter, "Orders", "x int | []"),
        (Counts, &alter, "orders", unknown),
        (Counts, &swapped, "Users", "a int | []"),
        (Counts, &swapped, "users", "b int | []"),
        (Counts, &if_absent, "Users", "a int | []"),
        (Counts, &if_absent, "users", perhaps),
        (Counts, &replaced, "Users", "a int | []"),
        (Counts, &lower, "users", "a int | []"),
        (Counts, &renamed, "A", "x int | []"),
        (Counts, &renamed, "a", "y int | []"),
        // Either may be so: nothing is taken for sure that would be wrong in one of them.
        (Unsaid, &[made], "users", "a int | []"),
        (Unsaid, &["CREATE TABLE users (a int)"], "Users", unknown),
        (Unsaid, &["CREATE TABLE orders (x int)", alter[1]], "orders", doubted),
        (Unsaid, &swapped, "Users", unknown),
        (Unsaid, &swapped, "users", "b int | []"),
        (Unsaid, &if_absent, "users", perhaps),
        (Unsaid, &replaced, "Users", unknown),
        (Unsaid, &replaced, "users", "b int | []"),
        (Unsaid, &lower, "users", replaces),
        (Unsaid, &renamed, "A", "x int | []"),
        (Unsaid, &renamed, "a", "y int | []"),
    ];
    for (names, statements, row, expected) in cases {
        let mut history = History::default();
        history.names_are(*names);
        run_in(&mut history, &strict(), statements);
        assert_eq!(shown(&history, row), *expected, "{names:?} {statements:?} {row}");
    }
    let database = ["CREATE DATABASE D", made, "DROP DATABASE D"];
    for (names, is_there) in [(Folds, false), (Counts, true)] {
        let mut history = History::default();
        history.names_are(names);
        run_in(&mut history, &strict(), &database);
        assert_eq!(history.get(&TableName::new("d", "Users")).is_some(), is_there, "{names:?}");
    }
}

#[test]
fn the_columns_of_a_primary_key_are_never_null_however_they_are_declared() {
    let cases: [(&[&str], &str); 5] = [
        (&[T, "ALTER TABLE t MODIFY id bigint"], "id b"),
        (&[T, "ALTER TABLE t CHANGE id nr bigint"], "nr b"),
        (&[T, "ALTER TABLE t MODIFY id bigint, DROP PRIMARY KEY"], "b"),
        (&[T, "ALTER TABLE t DROP PRIMARY KEY"], "id b"),
        (&["CREATE TABLE t (PRIMARY KEY (id, c), id int, b int, c int)"], "id c"),
    ];
    for (statements, expected) in cases {
        let (history, _) = run(statements);
        assert_eq!(never_null(&history, "t"), expected, "{statements:?}");
    }
}

#[test]
fn a_database_that_is_replaced_has_no_table_any_more() {
    let replace = "CREATE OR REPLACE DATABASE d CHARSET latin1";
    let (history, last) = run(&[T, replace]);
    assert!(history.definitions().is_empty());
    assert_eq!(last, [TableAction::Dropped { table: TableName::new("d", "*") }]);
    // So what is made there IF NOT EXISTS is new.
    let (history, _) = run(&[T, replace, "CREATE TABLE IF NOT EXISTS t (a int)"]);
    assert_eq!(shown(&history, "t"), "a int | []");
}

#[test]
fn a_default_in_many_parentheses_is_not_known() {
    let create = |count: usize| {
        let (open, close) = ("(".repeat(count), ")".repeat(count));
        let (history, _) = run(&[&format!("CREATE TABLE t (a int DEFAULT {open}7{close}, b int)")]);
        let table = history.get(&TableName::new("d", "t")).cloned().expect("a table");
        (table.columns.len(), table.columns[0].default.clone())
    };
    let seven = DefaultValue::Constant(Constant::Number("7".to_owned()));
    assert_eq!(create(3), (2, seven));
    assert_eq!(create(100_000), (2, DefaultValue::Computed));
}

#[test]
fn a_table_that_may_have_been_there_is_not_taken_for_new() {
    let create = "CREATE TABLE IF NOT EXISTS t (a int)";
    let (history, last) = run(&[T, create]);
    assert!(shown(&history, "t").starts_with("id int") && last.is_empty());
    let (history, _) = run(&[create]);
    let lost =
        "it was made at log:0 IF NOT EXISTS, which changes nothing where there was one before";
    assert_eq!(shown(&history, "t"), lost);
    // Nothing is in a database that is new, and the server may say that the statement did something.
    let (history, _) = run(&["CREATE DATABASE d", create]);
    assert_eq!(shown(&history, "t"), "a int | []");
    let mut history = History::default();
    run_in(&mut history, &Environment { has_changed_definitions: true, ..strict() }, &[create]);
    assert_eq!(shown(&history, "t"), "a int | []");
}

#[test]
fn text_takes_the_character_set_of_its_table_and_database() {
    let charset = |statements: &[&str]| {
        let (history, _) = run(statements);
        let table = history.get(&TableName::new("d", "t")).cloned().expect("a table");
        table.columns[0].declared.charset.clone().unwrap_or_default()
    };
    let database = "CREATE DATABASE d CHARSET latin1";
    assert_eq!(charset(&[database, "CREATE TABLE t (a text)"]), "latin1");
    assert_eq!(charset(&[database, "CREATE TABLE t (a text) CHARSET gbk"]), "gbk");
    assert_eq!(
        charset(&[database, "CREATE TABLE t (a text COLLATE sjis_bin) CHARSET gbk"]),
        "sjis"
    );
    assert_eq!(charset(&["CREATE TABLE t (a text)"]), "");
    let convert = "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4";
    assert_eq!(charset(&[database, "CREATE TABLE t (a text)", convert]), "utf8mb4");
}

/// What an ALTER of `T` does: its edits and its effect on rows.
fn effect(environment: &Environment, clauses: &str) -> String {
    let mut history = History::default();
    let alter = format!("ALTER TABLE t {clauses}");
    let actions = run_in(&mut history, environment, &[T, &alter]);
    let Some(TableAction::Altered { edits, rows, .. }) = actions.first() else {
        return format!("{actions:?}");
    };
    let edit = |edit: &ColumnEdit| match edit {
        ColumnEdit::Added { column, at } => format!("+{}@{at:?}", column.name),
        ColumnEdit::Dropped { name } => format!("-{name}"),
        ColumnEdit::Renamed { from, to } => format!("{from}>{to}"),
        ColumnEdit::Retyped { name, from, to } => {
            let from = from.as_ref().map(|from| from.declared.to_string()).unwrap_or_default();
            format!("{name}:{from}>{}", to.declared)
        }
        other => format!("{other:?}"),
    };
    let edits: Vec<_> = edits.iter().map(edit).collect();
    let rows = match rows {
        RowsEffect::Unknown(what) => format!(" !! {what}"),
        _ => String::new(),
    };
    format!("{}{rows}", edits.join(" "))
}

#[test]
fn ignore_and_names_that_may_be_absent_tell_nothing_of_rows() {
    for (statement, expected) in [
        ("ALTER IGNORE TABLE t ADD UNIQUE (a)", "IGNORE may delete or change rows"),
        ("ALTER IGNORE TABLE nowhere ADD UNIQUE (a)", "IGNORE may delete or change rows"),
        (
            "ALTER TABLE nowhere RENAME COLUMN IF EXISTS a TO b",
            "a column gets another name where it is there",
        ),
    ] {
        let mut history = History::default();
        let actions = run_in(&mut history, &strict(), &[T, statement]);
        let [TableAction::Altered { rows, .. }] = actions.as_slice() else { panic!("{actions:?}") };
        assert_eq!(*rows, RowsEffect::Unknown(expected), "{statement}");
    }
}

#[test]
fn what_an_alter_does_to_rows_is_told() {
    let cases = [
        ("ADD c int DEFAULT 5", "+c@Some(3)"),
        ("ADD c int", "+c@Some(3)"),
        (
            "ADD c int NOT NULL",
            "+c@Some(3) !! the new column has no default, and rows get one by its type",
        ),
        ("ADD c datetime DEFAULT now()", "+c@Some(3) !! the default of the new column is computed"),
        (
            "ADD c int AS (a) STORED",
            "+c@Some(3) !! the server computes the new column for the rows that are there",
        ),
        ("ADD c serial", "+c@Some(3) KeyChanged !! the server numbers the rows that are there"),
        ("DROP a, RENAME COLUMN id TO i", "-a id>i KeyChanged"),
        ("DROP b", "-b KeyChanged"),
        ("ADD KEY x (a), COMMENT='x', ENGINE=InnoDB, FORCE, DROP KEY k", ""),
        ("MODIFY a int FIRST", "Reordered"),
        ("MODIFY a int COMMENT 'x'", ""),
        ("MODIFY a int DEFAULT 7", "Redefined { name: \"a\" }"),
        ("MODIFY a bigint", "a:int>bigint"),
        ("MODIFY a smallint", "a:int>smallint"),
        ("MODIFY a varchar(20)", "a:int>varchar(20) !! a column changes its type"),
        ("MODIFY a int NOT NULL", "a:int>int"),
        ("MODIFY b varchar(20) NOT NULL", "b:varchar(9)>varchar(20)"),
        ("MODIFY b varchar(5) NOT NULL", "b:varchar(9)>varchar(5) !! a column changes its type"),
        ("MODIFY b text NOT NULL", "b:varchar(9)>text"),
        ("ADD UNIQUE (id)", "KeyChanged"),
        ("TRUNCATE PARTITION p", " !! rows of a partition are gone"),
        ("DROP PARTITION p, q", " !! rows of a partition are gone"),
        (
            "RENAME TO v",
            "[Renamed { from: TableName { database: \"d\", table: \"t\" }, to: TableName { database: \"d\", table: \"v\" } }]",
        ),
    ];
    for (clauses, expected) in cases {
        assert_eq!(effect(&strict(), clauses), expected, "{clauses}");
    }
    let lax = Environment::plain(None);
    assert_eq!(effect(&lax, "MODIFY a smallint"), "a:int>smallint !! a column changes its type");
    assert_eq!(
        effect(&lax, "MODIFY a int NOT NULL"),
        "a:int>int !! a column must not be NULL any more"
    );
}

#[test]
fn what_is_told_of_an_unknown_table_comes_from_the_statement() {
    let (_, last) = run(&["ALTER TABLE t ADD c int, CHANGE a b text FIRST, DROP x"]);
    insta::assert_snapshot!(format!("{last:?}"), @r#"[Altered { table: TableName { database: "d", table: "t" }, edits: [Added { column: ColumnDefinition { name: "c", declared: DeclaredType { word: "int", arguments: [], unsigned: false, compressed: false, labels: [], charset: None }, nullable: Some(true), default: Absent, generated: false, invisible: false, auto_increment: false }, at: None }, Renamed { from: "a", to: "b" }, Retyped { name: "b", from: None, to: ColumnDefinition { name: "b", declared: DeclaredType { word: "text", arguments: [], unsigned: false, compressed: false, labels: [], charset: None }, nullable: Some(true), default: Absent, generated: false, invisible: false, auto_increment: false } }, Reordered, Dropped { name: "x" }], rows: Unknown("a column may change its type") }]"#);
}

/// The default of a column as text, or nothing.
fn default_of(declaration: &str, column_type: ColumnType) -> String {
    let (history, _) = run(&[&format!("CREATE TABLE t (a {declaration}) CHARSET utf8mb4")]);
    let table = history.get(&TableName::new("d", "t")).cloned().expect("a table");
    let column = Column::made("a", column_type, true);
    let Some(array) = value::default_of(&table.columns[0], &column) else {
        return "not known".to_owned();
    };
    assert_eq!((arrow_array::Array::len(&*array), array.data_type()), (1, &column_type.arrow()));
    let text = format!("{array:?}");
    let value = text.lines().nth(2).unwrap_or_default().trim().trim_end_matches(',');
    // How a zone is shown depends on what arrow was built with.
    let zones = [" (Unknown Time Zone 'UTC')", "+00:00"];
    zones.iter().fold(value, |value, zone| value.trim_end_matches(zone)).to_owned()
}

#[test]
fn a_constant_is_a_value_only_where_it_is_one_exactly() {
    use ColumnType::{
        Binary, Boolean, Date, Float64, Int8, Int16, Int32, TimeMicros, UInt64, Utf8,
    };
    let decimal = ColumnType::Decimal { precision: 5, scale: 2 };
    let (local, utc) = (ColumnType::TimestampMicrosLocal, ColumnType::TimestampMicrosUtc);
    let cases = [
        ("int default 5", Int32, "5"),
        ("int default '-7'", Int32, "-7"),
        ("int default 1.5", Int32, "not known"),
        ("int", Int32, "null"),
        ("int default null", Int32, "null"),
        ("int not null", Int32, "not known"),
        ("int auto_increment key", Int32, "not known"),
        ("int as (1)", Int32, "not known"),
        ("tinyint default 200", Int8, "not known"),
        ("bool default true", Int8, "1"),
        ("bit(1) default b'1'", Boolean, "true"),
        ("bit(9) default b'100000001'", UInt64, "257"),
        ("year default 2024", Int16, "2024"),
        ("year default 24", Int16, "not known"),
        ("double default 1e3", Float64, "1000.0"),
        ("double(5,1) default 1.25", Float64, "not known"),
        ("decimal(5,2) default 1.5", decimal, "150"),
        ("decimal(5,2) default -.5", decimal, "-50"),
        ("decimal(5,2) default 1.555", decimal, "not known"),
        ("decimal(65,2) default -0012.5", Utf8, "\"-12.50\""),
        ("date default '2020-02-29'", Date, "2020-02-29"),
        ("date default '2020-02-30'", Date, "not known"),
        ("date default '0000-00-00'", Date, "not known"),
        ("time default '-01:02:03'", TimeMicros, "-3723000000"),
        ("datetime default '2020-01-01 01:02:03'", local, "2020-01-01T01:02:03"),
        ("datetime default '2020-01-01 01:02:03.5'", local, "not known"),
        ("datetime(1) default '2020-01-01 01:02:03.5'", local, "2020-01-01T01:02:03.500"),
        ("timestamp null default '2020-01-01 00:00:00'", utc, "2020-01-01T00:00:00"),
        ("datetime default now()", local, "not known"),
        ("varchar(9) default 'x '", Utf8, "\"x \""),
        ("char(9) default 'x '", Utf8, "\"x\""),
        ("varchar(9) default 5", Utf8, "\"5\""),
        ("varchar(9) default -1.50", Utf8, "\"-1.50\""),
        ("varchar(9) default 007", Utf8, "not known"),
        ("varchar(9) default .5", Utf8, "not known"),
        ("varchar(9) default 1e3", Utf8, "not known"),
        ("varbinary(9) default 007", Binary, "not known"),
        ("binary(4000000000) default 'a'", Binary, "not known"),
        ("enum('a','A') collate utf8mb4_bin default 'A'", Utf8, "\"A\""),
        ("enum('a','A') collate utf8mb4_bin default 'a'", Utf8, "\"a\""),
        ("enum('Aa','b') default 'aA'", Utf8, "\"Aa\""),
        ("enum('a','b') default 2", Utf8, "\"b\""),
        ("enum('a') default 'c'", Utf8, "not known"),
        ("set('a','b','c') default 'c,a'", Utf8, "\"a,c\""),
        ("set('a') default ''", Utf8, "\"\""),
        (
            "uuid default '00112233445566778899AABBCCDDEEFF'",
            Utf8,
            "\"00112233-4455-6677-8899-aabbccddeeff\"",
        ),
        ("inet4 default '1.2.3.4'", Utf8, "\"1.2.3.4\""),
        ("binary(3) default 'a'", Binary, "[97, 0, 0]"),
        ("varbinary(3) default x'01ff'", Binary, "[1, 255]"),
        ("varbinary(3) default 'é'", Binary, "not known"),
    ];
    for (declaration, column_type, expected) in cases {
        assert_eq!(default_of(declaration, column_type), expected, "{declaration}");
    }
}

#[test]
fn the_default_of_a_timestamp_is_told_in_utc() {
    let default = |zone_offset_seconds| {
        let environment = Environment { zone_offset_seconds, ..strict() };
        let mut history = History::default();
        let create = "CREATE TABLE t (a timestamp(3) DEFAULT '2020-01-01 00:30:00.250')";
        run_in(&mut history, &environment, &[create]);
        history.get(&TableName::new("d", "t")).map(|table| table.columns[0].default.clone())
    };
    let text = |text: &str| Some(DefaultValue::Constant(Constant::Text(text.to_owned())));
    assert_eq!(default(Some(0)), text("2020-01-01 00:30:00.250000"));
    assert_eq!(default(Some(3_600)), text("2019-12-31 23:30:00.250000"));
    assert_eq!(default(Some(-3_600)), text("2020-01-01 01:30:00.250000"));
    assert_eq!(default(None), Some(DefaultValue::Computed));
}

/// A column of the model: its name, its type, and a number that it keeps for life.
type Modelled = (String, &'static str, usize);

#[derive(Clone, Debug)]
enum Step {
    Add(usize),
    Drop(usize),
    Rename(usize),
    Modify(usize, usize),
    Change(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0_usize..12;
    prop_oneof![
        4 => index.clone().prop_map(Step::Add),
        2 => index.clone().prop_map(Step::Drop),
        2 => index.clone().prop_map(Step::Rename),
        2 => (index.clone(), index.clone()).prop_map(|(a, b)| Step::Modify(a, b)),
        1 => index.prop_map(Step::Change),
    ]
}

/// FIRST, AFTER a column, or nothing, and the index that this means.
fn place(columns: &[Modelled], number: usize) -> (String, usize) {
    match number % 3 {
        0 => (" FIRST".to_owned(), 0),
        1 if !columns.is_empty() => {
            let at = number % columns.len();
            (format!(" AFTER `{}`", columns[at].0), at + 1)
        }
        _ => (String::new(), columns.len()),
    }
}

/// One clause for the model and for the server.
fn clause(columns: &mut Vec<Modelled>, step: &Step, fresh: &mut usize) -> Option<String> {
    const TYPES: [&str; 3] = ["int", "varchar(9)", "bigint"];
    *fresh += 1;
    let name = format!("c{fresh}");
    let at = |index: usize, columns: &[Modelled]| index % columns.len().max(1);
    Some(match step {
        Step::Add(number) => {
            let (words, index) = place(columns, *number);
            let kind = TYPES[number % 3];
            columns.insert(index, (name.clone(), kind, *fresh));
            format!("ADD {name} {kind}{words}")
        }
        Step::Drop(_) if columns.len() < 2 => return None,
        Step::Drop(number) => format!("DROP COLUMN {}", columns.remove(at(*number, columns)).0),
        Step::Rename(number) => {
            let index = at(*number, columns);
            let old = std::mem::replace(&mut columns[index].0, name.clone());
            format!("RENAME COLUMN {old} TO {name}")
        }
        Step::Modify(number, to) => {
            let mut column = columns.remove(at(*number, columns));
            let before = columns.len();
            column.1 = TYPES[to % 3];
            let (words, index) = place(columns, *to);
            // Without a place it stays where it was.
            let index = if words.is_empty() { number % (before + 1) } else { index };
            columns.insert(index, column.clone());
            format!("MODIFY {} {}{words}", column.0, column.1)
        }
        Step::Change(number) => {
            let index = at(*number, columns);
            let old = std::mem::replace(&mut columns[index].0, name.clone());
            columns[index].1 = "bigint";
            format!("CHANGE `{old}` {name} bigint")
        }
    })
}

proptest! {
    #[test]
    fn random_alters_lead_to_the_columns_of_a_model(steps in prop::collection::vec(step(), 1..40)) {
        let mut columns: Vec<Modelled> = vec![("id".to_owned(), "int", 0)];
        let (mut history, _) = run(&["CREATE TABLE t (id int)"]);
        // A copy of the table that only follows what is told: each name with the number of its column.
        let mut copy: Vec<(String, usize)> = vec![("id".to_owned(), 0)];
        let mut fresh = 0;
        for step in &steps {
            let Some(clause) = clause(&mut columns, step, &mut fresh) else { continue };
            let actions = run_in(&mut history, &strict(), &[&format!("ALTER TABLE t {clause}")]);
            for action in &actions {
                let TableAction::Altered { edits, .. } = action else { panic!("{action:?}") };
                for edit in edits {
                    match edit {
                        ColumnEdit::Added { column, .. } => copy.push((column.name.clone(), fresh)),
                        ColumnEdit::Dropped { name } => copy.retain(|(known, _)| known != name),
                        ColumnEdit::Renamed { from, to } => {
                            let known = copy.iter_mut().find(|(known, _)| known == from);
                            known.expect("a column").0.clone_from(to);
                        }
                        _ => {}
                    }
                }
            }
            let known = history.get(&TableName::new("d", "t")).cloned().expect("a table");
            let found: Vec<_> = known.columns.iter().map(|c| (c.name.clone(), c.declared.to_string())).collect();
            let expected: Vec<_> = columns.iter().map(|(n, t, _)| (n.clone(), (*t).to_owned())).collect();
            prop_assert_eq!(found, expected, "{}", clause);
            let mut wanted: Vec<_> = columns.iter().map(|(name, _, number)| (name.clone(), *number)).collect();
            wanted.sort();
            copy.sort();
            prop_assert_eq!(&copy, &wanted, "{}", clause);
        }
    }
}
