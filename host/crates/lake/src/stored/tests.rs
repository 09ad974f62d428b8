//! Tests of the stored types and their conversion.
