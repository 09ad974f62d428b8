//! What crosses the border, in both directions.
