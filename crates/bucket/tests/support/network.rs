//! A TCP proxy that cuts connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Between a client and a server; each connection is cut once it has brought so many bytes back.
pub(crate) struct Network {
    pub(crate) endpoint: String,
    state: Arc<State>,
}

struct State {
    server: String,
    cut_after: AtomicU64,
    brought: AtomicU64,
    cuts: AtomicU64,
}

impl Network {
    pub(crate) async fn to(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            server: endpoint.strip_prefix("http://").unwrap().to_owned(),
            cut_after: AtomicU64::new(u64::MAX),
            brought: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(shared.clone().carry(client));
            }
        });
        Self { endpoint: format!("http://{address}"), state }
    }

    /// Cuts each connection, also those that are open, after so many bytes.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.state.cut_after.store(bytes, Ordering::Relaxed);
    }

    /// How often it has cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::Relaxed)
    }

    /// Bytes that it has brought back, over all connections.
    pub(crate) fn brought(&self) -> u64 {
        self.state.brought.load(Ordering::Relaxed)
    }
}

impl State {
    async fn carry(self: Arc<Self>, client: TcpStream) {
        let server = TcpStream::connect(&self.server).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let forth = tokio::spawn(async move {
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        });
        let mut brought = 0;
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
            let left = self.cut_after.load(Ordering::Relaxed).saturating_sub(brought);
            let n = n.min(usize::try_from(left).unwrap_or(usize::MAX));
            brought += n as u64;
            self.brought.fetch_add(n as u64, Ordering::Relaxed);
            if to_client.write_all(&buffer[..n]).await.is_err() {
                break;
            }
            if brought == self.cut_after.load(Ordering::Relaxed) || n == 0 {
                self.cuts.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        forth.abort();
    }
}
