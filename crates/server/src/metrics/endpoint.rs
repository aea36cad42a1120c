//! Where Prometheus fetches the numbers: `GET /metrics`, and nothing else.
//!
//! One request a connection, of which only the head is looked at, and an answer with a length: all of HTTP that a scrape needs.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use super::Metrics;
use crate::limits::{
    METRICS_ACCEPT_PAUSE, METRICS_CONNECTIONS, METRICS_HEADERS, METRICS_REQUEST_BYTES,
    METRICS_TIMEOUT,
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// A listening endpoint; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Endpoint {
    pub(crate) fn start(listener: TcpListener, metrics: Arc<Metrics>) -> io::Result<Self> {
        Ok(Self {
            address: listener.local_addr()?,
            task: tokio::spawn(serve(listener, metrics)),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS));
    // They end with this task.
    let mut connections = JoinSet::new();
    // Closed it never is.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "metrics: cannot accept");
                // No file descriptors left, most likely; it would be the same at once.
                sleep(METRICS_ACCEPT_PAUSE).await;
                continue;
            }
        };
        let metrics = Arc::clone(&metrics);
        connections.spawn(async move {
            let _place = place;
            match timeout(METRICS_TIMEOUT, serve_one(stream, &metrics)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "metrics: a connection broke"),
                Err(_) => tracing::debug!("metrics: a request took too long"),
            }
        });
    }
}

async fn serve_one(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    let mut head = Vec::new();
    let response = loop {
        let room = METRICS_REQUEST_BYTES.saturating_sub(head.len());
        if (&mut stream)
            .take(u64::try_from(room).unwrap_or(u64::MAX))
            .read_buf(&mut head)
            .await?
            == 0
        {
            if room > 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            break plain("431 Request Header Fields Too Large", "too long", "");
        }
        if let Some(response) = respond(&head, metrics) {
            break response;
        }
    };
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    // To close with something unread would take the answer back. The time limit is the whole connection's.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// The whole response, once the request's head is whole.
fn respond(head: &[u8], metrics: &Metrics) -> Option<String> {
    let mut headers = [httparse::EMPTY_HEADER; METRICS_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Some(plain(
                "431 Request Header Fields Too Large",
                "too many headers",
                "",
            ));
        }
        Err(_) => return Some(plain("400 Bad Request", "no HTTP", "")),
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if path != "/metrics" {
        return Some(plain("404 Not Found", "see /metrics", ""));
    }
    Some(match request.method {
        Some("GET") => {
            let body = metrics.text();
            let mut response = headed("200 OK", OPEN_METRICS, body.len(), "");
            response.push_str(&body);
            response
        }
        Some("HEAD") => headed("200 OK", OPEN_METRICS, metrics.text().len(), ""),
        _ => plain(
            "405 Method Not Allowed",
            "GET /metrics",
            "allow: GET, HEAD\r\n",
        ),
    })
}

fn plain(status: &str, body: &str, more: &str) -> String {
    // The end of the line, too.
    let length = body.len().saturating_add(1);
    headed(status, PLAIN, length, more) + body + "\n"
}

fn headed(status: &str, kind: &str, length: usize, more: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{more}connection: close\r\n\r\n"
    )
}
