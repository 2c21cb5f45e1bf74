//! Whether an app answers: what counts as its answer, and what it is waited for.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    bed::crypto,
    stand::{HOST, Stand},
};
use berth::{
    clock::Rhythm,
    settings::{self, Ca},
    steps::health::{ASKING, Healthy},
};
use futures::FutureExt;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// Answers each request with what is said last; tells what was asked.
struct App {
    port: u16,
    answer: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl App {
    fn start(answer: &str) -> Self {
        Self::with(answer, |socket, serve| serve(&mut { socket }))
    }

    fn over_tls(answer: &str, config: rustls::ServerConfig) -> Self {
        let config = Arc::new(config);
        Self::with(answer, move |socket, serve| {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            serve(&mut rustls::StreamOwned::new(connection, socket));
        })
    }

    fn with(answer: &str, speak: impl Fn(TcpStream, &dyn Fn(&mut dyn Both)) + Send + 'static) -> Self {
        crypto();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, asked) = (Arc::new(Mutex::new(answer.to_owned())), Arc::new(Mutex::new(vec![])));
        let app = Self { port, answer: answer.clone(), asked: asked.clone() };
        thread::spawn(move || {
            for socket in listener.incoming() {
                speak(socket.unwrap(), &|stream| {
                    let (mut request, mut byte) = (Vec::new(), [0]);
                    while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                        request.push(byte[0]);
                    }
                    let request = String::from_utf8(request).unwrap();
                    let host =
                        request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("nobody");
                    let line = request.lines().next().unwrap_or_default();
                    asked.lock().unwrap().push(format!("{host} {line}"));
                    let answer = answer.lock().unwrap().clone();
                    let all = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    // Whoever does not trust us has gone away.
                    let _ = stream.write_all(all.as_bytes());
                    let _ = stream.flush();
                });
            }
        });
        app
    }

    fn says(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.to_owned();
    }
}

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

fn step(url: &str, ca: Ca) -> Healthy {
    let health = settings::Health { url: url.parse().unwrap(), status: 200, ca };
    Healthy {
        health,
        vars: vec![],
        patience: Duration::from_secs(300),
        rehearsed: None,
        asking: Rhythm::new(ASKING),
    }
}

#[tokio::test]
async fn its_own_name_leads_to_its_own_addresses_whatever_the_resolver_says() {
    let (stand, app) = (Stand::start('9').await, App::start("200 OK"));
    let url = format!("http://${{HOST}}:{}/healthz", app.port);
    assert_eq!(stand.done(&step(&url, Ca::System)).await, "200 from 9999999");
    let below = format!("http://api.${{HOST}}:{}/", app.port);
    assert_eq!(stand.done(&step(&below, Ca::System)).await, "200 from 9999999");
    let asked = [
        format!("{HOST}:{0} GET /healthz HTTP/1.1", app.port),
        format!("api.{HOST}:{0} GET / HTTP/1.1", app.port),
    ];
    assert_eq!(*app.asked.lock().unwrap(), asked);
    // A name of somebody else's is asked where that leads.
    stand.waits(&step(&format!("http://not{HOST}:{}/", app.port), Ca::System)).await;
    assert_eq!(app.asked.lock().unwrap().len(), 2);
    let by_address = format!("http://${{ADDRESS}}:{}/", app.port);
    assert_eq!(stand.done(&step(&by_address, Ca::System)).await, "200 from 9999999");
}

#[tokio::test]
async fn it_is_asked_again_each_second_until_it_answers_as_it_should() {
    let (stand, app) = (Stand::start('9').await, App::start("503 Service Unavailable"));
    let step = step(&format!("http://${{HOST}}:{}/", app.port), Ca::System);
    let wait = stand.waits(&step).await;
    assert!(wait.on.ends_with(": it answers 503, not 200"), "{}", wait.on);
    let (woken, ()) = futures::join!(wait.wake, async {
        stand.bed.clock.waited_for(1).await;
        stand.bed.clock.advance(jiff::SignedDuration::from_secs(1));
    });
    woken.unwrap();
    app.says("200 OK");
    assert_eq!(stand.done(&step).await, "200 from 9999999");
}

#[tokio::test]
async fn a_second_wait_is_as_quick_at_first_as_the_first() {
    let (stand, app) = (Stand::start('9').await, App::start("503 Service Unavailable"));
    let step = step(&format!("http://${{HOST}}:{}/", app.port), Ca::System);
    stand.waits(&step).await;
    stand.bed.clock.advance(jiff::SignedDuration::from_secs(100));
    stand.waits(&step).await;
    app.says("200 OK");
    stand.done(&step).await;
    app.says("503 Service Unavailable");
    let mut wake = stand.waits(&step).await.wake;
    assert!((&mut wake).now_or_never().is_none(), "it would be asked again at once");
    stand.bed.clock.advance(jiff::SignedDuration::from_millis(250));
    assert!(wake.now_or_never().is_some(), "it is asked as seldom as after 100 s");
}

#[tokio::test]
async fn who_refuses_a_connection_is_waited_for() {
    let stand = Stand::start('9').await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let wait = stand.waits(&step(&format!("http://${{HOST}}:{port}/"), Ca::System)).await;
    assert!(wait.on.contains("it does not answer: Connection refused"), "{}", wait.on);
}

