//! The mechanical part of how the code reads: rules over the text of one file, each giving its findings as
//! `path:line: what is wrong`. It judges text only and never builds or runs anything.

/// Lines that a source file may have, its tests included.
pub const SOURCE_LINES_MAX: usize = 600;
/// Lines of the page that explains the house.
pub const ARCHITECTURE_LINES_MAX: usize = 200;

/// What a file of code must not hold, and why. Each is written in two pieces, so that this file passes.
const FORBIDDEN: [(&str, &str, &str); 12] = [
    ("todo", "!(", "finish it, or stop with an error that names the remedy"),
    ("unimplemented", "!(", "finish it, or stop with an error that names the remedy"),
    ("dbg", "!(", "log it with tracing"),
    ("#[al", "low(", "write #[expect(lint, reason = \"..\")]"),
    ("#![al", "low(", "write #![expect(lint, reason = \"..\")]"),
    ("#[ign", "ore", "a test runs or is not there"),
    ("TO", "DO", "say where it is tracked, or do it"),
    ("FIX", "ME", "say where it is tracked, or do it"),
    ("/ro", "ot/", "a path of one machine"),
    ("/wo", "rk/", "a path of one machine"),
    ("/tmp/br", "ief", "a path of one machine"),
    ("hel", "per", "call it by what it does"),
];

const FORBIDDEN_NAMES: [&str; 6] =
    ["utils.rs", "common.rs", concat!("hel", "pers.rs"), "manager.rs", "types.rs", "mod.rs"];

/// Findings in one file of code (`.rs`, `.py`, `.sh`).
#[must_use]
pub fn source(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let name = path.rsplit('/').next().unwrap_or(path);
    if FORBIDDEN_NAMES.contains(&name) {
        found.push(format!("{path}: a file is named after what it holds, not `{name}`"));
    }
    let lines = text.lines().count();
    if lines > SOURCE_LINES_MAX {
        found.push(format!("{path}: {lines} lines, {SOURCE_LINES_MAX} at most"));
    }
    if !opens_with_docs(path, text) {
        found.push(format!("{path}:1: open with what the file is"));
    }
    // What a generator writes into a module trips other lints with each of its versions.
    let generated = text.contains("wit_bindgen::generate!");
    for (number, line) in (1..).zip(text.lines()) {
        let excused = |a: &str| generated && a == "#![al";
        let hits =
            FORBIDDEN.iter().filter(|(a, b, _)| !excused(a) && line.contains(&format!("{a}{b}")));
        found.extend(hits.map(|(a, b, why)| format!("{path}:{number}: `{a}{b}`: {why}")));
    }
    found
}

/// Sleeping in a test hides what it waits for.
#[must_use]
pub fn test_waits(path: &str, text: &str) -> Vec<String> {
    let sleeps = (1..).zip(text.lines()).filter(|(_, line)| line.contains(concat!("sleep", "(")));
    sleeps
        .map(|(n, _)| format!("{path}:{n}: wait for a marker or a line, not for a time"))
        .collect()
}

fn opens_with_docs(path: &str, text: &str) -> bool {
    let after_shebang = |text: &str| match text.strip_prefix("#!/") {
        Some(rest) => rest.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default(),
        None => text.to_owned(),
    };
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rs") => text.starts_with("//! ") && text.lines().next().is_some_and(|l| l.len() > 12),
        Some("py") => after_shebang(text).starts_with("\"\"\""),
        _ => after_shebang(text).starts_with("# "),
    }
}

/// Findings in a member's `Cargo.toml`: a version belongs to the root manifest.
#[must_use]
pub fn member_manifest(path: &str, manifest: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    for (section, name, value) in dependencies(manifest) {
        let inherits = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
        if !inherits {
            found.push(format!("{path}: [{section}] {name}: write `{name}.workspace = true`"));
        }
    }
    found
}

/// Every dependency of a manifest: section, name, value.
pub fn dependencies(manifest: &toml::Table) -> Vec<(String, String, &toml::Value)> {
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut found = Vec::new();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flatten().filter_map(|(_, t)| t.as_table());
    for table in std::iter::once(manifest).chain(tables) {
        for section in sections {
            let entries = table.get(section).and_then(toml::Value::as_table);
            for (name, value) in entries.into_iter().flatten() {
                found.push((section.to_owned(), name.clone(), value));
            }
        }
    }
    found
}

/// What a crate of the house must never link, its tests included: the house's directions and its doors.
#[must_use]
pub fn forbidden_dependencies(package: &str) -> &'static [&'static str] {
    match package {
        "sluice-change" => &[
            "tokio",
            "wasmtime",
            "deltalake",
            "object_store",
            "mysql_async",
            "mysql_cdc",
            "binlog",
            "plugin",
            "lake",
            "sluice",
        ],
        "sluice-binlog" => &["wasmtime", "deltalake", "object_store", "plugin", "lake", "sluice"],
        "sluice-plugin" => {
            &["deltalake", "object_store", "mysql_async", "mysql_cdc", "binlog", "lake", "sluice"]
        }
        "sluice-lake" => &["wasmtime", "mysql_async", "mysql_cdc", "binlog", "plugin", "sluice"],
        name if name.starts_with("sluice-plugin-") => {
            &["change", "binlog", "plugin", "lake", "sluice"]
        }
        _ => &[],
    }
}

