//! Statements of both vendors, and what is read from them.

use super::*;
use crate::event::Vendor;

fn read_by(vendor: Option<Vendor>, text: &str) -> Option<Definition> {
    let environment = Environment::plain(vendor);
    read(text, Around { database: "d", environment: &environment })
}

/// A definition in few words.
fn short(definition: Option<&Definition>) -> String {
    match definition {
        None => "nothing".to_owned(),
        Some(Definition::Create { table, if_not_exists, replaces, body }) => {
            let exists = if *if_not_exists { " unless there" } else { "" };
            let replaces = if *replaces { " anew" } else { "" };
            format!("{table}{exists}{replaces}: {}", body_in_short(body))
        }
        Some(other) => format!("{other:?}"),
    }
}

fn body_in_short(body: &Body) -> String {
    let table = match body {
        Body::Columns(table) => table,
        Body::Like(other) => return format!("like {other}"),
        Body::Unread(what) => return (*what).to_owned(),
    };
    let columns = table.columns.iter().map(column_in_short);
    let indexes = table.indexes.iter().map(|index| {
        let part = |part: &change::definition::IndexPart| {
            let prefix = if part.prefix { "*" } else { "" };
            format!("{}{prefix}", part.column.as_deref().unwrap_or("()"))
        };
        let parts: Vec<_> = index.parts.iter().map(part).collect();
        format!("{:?} {} {}", index.kind, index.name, parts.join("+")).to_lowercase()
    });
    let charset = table.charset.iter().map(|charset| format!("charset {charset}"));
    let versioned = table.versioned.then(|| "versioned".to_owned());
    let all = columns.chain(indexes).chain(charset).chain(versioned);
    all.collect::<Vec<_>>().join("; ")
}

fn column_in_short(column: &change::ColumnDefinition) -> String {
    let null = match column.nullable {
        Some(true) => "",
        Some(false) => " set",
        None => " unsaid",
    };
    let default = match &column.default {
        DefaultValue::Absent => String::new(),
        DefaultValue::Null => " = null".to_owned(),
        DefaultValue::Computed => " = computed".to_owned(),
        DefaultValue::Constant(constant) => format!(" = {constant:?}"),
    };
    let charset = column.declared.charset.iter().map(|charset| format!(" {charset}"));
    let flags = [
        (column.generated, " generated"),
        (column.invisible, " invisible"),
        (column.auto_increment, " counted"),
    ];
    let flags = flags.into_iter().filter(|(is, _)| *is).map(|(_, flag)| flag.to_owned());
    let more: String = charset.chain(flags).collect();
    format!("{} {}{null}{default}{more}", column.name, column.declared)
}

/// The columns of a table with one column, as read.
fn column(declaration: &str) -> String {
    let read = read_by(None, &format!("CREATE TABLE t ({declaration})"));
    short(read.as_ref()).trim_start_matches("d.t: ").to_owned()
}

#[test]
fn every_type_has_one_spelling() {
    let cases = [
        ("a INT(11)", "a int"),
        ("a integer unsigned zerofill", "a int unsigned"),
        ("a bool", "a tinyint(1)"),
        ("a tinyint(4)", "a tinyint"),
        ("a int3", "a mediumint"),
        ("a SERIAL", "a bigint unsigned set counted; unique a a"),
        ("a double precision(5,2)", "a double(5,2)"),
        ("a float(25)", "a double"),
        ("a float(24)", "a float"),
        ("a numeric(5)", "a decimal(5)"),
        ("a fixed unsigned", "a decimal unsigned"),
        ("a bit", "a bit"),
        ("a character varying(10)", "a varchar(10)"),
        ("a national varchar(3)", "a varchar(3) utf8mb3"),
        ("a nchar(3)", "a char(3) utf8mb3"),
        ("a long", "a mediumtext"),
        ("a long varbinary", "a mediumblob"),
        ("a char(3) byte", "a char(3) binary"),
        ("a text(500) ascii", "a text(500) latin1"),
        ("a varchar(5) character set = latin1 collate latin1_bin", "a varchar(5) latin1"),
        ("a varchar(5) collate utf8mb4_0900_ai_ci", "a varchar(5) utf8mb4"),
        ("a varchar(5) collate uca1400_ai_ci", "a varchar(5)"),
        ("a varchar(9) compressed = zlib", "a varchar(9) compressed"),
        ("a enum('x','it''s',\"y  \") charset latin1", "a enum('x','it''s','y') latin1"),
        ("a set('a' , 'b')", "a set('a','b')"),
        ("a timestamp(6)", "a timestamp(6) unsaid"),
        ("a timestamp null", "a timestamp"),
        ("a year(4)", "a year"),
        ("a uuid", "a uuid"),
        ("a geomcollection srid 4326", "a geometrycollection"),
        ("a vector(3) not null", "a vector(3) set"),
        ("a frobnicated(3)", "a unknown(3)"),
    ];
    for (declaration, expected) in cases {
        assert_eq!(column(declaration), expected, "{declaration}");
    }
}

