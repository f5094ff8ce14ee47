//! Writes values as Go's `fmt`, `strconv` and `encoding/json` write them.

mod flags;
mod float;
mod json;
mod print;
mod printf;
mod quote;
mod verb;

pub(super) use float::{float_text, parse_float, without_underscores};
pub(super) use json::push_json;
pub(super) use print::{print, print_line, push_printed, push_value};
pub(super) use printf::printf;
pub(super) use quote::{quoted, quoted_bytes};
