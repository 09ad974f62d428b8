//! A connection that is cut, truncated and stalled at random places while a workload runs: nothing is lost, nothing is
//! doubled. `SLUICE_CHAOS` names the number of faults on each server; a long run asks for more.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sluice_tests::manifest::Pipeline;
use sluice_tests::oracle::{self, Expected};
use sluice_tests::proxy::{Fault, Proxy};
use sluice_tests::report;
use sluice_tests::servers::{self, Kind};
use sluice_tests::workload::{Table, Workload};

/// Faults on each server where nobody says otherwise.
const FAULTS: u32 = 10;
/// Transactions that may pass before a fault has met the connection: a reader that waits to connect again needs some.
const TRANSACTIONS_MAX: u32 = 20_000;
/// Bytes from the server between two faults, at most.
const BYTES_MAX: usize = 30_000;

const SCHEMA: &str =
    "CREATE TABLE numbered (id INT NOT NULL PRIMARY KEY, v VARCHAR(200), n BIGINT)";

#[test]
fn a_bad_connection_to_mysql_loses_nothing() {
    a_bad_connection_loses_nothing(Kind::Mysql, 62_001);
}

#[test]
fn a_bad_connection_to_mariadb_loses_nothing() {
    a_bad_connection_loses_nothing(Kind::Mariadb, 62_002);
}

fn a_bad_connection_loses_nothing(kind: Kind, server_id: u32) {
    let seed = std::env::var("SLUICE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(41);
    let faults =
        std::env::var("SLUICE_CHAOS").ok().and_then(|text| text.parse().ok()).unwrap_or(FAULTS);
    let server = servers::shared(kind);
    let (database, mut sql) = server.database("chaos");
    let start = sql.log_end();
    sql.run(SCHEMA);
    let proxy = Proxy::before(&server.address);
    let pipeline = Pipeline::new("chaos")
        .from_server(&proxy.address, server_id, &start, &format!("{database}.*"))
        .written();
    let mut workload = Workload::new(vec![numbered()], seed);
    let mut dice = StdRng::seed_from_u64(seed);
    let mut running = pipeline.call("run").with("SLUICE_MARKERS", "/dev/stderr").start();
    sql.run("INSERT INTO numbered VALUES (0, 'first', 0)");
    running.wait_for("commit.end");
    for fault in 0..faults {
        let kind = match dice.random_range(0..3) {
            0 => Fault::Cut,
            1 => Fault::Truncate,
            _ => Fault::Stall(Duration::from_millis(dice.random_range(20..1500))),
        };
        proxy.strike(kind, dice.random_range(1..BYTES_MAX));
        let mut transactions = 0;
        while !proxy.has_struck() {
            assert!(transactions < TRANSACTIONS_MAX, "fault {fault} ({kind:?}) met no connection");
            for statement in workload.transaction() {
                sql.run(&statement);
            }
            transactions += 1;
        }
    }
    running.interrupt();
    let outcome = running.end().done();
    // What the run had not come to, without the proxy.
    let _ = pipeline.until_end().run().done();
    let rows = sql.rows("SELECT id, v, n FROM numbered");
    let expected = Expected::from([(format!("{database}/numbered"), rows)]);
    match oracle::compare(&pipeline.lake(), &expected) {
        Ok(compared) => report(&format!(
            "chaos before {}: seed {seed}, {faults} faults, {compared:?}",
            kind.name()
        )),
        Err(differences) => panic!("seed {seed}: {differences}\n{}", outcome.stderr),
    }
}

fn numbered() -> Table {
    Table {
        name: "numbered",
        key: &["id"],
        random_key: |dice| vec![dice.random_range(1..400).to_string()],
        waiting_key: &["-1"],
        random_values: |dice| {
            let text = "x".repeat(dice.random_range(0..180));
            vec![("v", format!("'{text}'")), ("n", dice.random::<i64>().to_string())]
        },
    }
}
