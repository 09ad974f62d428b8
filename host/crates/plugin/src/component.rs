//! From the bytes of a plugin file to a compiled component that fits the interface. Whatever is
//! wrong is said here, before anything of the plugin runs.

use std::sync::Arc;

use wasmparser::{Parser, Payload};
use wasmtime::component::Component;
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding};
use wit_parser::Resolve;

use crate::bindings::TransformerPre;
use crate::cache::hex;
use crate::engine::Engine;
use crate::error::{Cause, PluginError};
use crate::instance::{HostState, Prepared};
use crate::limits::{COMPONENT_BYTES_MAX, Limits};
use crate::wasi;

/// The interface that a plugin exports.
pub(crate) const TRANSFORM: &str = "sluice:transform/transform@0.1.0";

/// The interfaces that a plugin may import, besides those of WASI that are answered.
const IMPORTS: [&str; 3] =
    ["sluice:transform/logging@0.1.0", "sluice:transform/types@0.1.0", "sluice:preview1/stdio"];

/// The interface as text, for modules that export its functions and do not carry it.
const INTERFACE: &str = include_str!("../../../../wit/transform.wit");

/// What the names of custom sections start with that hold a module's interface.
const INTERFACE_SECTION: &str = "component-type";

/// What a plugin file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A component.
    Component,
    /// A core module that carries its interface; the host makes a component of it.
    CoreModule,
}

/// What `sluice plugin info` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What the file was.
    pub form: Form,
    /// Bytes of the file.
    pub bytes: usize,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Interfaces that it exports.
    pub exports: Vec<String>,
    /// Its own name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// JSON Schema of its configuration.
    pub config_schema: Option<String>,
}

/// A plugin that is compiled and fits.
pub(crate) struct Loaded {
    pub(crate) pre: TransformerPre<HostState>,
    pub(crate) digest: Arc<str>,
    form: Form,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// What a plugin file is: its imports, exports, digest and what it says of itself.
///
/// # Errors
/// As for loading it; it runs under the default limits.
pub fn describe(engine: &Engine, bytes: &[u8]) -> Result<Description, PluginError> {
    let name: Arc<str> = "component".into();
    let loaded = load(engine, &name, bytes, None)?;
    let prepared = Prepared::new(engine, &name, &loaded, Limits::default());
    let info = prepared.describe()?;
    Ok(Description {
        form: loaded.form,
        bytes: bytes.len(),
        sha256: loaded.digest.to_string(),
        imports: loaded.imports,
        exports: loaded.exports,
        name: info.name,
        version: info.version,
        config_schema: info.config_schema,
    })
}

/// Checks and compiles a plugin file.
pub(crate) fn load(
    engine: &Engine,
    plugin: &Arc<str>,
    bytes: &[u8],
    pin: Option<&str>,
) -> Result<Loaded, PluginError> {
    let name = || Arc::clone(plugin);
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(PluginError::TooLarge { plugin: name(), bytes: bytes.len() });
    }
    let digest: Arc<str> = hex(bytes).into();
    if let Some(expected) = pin
        && !expected.eq_ignore_ascii_case(&digest)
    {
        let (expected, found) = (expected.to_owned(), digest.to_string());
        return Err(PluginError::Pin { plugin: name(), expected, found });
    }
    let form = form_of(bytes).ok_or_else(|| PluginError::NotWasm { plugin: name() })?;
    let encoded = match form {
        Form::Component => None,
        Form::CoreModule => Some(encode_module(plugin, bytes)?),
    };
    let component = encoded.as_deref().unwrap_or(bytes);
    let (imports, exports) = check(plugin, component)?;
    let compiled = compile(engine, component).map_err(|e| invalid(plugin, e))?;
    let pre = engine
        .linker()
        .instantiate_pre(&compiled)
        .and_then(TransformerPre::new)
        .map_err(|e| invalid(plugin, e))?;
    Ok(Loaded { pre, digest, form, imports, exports })
}

fn invalid(plugin: &Arc<str>, error: impl Into<Cause>) -> PluginError {
    PluginError::Invalid { plugin: Arc::clone(plugin), source: error.into() }
}

/// A component and a core module differ in the second half of the version field
/// (component-model, Binary.md, "Component Definitions").
fn form_of(bytes: &[u8]) -> Option<Form> {
    match bytes.strip_prefix(b"\0asm")?.first_chunk::<4>()? {
        [_, _, 1, 0] => Some(Form::Component),
        [1, 0, 0, 0] => Some(Form::CoreModule),
        _ => None,
    }
}

/// The component of a plugin file: the file itself, or what the host makes of a core module.
///
/// # Errors
/// Where the file is no plugin, or imports what no plugin gets.
pub fn encode(plugin: &str, bytes: &[u8]) -> Result<Vec<u8>, PluginError> {
    let plugin: Arc<str> = plugin.into();
    let component = match form_of(bytes) {
        None => return Err(PluginError::NotWasm { plugin }),
        Some(Form::Component) => bytes.to_vec(),
        Some(Form::CoreModule) => encode_module(&plugin, bytes)?,
    };
    check(&plugin, &component)?;
    Ok(component)
}

