//! The tests that need real servers, the real binary and real readers, as one binary. `make test` prepares what they
//! ask for and runs them; a test that misses something fails and says how to get it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what stands below a test fails it with a message"
)]

mod bad_files;
mod bad_plugins;
mod bad_servers;
mod chaos;
mod check;
mod definitions;
mod end_to_end;
mod full_disk;
mod live;
mod load;
mod merge_schema;
mod offline_cases;
mod plugin;
mod plugin_commands;
mod positions;
mod quickstart;
mod record;
mod recorded;
mod renamed_tables;
mod schema_history;
mod script;
mod whole_rows;
