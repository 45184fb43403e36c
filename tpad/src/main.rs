//! The daemon of TPA: wires the parts together.
fn main() {}
