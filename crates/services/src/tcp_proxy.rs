//! A wire between a client and a server that can be cut, held, slowed and corrupted.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::background::Background;

/// Bytes that are read and sent on at once, at most.
const CHUNK: usize = 16 * 1024;

/// Forwards the bytes of every connection to a server and back, until it is told otherwise. What it is told holds at once,
/// for open connections too: a byte that comes in after the call is treated by it. Of [`pass`](Self::pass),
/// [`refuse`](Self::refuse), [`stall`](Self::stall) and [`delay`](Self::delay) the last one called holds.
///
/// It stops when it is dropped, and its connections break.
#[derive(Debug)]
pub struct TcpProxy {
    address: String,
    wire: Arc<Wire>,
    _background: Background,
}

/// What the wire does with bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Pass,
    Refuse,
    Stall,
    Delay(Duration),
}

#[derive(Debug)]
struct Wire {
    upstreams: Vec<String>,
    /// Counts connections: each goes to the next upstream.
    next: AtomicUsize,
    mode: watch::Sender<Mode>,
    /// How often all connections were cut.
    cuts: watch::Sender<u64>,
    /// How many bytes of the upstream's come before the one to corrupt.
    corrupt: Mutex<Option<u64>>,
}

/// A connection ended otherwise than by both sides' saying so.
#[derive(Debug)]
struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl TcpProxy {
    /// Starts one in front of `upstream`, `HOST:PORT`, which need not run yet: each connection connects to it anew, and is
    /// reset where that fails.
    ///
    /// # Errors
    /// Where `upstream` has no port.
    pub fn start(upstream: &str) -> Result<Self> {
        Self::before(&[upstream.to_owned()])
    }

    /// Starts one in front of several that do the same, as a balancer: connections go to one after the other, past those that
    /// take none.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn before(upstreams: &[String]) -> Result<Self> {
        for upstream in upstreams {
            let port = upstream.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            ensure!(port.is_some(), "{upstream:?} is not HOST:PORT");
        }
        let wire = Arc::new(Wire {
            upstreams: upstreams.to_vec(),
            next: AtomicUsize::new(0),
            mode: watch::Sender::new(Mode::Pass),
            cuts: watch::Sender::new(0),
            corrupt: Mutex::new(None),
        });
        let (background, address) = Background::listen("tcp-proxy", {
            let wire = Arc::clone(&wire);
            move |listener| serve(listener, wire)
        })?;
        Ok(Self { address: address.to_string(), wire, _background: background })
    }

    /// `HOST:PORT` for the client.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Forwards all bytes again as they come: ends a refusal, a stall, a delay, and a corruption that has yet to come.
    pub fn pass(&self) {
        *self.wire.corrupt.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.wire.mode.send_replace(Mode::Pass);
    }

    /// Resets open connections, and each new one as soon as it is made.
    pub fn refuse(&self) {
        self.wire.mode.send_replace(Mode::Refuse);
    }

    /// Resets open connections once; new ones pass.
    pub fn cut(&self) {
        self.wire.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Holds all bytes, and the ends of connections, both ways. Nothing is lost, nothing is closed, new connections are
    /// taken and held as well.
    pub fn stall(&self) {
        self.wire.mode.send_replace(Mode::Stall);
    }

    /// Has each chunk (up to 16 KiB, one after the other) wait for so long, both ways.
    pub fn delay(&self, each: Duration) {
        self.wire.mode.send_replace(Mode::Delay(each));
    }

    /// Flips the lowest bit of one byte of what the upstream answers, on whichever connection: the one behind so many
    /// bytes that pass from now on. Once.
    pub fn corrupt_next(&self, bytes: u64) {
        *self.wire.corrupt.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }
}

async fn serve(listener: TcpListener, wire: Arc<Wire>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of files, which may pass; without a pause this would spin.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let cut = wire.cuts.subscribe();
        tokio::spawn(connection(client, Arc::clone(&wire), cut));
    }
}

/// One connection from its start to its end.
async fn connection(mut client: TcpStream, wire: Arc<Wire>, mut cut: watch::Receiver<u64>) {
    let mut mode = wire.mode.subscribe();
    let mut upstream = None;
    let broken = tokio::select! {
        // A cut is looked at first: what comes in after it must not pass.
        biased;
        _ = cut.changed() => Err(Broken),
        _ = mode.wait_for(|mode| *mode == Mode::Refuse) => Err(Broken),
        ended = forward(&mut client, &mut upstream, &wire) => ended,
    };
    if broken.is_err() {
        reset(&client);
        if let Some(upstream) = &upstream {
            reset(upstream);
        }
    }
}

/// Has the socket's closing be a reset, so that the other side cannot take it for a proper end.
fn reset(stream: &TcpStream) {
    // An error means that it has been reset already.
    let _ = stream.set_zero_linger();
}

async fn forward(client: &mut TcpStream, place: &mut Option<TcpStream>, wire: &Wire) -> Result<(), Broken> {
    let connected = wire.connect().await;
    wait(&mut wire.mode.subscribe()).await;
    let upstream = place.insert(connected?);
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let (client_read, client_write) = client.split();
    let (upstream_read, upstream_write) = upstream.split();
    tokio::try_join!(
        pump(client_read, upstream_write, wire, false),
        pump(upstream_read, client_write, wire, true),
    )?;
    Ok(())
}

/// Moves bytes one way until that side ends, and then says so to the other.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    wire: &Wire,
    answers: bool,
) -> Result<(), Broken> {
    let mut mode = wire.mode.subscribe();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).await;
        // An error waits for its turn like any byte: a stalled wire breaks nothing.
        wait(&mut mode).await;
        let chunk = match chunk.get_mut(..read?) {
            None | Some([]) => break,
            Some(chunk) => chunk,
        };
        if answers {
            wire.corrupt(chunk);
        }
        to.write_all(chunk).await?;
    }
    to.shutdown().await?;
    Ok(())
}

/// Waits until what was read may be sent on.
async fn wait(mode: &mut watch::Receiver<Mode>) {
    let begun = Instant::now();
    loop {
        let now = *mode.borrow_and_update();
        let changed = mode.changed();
        // Never an error, which would be one for ever: who waits here holds the wire, and the wire the sender.
        let _ = match now {
            Mode::Pass => return,
            Mode::Delay(each) => tokio::select! {
                () = tokio::time::sleep_until(begun + each) => return,
                changed = changed => changed,
            },
            Mode::Stall | Mode::Refuse => changed.await,
        };
    }
}

impl Wire {
    /// A connection to the upstream whose turn it is, or to the first behind it that takes one.
    async fn connect(&self) -> io::Result<TcpStream> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let mut refused = io::Error::from(io::ErrorKind::NotConnected);
        for upstream in
            self.upstreams.iter().cycle().skip(turn % self.upstreams.len().max(1)).take(self.upstreams.len())
        {
            match TcpStream::connect(upstream).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn corrupt(&self, chunk: &mut [u8]) {
        let mut next = self.corrupt.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = *next else { return };
        match usize::try_from(before).ok().and_then(|place| chunk.get_mut(place)) {
            Some(byte) => {
                *byte ^= 1;
                *next = None;
            }
            None => *next = Some(before - chunk.len() as u64),
        }
    }
}
