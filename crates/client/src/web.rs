//! The browser: the window's messages, message ports, and values. Only moves bytes and events; what they mean is decided elsewhere.

pub mod port;
pub mod value;
pub mod window;
