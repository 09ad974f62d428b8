//! The host side of `wit/transform.wit`, generated. Its values are as a guest gave them: unchecked.

mod generated {
    wasmtime::component::bindgen!({
        path: "../../../wit",
        world: "sluice:transform/transformer",
        ownership: Borrowing { duplicate_if_necessary: true },
        additional_derives: [Clone, PartialEq],
    });
}

pub(crate) use generated::exports::sluice::transform::transform;
pub(crate) use generated::{Transformer, TransformerPre, sluice};