/// What a core module brings along.
#[derive(Default)]
struct Module {
    has_interface: bool,
    is_plugin: bool,
    /// Functions of WASI preview 1 that it imports.
    preview1: Vec<String>,
}

impl Module {
    fn read(bytes: &[u8]) -> Result<Self, wasmparser::BinaryReaderError> {
        let mut module = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::CustomSection(section) => {
                    module.has_interface |= section.name().starts_with(INTERFACE_SECTION);
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        if import.module == wasi::ADAPTED {
                            module.preview1.push(import.name.to_owned());
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let name = export?.name;
                        let function = name.strip_prefix(TRANSFORM).unwrap_or_default();
                        module.is_plugin |= function.starts_with('#');
                    }
                }
                _ => {}
            }
        }
        Ok(module)
    }
}

/// Makes a component of a core module. One that exports the interface's functions and does not carry
/// the interface gets it here, so that a language needs no further tool than its compiler.
fn encode_module(plugin: &Arc<str>, bytes: &[u8]) -> Result<Vec<u8>, PluginError> {
    let module = Module::read(bytes).map_err(|e| invalid(plugin, e))?;
    let sockets = module.preview1.iter().find(|name| name.starts_with("sock_"));
    if let Some(function) = sockets {
        let interface = format!("{}#{function}", wasi::ADAPTED);
        return Err(PluginError::Wasi { plugin: Arc::clone(plugin), interface });
    }
    let with_interface = match module.is_plugin && !module.has_interface {
        true => Some(with_interface(bytes).map_err(|e| invalid(plugin, e))?),
        false => None,
    };
    let bytes = with_interface.as_deref().unwrap_or(bytes);
    let mut encoder =
        ComponentEncoder::default().validate(true).module(bytes).map_err(|e| invalid(plugin, e))?;
    if !module.preview1.is_empty() {
        let adapter = wasi::adapter().map_err(|e| invalid(plugin, e))?;
        encoder = encoder.adapter(wasi::ADAPTED, &adapter).map_err(|e| invalid(plugin, e))?;
    }
    encoder.encode().map_err(|e| invalid(plugin, e))
}

fn with_interface(module: &[u8]) -> Result<Vec<u8>, Cause> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("transform.wit", INTERFACE).map_err(|e| e.to_string())?;
    let world = resolve.select_world(&[package], Some("transformer")).map_err(|e| e.to_string())?;
    let mut module = module.to_vec();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|e| e.to_string())?;
    Ok(module)
}

/// The interfaces of a component, where they are those of a plugin.
fn check(plugin: &Arc<str>, component: &[u8]) -> Result<(Vec<String>, Vec<String>), PluginError> {
    let (imports, exports) = interfaces(plugin, component)?;
    check_imports(plugin, &imports)?;
    if !exports.iter().any(|e| e == TRANSFORM) {
        let found = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        return Err(PluginError::NoTransform { plugin: Arc::clone(plugin), found });
    }
    Ok((imports, exports))
}

/// The names of what a component imports and exports, read without compiling it.
fn interfaces(
    plugin: &Arc<str>,
    component: &[u8],
) -> Result<(Vec<String>, Vec<String>), PluginError> {
    let decoded = wit_component::decode(component).map_err(|e| invalid(plugin, e))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        let found = "a WIT package".to_owned();
        return Err(PluginError::NoTransform { plugin: Arc::clone(plugin), found });
    };
    let Some(world) = resolve.worlds.get(world) else { return Ok((Vec::new(), Vec::new())) };
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    let exports = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    Ok((imports, exports))
}

fn check_imports(plugin: &Arc<str>, imports: &[String]) -> Result<(), PluginError> {
    let is_known = |i: &str| IMPORTS.contains(&i) || wasi::is_answered(i);
    let foreign = || imports.iter().filter(|i| !is_known(i));
    let Some(first) = foreign().find(|i| i.starts_with("wasi:")).or_else(|| foreign().next())
    else {
        return Ok(());
    };
    let (plugin, interface) = (Arc::clone(plugin), first.clone());
    if interface.starts_with("wasi:") {
        return Err(PluginError::Wasi { plugin, interface });
    }
    Err(PluginError::UnknownImport { plugin, interface })
}

fn compile(engine: &Engine, component: &[u8]) -> wasmtime::Result<Component> {
    match engine.cache() {
        Some(cache) => cache.component(engine.wasm(), component),
        None => Component::from_binary(engine.wasm(), component),
    }
}

#[cfg(test)]
mod tests {
    use change::Diagnose;

    use super::*;
    use crate::EngineOptions;
    use crate::guest::{Guest, embedded};

