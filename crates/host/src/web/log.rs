//! The log goes to the console: warnings, and in debug builds what happens in the large. Keys are never logged, and
//! what remotes do is logged at levels that are off here, so that they cannot fill the console.

use std::sync::Once;

use tracing_wasm::{ConsoleConfig, WASMLayerConfigBuilder};

static START: Once = Once::new();

/// Sets the log and the panic message up, once.
pub(super) fn start() {
    START.call_once(|| {
        console_error_panic_hook::set_once();
        let level = if cfg!(debug_assertions) {
            tracing::Level::INFO
        } else {
            tracing::Level::WARN
        };
        tracing_wasm::set_as_global_default_with_config(
            WASMLayerConfigBuilder::new()
                .set_max_level(level)
                .set_report_logs_in_timings(false)
                .set_console_config(ConsoleConfig::ReportWithoutConsoleColor)
                .build(),
        );
    });
}
