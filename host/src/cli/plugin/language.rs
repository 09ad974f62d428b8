//! The languages of plugins: the files that a new plugin begins with, and the commands that build it. The files are
//! those of `guest-sdk`, put into the program when it is built, so that a new plugin needs no network for its SDK.

use std::path::Path;

/// A language that has an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    /// Rust, with cargo.
    Rust,
    /// Go, 1.24 or newer.
    Go,
    /// C, with Zig's compiler or clang.
    C,
    /// JavaScript, with componentize-qjs.
    Js,
    /// Python, with componentize-py.
    Python,
}

/// A file of a new plugin: its path, and its text.
pub(super) type File = (&'static str, &'static str);

/// A command that builds a plugin, and what to do where its program is missing.
pub(super) struct Build {
    /// The program and its arguments, the ways to call it in the order in which they are tried.
    pub(super) ways: Vec<Vec<String>>,
    /// Variables for it.
    pub(super) environment: Vec<(&'static str, &'static str)>,
    /// The file that it writes, below the plugin's folder.
    pub(super) built: String,
    /// How to get the program.
    pub(super) remedy: &'static str,
}

macro_rules! files {
    ($(($to:literal, $from:literal)),* $(,)?) => {
        &[$(($to, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../", $from)))),*]
    };
}

const RUST: &[File] = files![
    ("Cargo.toml", "guest-sdk/templates/rust/Cargo.toml.in"),
    ("src/lib.rs", "guest-sdk/templates/rust/src/lib.rs"),
    ("sdk/sluice-guest/Cargo.toml", "guest-sdk/templates/rust/sdk.toml.in"),
    ("sdk/sluice-guest/src/abi.rs", "guest-sdk/rust/src/abi.rs"),
    ("sdk/sluice-guest/src/batch.rs", "guest-sdk/rust/src/batch.rs"),
    ("sdk/sluice-guest/src/bitmap.rs", "guest-sdk/rust/src/bitmap.rs"),
    ("sdk/sluice-guest/src/builder.rs", "guest-sdk/rust/src/builder.rs"),
    ("sdk/sluice-guest/src/calendar.rs", "guest-sdk/rust/src/calendar.rs"),
    ("sdk/sluice-guest/src/column.rs", "guest-sdk/rust/src/column.rs"),
    ("sdk/sluice-guest/src/config.rs", "guest-sdk/rust/src/config.rs"),
    ("sdk/sluice-guest/src/decimal.rs", "guest-sdk/rust/src/decimal.rs"),
    ("sdk/sluice-guest/src/edit.rs", "guest-sdk/rust/src/edit.rs"),
    ("sdk/sluice-guest/src/failure.rs", "guest-sdk/rust/src/failure.rs"),
    ("sdk/sluice-guest/src/instance.rs", "guest-sdk/rust/src/instance.rs"),
    ("sdk/sluice-guest/src/lib.rs", "guest-sdk/rust/src/lib.rs"),
    ("sdk/sluice-guest/src/log.rs", "guest-sdk/rust/src/log.rs"),
    ("sdk/sluice-guest/src/plan.rs", "guest-sdk/rust/src/plan.rs"),
    ("sdk/sluice-guest/src/schema.rs", "guest-sdk/rust/src/schema.rs"),
    ("sdk/sluice-guest/src/testing.rs", "guest-sdk/rust/src/testing.rs"),
    ("sdk/sluice-guest/src/testing/literal.rs", "guest-sdk/rust/src/testing/literal.rs"),
    ("sdk/sluice-guest/src/value.rs", "guest-sdk/rust/src/value.rs"),
    ("wit/transform.wit", "wit/transform.wit"),
];

const GO: &[File] = files![
    ("go.mod", "guest-sdk/templates/go/go.mod.in"),
    ("main.go", "guest-sdk/templates/go/main.go"),
    ("main_test.go", "guest-sdk/templates/go/main_test.go"),
    ("sdk/guest/go.mod", "guest-sdk/go/go.mod"),
    ("sdk/guest/abi_native.go", "guest-sdk/go/abi_native.go"),
    ("sdk/guest/abi_wasip1.go", "guest-sdk/go/abi_wasip1.go"),
    ("sdk/guest/bitmap.go", "guest-sdk/go/bitmap.go"),
    ("sdk/guest/builder.go", "guest-sdk/go/builder.go"),
    ("sdk/guest/column.go", "guest-sdk/go/column.go"),
    ("sdk/guest/decimal.go", "guest-sdk/go/decimal.go"),
    ("sdk/guest/doc.go", "guest-sdk/go/doc.go"),
    ("sdk/guest/edit.go", "guest-sdk/go/edit.go"),
    ("sdk/guest/failure.go", "guest-sdk/go/failure.go"),
    ("sdk/guest/instance.go", "guest-sdk/go/instance.go"),
    ("sdk/guest/plan.go", "guest-sdk/go/plan.go"),
    ("sdk/guest/schema.go", "guest-sdk/go/schema.go"),
    ("sdk/guest/guesttest/guesttest.go", "guest-sdk/go/guesttest/guesttest.go"),
];

const C: &[File] = files![
    ("plugin.c", "guest-sdk/templates/c/plugin.c"),
    ("sdk/sluice.h", "guest-sdk/c/sluice.h"),
    ("sdk/sluice_internal.h", "guest-sdk/c/sluice_internal.h"),
    ("sdk/sluice.c", "guest-sdk/c/sluice.c"),
    ("sdk/sluice_json.c", "guest-sdk/c/sluice_json.c"),
    ("sdk/sluice_abi.c", "guest-sdk/c/sluice_abi.c"),
    ("sdk/bindings/transformer.c", "guest-sdk/c/bindings/transformer.c"),
    ("sdk/bindings/transformer.h", "guest-sdk/c/bindings/transformer.h"),
];

const JS: &[File] = files![
    ("package.json", "guest-sdk/templates/js/package.json"),
    ("main.js", "guest-sdk/templates/js/main.js"),
    ("plugin.js", "guest-sdk/templates/js/plugin.js"),
    ("plugin.test.js", "guest-sdk/templates/js/plugin.test.js"),
    ("sdk/sluice-guest/package.json", "guest-sdk/js/package.json"),
    ("sdk/sluice-guest/sluice.js", "guest-sdk/js/sluice.js"),
    ("sdk/sluice-guest/sluice.d.ts", "guest-sdk/js/sluice.d.ts"),
    ("sdk/sluice-guest/instance.js", "guest-sdk/js/instance.js"),
    ("sdk/sluice-guest/export.js", "guest-sdk/js/export.js"),
    ("sdk/sluice-guest/export.d.ts", "guest-sdk/js/export.d.ts"),
    ("sdk/sluice-guest/testing.js", "guest-sdk/js/testing.js"),
    ("sdk/sluice-guest/testing.d.ts", "guest-sdk/js/testing.d.ts"),
    ("wit/transform.wit", "wit/transform.wit"),
];

const PYTHON: &[File] = files![
    ("app.py", "guest-sdk/templates/python/app.py"),
    ("plugin.py", "guest-sdk/templates/python/plugin.py"),
    ("test_plugin.py", "guest-sdk/templates/python/test_plugin.py"),
    ("sluice_guest/__init__.py", "guest-sdk/python/sluice_guest/__init__.py"),
    ("sluice_guest/builder.py", "guest-sdk/python/sluice_guest/builder.py"),
    ("sluice_guest/column.py", "guest-sdk/python/sluice_guest/column.py"),
    ("sluice_guest/edit.py", "guest-sdk/python/sluice_guest/edit.py"),
    ("sluice_guest/export.py", "guest-sdk/python/sluice_guest/export.py"),
    ("sluice_guest/failure.py", "guest-sdk/python/sluice_guest/failure.py"),
    ("sluice_guest/instance.py", "guest-sdk/python/sluice_guest/instance.py"),
    ("sluice_guest/plan.py", "guest-sdk/python/sluice_guest/plan.py"),
    ("sluice_guest/schema.py", "guest-sdk/python/sluice_guest/schema.py"),
    ("sluice_guest/testing.py", "guest-sdk/python/sluice_guest/testing.py"),
    ("wit/transform.wit", "wit/transform.wit"),
];

impl Language {
    /// The files of a new plugin; `@NAME@` stands for its name.
    pub(super) fn files(self) -> &'static [File] {
        match self {
            Self::Rust => RUST,
            Self::Go => GO,
            Self::C => C,
            Self::Js => JS,
            Self::Python => PYTHON,
        }
    }

    /// The command that runs a new plugin's unit tests.
    pub(super) fn test_command(self) -> Option<&'static str> {
        match self {
            Self::Rust => Some("cargo test"),
            Self::Go => Some("go test ./..."),
            Self::C => None,
            Self::Js => Some("npm test"),
            Self::Python => Some("python3 -m unittest"),
        }
    }

    /// The command that fetches what a new plugin's build needs; none: the compiler is all there is.
    pub(super) fn setup_command(self) -> Option<&'static str> {
        match self {
            Self::Rust => Some("rustup target add wasm32-unknown-unknown"),
            Self::Go => None,
            Self::C => Some("python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1"),
            Self::Js => Some("npm install"),
            Self::Python => {
                Some("python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1")
            }
        }
    }

    /// The language of a plugin's folder, by the file that only this language has.
    pub(super) fn of_folder(folder: &Path) -> Option<Self> {
        let marks = [
            ("Cargo.toml", Self::Rust),
            ("go.mod", Self::Go),
            ("package.json", Self::Js),
            ("app.py", Self::Python),
            ("sdk/sluice.h", Self::C),
        ];
        marks.iter().find(|(mark, _)| folder.join(mark).is_file()).map(|(_, language)| *language)
    }

    /// How a plugin of this name is built.
    pub(super) fn build(self, name: &str) -> Build {
        let module = format!("build/{name}.core.wasm");
        let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let environment = match self {
            Self::Go => vec![("GOOS", "wasip1"), ("GOARCH", "wasm")],
            _ => Vec::new(),
        };
        let (ways, built, remedy) = match self {
            Self::Rust => (
                vec![words("cargo build --release --target wasm32-unknown-unknown --target-dir build/target".to_owned())],
                format!("build/target/wasm32-unknown-unknown/release/{}.wasm", name.replace('-', "_")),
                "install Rust from https://rustup.rs, then run `rustup target add wasm32-unknown-unknown`",
            ),
            Self::Go => (
                vec![words(format!("go build -buildmode=c-shared -trimpath -buildvcs=false -ldflags=-s -o {module} ."))],
                module,
                "install Go 1.24 or newer from https://go.dev/dl",
            ),
            Self::C => {
                let rest = format!(
                    "cc -target wasm32-wasi -mexec-model=reactor -O3 -Isdk -Wl,--strip-all,--gc-sections plugin.c sdk/sluice.c sdk/sluice_json.c sdk/sluice_abi.c sdk/bindings/transformer.c -o {module}"
                );
                let ways = [".venv/bin/python -m ziglang", "zig", "python3 -m ziglang"];
                (
                    ways.map(|zig| words(format!("{zig} {rest}"))).to_vec(),
                    module,
                    "run `python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1` in the plugin's folder",
                )
            }
            Self::Js => (
                vec![words(format!(
                    "node node_modules/componentize-qjs/cli.mjs --wit wit/transform.wit --world transformer --sync --stub-wasi --module-root . --js main.js --output {module}"
                ))],
                module,
                "install Node from https://nodejs.org, then run `npm install` in the plugin's folder",
            ),
            Self::Python => {
                let rest = format!("-d wit/transform.wit -w transformer componentize --stub-wasi -p . app -o {module}");
                let ways = [".venv/bin/componentize-py", "componentize-py"];
                (
                    ways.map(|tool| words(format!("{tool} {rest}"))).to_vec(),
                    module,
                    "run `python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1` in the plugin's folder",
                )
            }
        };
        Build { ways, environment, built, remedy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of an SDK's folder that a plugin is built from.
    fn sources(folder: &Path, endings: &[&str], found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let is_test = name.contains("test.") || name.starts_with("tests") || name == "plugins";
            let is_source = endings.iter().any(|ending| name.ends_with(ending));
            match path.is_dir() {
                _ if is_test => {}
                true => sources(&path, endings, found),
                false if is_source => found.push(name),
                false => {}
            }
        }
    }

    #[test]
    fn a_new_plugin_has_every_file_of_its_sdk() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk");
        let sdks: [(Language, &str, &[&str]); 5] = [
            (Language::Rust, "rust/src", &[".rs"]),
            (Language::Go, "go", &[".go", "go.mod"]),
            (Language::C, "c", &[".c", ".h"]),
            (Language::Js, "js", &[".js", ".d.ts", "package.json"]),
            (Language::Python, "python/sluice_guest", &[".py"]),
        ];
        for (language, folder, endings) in sdks {
            let mut wanted = Vec::new();
            sources(&root.join(folder), endings, &mut wanted);
            let given: Vec<&str> = language.files().iter().map(|(to, _)| *to).collect();
            let missing: Vec<_> = wanted
                .iter()
                .filter(|name| !given.iter().any(|to| to.ends_with(&format!("/{name}"))))
                .collect();
            assert!(wanted.len() >= 5 && missing.is_empty(), "{language:?}: {missing:?}");
        }
    }
}
