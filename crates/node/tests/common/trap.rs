//! An address that nobody should connect to.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use libp2p::Multiaddr;

/// Counts who connects, and hangs up.
pub struct Trap {
    pub port: u16,
    count: Arc<AtomicUsize>,
}

impl Trap {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, count }
    }

    pub fn address(&self) -> Multiaddr {
        format!("/ip4/127.0.0.1/tcp/{}", self.port).parse().unwrap()
    }

    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}
