//! What the tests stand on: real servers, the real binary, real readers, and the rules of the checkout's text. Nothing
//! here knows how the host works inside.

pub mod checkout;
pub mod tidy;