    fn error_of(bytes: &[u8]) -> PluginError {
        let engine = Engine::new(EngineOptions::default()).expect("an engine");
        load(&engine, &"p".into(), bytes, None).err().expect("refused")
    }

    #[test]
    fn a_core_module_with_its_interface_is_a_plugin() {
        let engine = Engine::new(EngineOptions::default()).expect("an engine");
        let module = Guest::filter().module();
        let described = describe(&engine, &module).expect("a plugin");
        assert_eq!(described.form, Form::CoreModule);
        assert_eq!((described.name.as_str(), described.version.as_str()), ("wat", "wat"));
        assert_eq!(described.exports, [TRANSFORM]);
        let component =
            ComponentEncoder::default().module(&module).expect("a module").encode().expect("one");
        let described = describe(&engine, &component).expect("a plugin");
        assert_eq!(described.form, Form::Component);
        assert_eq!(described.sha256, hex(&component));
    }

    #[test]
    fn what_is_no_plugin_is_told_before_it_runs() {
        assert_eq!(error_of(b"(module)").to_string(), "plugin `p` is not a WebAssembly file");
        assert_eq!(error_of(b"").to_string(), "plugin `p` is not a WebAssembly file");
        let core = wat::parse_str("(module)").expect("text");
        let wanted = format!("plugin `p` does not export `{TRANSFORM}` (it exports: nothing)");
        assert_eq!(error_of(&core).to_string(), wanted);
        let component = wat::parse_str("(component)").expect("text");
        assert_eq!(error_of(&component).to_string(), wanted);
        let mut broken = Guest::filter().module();
        broken.truncate(broken.len() / 2);
        assert_eq!(error_of(&broken).to_string(), "plugin `p` is not a valid component");
        let half = embedded("(module (memory (export \"memory\") 1))");
        assert_eq!(error_of(&half).to_string(), "plugin `p` is not a valid component");
    }

    #[test]
    fn files_sockets_and_http_are_refused_with_the_way_out() {
        for interface in [
            "wasi:filesystem/types@0.2.0",
            "wasi:sockets/tcp@0.2.3",
            "wasi:http/outgoing-handler@0.2.0",
        ] {
            let text =
                format!(r#"(component (import "{interface}" (instance (export "x" (func)))))"#);
            let error = error_of(&wat::parse_str(text).expect("text"));
            let wanted = format!(
                "plugin `p` imports `{interface}`, and no plugin gets files, sockets or HTTP"
            );
            assert_eq!(error.to_string(), wanted);
            insta::allow_duplicates! {
                insta::assert_snapshot!(error.hint().unwrap_or_default(), @"build it without: Rust with --target wasm32-unknown-unknown, JavaScript and Python with --stub-wasi; hand over what it reads as [plugin.files]");
            }
        }
        let core = wat::parse_str(
            r#"(module (import "wasi_snapshot_preview1" "sock_accept" (func (param i32 i32 i32) (result i32))))"#,
        );
        let error = error_of(&core.expect("text"));
        insta::assert_snapshot!(error, @"plugin `p` imports `wasi_snapshot_preview1#sock_accept`, and no plugin gets files, sockets or HTTP");
        let other = wat::parse_str(
            r#"(component (import "sluice:transform/lookup@0.1.5" (instance (export "get" (func)))))"#,
        );
        let error = error_of(&other.expect("text"));
        insta::assert_snapshot!(error, @"plugin `p` imports `sluice:transform/lookup@0.1.5`, which this host does not have");
    }

    #[test]
    fn a_module_without_its_interface_gets_it_from_the_host() {
        let engine = Engine::new(EngineOptions::default()).expect("an engine");
        let bare = Guest::filter().text();
        let module = wat::parse_str(bare).expect("text");
        let described = describe(&engine, &module).expect("a plugin");
        assert_eq!((described.form, described.name.as_str()), (Form::CoreModule, "wat"));
        let encoded = encode("p", &module).expect("a plugin");
        assert_eq!(describe(&engine, &encoded).expect("a plugin").form, Form::Component);
    }

    #[test]
    fn another_file_than_the_pinned_one_is_refused() {
        let engine = Engine::new(EngineOptions::default()).expect("an engine");
        let module = Guest::filter().module();
        let pin = hex(&module).to_uppercase();
        assert!(load(&engine, &"p".into(), &module, Some(&pin)).is_ok());
        let error = load(&engine, &"p".into(), &module, Some("00")).err().expect("refused");
        assert!(error.to_string().ends_with("the manifest pins 00"), "{error}");
    }

    #[test]
    fn the_interface_is_as_it_was_released() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../wit");
        let read =
            |path: &str| std::fs::read_to_string(format!("{folder}/{path}")).expect("a file");
        assert_eq!(read("transform.wit"), read("released/0.1.0/transform.wit"));
    }
}
