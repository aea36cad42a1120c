//! What a server offers to try it out.

pub(crate) mod echo;
pub(crate) mod perf;
