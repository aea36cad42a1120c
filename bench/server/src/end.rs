//! When the program is to end.

use anyhow::Result;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT, SIGTERM or the end of stdin: then whoever started us is gone.
pub async fn asked_for() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut rest = Vec::new();
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = stdin.read_to_end(&mut rest) => {}
    }
    Ok(())
}
