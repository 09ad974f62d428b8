//! `sluice plugin build`: calls the language's tools and writes a component that has been checked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use super::super::Outcome;
use super::super::output::Output;
use super::language::{Build, Language};
use crate::chain;
use crate::error::{CommandError, HostError};

#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    /// The plugin's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The file to write; by default the plugin's name in its folder
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Outcome, CommandError> {
    let folder = fs::canonicalize(&args.folder).map_err(|source| HostError::File {
        doing: "open",
        path: args.folder.clone(),
        source,
    })?;
    let language = Language::of_folder(&folder).ok_or_else(|| HostError::Usage {
        message: format!("{} is no plugin's folder", args.folder.display()),
        hint: "make one with `sluice plugin new --lang LANGUAGE FOLDER`".to_owned(),
    })?;
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let build = language.build(&name);
    make_folder(&folder.join("build"))?;
    call(&build, &folder)?;
    let built = folder.join(&build.built);
    let module = super::read(&built)?;
    let component = ::plugin::encode(&name, &module)?;
    let description = ::plugin::describe(&chain::engine(None)?, &component)?;
    let out = args.out.clone().unwrap_or_else(|| folder.join(format!("{name}.wasm")));
    fs::write(&out, &component).map_err(|source| HostError::File {
        doing: "write",
        path: out.clone(),
        source,
    })?;
    let mut output = Output::new();
    output.line(&format!(
        "{}  {} {}, {} bytes, sha256 {}",
        out.display(),
        description.name,
        description.version,
        description.bytes,
        description.sha256
    ))?;
    output.finish()?;
    Ok(Outcome::Done)
}

fn make_folder(path: &Path) -> Result<(), HostError> {
    fs::create_dir_all(path).map_err(|source| HostError::File {
        doing: "make",
        path: path.to_owned(),
        source,
    })
}

/// Calls the first way to the tool that there is.
fn call(build: &Build, folder: &Path) -> Result<(), HostError> {
    let missing = |program: &str| HostError::Usage {
        message: format!("`{program}` is missing"),
        hint: build.remedy.to_owned(),
    };
    let mut last = String::new();
    for way in &build.ways {
        let Some((program, arguments)) = way.split_first() else { continue };
        last.clone_from(program);
        match start(program, arguments, &build.environment, folder) {
            Ok(status) if status.success() => return Ok(()),
            // Python is there without the package: another way may have it.
            Ok(_) if arguments.iter().any(|a| a == "ziglang") && !has_ziglang(program, folder) => {}
            Ok(status) => {
                return Err(HostError::Usage {
                    message: format!("`{program}` ended with {status}"),
                    hint: format!(
                        "mend what it says above; where a tool is missing, {}",
                        build.remedy
                    ),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(HostError::Start { what: "the language's tool", source }),
        }
    }
    Err(missing(&last))
}

fn start(
    program: &str,
    arguments: &[String],
    environment: &[(&'static str, &'static str)],
    folder: &Path,
) -> io::Result<ExitStatus> {
    // A path within the folder is looked up from where this process stands.
    let path = if program.contains('/') { folder.join(program) } else { program.into() };
    let mut command = Command::new(path);
    command.args(arguments).current_dir(folder).envs(environment.iter().copied());
    command.stdout(io::stderr()).status()
}

fn has_ziglang(program: &str, folder: &Path) -> bool {
    let path = if program.contains('/') { folder.join(program) } else { program.into() };
    let asked = Command::new(path).args(["-c", "import ziglang"]).output();
    asked.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_the_way_to_get_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let build = Build {
            ways: vec![vec!["no-such-compiler".to_owned()], vec![".venv/bin/no-such".to_owned()]],
            environment: Vec::new(),
            built: String::new(),
            remedy: "install it",
        };
        let error = CommandError::from(call(&build, folder.path()).expect_err("missing"));
        insta::assert_snapshot!(error.render(), @r"
        error: `.venv/bin/no-such` is missing
        help: install it
        ");
    }

    #[test]
    fn a_folder_without_a_plugin_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let args = Args { folder: folder.path().to_owned(), out: None };
        let error = run(&args).expect_err("no plugin").message();
        assert!(error.ends_with("is no plugin's folder"), "{error}");
    }
}
