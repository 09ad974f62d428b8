//! The five tables of the workload, the chain that they pass through, and the SQL that says what every target has to
//! hold. Host and plugins have no part in the latter.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::Expected;
use sluice_tests::sql::Sql;
use sluice_tests::workload::{Key, Table};

/// What the mask hashes with.
pub(crate) const SALT: &str = "pepper & salt";

const REGIONS: [&str; 4] = ["eu", "us", "asia", "moon"];

/// The tables' definitions; the same on both servers.
pub(crate) const SCHEMA: &str = "
CREATE TABLE accounts (
  id INT NOT NULL PRIMARY KEY, owner VARCHAR(40) NOT NULL, email VARCHAR(80), balance DECIMAL(12,2) NOT NULL,
  state ENUM('open','frozen','closed') NOT NULL, note TEXT, changed DATETIME(6));
CREATE TABLE events (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY, region VARCHAR(8) NOT NULL, kind TINYINT NOT NULL,
  seen TIMESTAMP(6) NOT NULL DEFAULT '2026-01-01 00:00:00', payload VARBINARY(40));
CREATE TABLE devices (
  vendor SMALLINT UNSIGNED NOT NULL, serial VARCHAR(20) COLLATE utf8mb4_bin NOT NULL, firmware VARCHAR(20),
  weight DECIMAL(30,10), PRIMARY KEY (vendor, serial));
CREATE TABLE people (
  id INT UNSIGNED NOT NULL PRIMARY KEY, email VARCHAR(80), name VARCHAR(60) NOT NULL, born DATE, doc JSON);
CREATE TABLE order_lines (
  order_id INT NOT NULL, line_no SMALLINT NOT NULL, sku VARCHAR(20) NOT NULL, qty INT, PRIMARY KEY (order_id, line_no));
";

/// The chain: a filter whose columns change, a route that moves rows between targets, a computed key, two masks, a rename.
pub(crate) fn chain(pipeline: Pipeline, database: &str) -> Pipeline {
    let table = |name: &str| format!("{database}.{name}");
    let hash = "{ name = \"email\", how = \"hash\" }";
    let salt = format!("salt = \"{SALT}\"\n");
    let filter = "where = \"balance >= 0 and state <> 'closed'\"";
    let rename = "columns = { owner = \"holder\" }\ndrop = [\"note\"]";
    let route = "set = { table = \"events_{column:region}\" }";
    let key =
        "computed = { name = \"device\", columns = [\"vendor\", \"serial\"], how = \"concat\" }";
    let mask =
        format!("{salt}columns = [{hash}, {{ name = \"name\", how = \"truncate\", length = 3 }}]");
    pipeline
        .plugin("solvent", "filter", &table("accounts"), filter)
        .plugin("mask-accounts", "mask", &table("accounts"), &format!("{salt}columns = [{hash}]"))
        .plugin("rename-accounts", "rename", &table("accounts"), rename)
        .plugin("by-region", "route", &table("events"), route)
        .plugin("device-key", "id-columns", &table("devices"), key)
        .plugin("mask-people", "mask", &table("people"), &mask)
        .plugin(
            "rename-lines",
            "rename",
            &table("order_lines"),
            "columns = { qty = \"quantity\" }\norder = [\"sku\"]",
        )
        .with(&format!("[[table]]\nmatch = \"{}\"\ntrust-ids = true", table("devices")))
}

/// What every target has to hold, worked out by the server.
pub(crate) fn expected(sql: &mut Sql, database: &str) -> Expected {
    let mut expected = Expected::new();
    let hash = |column: &str| format!("SHA2(CONCAT('{SALT}', CHAR(0), {column}), 256)");
    let mut target = |name: &str, query: &str| {
        expected.insert(format!("{database}/{name}"), sql.rows(query));
    };
    target(
        "accounts",
        &format!(
            "SELECT id, owner AS holder, {} AS email, balance, state, changed FROM accounts \
         WHERE balance >= 0 AND state <> 'closed'",
            hash("email")
        ),
    );
    for region in REGIONS {
        target(
            &format!("events_{region}"),
            &format!(
                "SELECT id, region, kind, seen, HEX(payload) AS payload FROM events WHERE region = '{region}'"
            ),
        );
    }
    target(
        "devices",
        "SELECT CONCAT(LENGTH(vendor), ':', vendor, ',', LENGTH(serial), ':', serial, ',') AS device, vendor, serial, firmware, weight FROM devices",
    );
    target(
        "people",
        &format!(
            "SELECT id, {} AS email, LEFT(name, 3) AS name, born, doc FROM people",
            hash("email")
        ),
    );
    target("order_lines", "SELECT sku, order_id, line_no, qty AS quantity FROM order_lines");
    expected
}