/// Links of a page to files of the tree that are not there. `exists` takes a path from the root.
#[must_use]
pub fn page_links(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let foreign = target.contains("://") || target.starts_with("mailto:");
            if target.is_empty() || foreign {
                continue;
            }
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            match resolve(folder, target) {
                Some(file) if exists(&file) => {}
                _ => found.push(format!("{path}:{number}: the link to `{target}` leads nowhere")),
            }
        }
    }
    found
}

/// The lines of a page outside of its fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    })
}

/// `folder/target` with `.` and `..` worked out; none where it leaves the root.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

/// The commands of a page's fenced blocks marked `sh`: line number and command, without comments and prompts.
#[must_use]
pub fn shell_commands(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut inside, mut goes_on) = (Vec::new(), false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            inside = !inside && trimmed == "```sh";
            continue;
        }
        let command = trimmed.strip_prefix("$ ").unwrap_or(trimmed);
        if inside && !goes_on && !command.is_empty() && !command.starts_with('#') {
            found.push((number, command.to_owned()));
        }
        goes_on = inside && trimmed.ends_with('\\');
    }
    found
}

/// Whether a command of a page starts with something that exists: a target of the Makefile, a command of `sluice`, a
/// file of the tree or a program that everyone has.
#[must_use]
pub fn known_command(command: &str, make_targets: &[&str], exists: &dyn Fn(&str) -> bool) -> bool {
    const SLUICE: [&str; 6] = ["run", "check", "inspect", "test", "plugin", "table"];
    const PROGRAMS: [&str; 16] = [
        "cargo",
        "cd",
        "componentize-py",
        "cp",
        "rustup",
        "git",
        "go",
        "export",
        "mysql",
        "mariadb",
        "mkdir",
        "ls",
        "node",
        "npm",
        "pip",
        "python3",
    ];
    let mut words = command.split_whitespace().skip_while(|word| is_assignment(word));
    let (program, next) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match program.rsplit('/').next().unwrap_or_default() {
        "make" => make_targets.contains(&next),
        "sluice" => SLUICE.contains(&next) || next.starts_with("--"),
        name => PROGRAMS.contains(&name) || (program.contains('/') && exists(program)),
    }
}

fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// The targets of a Makefile.
#[must_use]
pub fn make_targets(makefile: &str) -> Vec<&str> {
    let name = |line: &'_ str| line.split_once(':').map(|(name, _)| name.len());
    makefile
        .lines()
        .filter(|l| l.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| name(line).and_then(|end| line.get(..end)))
        .filter(|name| !name.contains(' '))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_is() {
        let cases = [
            ("a.rs", "//! What this file is for.\n", true),
            ("a.rs", "//! x\n", false),
            ("a.rs", "use std::fmt;\n", false),
            ("a.py", "#!/usr/bin/env python3\n\"\"\"What.\"\"\"\n", true),
            ("a.py", "import os\n", false),
            ("a.sh", "#!/usr/bin/env bash\n# What.\n", true),
            ("a.sh", "#!/usr/bin/env bash\nset -e\n", false),
        ];
        for (path, text, good) in cases {
            assert_eq!(source(path, text).is_empty(), good, "{path} {text:?}");
        }
    }

    #[test]
    fn what_must_not_be_there_is_named_with_its_line() {
        let text = concat!("//! What this file is.\nfn f() {\n    to", "do!()\n}\n");
        assert_eq!(source("a.rs", text).len(), 1, "{:?}", source("a.rs", text));
        assert!(source("a.rs", text).concat().starts_with("a.rs:3: "));
        assert!(!source("src/utils.rs", "//! What this file is.\n").is_empty());
        let long = "//! What this file is.\n".repeat(SOURCE_LINES_MAX + 1);
        assert_eq!(source("a.rs", &long), ["a.rs: 601 lines, 600 at most"]);
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        let bad: toml::Table =
            "[dependencies]\nserde = \"1\"\nurl.workspace = true".parse().expect("toml");
        assert_eq!(
            member_manifest("x/Cargo.toml", &bad),
            ["x/Cargo.toml: [dependencies] serde: write `serde.workspace = true`"]
        );
    }

    #[test]
    fn a_link_leads_somewhere() {
        let exists = |path: &str| path == "docs/guide/plugins.md" || path == "README.md";
        let page = "[a](guide/plugins.md#x) [b](../README.md) [c](gone.md) [d](https://x.org) [e](#here)\n```\n[f](no.md)\n```\n";
        assert_eq!(
            page_links("docs/index.md", page, &exists),
            ["docs/index.md:1: the link to `gone.md` leads nowhere"]
        );
        assert_eq!(page_links("a.md", "[x](../../etc)", &exists).len(), 1);
    }

    #[test]
    fn commands_are_taken_from_blocks_of_shell_alone() {
        let page = "```sh\n$ make demo\n# a remark\nsluice run a.toml \\\n  --until-end\n```\n```toml\nrm = 1\n```\n";
        let commands = shell_commands(page);
        assert_eq!(commands, [(2, "make demo".to_owned()), (4, "sluice run a.toml \\".to_owned())]);
        let known = |c| known_command(c, &["demo"], &|p| p == "scripts/servers.sh");
        for good in [
            "make demo",
            "A=b make demo",
            "target/debug/sluice check x",
            "scripts/servers.sh fetch x",
        ] {
            assert!(known(good), "{good}");
        }
        for bad in ["make nothing", "sluice fly", "curl x | sh", "scripts/gone.sh"] {
            assert!(!known(bad), "{bad}");
        }
    }
}
