//! Notes in a folder at home: `home-server [FOLDER [MULTIADDR]]`.
//!
//! It prints a link for each of its addresses, one a line, and ends in order on Ctrl-C and when it is told to terminate. Identity,
//! certificate and key are in `FOLDER/.home`, so that a link stays valid as long as the folder does.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod folder;
mod key;
mod serve;

use std::{env::args, error::Error, path::PathBuf, sync::Arc};

use futures::StreamExt;
use home_shared::{Link, PROTOCOL};
use libp2p::StreamProtocol;
use mooring_server::{Config, Server};
use tokio::sync::Semaphore;

use crate::{folder::Folder, serve::Home};

/// Streams that are served at once: a page has two, and a household a few pages. Others are refused.
const MAX_STREAMS: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(args().nth(1).unwrap_or_else(|| "notes".into()));
    let listen = args().nth(2);
    let listen = listen
        .as_deref()
        .unwrap_or("/ip4/0.0.0.0/udp/4818/webrtc-direct");

    let own = folder.join(".home");
    let mut config = Config::new(&own);
    config.listen = vec![listen.parse()?];
    // This is for its owner's pages alone.
    config.services.relay_server = false;
    let server = Server::start(config).await?;
    let key = key::load_or_make(&own)?;
    let mut streams = server
        .node()
        .accept(vec![StreamProtocol::new(PROTOCOL)])
        .await?;
    let home = Arc::new(Home {
        folder: Folder::new(folder),
        key: key.clone(),
    });
    let places = Arc::new(Semaphore::new(MAX_STREAMS));
    let serve = async {
        for address in server.addresses().await? {
            let address = address.to_string();
            println!(
                "{}",
                Link {
                    address,
                    key: key.clone()
                }
            );
        }
        while let Some(incoming) = streams.next().await {
            // Without a place it is dropped, which resets it.
            if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                let home = Arc::clone(&home);
                tokio::spawn(async move {
                    if let Err(error) = home.serve(incoming.stream).await {
                        eprintln!("{}: {error}", incoming.peer);
                    }
                    drop(place);
                });
            }
        }
        Err("the server has ended by itself".into())
    };
    tokio::select! {
        // An end is waited for before a link tells anybody that the program is there.
        biased;
        outcome = told_to_end() => outcome?,
        outcome = serve => return outcome,
    }
    server.shutdown().await;
    Ok(())
}

#[cfg(unix)]
async fn told_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_end() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
