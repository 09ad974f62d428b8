//! Plugins for unit tests, written in WebAssembly text against the canonical ABI: nothing has to be
//! built first, and they can misbehave in ways that no SDK lets them.

use wit_component::StringEncoding;

/// Where things lie in the guest's memory. The answers of `describe` and `configure` are fixed.
const LAYOUT: &str = r#"
  (memory (export "memory") 4)
  (data (i32.const 64) "\80\00\00\00\03\00\00\00\80\00\00\00\03\00\00\00\00")
  (data (i32.const 128) "wat")
"#;

/// `apply` with `process` over the first field and nothing else.
const PLAN_FILTER: &str = r#"
  (data (i32.const 256) "\00\00\00\00\02")
  (data (i32.const 296) "\01\00\00\00\80\01\00\00\01\00\00\00")
"#;

/// Reads the first column as int8. 1 is dropped, all else is kept, except: 42 traps, 43 spins, 44
/// takes 4 GB, 45 recurses without end.
const PROCESS_FILTER: &str = r#"
  (func $recurse (param i32) (result i32)
    (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func $row (param $v i32)
    (if (i32.eq (local.get $v) (i32.const 42)) (then unreachable))
    (if (i32.eq (local.get $v) (i32.const 43)) (then (loop $spin (br $spin))))
    (if (i32.eq (local.get $v) (i32.const 44))
      (then (drop (memory.grow (i32.const 60000))) unreachable))
    (if (i32.eq (local.get $v) (i32.const 45)) (then (drop (call $recurse (i32.const 0))))))
  (func (export "sluice:transform/transform@0.1.0#process")
    (param $id i32) (param $rows i32) (param $columns i32) (param $count i32) (result i32)
    (local $i i32) (local $v i32) (local $at i32)
    (memory.fill (i32.const 1024) (i32.const 0) (i32.const 8192))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
      (local.set $v (i32.load8_s (i32.add (i32.load offset=20 (local.get $columns)) (local.get $i))))
      (call $row (local.get $v))
      (if (i32.ne (local.get $v) (i32.const 1)) (then
        (local.set $at (i32.add (i32.const 1024) (i32.shr_u (local.get $i) (i32.const 3))))
        (i32.store8 (local.get $at) (i32.or (i32.load8_u (local.get $at))
          (i32.shl (i32.const 1) (i32.and (local.get $i) (i32.const 7)))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (memory.fill (i32.const 512) (i32.const 0) (i32.const 64))
    (i32.store8 (i32.const 516) (i32.const 1))
    (i32.store (i32.const 520) (i32.const 1024))
    (i32.store (i32.const 524) (i32.shr_u (i32.add (local.get $rows) (i32.const 7)) (i32.const 3)))
    (i32.const 512))
"#;

/// A plugin in the making.
pub(crate) struct Guest {
    pub(crate) plan: String,
    pub(crate) plan_body: String,
    pub(crate) process: String,
    pub(crate) extra: String,
}

impl Guest {
    /// Drops rows whose first column is 1; misbehaves on other values.
    pub(crate) fn filter() -> Self {
        Self {
            plan: PLAN_FILTER.to_owned(),
            plan_body: "(i32.const 256)".to_owned(),
            process: PROCESS_FILTER.to_owned(),
            extra: String::new(),
        }
    }

    /// A filter whose answer is always the same bytes, an `edit` at 512.
    pub(crate) fn answering(data: &str) -> Self {
        let body = r#"(func (export "sluice:transform/transform@0.1.0#process")
            (param i32 i32 i32 i32) (result i32) (i32.const 512))"#;
        Self { process: format!("{data}\n{body}"), ..Self::filter() }
    }

    /// The core module, with its interface embedded.
    pub(crate) fn module(&self) -> Vec<u8> {
        embedded(&self.text())
    }

    /// The core module as text.
    pub(crate) fn text(&self) -> String {
        let Self { plan, plan_body, process, extra } = self;
        format!(
            r#"(module {LAYOUT} {plan}
  (data (i32.const 384) "\00\00\00\00")
  (global $heap (mut i32) (i32.const 131072))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.lt_s (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))) (i32.const 0))
        (then unreachable))))
    (local.get $at))
  (func (export "cabi_post_sluice:transform/transform@0.1.0#process") (param i32)
    (global.set $heap (i32.const 131072)))
  (func (export "sluice:transform/transform@0.1.0#describe") (result i32) (i32.const 64))
  (func (export "sluice:transform/transform@0.1.0#configure")
    (param i32 i32 i32 i32 i64 i32 i64) (result i32) (i32.const 192))
  (func (export "sluice:transform/transform@0.1.0#plan") (param i32) (result i32) {plan_body})
  (func (export "sluice:transform/transform@0.1.0#release") (param i32))
  {process} {extra})"#
        )
    }
}

/// A core module of this text that says it has the plugin interface.
pub(crate) fn embedded(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).expect("valid text");
    let mut resolve = wit_parser::Resolve::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../wit");
    let (package, _) = resolve.push_dir(folder).expect("the interface");
    let world = resolve.select_world(&[package], Some("transformer")).expect("the world");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("metadata");
    module
}
