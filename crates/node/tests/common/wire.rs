//! A TCP link that counts what it carries, and can break.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, multiaddr::Protocol};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
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
    /// Does it lead anywhere?
    whole: watch::Sender<bool>,
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
        let (whole, is_whole) = watch::channel(true);
        let mut links = JoinSet::new();
        links.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                if !*is_whole.borrow() {
                    continue;
                }
                let far = TcpStream::connect(target).await.unwrap();
                let (count, mut is_whole) = (count.clone(), is_whole.clone());
                links.spawn(async move {
                    tokio::select! {
                        () = carry(near, far, count, limit, fault) => {}
                        _ = is_whole.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Self {
            address,
            carried,
            whole,
            _links: links,
        }
    }

    /// Cuts what runs over it. Who connects from now on is hung up on, as by a host whose program has gone.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Leads to the server again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }

    /// Waits until nothing has passed for so long.
    pub async fn quiet(&self, for_so_long: Duration) {
        let mut before = (self.carried(), Instant::now());
        while before.1.elapsed() < for_so_long {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if self.carried() != before.0 {
                before = (self.carried(), Instant::now());
            }
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
