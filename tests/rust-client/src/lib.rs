//! The Rust client in a page: tests/e2e/rust-client.test.mjs calls it and reads what it notes.

use std::time::Duration;

use futures::{
    AsyncReadExt, AsyncWriteExt, StreamExt,
    future::{Either, select},
    pin_mut,
};
use futures_timer::Delay;
use mooring_client::{Descriptor, Error, Event, EventName, Node, connect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

#[wasm_bindgen]
extern "C" {
    /// Notes something for the test.
    #[wasm_bindgen(js_name = note)]
    fn note(text: &str);
}

fn code(error: Error) -> JsValue {
    error.code().number().into()
}

/// A page's client.
#[wasm_bindgen]
pub struct Probe {
    node: Node,
}

#[wasm_bindgen]
impl Probe {
    /// Connects; errors are the code's number, here and below.
    ///
    /// # Errors
    /// The client's.
    pub async fn connect() -> Result<Probe, JsValue> {
        console_error_panic_hook::set_once();
        let node = connect().await.map_err(code)?;
        Ok(Probe { node })
    }

    /// Asks for all that the tests need; how many descriptors are held.
    ///
    /// # Errors
    /// The client's.
    pub async fn allow(&self, topic: String, protocol: String) -> Result<usize, JsValue> {
        let wanted = [
            Descriptor::Dial {
                private_network: true,
            },
            Descriptor::Peers {},
            Descriptor::Streams {
                protocols: vec![protocol],
            },
            Descriptor::Pubsub {
                topics: vec![topic],
            },
        ];
        let held = self.node.permissions().request(&wanted).await;
        held.map(|held| held.len()).map_err(code)
    }

    /// Notes what comes in a topic.
    ///
    /// # Errors
    /// The client's.
    pub async fn subscribe(&self, topic: String) -> Result<(), JsValue> {
        let mut messages = self.node.pubsub().subscribe(&topic).await.map_err(code)?;
        spawn_local(async move {
            while let Some(message) = messages.next().await {
                note(&format!(
                    "message {}",
                    String::from_utf8_lossy(&message.data)
                ));
            }
        });
        Ok(())
    }

    /// Publishes a text.
    ///
    /// # Errors
    /// The client's.
    pub async fn publish(&self, topic: String, text: String) -> Result<(), JsValue> {
        self.node
            .pubsub()
            .publish(&topic, text)
            .await
            .map_err(code)?;
        Ok(())
    }

    /// Notes peers that connect, and the node's comings.
    ///
    /// # Errors
    /// The client's.
    pub async fn listen(&self) -> Result<(), JsValue> {
        let events = self.node.events(&[EventName::PeerConnected]).await;
        let mut events = events.map_err(code)?;
        spawn_local(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::PeerConnected(peer) => note(&format!("peer {}", peer.peer_id)),
                    Event::NodeAvailable(_) => note("available"),
                    other => note(&format!("{other:?}")),
                }
            }
        });
        Ok(())
    }

    /// Dials, and echoes that many bytes through a window of 64 KiB: how many came back as they went.
    ///
    /// # Errors
    /// The client's.
    pub async fn echo(
        &self,
        address: String,
        protocol: String,
        total: usize,
    ) -> Result<usize, JsValue> {
        let connection = self.node.dial(address.as_str()).await.map_err(code)?;
        let options = mooring_client::StreamOptions {
            window: 64 * 1024,
            ..mooring_client::StreamOptions::default()
        };
        let opened = self
            .node
            .open_stream_with(&connection.peer_id, &[&protocol], options)
            .await;
        let (mut from, mut to) = opened.map_err(code)?.split();
        let bytes: Vec<u8> = (0_u8..=250).cycle().take(total).collect();
        let mut came = Vec::new();
        let write = async {
            to.write_all(&bytes).await?;
            to.close().await
        };
        let (written, read) = futures::join!(write, from.read_to_end(&mut came));
        written.and(read).map_err(|error| error.to_string())?;
        Ok(came
            .iter()
            .zip(&bytes)
            .filter(|(came, went)| came == went)
            .count())
    }

    /// Begins a dial that nobody answers and drops it.
    pub async fn give_up(&self, address: String) {
        let dial = self.node.dial(address.as_str());
        pin_mut!(dial);
        match select(dial, Delay::new(Duration::from_millis(50))).await {
            Either::Left((outcome, _)) => note(&format!("{outcome:?}")),
            Either::Right(_) => note("given up"),
        }
    }
}
