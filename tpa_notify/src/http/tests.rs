use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use super::*;
use crate::words::tests::job;

/// A server for one connection: reads a request, and does what it is told.
fn serve(answer: impl FnOnce(TcpStream) + Send + 'static) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let asked = request(&mut stream);
        answer(stream);
        asked
    });
    (format!("http://{address}/s3cret-path"), served)
}

/// Reads one request with its body.
fn request(stream: &mut impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).unwrap();
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        assert!(read > 0, "{text}");
    }
}

fn says(text: impl Into<String>) -> impl FnOnce(TcpStream) + Send + 'static {
    let text: String = text.into();
    move |mut stream: TcpStream| drop(stream.write_all(text.as_bytes()))
}

fn tell(kind: &str, url: &str, secrets: &Secrets) -> Outcome {
    let fields = [
        ("grant", "7H2KM4QX"),
        ("user", "alice"),
        ("reason", "because"),
    ];
    let mut job = job(kind, "request-created", &fields);
    job.url = Some(url.to_owned());
    send(&job, secrets)
}

fn answered(text: &str) -> Outcome {
    let (url, served) = serve(says(text.to_owned()));
    let outcome = tell("slack", &url, &Secrets::default());
    served.join().unwrap();
    let said = format!("{outcome:?}");
    assert!(
        !said.contains("s3cret") && !said.contains("127.0.0.1"),
        "{said}"
    );
    outcome
}

fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Told => "told".to_owned(),
        Outcome::Failed { why, .. } => format!("failed: {why}"),
        Outcome::Refused { why } => format!("refused: {why}"),
    }
}

#[test]
fn what_a_status_means() {
    let status = |line: &str| {
        why(answered(&format!(
            "HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"
        )))
    };
    assert_eq!(status("200 OK"), "told");
    assert_eq!(status("204 No Content"), "told");
    assert!(status("404 s3cret-path").starts_with("failed: it answers with 404"));
    assert!(status("500 Oh").starts_with("failed: it answers with 500"));
    assert!(status("400 Bad").starts_with("refused: it answers with 400"));
    let outcome =
        answered("HTTP/1.1 429 Slow\r\nRetry-After: 99999999\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(
        outcome,
        Outcome::Failed {
            why: "it answers with 429".into(),
            retry_after_s: Some(900)
        }
    );
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = elsewhere.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let answer =
            format!("HTTP/1.1 {status} Go\r\nLocation: http://{to}/\r\nContent-Length: 0\r\n\r\n");
        assert!(why(answered(&answer)).contains("redirects are not followed"));
    }
    assert!(elsewhere.accept().is_err(), "somebody came");
}

#[test]
fn nothing_of_a_hostile_answer_is_believed_or_repeated() {
    assert!(why(answered("\u{1b}[2J s3cret-path\r\n\r\n")).starts_with("failed: "));
    assert!(why(answered("")).starts_with("failed: "));
    // Headers without an end.
    let (url, served) = serve(|mut stream: TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream
            .write_all(b"X-A: s3cret-path aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
            .is_ok()
        {}
    });
    assert!(why(tell("slack", &url, &Secrets::default())).starts_with("failed: "));
    served.join().unwrap();
    // A body without an end is not read at all.
    let (url, served) = serve(|mut stream: TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while stream.write_all(b"4\r\naaaa\r\n").is_ok() {}
    });
    assert_eq!(tell("slack", &url, &Secrets::default()), Outcome::Told);
    served.join().unwrap();
}

#[test]
fn one_that_is_not_there_or_hangs_up_is_one_that_failed() {
    let (url, served) = serve(drop);
    assert!(why(tell("slack", &url, &Secrets::default())).starts_with("failed: "));
    served.join().unwrap();
    assert!(why(tell("slack", &url, &Secrets::default())).starts_with("failed: "));
    let outcome = tell(
        "slack",
        "https://no-such-host.invalid/",
        &Secrets::default(),
    );
    assert!(why(outcome).starts_with("failed: "));
}

