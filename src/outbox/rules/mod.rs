//! The decisions that every engine shares. They are pure functions: the engine reads rows, calls a rule, and writes the
//! result.

pub mod adoption;
pub mod cards;
pub mod dedup;
pub mod fold;
pub mod page;
pub mod room;
pub mod senders;
pub mod stored;
pub mod wall_times;
