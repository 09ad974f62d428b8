//! The adapter that makes a component of a core module which imports WASI preview 1. It is text, `preview1.wat`, and
//! must never import anything of the outside world but the host's log lines.

use wit_component::StringEncoding;
use wit_parser::Resolve;

/// The name under which core modules import WASI.
pub(crate) const ADAPTED: &str = "wasi_snapshot_preview1";

/// What the adapter exports, beside the plugin's own interface.
pub(crate) const ANSWERS: &str = "sluice:preview1/answers";

const TEXT: &str = include_str!("preview1.wat");
const INTERFACES: &str = include_str!("../../wit/wasi.wit");

/// The adapter's module, with its interface inside.
pub(crate) fn adapter() -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut module = wat::parse_str(TEXT)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("wasi.wit", INTERFACES).map_err(|e| e.to_string())?;
    let world = resolve
        .select_world(&[package], Some("sluice:preview1/adapter"))
        .map_err(|e| e.to_string())?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|e| e.to_string())?;
    Ok(module)
}
