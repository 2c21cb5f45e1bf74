//! The gate before a real server: a reverse proxy on loopback that loses, cuts or falsifies what its rule says.

use super::certificates::Authority;
use berth::rehearsal::gate::Verdict;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{io, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};

type Rule = dyn Fn(&Request<Incoming>) -> Verdict + Send + Sync;

/// A proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    _accepting: JoinSet<()>,
}

struct Way {
    rule: Box<Rule>,
    to: String,
    http: reqwest::Client,
}

/// For servers without TLS.
pub(crate) fn plain() -> reqwest::Client {
    reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}

/// For a control plane's servers.
pub(crate) fn trusting(authority: &Authority) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap()
}

impl Proxy {
    /// To this server, through a client that trusts it.
    pub(crate) async fn start(
        to: &str,
        http: reqwest::Client,
        rule: impl Fn(&Request<Incoming>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way = Arc::new(Way { rule: Box::new(rule), to: to.to_owned(), http });
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let way = way.clone();
                let answer = service_fn(move |request| {
                    let way = way.clone();
                    async move { way.answer(request).await }
                });
                connections.spawn(async move {
                    // A cut is what some of them are here for.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
                });
            }
        });
        Self { url, _accepting: accepting }
    }
}

impl Way {
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        match (self.rule)(&request) {
            Verdict::Pass => self.forward(request).await,
            Verdict::CutAfter => {
                self.forward(request).await?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Verdict::Cut => Err(io::ErrorKind::ConnectionAborted.into()),
            Verdict::Answer { status, headers, body } => {
                let mut answer = Response::builder().status(status);
                for (name, value) in headers {
                    answer = answer.header(name, value);
                }
                answer.body(Full::from(body)).map_err(io::Error::other)
            }
            other => panic!("no fact needs {other:?} before a real server"),
        }
    }

    async fn forward(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = head.headers;
        headers.remove("host");
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let sent = self.http.request(head.method, format!("{}{path}", self.to)).headers(headers).body(body);
        let received = sent.send().await.map_err(io::Error::other)?;
        let mut answer = Response::builder().status(received.status());
        for (name, value) in received.headers() {
            // The whole body is read here and sent with a length of its own.
            if !matches!(name.as_str(), "transfer-encoding" | "content-length" | "connection") {
                answer = answer.header(name, value);
            }
        }
        let body = received.bytes().await.map_err(io::Error::other)?;
        answer.body(Full::from(body)).map_err(io::Error::other)
    }
}
