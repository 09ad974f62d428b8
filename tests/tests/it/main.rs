//! The tests that need real servers, the real binary and real readers: one binary.