#[tokio::test]
async fn a_redirect_is_followed_within_the_host_alone() {
    let (stand, app) = (Stand::start('9').await, App::start("200 OK"));
    let moved = App::start(&format!("302 Found\r\nlocation: http://{HOST}:{}/b", app.port));
    let url = format!("http://${{HOST}}:{}/", moved.port);
    assert_eq!(stand.done(&step(&url, Ca::System)).await, "200 from 9999999");
    app.asked.lock().unwrap().clear();
    moved.says(&format!("302 Found\r\nlocation: http://127.0.0.1:{}/login", app.port));
    let wait = stand.waits(&step(&url, Ca::System)).await;
    let to = format!("it answers 302 to http://127.0.0.1:{}/login, not 200", app.port);
    assert!(wait.on.ends_with(&to), "{}", wait.on);
    assert!(app.asked.lock().unwrap().is_empty(), "the other host was not asked");
    moved.says(&format!("302 Found\r\nlocation: http://{HOST}:{}/", moved.port));
    assert!(stand.waits(&step(&url, Ca::System)).await.on.contains("it answers 302"), "in a circle");
    let mut wanted = step(&url, Ca::System);
    wanted.health.status = 302;
    assert_eq!(stand.done(&wanted).await, "302 from 9999999");
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_mistake_of_the_settings() {
    let stand = Stand::start('9').await;
    for (url, says) in [("${NOBODY}/", "${NOBODY} is unknown"), ("ftp://${HOST}/", "begins neither")] {
        let error = berth::steps::Step::ensure(&step(url, Ca::System), &stand.context()).await.err().unwrap();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(berth::errors::exit(&error).code(), 1);
    }
}

/// An authority, and a server's side with a certificate of it for the host.
fn authority() -> (String, rustls::ServerConfig) {
    crypto();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![HOST.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (authority.pem(), config)
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_waited_on_and_one_of_the_files_is_good() {
    let ((pem, config), stand) = (authority(), Stand::start('9').await);
    let app = App::over_tls("200 OK", config);
    let url = format!("https://${{HOST}}:{}/", app.port);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| {
        std::fs::write(directory.path().join(name), pem).unwrap();
        Ca::File(directory.path().join(name))
    };
    let wait = stand.waits(&step(&url, file("other.pem", &authority().0))).await;
    assert!(wait.on.contains("it does not answer: invalid peer certificate"), "{}", wait.on);
    assert_eq!(stand.done(&step(&url, file("own.pem", &pem))).await, "200 from 9999999");
    let empty = berth::steps::Step::ensure(&step(&url, file("none.pem", "")), &stand.context()).await;
    assert!(empty.err().unwrap().to_string().contains("none.pem holds no authorities"));
}

#[tokio::test]
async fn the_environments_authority_is_that_beside_the_certificate_of_its_ingress() {
    let ((pem, config), stand) = (authority(), Stand::start('9').await);
    let app = App::over_tls("200 OK", config);
    let step = step(&format!("https://${{HOST}}:{}/", app.port), Ca::Environment);
    let ingress = |name: &str, host: &str, secret: &str| {
        let rules = json!([{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "shop", "port": {"number": 80}}}}]}}]);
        let object = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"tls": [{"hosts": [host], "secretName": secret}], "rules": rules},
        });
        assert!(stand.bed.world().environment.create_as("app", &object));
    };
    let authority_in = |secret: &str, data: serde_json::Value| {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret, "namespace": "default"}, "data": data,
        });
        stand.bed.world().environment.put("secrets", "default", secret, object);
    };
    let encoded = |pem: &str| json!(k8s_openapi::ByteString(pem.as_bytes().to_vec()));
    // Somebody else's in the same environment is not it.
    ingress("other", "other.example.com", "other-tls");
    authority_in("other-tls", json!({"ca.crt": encoded(&authority().0)}));
    let wait = stand.waits(&step).await;
    assert_eq!(wait.on, format!("an Ingress with a `tls` entry for {HOST}"));
    ingress("shop", HOST, "shop-tls");
    wait.wake.await.unwrap();
    let wait = stand.waits(&step).await;
    assert_eq!(wait.on, "the authority of its certificate: `ca.crt` in secret default/shop-tls");
    authority_in("shop-tls", json!({"tls.crt": encoded("later")}));
    wait.wake.await.unwrap();
    let wait = stand.waits(&step).await;
    authority_in("shop-tls", json!({"ca.crt": encoded(&pem)}));
    wait.wake.await.unwrap();
    assert_eq!(stand.done(&step).await, "200 from 9999999");
    stand.bed.world().environment.remove("ingresses.networking.k8s.io", "default", "shop");
    ingress("wildcard", "*.preview.example.com", "shop-tls");
    assert_eq!(stand.done(&step).await, "200 from 9999999");
    // What another authority has signed is not believed.
    authority_in("shop-tls", json!({"ca.crt": encoded(&authority().0)}));
    let wait = stand.waits(&step).await;
    assert!(wait.on.contains("invalid peer certificate"), "{}", wait.on);
}

#[tokio::test]
async fn an_environment_that_cannot_be_read_is_no_verdict() {
    let stand = Stand::start('9').await;
    stand.bed.world().environment.deny("list", "ingresses.networking.k8s.io");
    let step = step("https://${HOST}/", Ca::Environment);
    let error = berth::steps::Step::ensure(&step, &stand.context()).await.err().unwrap();
    assert_eq!(berth::errors::exit(&error).code(), 4, "{error:#}");
}
