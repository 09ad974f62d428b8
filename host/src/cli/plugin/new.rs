//! `sluice plugin new`: a folder with a plugin that builds and tests at once.

use std::fs;
use std::path::PathBuf;

use super::super::Outcome;
use super::super::output::Output;
use super::language::Language;
use crate::error::{CommandError, HostError};

/// What stands for the plugin's name in the files.
const NAME: &str = "@NAME@";

#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    /// The folder to make; its last name is the plugin's
    folder: PathBuf,
    /// The language
    #[arg(long, value_enum)]
    lang: Language,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let name = plugin_name(args)?;
    if fs::read_dir(&args.folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(HostError::Usage {
            message: format!("{} is there already and not empty", args.folder.display()),
            hint: "name a folder that is not there yet".to_owned(),
        }
        .into());
    }
    for (path, text) in args.lang.files() {
        let path = args.folder.join(path);
        let failed = |source| HostError::File { doing: "write", path: path.clone(), source };
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        fs::write(&path, text.replace(NAME, &name)).map_err(failed)?;
    }
    let ignored = args.folder.join(".gitignore");
    fs::write(&ignored, "/build/\n/node_modules/\n/.venv/\n__pycache__/\n")
        .map_err(|source| HostError::File { doing: "write", path: ignored, source })?;
    let mut output = Output::new();
    output.text(&next_steps(args, &name))?;
    output.finish()?;
    Ok(Outcome::Done)
}

/// The folder's name, where it can be a crate's, a module's and a package's.
fn plugin_name(args: &Args) -> Result<String, HostError> {
    let name = args.folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fits) {
        return Ok(name);
    }
    Err(HostError::Usage {
        message: format!("`{name}` cannot be a plugin's name"),
        hint: "take lower-case letters, digits and `-`, a letter first".to_owned(),
    })
}

fn next_steps(args: &Args, name: &str) -> String {
    let mut text =
        format!("{} is a plugin that keeps rows by the value of a column\n", args.folder.display());
    text.push_str(&format!("  cd {}\n", args.folder.display()));
    for command in [args.lang.setup_command(), args.lang.test_command()].into_iter().flatten() {
        text.push_str(&format!("  {command}\n"));
    }
    text.push_str("  sluice plugin build\n");
    text.push_str(&format!(
        "  sluice plugin try {name}.wasm LOG --table DATABASE.TABLE --config '{{\"column\": \"…\", \"value\": \"…\"}}'\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, lang: Language) -> (tempfile::TempDir, Result<Outcome, CommandError>) {
        let parent = tempfile::tempdir().expect("a folder");
        let made = run(&Args { folder: parent.path().join(name), lang });
        (parent, made)
    }

    #[test]
    fn a_new_plugin_carries_its_name_and_its_language() {
        for lang in [Language::Rust, Language::Go, Language::C, Language::Js, Language::Python] {
            let (parent, made) = new("keep-eu", lang);
            assert_eq!(made.expect("made"), Outcome::Done);
            let folder = parent.path().join("keep-eu");
            assert_eq!(Language::of_folder(&folder), Some(lang));
            for (path, _) in lang.files() {
                let text = fs::read_to_string(folder.join(path)).expect("a file");
                assert!(!text.contains(NAME), "{path}");
            }
            let again = run(&Args { folder, lang }).expect_err("it is there").message();
            assert!(again.ends_with("is there already and not empty"), "{again}");
        }
    }

    #[test]
    fn a_name_that_no_language_takes_is_refused() {
        for name in ["Keep", "9keep", "keep_eu", "keep eu", "käse"] {
            let (_parent, made) = new(name, Language::Go);
            assert!(made.is_err(), "{name}");
        }
    }
}
