//! What targets of `notify.toml` are told at, on a host of a story: HTTP on port 8080, and HTTPS on
//! 8443 with a certificate that the host is made to trust. What comes to `/NAME` is kept in
//! `/run/stand-in/NAME`, one request a file; how it is answered stands in `/run/stand-in/NAME.mode`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const FOLDER: &str = "/run/stand-in";
const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";

static COUNT: AtomicU32 = AtomicU32::new(1);

fn main() -> Result<()> {
    fs::create_dir_all(FOLDER)?;
    let config = tls()?;
    let plain = TcpListener::bind("127.0.0.1:8080")?;
    let secure = TcpListener::bind("127.0.0.1:8443")?;
    println!("ready");
    thread::spawn(move || {
        for stream in plain.incoming().flatten() {
            thread::spawn(move || drop(serve(stream)));
        }
    });
    for stream in secure.incoming().flatten() {
        let config = Arc::clone(&config);
        thread::spawn(move || {
            let connection = ServerConnection::new(config);
            let served = connection.map(|connection| serve(StreamOwned::new(connection, stream)));
            drop(served);
        });
    }
    Ok(())
}

/// A certificate for `localhost`, which this host trusts from now on and no other.
fn tls() -> Result<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::create_dir_all("/etc/ssl/certs")?;
    fs::write(TRUSTED, made.cert.pem())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(Arc::new(config))
}

/// Keeps one request, and answers it as the file beside says.
fn serve(mut stream: impl Read + Write) -> Result<()> {
    let request = read(&mut stream)?;
    let name = request
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let folder = Path::new(FOLDER).join(&name);
    fs::create_dir_all(&folder)?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let new: PathBuf = folder.join(format!(".{count:05}"));
    fs::write(&new, &request)?;
    fs::rename(&new, folder.join(format!("{count:05}")))?;
    let mode = fs::read_to_string(Path::new(FOLDER).join(format!("{name}.mode")));
    match mode.unwrap_or_default().trim() {
        // A client gives up on it.
        "hang" => {
            let _ = stream.read(&mut [0; 1]);
        }
        "endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            while stream.write_all(b"X-Endless: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").is_ok() {}
        }
        // What it was asked at, which is a secret.
        "echo" => write!(stream, "HTTP/1.1 404 {name}\r\n\r\nno such: /{name} \u{1b}[2J")?,
        "elsewhere" => stream.write_all(b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:8080/stolen\r\nContent-Length: 0\r\n\r\n")?,
        "" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?,
        status => write!(stream, "HTTP/1.1 {status} Oh\r\nContent-Length: 0\r\n\r\n")?,
    }
    Ok(stream.flush()?)
}

/// Head and body.
fn read(stream: &mut impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0_usize) {
                return Ok(text);
            }
        }
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(text);
        }
        bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
}
