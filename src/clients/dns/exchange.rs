//! One question to one server: over UDP, and over TCP where that gave no whole answer in half of the time.
//!
//! A lost datagram is so no lost question. Must never: wait beyond the limit; take an answer to another question, or from
//! somebody else.

use super::Silence;
use hickory_proto::{
    op::{Edns, Message, MessageType, Query, ResponseCode},
    rr::{Name, RecordType},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// What passes everywhere without being cut into pieces (DNS Flag Day 2020).
const DATAGRAM: u16 = 1232;

/// Whose word is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The server's own, as one with authority.
    Authority,
    /// What it finds out.
    Resolver,
}

/// The answer, with or without records.
pub(super) async fn ask(
    server: SocketAddr,
    of: Of,
    name: &Name,
    kind: RecordType,
    limit: Duration,
) -> Result<Message, Silence> {
    let question = question(of, name, kind);
    let bytes = question.to_vec().map_err(|error| Silence::Garbled(error.to_string()))?;
    let exchange = async {
        match timeout(limit / 2, by_udp(server, &question, &bytes)).await {
            Ok(Ok(answer)) if !answer.metadata.truncation => Ok(answer),
            // That it is refused, unreachable or silent may be a firewall's doing, which knows UDP from TCP.
            _ => by_tcp(server, &question, &bytes).await,
        }
    };
    let answer = timeout(limit, exchange).await.map_err(|_| Silence::TimedOut(limit))??;
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
        code => Err(Silence::Code(code.into())),
    }
}

fn question(of: Of, name: &Name, kind: RecordType) -> Message {
    let mut question = Message::query();
    question.metadata.recursion_desired = of == Of::Resolver;
    question.add_query(Query::query(name.clone(), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(DATAGRAM);
    question.set_edns(edns);
    question
}

async fn by_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message, Silence> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A port of its own for each question; once connected, only this server's datagrams come in.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = [0; DATAGRAM as usize];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // Whoever does not know the id has not seen the question.
        if buffer[..length].starts_with(&question.metadata.id.to_be_bytes())
            && let Some(answer) = read(question, &buffer[..length])?
        {
            return Ok(answer);
        }
    }
}

async fn by_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message, Silence> {
    let mut socket = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(|error| Silence::Garbled(error.to_string()))?;
    socket.write_all(&[&length.to_be_bytes()[..], bytes].concat()).await?;
    let mut answer = vec![0; socket.read_u16().await?.into()];
    socket.read_exact(&mut answer).await?;
    read(question, &answer)?.ok_or_else(|| Silence::Garbled("it is about another question".to_owned()))
}

/// None if it is no answer to this question.
fn read(question: &Message, bytes: &[u8]) -> Result<Option<Message>, Silence> {
    let answer = Message::from_vec(bytes).map_err(|error| Silence::Garbled(error.to_string()))?;
    let is_answer = answer.metadata.message_type == MessageType::Response;
    // Some leave the question out where they only say no.
    let is_about_it = answer.queries == question.queries
        || answer.queries.is_empty() && answer.metadata.response_code != ResponseCode::NoError;
    Ok((is_answer && is_about_it && answer.metadata.id == question.metadata.id).then_some(answer))
}

impl From<io::Error> for Silence {
    fn from(error: io::Error) -> Self {
        Silence::Unreachable(error.to_string())
    }
}