#[test]
fn a_webhook_is_signed_over_time_and_body_and_has_its_own_headers() {
    let (url, served) = serve(says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let mut job = job("webhook", "request-created", &[("reason", "because")]);
    job.url = Some(url);
    job.headers.insert("X-Team".into(), "web".into());
    let secrets = Secrets {
        secret: Some("key".into()),
        token: Some("t0ken".into()),
        url: None,
    };
    assert_eq!(send(&job, &secrets), Outcome::Told);
    let asked = served.join().unwrap();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    let signature = signature("key", 1_700_000_000, body);
    for line in [
        "x-team: web".to_owned(),
        "x-tpa-delivery: ab-7".to_owned(),
        "x-tpa-timestamp: 1700000000".to_owned(),
        "authorization: bearer t0ken".to_owned(),
        format!("x-tpa-signature: sha256={signature}"),
    ] {
        assert!(head.lines().any(|one| one == line), "{line} in {head}");
    }
}

#[test]
fn a_signature_is_what_others_make_of_the_same() {
    // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    assert_eq!(
        signature("key", 1_700_000_000, "{}"),
        "9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    );
}

#[test]
fn a_key_stands_where_each_service_wants_it() {
    let key = || Secrets {
        secret: Some("k3y".into()),
        ..Secrets::default()
    };
    let ok = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    let (url, served) = serve(says(ok));
    assert_eq!(tell("opsgenie", &url, &key()), Outcome::Told);
    assert!(
        served
            .join()
            .unwrap()
            .to_lowercase()
            .contains("authorization: geniekey k3y")
    );
    let (url, served) = serve(says(ok));
    assert_eq!(tell("pagerduty", &url, &key()), Outcome::Told);
    assert!(served.join().unwrap().contains("\"routing_key\":\"k3y\""));
    for kind in ["opsgenie", "pagerduty"] {
        let outcome = tell(kind, "http://127.0.0.1:9/", &Secrets::default());
        assert!(why(outcome).contains("secret_file"));
    }
}

#[test]
fn without_tls_a_message_goes_to_this_host_alone() {
    for url in [
        "http://127.0.0.1/x",
        "http://127.8.8.8:80/",
        "http://[::1]:9/",
        "http://localhost/",
    ] {
        assert!(address(url, false).is_ok(), "{url}");
    }
    for url in [
        "http://example.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost.evil/",
        "http://10.0.0.1/",
        "http://127.0.0.1@evil/",
        "https://user:pw@h/",
        "ftp://h/",
        "/x",
        "",
        "http:///x",
        "https://",
    ] {
        let refused = address(url, false).unwrap_err();
        assert!(
            !refused.contains("evil") && !refused.contains("pw"),
            "{refused}"
        );
    }
    assert!(address("http://10.0.0.1/", true).is_ok());
}

/// A server with TLS, and whom to trust for it.
fn serve_tls(name: &str) -> (u16, RootCerts, JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let der = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        // A client that does not trust this server asks nothing.
        let mut first = [0; 1];
        if stream.read_exact(&mut first).is_ok() {
            request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let trusted = RootCerts::Specific(Arc::new(vec![Certificate::from_der(&der).to_owned()]));
    (port, trusted, served)
}

#[test]
fn a_server_is_believed_by_the_certificate_that_this_host_trusts_and_no_other() {
    let message = || Message {
        headers: Vec::new(),
        body: "{}".into(),
    };
    let told = |name: &str, trust: bool| {
        let (port, trusted, served) = serve_tls(name);
        let uri = address(&format!("https://localhost:{port}/"), false).unwrap();
        let nobody = RootCerts::Specific(Arc::new(Vec::new()));
        let outcome = post(&uri, &message(), || {
            Ok(if trust { trusted } else { nobody })
        });
        served.join().unwrap();
        why(outcome)
    };
    assert_eq!(told("localhost", true), "told");
    assert_eq!(
        told("localhost", false),
        "failed: its certificate is from nobody whom this host trusts"
    );
    assert_eq!(
        told("evil.example", true),
        "failed: its certificate is for another name"
    );
    let refused = trusted(&["/no/such/file"]).map(|_| ()).unwrap_err();
    assert!(refused.contains("ca-certificates"), "{refused}");
}
