//! Offers in, answers out: as much HTTP as a page's `fetch` needs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail};
use mooring_webrtc::core::{
    address::{DialAddress, Host},
    certhash::Fingerprint,
    sdp,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Expected;

/// Browsers' data-channel offers are about 1 KiB.
const LARGEST_OFFER: usize = 64 * 1024;
/// Of the request's line and headers.
const LARGEST_HEAD: u64 = 16 * 1024;

pub struct Offers {
    listener: TcpListener,
    address: Ipv4Addr,
    udp: u16,
    fingerprint: Fingerprint,
    expected: Expected,
}

impl Offers {
    pub async fn bind(
        address: Ipv4Addr,
        udp: u16,
        fingerprint: Fingerprint,
        expected: Expected,
    ) -> Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((address, 0))).await?;
        Ok(Self {
            listener,
            address,
            udp,
            fingerprint,
            expected,
        })
    }

    /// Where offers are posted to; `?port=N` makes the answer name another UDP port.
    pub fn url(&self) -> Result<String> {
        Ok(format!(
            "http://{}/?udp={}",
            self.listener.local_addr()?,
            self.udp
        ))
    }

    pub async fn serve(&self) -> Result<()> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            if let Err(error) = self.answer(stream).await {
                eprintln!("offer: {error:#}");
            }
        }
    }

    async fn answer(&self, stream: TcpStream) -> Result<()> {
        let mut stream = BufReader::new(stream);
        let port = read_request(&mut stream).await?;
        let ufrag: String = format!("raw{:032x}", rand::random::<u128>());
        let address = DialAddress {
            host: Host::Ip(IpAddr::V4(self.address)),
            port: port.unwrap_or(self.udp),
            fingerprint: self.fingerprint,
            peer: None,
        };
        let answer = sdp::server_answer(&address, &ufrag)?;
        self.expected
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(ufrag, ());
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        Ok(())
    }
}

/// Reads a whole request, and answers the port that it asks for. The offer itself holds nothing that the stack needs:
/// it takes any certificate, and the browser's checks say where it is.
async fn read_request(stream: &mut BufReader<TcpStream>) -> Result<Option<u16>> {
    let mut port = None;
    let mut length = 0;
    let mut head = stream.take(LARGEST_HEAD);
    let mut line = String::new();
    loop {
        line.clear();
        if head.read_line(&mut line).await? == 0 {
            bail!("the request ends early");
        }
        let text = line.trim_end();
        if let Some((_, rest)) = text.split_once("?port=") {
            port = rest.split(' ').next().map(str::parse).transpose()?;
        } else if let Some((name, value)) = text.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().context("content-length")?;
        }
        if text.is_empty() {
            break;
        }
    }
    if length > LARGEST_OFFER {
        bail!("an offer of {length} bytes");
    }
    stream.read_exact(&mut vec![0; length]).await?;
    Ok(port)
}