#[test]
fn a_default_is_a_constant_or_computed() {
    let cases = [
        ("a int default 5", r#"a int = Number("5")"#),
        ("a int default '5'", r#"a int = Text("5")"#),
        ("a int default -5 not null", r#"a int set = Number("-5")"#),
        ("a decimal(5,2) default +1.50", r#"a decimal(5,2) = Number("1.50")"#),
        ("a double default -.5e-3", r#"a double = Number("-.5e-3")"#),
        ("a double default 1e10", r#"a double = Number("1e10")"#),
        ("a bool default true", r#"a tinyint(1) = Number("1")"#),
        ("a int default null", "a int = null"),
        ("a varchar(9) default 'it''s' 'x'", r#"a varchar(9) = Text("it'sx")"#),
        ("a varchar(9) default _utf8mb4'x'", r#"a varchar(9) = Text("x")"#),
        ("a varchar(9) default _latin1'é'", "a varchar(9) = computed"),
        ("a bit(9) default b'101'", "a bit(9) = Bytes([5])"),
        ("a binary(2) default 0x0102", "a binary(2) = Bytes([1, 2])"),
        ("a binary(2) default x'fF'", "a binary(2) = Bytes([255])"),
        ("a date default date'2020-01-01'", r#"a date = Text("2020-01-01")"#),
        ("a text default ('abc')", r#"a text = Text("abc")"#),
        ("a int default (1+2)", "a int = computed"),
        ("a int default ((7))", r#"a int = Number("7")"#),
        ("a datetime default now()", "a datetime = computed"),
        (
            "a datetime(3) default current_timestamp(3) on update current_timestamp(3)",
            "a datetime(3) = computed",
        ),
        ("a uuid default uuid() not null", "a uuid set = computed"),
        ("a bigint default next value for s.q comment 'x'", "a bigint = computed"),
        ("a bigint default nextval(`d`.`q`) not null", "a bigint set = computed"),
        (
            "a timestamp default '2020-01-01 00:00:00'",
            r#"a timestamp unsaid = Text("2020-01-01 00:00:00")"#,
        ),
        ("a timestamp default 0", r#"a timestamp unsaid = Text("0000-00-00 00:00:00")"#),
    ];
    for (declaration, expected) in cases {
        assert_eq!(column(declaration), expected, "{declaration}");
    }
}

#[test]
fn attributes_that_rows_hang_on_are_told_from_those_that_they_do_not() {
    let cases = [
        ("a int not null primary key", "a int set; primary primary a"),
        ("a int key", "a int set; primary primary a"),
        ("a int unique key comment 'not null'", "a int; unique a a"),
        ("a int references o(id) on delete set null on update no action not null", "a int set"),
        ("a int references d.o (id) match full on delete set default", "a int"),
        (
            "a int constraint c check (a is not null) not enforced default 3",
            r#"a int = Number("3")"#,
        ),
        ("a int check (a in (1,2)) null", "a int"),
        ("a int generated always as (b * (2)) stored not null", "a int set generated"),
        ("a int as (b) persistent unique", "a int generated; unique a a"),
        ("a int invisible default 7", r#"a int = Number("7") invisible"#),
        ("`a` int /*!80023 INVISIBLE */", "a int invisible"),
        ("a int column_format fixed storage disk engine_attribute='{}'", "a int"),
        ("a int without system versioning", "a int"),
        ("a varchar(3) `b`='c' default 'x'", r#"a varchar(3) = Text("x")"#),
    ];
    for (declaration, expected) in cases {
        assert_eq!(column(declaration), expected, "{declaration}");
    }
}

#[test]
fn keys_have_the_names_that_servers_give_them() {
    let keys = "a int, b int, key (b), unique (b), unique u (b desc, a), unique key using btree (a), \
         constraint c unique (a), constraint unique index i (a), primary key (b, a), \
         fulltext key f (b), index g (b(10)), key h ((a+1), b), foreign key (a) references o(a), \
         constraint fk foreign key (a) references o(a), check (a>0), constraint k check (b > 0), \
         vector index v (a), period for system_time(a,b)";
    insta::assert_snapshot!(column(keys).replace("; ", "\n"), @"
    a int set
    b int set
    other b b
    unique b_2 b
    unique u b+a
    unique a a
    unique c a
    unique i a
    primary primary b+a
    other f b
    other g b*
    other h ()+b
    other v a
    ");
}

#[test]
fn tables_are_made_in_many_ways() {
    let cases = [
        ("CREATE TABLE IF NOT EXISTS `o`.`t` (a int)", "o.t unless there: a int"),
        ("create or replace table t (a int)", "d.t anew: a int"),
        ("CREATE TABLE t LIKE o.x", "d.t: like o.x"),
        ("CREATE TABLE t (LIKE x)", "d.t: like d.x"),
        ("CREATE TEMPORARY TABLE t (a int)", "nothing"),
        ("CREATE TABLE t AS SELECT 1", "d.t: its columns are those of a query"),
        ("CREATE TABLE t (a int) SELECT 1 AS a", "d.t: its columns are those of a query"),
        (
            "CREATE TABLE t (a int) ENGINE=InnoDB REPLACE AS (SELECT 1)",
            "d.t: its columns are those of a query",
        ),
        ("CREATE TABLE t (SELECT 1)", "d.t: its columns are those of a query"),
        ("CREATE TABLE t (a int) START TRANSACTION", "d.t: a int"),
        (
            "CREATE TABLE t (a int, `select` int) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=latin1 \
             COLLATE=latin1_bin COMMENT='charset=utf8' PARTITION BY HASH(a) PARTITIONS 3",
            "d.t: a int; select int; charset latin1",
        ),
        ("CREATE TABLE t (a int) collate utf8mb4_bin", "d.t: a int; charset utf8mb4"),
        ("CREATE TABLE t (a int) WITH SYSTEM VERSIONING", "d.t: a int; versioned"),
        (
            "CREATE TABLE t (a int /*!50701 not null */) /*!50100 PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (5)) */",
            "d.t: a int set",
        ),
        ("CREATE TABLE `we``ird` (`a b` int, `日本` int)", "d.we`ird: a b int; 日本 int"),
        (
            "CREATE SEQUENCE s START WITH 5",
            "d.s: next_not_cached_value bigint set; minimum_value bigint set; maximum_value bigint set; start_value bigint set; increment bigint set; cache_size bigint unsigned set; cycle_option tinyint(1) unsigned set; cycle_count bigint set",
        ),
        ("CREATE VIEW t AS SELECT 1", "nothing"),
        ("CREATE DEFINER=`table`@`x` PROCEDURE p() CREATE TABLE t (a int)", "nothing"),
        ("INSERT INTO t VALUES (1)", "nothing"),
        ("CREATE TABLE t (a int", "d.t: a int"),
        ("CREATE TABLE t (a", "d.t: a part of the statement is not known"),
    ];
    for (text, expected) in cases {
        assert_eq!(short(read_by(None, text).as_ref()), expected, "{text}");
    }
    let text = "CREATE TABLE t (a int /*!50701 not null */, b int /*M!100100 not null */)";
    let of = |vendor| short(read_by(Some(vendor), text).as_ref());
    assert_eq!(of(Vendor::Mysql), "d.t: a int set; b int");
    assert_eq!(of(Vendor::MariaDb), "d.t: a int; b int set");
}

/// The clauses of an ALTER TABLE in few words.
fn clauses(text: &str) -> String {
    let Some(Definition::Alter { clauses, .. }) = read_by(None, &format!("ALTER TABLE t {text}"))
    else {
        return "nothing".to_owned();
    };
    let clause = |clause: &Clause| match clause {
        Clause::Add { column, if_not_exists } => {
            let exists = if *if_not_exists { " unless there" } else { "" };
            format!("add{exists} {} {:?}", column_in_short(&column.column), column.place)
        }
        Clause::Change { old, column, .. } => {
            format!("change {old} to {} {:?}", column_in_short(&column.column), column.place)
        }
        other => format!("{other:?}"),
    };
    clauses.iter().map(clause).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_clause_is_told_apart() {
    insta::assert_snapshot!(clauses(
        "ADD COLUMN a int DEFAULT 9, ADD (b int, c varchar(3), key (b)), ADD IF NOT EXISTS d int FIRST, \
         ADD e int AFTER `b`, DROP a, DROP COLUMN IF EXISTS b, CHANGE COLUMN a aa bigint unsigned FIRST, \
         MODIFY m text AFTER t.x, RENAME COLUMN a TO b, ALTER COLUMN a SET DEFAULT 'x', \
         ALTER a DROP DEFAULT, ALTER COLUMN a SET INVISIBLE, ALTER INDEX i INVISIBLE"
    ), @r#"
    add a int = Number("9") Unsaid
    add b int Unsaid
    add c varchar(3) Unsaid
    AddIndex(IndexDefinition { name: "", kind: Other, parts: [IndexPart { column: Some("b"), prefix: false }] })
    add unless there d int First
    add e int After("b")
    Drop { column: "a", if_exists: false }
    Drop { column: "b", if_exists: true }
    change a to aa bigint unsigned First
    change m to m text After("x")
    Rename { from: "a", to: "b", if_exists: false }
    Default { column: "a", default: Constant(Text("x")), if_exists: false }
    Default { column: "a", default: Absent, if_exists: false }
    Visible { column: "a", is_visible: false }
    "#);
    insta::assert_snapshot!(clauses(
        "ADD PRIMARY KEY (a, b(3)), ADD CONSTRAINT c UNIQUE (a), DROP PRIMARY KEY, DROP INDEX i, DROP KEY k, \
         DROP FOREIGN KEY f, DROP CONSTRAINT c, RENAME INDEX i TO j, ADD FOREIGN KEY (a) REFERENCES o (a), \
         ADD CONSTRAINT CHECK (a > 0), RENAME TO o.u, RENAME u, CONVERT TO CHARACTER SET utf8mb4, \
         DEFAULT CHARSET=latin1, COMMENT='x', ENGINE=InnoDB ROW_FORMAT=DYNAMIC, FORCE, ALGORITHM=INPLACE, \
         ADD SYSTEM VERSIONING, DROP SYSTEM VERSIONING, ORDER BY a, b DESC"
    ), @r#"
    AddIndex(IndexDefinition { name: "", kind: Primary, parts: [IndexPart { column: Some("a"), prefix: false }, IndexPart { column: Some("b"), prefix: true }] })
    AddIndex(IndexDefinition { name: "c", kind: Unique, parts: [IndexPart { column: Some("a"), prefix: false }] })
    DropIndex("PRIMARY")
    DropIndex("i")
    DropIndex("k")
    DropIndex("c")
    RenameIndex { from: "i", to: "j" }
    RenameTable(TableName { database: "o", table: "u" })
    RenameTable(TableName { database: "d", table: "u" })
    Convert(Some("utf8mb4"))
    Charset("latin1")
    Versioned(true)
    Versioned(false)
    "#);
}

#[test]
fn clauses_about_partitions_move_rows_or_do_nothing() {
    let cases = [
        (
            "ADD PARTITION (PARTITION p VALUES LESS THAN (5))",
            r#"Partitions(Added(Range([("p", Some(5))])))"#,
        ),
        ("ADD PARTITION PARTITIONS 2", "Partitions(By(None))"),
        (
            "REORGANIZE PARTITION a, b INTO (PARTITION c VALUES LESS THAN (1))",
            "Partitions(By(None))",
        ),
        (
            "ADD COLUMN x int PARTITION BY HASH (x) PARTITIONS 3",
            "Partitions(By(Some(Partitioning { column: \"x\", rule: Hash { count: 3 } })))\nadd x int Unsaid",
        ),
        ("PARTITION BY RANGE (year(a)) (PARTITION p VALUES LESS THAN (5))", "Partitions(By(None))"),
        ("PARTITION BY HASH (a) PARTITIONS 2 (PARTITION x, PARTITION y)", "Partitions(By(None))"),
        ("PARTITION BY LINEAR HASH (a) PARTITIONS 2", "Partitions(By(None))"),
        (
            "PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (-5), PARTITION q VALUES LESS THAN MAXVALUE)",
            r#"Partitions(By(Some(Partitioning { column: "a", rule: Range([("p", Some(-5)), ("q", None)]) })))"#,
        ),
        (
            "PARTITION BY LIST (a) (PARTITION p VALUES IN (1, NULL) ENGINE = InnoDB)",
            r#"Partitions(By(Some(Partitioning { column: "a", rule: List([("p", [Some(1), None])]) })))"#,
        ),
        ("REMOVE PARTITIONING", "Partitions(By(None))"),
        ("ANALYZE PARTITION p, q", "Partitions(By(None))"),
        ("DROP PARTITION p, q", r#"Emptied { names: Some(["p", "q"]), drops: true }"#),
        ("TRUNCATE PARTITION ALL", "Emptied { names: None, drops: false }"),
        (
            "EXCHANGE PARTITION p WITH TABLE o WITHOUT VALIDATION",
            "Partitions(By(None))\nRows(\"rows of a partition change places with those of a table\")",
        ),
        (
            "CONVERT PARTITION p TO TABLE o",
            "Partitions(By(None))\nRows(\"a partition becomes a table, or a table a partition\")",
        ),
        ("DISCARD TABLESPACE", r#"Rows("the rows come from a file, or are gone")"#),
        ("FROBNICATE a", "Unread"),
        ("ADD COLUMN a", "Unread"),
    ];
    for (text, expected) in cases {
        assert_eq!(clauses(text), expected, "{text}");
    }
}

#[test]
fn other_statements_about_definitions_are_read() {
    let name = |table: &str| TableName::new("d", table);
    let cases = [
        (
            "RENAME TABLE a WAIT 5 TO b, b TO `c`",
            Some(Definition::Rename {
                pairs: vec![(name("a"), name("b")), (name("b"), name("c"))],
                if_exists: false,
            }),
        ),
        (
            "RENAME TABLE IF EXISTS a TO b",
            Some(Definition::Rename { pairs: vec![(name("a"), name("b"))], if_exists: true }),
        ),
        ("RENAME USER a TO b", None),
        (
            "CREATE OR REPLACE DATABASE o",
            Some(Definition::Database {
                name: "o".to_owned(),
                charset: None,
                made: Made::Replaced,
                if_not_exists: false,
            }),
        ),
        (
            "DROP TABLES IF EXISTS a, o.b CASCADE",
            Some(Definition::Drop(vec![name("a"), TableName::new("o", "b")])),
        ),
        ("DROP TEMPORARY TABLE a", None),
        ("DROP SCHEMA o", Some(Definition::DropDatabase("o".to_owned()))),
        (
            "DROP INDEX i ON t",
            Some(Definition::Alter {
                table: name("t"),
                clauses: vec![Clause::DropIndex("i".to_owned())],
            }),
        ),
        ("TRUNCATE t", Some(Definition::Truncate(name("t")))),
        ("DELETE FROM `d`.`m` /* generated by server */", Some(Definition::Truncate(name("m")))),
        (
            "ALTER DATABASE CHARACTER SET latin1",
            Some(Definition::Database {
                name: "d".to_owned(),
                charset: Some("latin1".to_owned()),
                made: Made::Before,
                if_not_exists: false,
            }),
        ),
        (
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `o` /*!40100 DEFAULT CHARACTER SET utf8mb4 */",
            Some(Definition::Database {
                name: "o".to_owned(),
                charset: Some("utf8mb4".to_owned()),
                made: Made::New,
                if_not_exists: true,
            }),
        ),
        (
            "SET STATEMENT max_statement_time=1 FOR TRUNCATE t",
            Some(Definition::Truncate(name("t"))),
        ),
        ("SET PASSWORD = 'x'", None),
        ("GRANT ALL ON *.* TO u", None),
    ];
    for (text, expected) in cases {
        assert_eq!(read_by(None, text), expected, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reading_stumble(text in "[a-zA-Z`'\"(),.;=@/*!#\\- \\n\\\\0-9]{0,80}") {
        for head in ["", "ALTER TABLE t ", "CREATE TABLE t (", "RENAME TABLE ", "CREATE TABLE t (a int default ", "DROP "] {
            let _ = read_by(None, &format!("{head}{text}"));
        }
    }
}
