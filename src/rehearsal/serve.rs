//! One small HTTP/1 server for all parts of the world, each part on a loopback port of its own; names have sockets of
//! their own kind.
//!
//! It turns HTTP into a [`Request`], asks the gate, lets the request land under the world's lock, and sends what the
//! verdict leaves of the answer. It must never know what any request means.

use super::{
    Reply, Request, Server, World,
    dns::sockets::Sockets,
    gate::{Gate, Verdict},
    kubernetes::{Told, Watch},
    lock,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream, stream::BoxStream};
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::{
    Response,
    body::{Frame, Incoming},
    http,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// More than any of the real servers takes.
const LARGEST_BODY: usize = 32 << 20;

/// A world that is being served. It ends, with all its connections, when the last clone is dropped.
#[derive(Clone)]
pub struct Served {
    /// The world itself, for a harness to set up and look at.
    pub world: Arc<Mutex<World>>,
    /// The gate before it.
    pub gate: Gate,
    addresses: BTreeMap<Server, SocketAddr>,
    _accepting: Arc<JoinSet<()>>,
}

impl Served {
    /// Serves this world on loopback ports that the system chooses.
    pub async fn start(world: World) -> io::Result<Self> {
        let world = Arc::new(Mutex::new(world));
        let gate = Gate::default();
        let mut addresses = BTreeMap::new();
        let mut accepting = JoinSet::new();
        for server in Server::ALL {
            let side = Side { server, world: world.clone(), gate: gate.clone() };
            if server.speaks_dns() {
                let (sockets, address) = Sockets::bind().await?;
                addresses.insert(server, address);
                accepting.spawn(sockets.answer(side));
                continue;
            }
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            addresses.insert(server, listener.local_addr()?);
            accepting.spawn(side.accept(listener));
        }
        Ok(Self { world, gate, addresses, _accepting: Arc::new(accepting) })
    }

    /// Serves this world in place of the one before, on the same ports: what a world holds of them stays true, so many cases
    /// can begin where one has come to. Who was at the one before is dead, so later runs need other names; what was set at the
    /// gate is set no more.
    pub fn begin_at(&self, world: World) {
        self.gate.kill_all();
        *self.lock() = world;
        self.gate.begin_anew();
    }

    /// The loopback port of a server.
    pub fn address(&self, server: Server) -> SocketAddr {
        self.addresses[&server]
    }

    /// Where a server is reached: `http://127.0.0.1:PORT`.
    pub fn url(&self, server: Server) -> String {
        format!("http://{}", self.addresses[&server])
    }

    /// The world, locked: no request lands while this is held.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}

/// One server of the world.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) server: Server,
    world: Arc<Mutex<World>>,
    gate: Gate,
}

type Body = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

/// What is sent back.
pub(super) enum Ending {
    Whole(Landed),
    Half(Landed),
    Cut,
    Silence,
}

/// What a request that landed is answered with.
pub(super) enum Landed {
    Answered(Answer),
    Watching(Box<Watch>),
}

pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// The gate's witnesses see what is answered; a watch has no end that they could see.
fn show(gate: &Gate, request: &Request, reply: Reply) -> Landed {
    let typed = |kind: &str| vec![("content-type".to_owned(), kind.to_owned())];
    let (status, headers, body) = match reply {
        Reply::Json(status, body) => (status, typed("application/json"), body),
        Reply::Headed(status, headers, body) => (status, headers, body),
        Reply::Typed(kind, body) => (200, typed(kind), body),
        Reply::Text(status, text) => {
            let headers = typed("text/plain; charset=utf-8");
            gate.show(request, status, &headers, &Value::Null);
            return Landed::Answered(Answer { status, headers, body: text.into_owned() });
        }
        Reply::Watch(watch) => return Landed::Watching(watch),
    };
    gate.show(request, status, &headers, &body);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Landed::Answered(Answer { status, headers, body })
}

impl Side {
    async fn accept(self, listener: TcpListener) {
        // Dropped with this future, and the connections with it.
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((socket, _)) => connections.spawn(self.clone().converse(socket)),
                // Out of descriptors, or the client has gone already: neither is a reason to stop.
                Err(_) => {
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
        }
    }

    async fn converse(self, socket: TcpStream) {
        // Without it small answers wait for the client's delayed acknowledgement. If it fails, they are only slow.
        let _ = socket.set_nodelay(true);
        // An error of the service closes the connection without an answer; it has been told to the client by that.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service_fn(|request| self.answer(request)))
            .await;
    }

    async fn answer(&self, request: hyper::Request<Incoming>) -> io::Result<Response<Body>> {
        let request = Arc::new(self.gate.altered(read(self.server, request).await?));
        // By itself: what has arrived lands, even if whoever sent it goes away meanwhile.
        let judged = tokio::spawn({
            let (side, request) = (self.clone(), request.clone());
            async move { side.judged(&request).await }
        });
        let response = match judged.await.map_err(io::Error::other)? {
            Ending::Whole(Landed::Answered(answer)) => respond(answer, None),
            Ending::Half(Landed::Answered(answer)) if answer.body.is_empty() => return Err(cut()),
            Ending::Half(Landed::Answered(answer)) => {
                let half = answer.body.len() / 2;
                respond(answer, Some(half))
            }
            Ending::Whole(Landed::Watching(watch)) => self.tell(watch, request.run.clone(), Lines::Whole),
            Ending::Half(Landed::Watching(watch)) => {
                self.tell(watch, request.run.clone(), Lines::HalfOfTheFirst)
            }
            Ending::Cut => return Err(cut()),
            Ending::Silence => std::future::pending().await,
        };
        response.map_err(|error| {
            let why = format!("the gate's answer is no HTTP: {error}");
            self.gate.breach(&why, &request);
            io::Error::other(error)
        })
    }

    /// A request in its turn.
    pub(super) async fn judged(&self, request: &Request) -> Ending {
        if self.gate.is_dead(&request.run) {
            return Ending::Cut;
        }
        let _turn = self.gate.turn(request).await;
        self.settle(request)
    }

    /// Everything that may change the world, in one piece.
    fn settle(&self, request: &Request) -> Ending {
        let verdict = self.gate.judge(request);
        let mut world = lock(&self.world);
        // The run may have died while this request was on its way: nothing lands after a death.
        if self.gate.is_dead(&request.run) {
            return Ending::Cut;
        }
        let mut land = || {
            let reply = world.handle(request);
            if request.mutates() {
                self.gate.check(&world, request);
            }
            show(&self.gate, request, reply)
        };
        match verdict {
            Verdict::Pass => Ending::Whole(land()),
            Verdict::Truncate => Ending::Half(land()),
            Verdict::Answer { status, headers, body } => {
                Ending::Whole(Landed::Answered(Answer { status, headers, body }))
            }
            Verdict::Cut => Ending::Cut,
            Verdict::CutAfter => {
                land();
                Ending::Cut
            }
            Verdict::Hang => Ending::Silence,
            Verdict::HangAfter => {
                land();
                Ending::Silence
            }
            Verdict::DieBefore => {
                self.gate.kill(&request.run);
                Ending::Cut
            }
            Verdict::DieAfter => {
                land();
                self.gate.kill(&request.run);
                Ending::Cut
            }
        }
    }
}

/// How much of a watch is let through.
#[derive(Clone, Copy)]
enum Lines {
    Whole,
    HalfOfTheFirst,
}

impl Side {
    /// A watch, line by line: as long as it goes on, and its run lives. Nothing is held while it waits.
    fn tell(&self, watch: Box<Watch>, run: String, lines: Lines) -> http::Result<Response<Body>> {
        let (server, world, gate) = (self.server, self.world.clone(), self.gate.clone());
        let limit = watch.limit();
        let told = stream::unfold(Some(watch), move |watch| {
            let (world, gate, run) = (world.clone(), gate.clone(), run.clone());
            async move {
                let mut watch = watch?;
                tokio::select! {
                    biased;
                    () = gate.death(&run) => Some((Err(cut()), None)),
                    line = line(&world, server, &mut watch) => match (line?, lines) {
                        (line, Lines::Whole) => Some((Ok(line), Some(watch))),
                        (mut line, Lines::HalfOfTheFirst) => {
                            line.truncate(line.len() / 2);
                            Some((Ok(line), None))
                        }
                    },
                }
            }
        });
        let cut = stream::once(tokio::task::yield_now().map(|()| Err(cut())));
        let told = match lines {
            Lines::Whole => told.boxed(),
            Lines::HalfOfTheFirst => told.chain(cut).boxed(),
        };
        let frames = until(told, limit).map(|line| line.map(|line: String| Frame::data(Bytes::from(line))));
        Response::builder().header("content-type", "application/json").body(StreamBody::new(frames.boxed()))
    }
}

/// The next line of a watch, as soon as there is one; none at its end.
async fn line(world: &Mutex<World>, server: Server, watch: &mut Watch) -> Option<String> {
    loop {
        let told = watch.next(lock(world).cluster(server));
        match told {
            Told::Line(line) => return Some(line),
            Told::End => return None,
            Told::Nothing => watch.woken().await?,
        }
    }
}

/// What comes within this time.
fn until<'a, T: Send + 'a>(stream: BoxStream<'a, T>, limit: Duration) -> BoxStream<'a, T> {
    // One timer for all of it, not one for each line.
    let end = tokio::time::timeout(limit, std::future::pending::<()>());
    stream.take_until(end).boxed()
}

fn cut() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

async fn read(server: Server, request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(io::Error::other)?.to_bytes();
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.to_string())
            .and_modify(|all| {
                all.push_str(", ");
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    let query = parts.uri.query().unwrap_or_default();
    let segments = parts.uri.path().split('/');
    Ok(Request {
        server,
        run: headers.get("berth-run").cloned().unwrap_or_default(),
        method: parts.method.to_string(),
        path: segments.filter(|s| !s.is_empty()).map(decode).collect(),
        query: pairs(query).collect(),
        body: decoded(&body, &headers),
        headers,
    })
}

fn decoded(body: &[u8], headers: &BTreeMap<String, String>) -> Value {
    let is = |kind: &str| headers.get("content-type").is_some_and(|is| is.contains(kind));
    match serde_json::from_slice(body) {
        Err(_) if is("yaml") => serde_saphyr::from_slice(body).unwrap_or_default(),
        Err(_) if is("x-www-form-urlencoded") => pairs(&String::from_utf8_lossy(body))
            .map(|(key, value)| (key, value.into()))
            .collect::<Map<_, _>>()
            .into(),
        read => read.unwrap_or_default(),
    }
}

/// Of a query or a form.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(key, value)| (plus(key), plus(value)))
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn plus(text: &str) -> String {
    decode(&text.replace('+', " "))
}

/// The answer, or only its beginning: then the length is that of the whole, and the connection is cut after `end` bytes.
fn respond(answer: Answer, end: Option<usize>) -> http::Result<Response<Body>> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    // 204 and 304 must not have one.
    if !matches!(answer.status, 204 | 304) {
        response = response.header("content-length", answer.body.len());
    }
    let mut bytes = Bytes::from(answer.body);
    let body = match end {
        None => stream::iter([Ok(Frame::data(bytes))]).boxed(),
        Some(end) => {
            bytes.truncate(end);
            // What was written so far is flushed only when the body lets the connection wait.
            let end = tokio::task::yield_now().map(|()| Err(cut()));
            stream::iter([Ok(Frame::data(bytes))]).chain(stream::once(end)).boxed()
        }
    };
    response.body(StreamBody::new(body))
}
