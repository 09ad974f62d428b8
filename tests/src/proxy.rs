//! A connection that fails: a proxy before a server that cuts, truncates or stalls what the server sends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::servers::Address;

/// Bytes that are passed on at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is gone at once, both ways; what the server sent last never arrives.
    Cut,
    /// It ends in the middle of a packet.
    Truncate,
    /// Nothing comes for a while, then it goes on.
    Stall(Duration),
}

/// A fault that waits for its time.
#[derive(Clone, Copy, Debug)]
struct Strike {
    fault: Fault,
    /// Bytes from the server that still pass before it, over all connections.
    bytes: usize,
}

/// The proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens, with the server's user.
    pub address: Address,
    strike: Arc<Mutex<Option<Strike>>>,
    is_over: Arc<AtomicBool>,
}

impl Proxy {
    /// A proxy before a server.
    ///
    /// # Panics
    /// Where no port is free.
    #[must_use]
    pub fn before(server: &Address) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its port").port();
        let strike = Arc::new(Mutex::new(None));
        let is_over = Arc::new(AtomicBool::new(false));
        let behind = (server.host.clone(), server.port);
        thread::spawn({
            let (strike, is_over) = (Arc::clone(&strike), Arc::clone(&is_over));
            move || {
                for client in listener.incoming() {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let server = TcpStream::connect((behind.0.as_str(), behind.1));
                    if let (Ok(client), Ok(server)) = (client, server) {
                        join(client, server, &strike);
                    }
                }
            }
        });
        let address = Address { host: "127.0.0.1".into(), port, ..server.clone() };
        Self { address, strike, is_over }
    }

    /// The connection over which the `bytes`th byte from now on comes meets a fault there.
    pub fn strike(&self, fault: Fault, bytes: usize) {
        *self.strike.lock().unwrap_or_else(PoisonError::into_inner) = Some(Strike { fault, bytes });
    }

    /// Whether the last strike has met a connection.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.strike.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Whoever waits for a client gets one.
        drop(TcpStream::connect((self.address.host.as_str(), self.address.port)));
    }
}

/// Passes on what either side sends, in threads that end with the connection.
fn join(client: TcpStream, server: TcpStream, strike: &Arc<Mutex<Option<Strike>>>) {
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else { return };
    thread::spawn(move || pass(client_too, server_too, |_| None));
    let strike = Arc::clone(strike);
    thread::spawn(move || {
        pass(server, client, |bytes| {
            let mut waiting = strike.lock().unwrap_or_else(PoisonError::into_inner);
            let due = waiting.as_mut()?;
            if bytes < due.bytes {
                due.bytes -= bytes;
                return None;
            }
            waiting.take()
        });
    });
}

/// Passes bytes on until a side ends or a fault ends it.
fn pass(mut from: TcpStream, mut to: TcpStream, mut met: impl FnMut(usize) -> Option<Strike>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(bytes @ 1..) = from.read(&mut chunk) {
        let chunk = chunk.get(..bytes).unwrap_or_default();
        let whole = match met(bytes) {
            None => chunk,
            Some(Strike { fault: Fault::Cut, .. }) => break,
            Some(Strike { fault: Fault::Stall(time), .. }) => {
                // Nobody wakes it: the silence itself is what the other side has to live with.
                thread::park_timeout(time);
                chunk
            }
            Some(Strike { fault: Fault::Truncate, bytes }) => {
                drop(to.write_all(chunk.get(..bytes).unwrap_or_default()));
                break;
            }
        };
        if to.write_all(whole).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
