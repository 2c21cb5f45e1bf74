//! Messages of DNS: what one asks as a [`Request`], and what was answered as bytes.
//!
//! It must never panic on what a client sends, nor know what a name means.

use super::{FORMAT_ERROR, REFUSED, SERVER_FAILURE};
use crate::rehearsal::{Request, Server};
use hickory_proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::TXT},
};
use serde_json::Value;
use std::{collections::BTreeMap, str::FromStr};

/// The method of every question, which no real HTTP server has.
const METHOD: &str = "QUERY";
/// What a client takes in a datagram that says nothing about it.
const DATAGRAM: u16 = 512;

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// A question, if it is one.
pub(super) fn read(server: Server, transport: Transport, bytes: &[u8]) -> Option<(Message, Request)> {
    let message = Message::from_vec(bytes).ok()?;
    let is_question =
        message.metadata.message_type == MessageType::Query && message.metadata.op_code == OpCode::Query;
    let query = message.queries.first().filter(|_| is_question)?;
    let over = if transport == Transport::Udp { "udp" } else { "tcp" };
    let request = Request {
        server,
        run: String::new(),
        method: METHOD.to_owned(),
        path: vec![plain(query.name()), query.query_type().to_string()],
        query: BTreeMap::from([
            ("transport".to_owned(), over.to_owned()),
            ("recursion".to_owned(), message.metadata.recursion_desired.to_string()),
        ]),
        headers: BTreeMap::new(),
        body: Value::Null,
    };
    Some((message, request))
}

/// The answer to a question. A status that is no code of DNS is what a server in such a state says: it refuses, it fails, or
/// else its answer cannot be read.
pub(super) fn write(question: &Message, transport: Transport, status: u16, body: &str) -> Vec<u8> {
    let code = match status {
        0..16 => status,
        401 | 403 => REFUSED,
        429 | 500.. => SERVER_FAILURE,
        _ => return [&question.metadata.id.to_be_bytes()[..], body.as_bytes()].concat(),
    };
    // What the gate answers in a server's place may have no body.
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let mut answer = empty(question, code.into());
    answer.metadata.authoritative = body["authoritative"] == true;
    answer.metadata.recursion_available = body["recursion"] == true;
    let sections = [
        ("answers", &mut answer.answers),
        ("authority", &mut answer.authorities),
        ("additional", &mut answer.additionals),
    ];
    for (section, records) in sections {
        let shown = body[section].as_array().into_iter().flatten();
        match shown.map(record).collect::<Option<Vec<_>>>() {
            Some(all) => *records = all,
            // Somebody has published what is no record of its type.
            None => return bytes(&empty(question, ResponseCode::ServFail)),
        }
    }
    let whole = bytes(&answer);
    let most = question.edns.as_ref().map_or(DATAGRAM, |edns| edns.max_payload().max(DATAGRAM));
    if transport == Transport::Udp && whole.len() > most.into() { truncated(question) } else { whole }
}

/// An answer that says: come again over TCP.
pub(super) fn truncated(question: &Message) -> Vec<u8> {
    let mut answer = empty(question, ResponseCode::NoError);
    answer.metadata.truncation = true;
    bytes(&answer)
}

fn empty(question: &Message, code: ResponseCode) -> Message {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.response_code = code;
    answer.queries.clone_from(&question.queries);
    answer.edns.clone_from(&question.edns);
    answer
}

fn bytes(message: &Message) -> Vec<u8> {
    // It cannot be written only if it is too long for DNS.
    message.to_vec().unwrap_or_else(|_| {
        let [high, low] = message.metadata.id.to_be_bytes();
        // A header alone: an answer, with an error in its format.
        vec![high, low, 0x80, FORMAT_ERROR.to_be_bytes()[1], 0, 0, 0, 0, 0, 0, 0, 0]
    })
}

fn record(shown: &Value) -> Option<Record> {
    let [name, kind, data] = ["name", "type", "data"].map(|field| shown[field].as_str());
    let name = Name::from_ascii(format!("{}.", name?.trim_end_matches('.'))).ok()?;
    let data = match RecordType::from_str(kind?).ok()? {
        RecordType::TXT => RData::TXT(TXT::new(vec![data?.to_owned()])),
        kind => RData::try_from_str(kind, data?).ok()?,
    };
    Some(Record::from_rdata(name, u32::try_from(shown["ttl"].as_u64()?).ok()?, data))
}

/// Without the dot at its end.
fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}
