//! The sockets of a DNS server: UDP and TCP on one loopback port, each question through the gate.
//!
//! A verdict means for a datagram what it means for a connection: cut or silent, there is no answer; truncated, it says so,
//! and the client comes again over TCP. It must never know what a name means.

use super::wire::{self, Transport};
use crate::rehearsal::{
    Server,
    serve::{Ending, Landed, Side},
};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

/// How often a port that is free for TCP may not be so for UDP.
const ATTEMPTS: usize = 50;

/// Both sockets of one server.
pub(in crate::rehearsal) struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    /// On a loopback port that the system chooses.
    pub(in crate::rehearsal) async fn bind() -> io::Result<(Self, SocketAddr)> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let tcp = TcpListener::bind("127.0.0.1:0").await?;
            let address = tcp.local_addr()?;
            match UdpSocket::bind(address).await {
                Ok(udp) => return Ok((Self { udp, tcp }, address)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
    }

    /// Answers for as long as it is polled.
    pub(in crate::rehearsal) async fn answer(self, side: Side) {
        tokio::join!(datagrams(Arc::new(self.udp), side.clone()), connections(self.tcp, side));
    }
}

async fn datagrams(socket: Arc<UdpSocket>, side: Side) {
    let mut asked = JoinSet::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        // An error is about a client that has gone: no reason to stop.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let (question, socket, side) = (buffer[..length].to_vec(), socket.clone(), side.clone());
        asked.spawn(async move {
            if let Some(Sent { bytes, .. }) = answer(&side, Transport::Udp, &question).await {
                // A client that has gone needs no answer.
                let _ = socket.send_to(&bytes, from).await;
            }
        });
        while asked.try_join_next().is_some() {}
    }
}

async fn connections(listener: TcpListener, side: Side) {
    let mut conversations = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((socket, _)) => conversations.spawn(converse(socket, side.clone())),
            Err(_) => {
                tokio::task::yield_now().await;
                continue;
            }
        };
        while conversations.try_join_next().is_some() {}
    }
}

/// Its end closes the connection: the client is told so by that.
async fn converse(mut socket: TcpStream, side: Side) -> Option<()> {
    loop {
        let length = socket.read_u16().await.ok()?;
        let mut question = vec![0; length.into()];
        socket.read_exact(&mut question).await.ok()?;
        let Sent { bytes, whole } = answer(&side, Transport::Tcp, &question).await?;
        let length = u16::try_from(bytes.len()).ok()?;
        let end = if whole { bytes.len() } else { bytes.len() / 2 };
        let framed = [&length.to_be_bytes()[..], &bytes[..end]].concat();
        socket.write_all(&framed).await.ok()?;
        if !whole {
            return None;
        }
    }
}

struct Sent {
    bytes: Vec<u8>,
    whole: bool,
}

/// What the server and the verdict leave of an answer.
async fn answer(side: &Side, transport: Transport, question: &[u8]) -> Option<Sent> {
    let (question, request) = wire::read(side.server, transport, question)?;
    let (landed, whole) = match side.judged(&request).await {
        Ending::Whole(landed) => (landed, true),
        Ending::Half(_) if transport == Transport::Udp => {
            return Some(Sent { bytes: wire::truncated(&question), whole: true });
        }
        Ending::Half(landed) => (landed, false),
        Ending::Cut => return None,
        Ending::Silence => std::future::pending().await,
    };
    match landed {
        Landed::Answered(answer) => {
            Some(Sent { bytes: wire::write(&question, transport, answer.status, &answer.body), whole })
        }
        // No name is watched.
        Landed::Watching(_) => None,
    }
}

impl Server {
    /// Whether it speaks DNS, and not HTTP.
    pub(in crate::rehearsal) fn speaks_dns(self) -> bool {
        matches!(self, Server::Dns | Server::Resolver)
    }
}
