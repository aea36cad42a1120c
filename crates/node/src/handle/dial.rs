//! Dials of peers by their id alone: where nothing usable is known of one, the DHT is asked.

use std::time::Duration;

use super::{Command, Handle, within};
use crate::{
    Error, LookupOptions,
    limits::{DIAL_ADDRESSES, MAX_TIMEOUT},
    types::{Connection, DialRequest, Effort},
};

impl Handle {
    /// Connects, or answers with the connection that is open. A peer that is asked for by its id, and of which no address is known that
    /// the scope allows, is looked up in the DHT first, within half of the time limit; what that finds is judged by the
    /// scope as well.
    ///
    /// # Errors
    /// `BadAddress`, `Refused` (nothing dialed), `DialFailed`, `Timeout`, `LimitExceeded`,
    /// `Paused`, `Stopped`.
    pub async fn dial(&self, request: DialRequest) -> Result<Connection, Error> {
        self.dial_found(request, false).await
    }

    /// What [`dial`](Self::dial) would have to do for this request as things are now.
    ///
    /// # Errors
    /// Those of a request that nothing is dialed for.
    pub async fn effort(&self, request: DialRequest) -> Result<Effort, Error> {
        self.query(|reply| Command::Effort(request, reply)).await
    }

    /// `direct`: a relayed connection is no answer.
    pub(super) async fn dial_found(
        &self,
        mut request: DialRequest,
        direct: bool,
    ) -> Result<Connection, Error> {
        let timeout = request.timeout;
        within(timeout, async {
            let found = self.look_up(&mut request).await?;
            let result = self
                .call(timeout, |reply| Command::Dial(request, direct, reply))
                .await;
            match result {
                // Nobody gave this address: a peer of the DHT claims it.
                Err(Error::BadAddress { .. }) if found => Err(Error::DialFailed {
                    causes: vec!["no address of this peer in the DHT can be dialed".into()],
                }),
                result => result,
            }
        })
        .await
    }

    /// Adds the addresses that the DHT knows to a request that has none. Whether there were any.
    async fn look_up(&self, request: &mut DialRequest) -> Result<bool, Error> {
        let (Some(peer), Some(owner)) = (request.peer, request.owner.clone()) else {
            return Ok(false);
        };
        if !request.addresses.is_empty() || self.effort(request.clone()).await? != Effort::LookUp {
            return Ok(false);
        }
        // What is found at the last moment is still to be dialed.
        let timeout = request.timeout.min(MAX_TIMEOUT).checked_div(2);
        let options = LookupOptions {
            owner,
            scope: request.scope,
            timeout: timeout.unwrap_or(Duration::ZERO),
        };
        match self.find_peer(peer, options).await {
            Ok(found) => {
                request.addresses = found.addresses;
                request.addresses.truncate(DIAL_ADDRESSES);
                Ok(!request.addresses.is_empty())
            }
            // The dial says that there is no address, unless the peer has come by itself.
            Err(Error::NotFound | Error::NoPeers | Error::Timeout) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
