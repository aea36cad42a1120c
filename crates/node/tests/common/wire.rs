//! A TCP link that counts what it carries, and can break.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use libp2p::{Multiaddr, multiaddr::Protocol};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What happens when it has carried as much as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both ends are closed.
    Cut,
    /// Nothing more arrives, and nobody is told.
    Stall,
}

/// A link to one server; dropping it cuts it.
pub struct Wire {
    /// The server's address through it.
    pub address: Multiaddr,
    carried: Arc<AtomicU64>,
    _links: JoinSet<()>,
}

impl Wire {
    /// Carries `limit` bytes, both ways together, to the TCP address of a server.
    pub async fn to(server: &Multiaddr, limit: u64, fault: Fault) -> Self {
        let mut target = SocketAddr::from(([127, 0, 0, 1], 0));
        for protocol in server {
            if let Protocol::Tcp(port) = protocol {
                target.set_port(port);
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = server
            .iter()
            .map(|protocol| match protocol {
                Protocol::Tcp(_) => Protocol::Tcp(port),
                other => other,
            })
            .collect();
        let carried = Arc::new(AtomicU64::new(0));
        let count = carried.clone();
        let mut links = JoinSet::new();
        links.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(target).await.unwrap();
                links.spawn(carry(near, far, count.clone(), limit, fault));
            }
        });
        Self {
            address,
            carried,
            _links: links,
        }
    }

    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

async fn carry(
    mut near: TcpStream,
    mut far: TcpStream,
    carried: Arc<AtomicU64>,
    limit: u64,
    fault: Fault,
) {
    let (mut up, mut down) = (vec![0; 4096], vec![0; 4096]);
    loop {
        let (bytes, to) = tokio::select! {
            read = near.read(&mut up) => match read {
                Ok(1..) => (up.get(..read.unwrap()).unwrap(), &mut far),
                _ => return,
            },
            read = far.read(&mut down) => match read {
                Ok(1..) => (down.get(..read.unwrap()).unwrap(), &mut near),
                _ => return,
            },
        };
        let before = carried.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if before.saturating_add(bytes.len() as u64) > limit {
            match fault {
                Fault::Cut => return,
                Fault::Stall => std::future::pending::<()>().await,
            }
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
