//! A program that brings the server over which its users' browsers meet: `embedded-signalling [DATA-DIR [MULTIADDR]]`.
//!
//! It prints its addresses, one a line, and ends in order on Ctrl-C. The addresses stay the same as long as the data directory does.

use std::{env::args, error::Error};

use mooring_server::{Config, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let data_dir = args().nth(1).unwrap_or_else(|| "signalling".into());
    let listen = args().nth(2);
    let listen = listen
        .as_deref()
        .unwrap_or("/ip4/0.0.0.0/udp/4817/webrtc-direct");

    let mut config = Config::new(data_dir);
    config.listen = vec![listen.parse()?];
    config.limits.relay_server.circuits = 64;
    let server = Server::start(config).await?;
    let serve = async {
        for address in server.addresses().await? {
            println!("{address}");
        }
        server.ended().await;
        Err("the server has ended by itself".into())
    };
    tokio::select! {
        // Ctrl-C is waited for before an address tells anybody that the program is there.
        biased;
        outcome = tokio::signal::ctrl_c() => outcome?,
        outcome = serve => return outcome,
    }
    eprint!("{}", server.metrics());
    server.shutdown().await;
    Ok(())
}