/// The tables as the workload sees them.
pub(crate) fn tables() -> Vec<Table> {
    let accounts = Table {
        name: "accounts",
        key: &["id"],
        random_key: |dice| number_key(dice, 300),
        waiting_key: &["-1"],
        random_values: |dice| {
            vec![
                ("owner", text(dice, &["Ada", "Søren", "日本", "O''Neil", ""])),
                (
                    "email",
                    or_null(dice, |d| format!("'user{}@example.com'", d.random_range(0..50))),
                ),
                (
                    "balance",
                    format!("{}.{:02}", dice.random_range(-500..5000), dice.random_range(0..100)),
                ),
                ("state", text(dice, &["open", "open", "frozen", "closed"])),
                ("note", or_null(dice, |d| format!("REPEAT('n', {})", d.random_range(0..300)))),
                ("changed", or_null(dice, moment)),
            ]
        },
    };
    let events = Table {
        name: "events",
        key: &["id"],
        // Above what a signed number holds.
        random_key: |dice| {
            vec![(18_446_744_073_709_551_000_u64 + dice.random_range(1..400)).to_string()]
        },
        waiting_key: &["1"],
        random_values: |dice| {
            vec![
                ("region", text(dice, &REGIONS)),
                ("kind", dice.random_range(-128..128).to_string()),
                ("seen", moment(dice)),
                (
                    "payload",
                    or_null(dice, |d| format!("X'{:010X}00'", d.random_range(0..1_u64 << 40))),
                ),
            ]
        },
    };
    let devices = Table {
        name: "devices",
        key: &["vendor", "serial"],
        random_key: |dice| {
            let serial = text(
                dice,
                &["a1", "A1", "b2", "B2", "x:1", "1", "11", "ü", "long-serial-number-1"],
            );
            vec![dice.random_range(1..25).to_string(), serial]
        },
        waiting_key: &["0", "'waiting'"],
        random_values: |dice| {
            let weight = |d: &mut StdRng| {
                format!("{}.{:010}", d.random_range(0..1_u64 << 60), d.random_range(0..1_u32 << 30))
            };
            vec![
                ("firmware", or_null(dice, |d| format!("'v{}'", d.random_range(0..9)))),
                ("weight", or_null(dice, weight)),
            ]
        },
    };
    let people = Table {
        name: "people",
        key: &["id"],
        random_key: |dice| number_key(dice, 250),
        waiting_key: &["4294967295"],
        random_values: |dice| {
            let doc = |d: &mut StdRng| {
                format!("'{{\"a\": {}, \"b\": [true, null, \"x\"]}}'", d.random_range(0..99))
            };
            vec![
                ("email", or_null(dice, |d| format!("'p{}@example.com'", d.random_range(0..40)))),
                ("name", text(dice, &["Chloé", "Jürgen Müller", "日本語の名前", "Al", "🦀🦀🦀🦀"])),
                (
                    "born",
                    or_null(dice, |d| {
                        format!(
                            "'{:04}-{:02}-{:02}'",
                            d.random_range(1000..9999),
                            d.random_range(1..13),
                            d.random_range(1..29)
                        )
                    }),
                ),
                ("doc", or_null(dice, doc)),
            ]
        },
    };
    let lines = Table {
        name: "order_lines",
        key: &["order_id", "line_no"],
        random_key: |dice| {
            vec![dice.random_range(1..40).to_string(), dice.random_range(1..8).to_string()]
        },
        waiting_key: &["-1", "-1"],
        random_values: |dice| {
            vec![
                ("sku", text(dice, &["TEA", "MUG", "KETTLE"])),
                ("qty", or_null(dice, |d| d.random_range(-5..50).to_string())),
            ]
        },
    };
    vec![accounts, events, devices, people, lines]
}

fn number_key(dice: &mut StdRng, end: u32) -> Key {
    vec![dice.random_range(1..end).to_string()]
}

fn text(dice: &mut StdRng, choices: &[&str]) -> String {
    format!("'{}'", choices.choose(dice).copied().unwrap_or_default())
}

fn or_null(dice: &mut StdRng, value: impl FnOnce(&mut StdRng) -> String) -> String {
    if dice.random_bool(0.2) { "NULL".into() } else { value(dice) }
}

fn moment(dice: &mut StdRng) -> String {
    let day = format!(
        "{:04}-{:02}-{:02}",
        dice.random_range(1971..2037),
        dice.random_range(1..13),
        dice.random_range(1..29)
    );
    let micros = dice.random_range(0..86_400_000_000_u64);
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    format!(
        "'{day} {:02}:{:02}:{:02}.{micros:06}'",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
