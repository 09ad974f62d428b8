//! Logs to measure on, recorded once from a real MySQL server and kept beside the build.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sluice_tests::checkout;
use sluice_tests::servers::{Kind, Server};
use sluice_tests::sql::Sql;

/// Raised when a log's recipe changes.
const VERSION: u32 = 1;

/// Rows that one statement inserts.
const ROWS_A_STATEMENT: u32 = 5_000;

/// A log and what makes it. `{10: a #, b #}` in a statement stands for the list ten times over, with `#` counting
/// from 0.
struct Recipe {
    name: &'static str,
    tables: &'static [&'static str],
    /// Inserts rows `{first}` to `{last}`.
    insert: &'static str,
    /// Runs after the inserts.
    then: &'static [&'static str],
    rows: u32,
    bytes_min: u64,
}

const NUMBERS: &str = "CREATE TABLE numbers (n INT PRIMARY KEY)";

const SYSBENCH_TABLE: &str = "CREATE TABLE sbtest1 (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL DEFAULT 0, c CHAR(120) NOT NULL DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '')";

/// sysbench's table and its rows: inserts, and an update of one in eight.
const SYSBENCH: Recipe = Recipe {
    name: "sysbench",
    tables: &[SYSBENCH_TABLE],
    insert: "INSERT INTO sbtest1 (k, c, pad) SELECT FLOOR(RAND(n) * 1000000), CONCAT_WS('-', LEFT(SHA2(n, 224), 40), LEFT(SHA2(n + 1, 224), 40), LEFT(SHA2(n, 256), 37)), CONCAT_WS('-', LEFT(SHA2(n, 256), 32), LEFT(SHA2(n, 224), 26)) FROM numbers WHERE n BETWEEN {first} AND {last}",
    then: &["UPDATE sbtest1 SET k = k + 1 WHERE id % 8 = 0"],
    rows: 1_400_000,
    bytes_min: 300 << 20,
};

/// Inserts only: what a pipeline's rate is measured on.
const INSERTS: Recipe = Recipe { name: "inserts", then: &[], rows: 1_700_000, ..SYSBENCH };

/// Twenty columns of mixed types: inserts, updates of one in four, deletes of one in ten.
const MIXED: Recipe = Recipe {
    name: "mixed",
    tables: &[
        "CREATE TABLE mixed (id BIGINT NOT NULL PRIMARY KEY, tiny TINYINT, small SMALLINT UNSIGNED, medium MEDIUMINT UNSIGNED, plain INT, big BIGINT UNSIGNED, price DECIMAL(12,2), exact DECIMAL(30,10), ratio DOUBLE, part FLOAT, day DATE, at DATETIME(6), seen TIMESTAMP(3) NULL, took TIME(2), year YEAR, name VARCHAR(100), note TEXT, raw VARBINARY(40), kind ENUM('new','paid','sent','gone'), flags SET('a','b','c','d'))",
    ],
    insert: "INSERT INTO mixed SELECT n, n % 127, n % 60000, n % 8000000, n * 7 - 100000, n * 1234567, n / 7, n * 1.0000012345, n * 0.731, n * 0.25, DATE_ADD('2001-01-01', INTERVAL n % 9000 DAY), DATE_ADD('2020-01-01 00:00:00.123456', INTERVAL n SECOND), FROM_UNIXTIME(1500000000 + n % 100000000), SEC_TO_TIME(n % 80000), 1950 + n % 150, CONCAT('name of number ', n), IF(n % 5 = 0, NULL, REPEAT(LEFT(SHA2(n, 256), 32), 1 + n % 3)), UNHEX(LEFT(SHA2(n, 224), 40)), 1 + n % 4, n % 16 FROM numbers WHERE n BETWEEN {first} AND {last}",
    then: &[
        "UPDATE mixed SET price = price + 1, note = CONCAT('changed ', id) WHERE id % 4 = 0",
        "DELETE FROM mixed WHERE id % 10 = 3",
    ],
    rows: 400_000,
    bytes_min: 80 << 20,
};

/// A hundred columns of the types that wide tables have; inserts, and an update of one in five.
const WIDE: Recipe = Recipe {
    name: "wide",
    tables: &[
        "CREATE TABLE wide (id BIGINT NOT NULL PRIMARY KEY, {10: n# INT, b# BIGINT, p# DECIMAL(14,4), r# DOUBLE, v# VARCHAR(30), c# CHAR(12), d# DATE, a# DATETIME(3), s# TIMESTAMP NULL, t# TINYINT})",
    ],
    insert: "INSERT INTO wide SELECT n, {10: n * #, n * 1000 + #, n / (# + 7), n * 0.731, CONCAT('value ', n, ' of #'), LEFT(SHA2(n + #, 224), 12), DATE_ADD('2001-01-01', INTERVAL (n + #) % 9000 DAY), DATE_ADD('2020-01-01 00:00:00.123', INTERVAL n SECOND), IF(n % 10 = #, NULL, FROM_UNIXTIME(1500000000 + n)), (n + #) % 127} FROM numbers WHERE n BETWEEN {first} AND {last}",
    then: &["UPDATE wide SET n0 = n0 + 1, v5 = CONCAT('changed ', id) WHERE id % 5 = 0"],
    rows: 90_000,
    bytes_min: 60 << 20,
};

