//! The `wecom-relay` command.

fn main() {}
