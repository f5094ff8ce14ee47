//! The decisions that every engine shares. Pure: the engine reads rows, asks here, and writes the answer.

pub mod claim;
pub mod dedup;
pub mod fold;