/// sysbench's table, a transaction for every row: what an application writes.
const ONE_ROW: Recipe = Recipe {
    name: "one-row",
    tables: &[
        SYSBENCH_TABLE,
        "CREATE PROCEDURE fill(IN first INT, IN last INT) BEGIN WHILE first <= last DO INSERT INTO sbtest1 (k, c, pad) VALUES (first, CONCAT(SHA2(first, 256), LEFT(SHA2(first, 224), 50)), LEFT(SHA2(first, 256), 58)); SET first = first + 1; END WHILE; END",
    ],
    insert: "CALL fill({first}, {last})",
    then: &[],
    rows: 250_000,
    bytes_min: 100 << 20,
};

/// Of [`SYSBENCH`] what a server sends in a second or two.
const STREAM: Recipe = Recipe { name: "stream", then: &[], rows: 600_000, ..SYSBENCH };

/// The log of a sysbench-like table, at least 300 MB.
pub(crate) fn sysbench() -> Result<PathBuf> {
    log(&SYSBENCH)
}

/// The log of a table with twenty mixed columns.
pub(crate) fn mixed() -> Result<PathBuf> {
    log(&MIXED)
}

/// The log of a table with a hundred columns.
pub(crate) fn wide() -> Result<PathBuf> {
    log(&WIDE)
}

/// The log of transactions of one row each.
pub(crate) fn one_row() -> Result<PathBuf> {
    log(&ONE_ROW)
}

/// A server whose newest log but one holds inserts into a sysbench-like table, and that log's name.
pub(crate) fn streaming() -> Result<(Server, String)> {
    let server = start();
    let file = fill(&STREAM, &server)?;
    Ok((server, file))
}

/// The log of inserts into a sysbench-like table, at least 300 MB.
pub(crate) fn inserts() -> Result<PathBuf> {
    log(&INSERTS)
}

fn log(recipe: &Recipe) -> Result<PathBuf> {
    let folder = checkout::root().join("target/bench/logs");
    let path = folder.join(format!("{}-v{VERSION}.000001", recipe.name));
    if !path.exists() {
        fs::create_dir_all(&folder)?;
        crate::say(&format!("recording {} (once) …", path.display()));
        record(recipe, &path).with_context(|| format!("recording {}", recipe.name))?;
    }
    let bytes = fs::metadata(&path)?.len();
    if bytes < recipe.bytes_min {
        bail!(
            "{} has {bytes} bytes, {} are needed: raise its rows",
            path.display(),
            recipe.bytes_min
        );
    }
    Ok(path)
}

fn record(recipe: &Recipe, path: &Path) -> Result<()> {
    let server = start();
    let file = fill(recipe, &server)?;
    let part = path.with_extension("part");
    fs::copy(server.data().join(&file), &part)?;
    fs::rename(&part, path)?;
    Ok(())
}

fn start() -> Server {
    Server::start(
        Kind::Mysql,
        &["--max-binlog-size=1G", "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0"],
    )
}

/// Has a server write a log; returns its name.
fn fill(recipe: &Recipe, server: &Server) -> Result<String> {
    let mut sql = server.sql();
    sql.run("CREATE DATABASE bench");
    sql.run("USE bench");
    fill_numbers(&mut sql, recipe.rows);
    sql.run("FLUSH BINARY LOGS");
    for statement in recipe.tables {
        sql.run(&repeated(statement));
    }
    let (file, _) = sql.log_end();
    let insert = repeated(recipe.insert);
    for first in (1..=recipe.rows).step_by(ROWS_A_STATEMENT as usize) {
        let last = (first + ROWS_A_STATEMENT - 1).min(recipe.rows);
        let insert = insert.replace("{first}", &first.to_string());
        sql.run(&insert.replace("{last}", &last.to_string()));
    }
    for statement in recipe.then {
        sql.run(statement);
    }
    let (end, _) = sql.log_end();
    sql.run("FLUSH BINARY LOGS");
    if end != file {
        bail!("the log was rotated while it was recorded");
    }
    Ok(file)
}

/// A statement with its list written out.
fn repeated(statement: &str) -> String {
    let Some((front, rest)) = statement.split_once("{10:") else { return statement.to_owned() };
    let (list, behind) = rest.split_once('}').unwrap_or((rest, ""));
    let lists = (0..10).map(|number| list.trim().replace('#', &number.to_string()));
    format!("{front}{}{behind}", lists.collect::<Vec<_>>().join(", "))
}

fn fill_numbers(sql: &mut Sql, rows: u32) {
    sql.run("SET sql_log_bin = 0");
    sql.run(NUMBERS);
    sql.run("INSERT INTO numbers VALUES (1)");
    let mut count = 1u64;
    while count < u64::from(rows) {
        sql.run(&format!("INSERT INTO numbers SELECT n + {count} FROM numbers"));
        count *= 2;
    }
    sql.run("SET sql_log_bin = 1");
}
