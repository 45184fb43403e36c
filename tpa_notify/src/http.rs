//! Brings a message to an address, once.
//!
//! Nothing that answers is believed: no redirect is followed, nothing of an answer's body is read,
//! its headers and the time for all of it have limits, and no word of it gets into a message to
//! tpad but the number of its status. An answer may repeat the address that it was asked at, and
//! that is a secret for most targets.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use ring::hmac;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Error};

use crate::body::body;
use crate::job::{Job, Kind, Outcome};
use crate::secret::Secrets;

/// How long a target may take for all of it.
const LIMIT: Duration = Duration::from_secs(10);

/// Most bytes of an answer's headers.
const MOST_HEADERS: usize = 16 * 1_024;

/// Longest time that a target may ask us to wait, in seconds.
const LONGEST_WAIT_S: u64 = 900;

/// Where hosts keep whom they trust: Debian and its kin, Fedora and its kin, SUSE.
const TRUSTED: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
const OPSGENIE: &str = "https://api.opsgenie.com/v2/alerts";

/// Brings the message there, and says what came of it.
#[must_use]
pub fn send(job: &Job, secrets: &Secrets) -> Outcome {
    match prepare(job, secrets) {
        Ok((uri, message)) => post(&uri, &message, || trusted(&TRUSTED)),
        Err(why) => Outcome::failed(why),
    }
}

/// What is sent.
struct Message {
    headers: Vec<(String, String)>,
    body: String,
}

/// Where to and what, or what is missing: words without the address.
fn prepare(job: &Job, secrets: &Secrets) -> Result<(Uri, Message), String> {
    let fixed = match job.kind {
        Kind::Pagerduty => Some(PAGERDUTY),
        Kind::Opsgenie => Some(OPSGENIE),
        _ => None,
    };
    let url = secrets.url.as_deref().or(job.url.as_deref()).or(fixed);
    let uri = address(url.ok_or("there is no address")?, job.plain_http)?;
    let key = secrets.secret.as_deref();
    if matches!(job.kind, Kind::Pagerduty | Kind::Opsgenie) && key.is_none() {
        return Err("the key is missing: secret_file".to_owned());
    }
    let body = body(job, key).to_string();
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    match (job.kind, key) {
        (Kind::Opsgenie, Some(key)) => {
            headers.push(("Authorization".to_owned(), format!("GenieKey {key}")));
        }
        (Kind::Webhook, key) => {
            headers.extend(job.headers.clone());
            headers.extend(of_webhook(job, secrets, key, &body));
        }
        _ => {}
    }
    Ok((uri, Message { headers, body }))
}

/// Names the message, so that a retry is told from another, and says who sent it and when.
fn of_webhook(
    job: &Job,
    secrets: &Secrets,
    key: Option<&str>,
    body: &str,
) -> Vec<(String, String)> {
    let mut headers = vec![
        ("X-TPA-Delivery".to_owned(), job.id.clone()),
        ("X-TPA-Timestamp".to_owned(), job.sent_at.to_string()),
    ];
    if let Some(token) = &secrets.token {
        headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
    }
    if let Some(key) = key {
        let signature = format!("sha256={}", signature(key, job.sent_at, body));
        headers.push(("X-TPA-Signature".to_owned(), signature));
    }
    headers
}

/// HMAC-SHA256 over the time, a dot and the body, in hexadecimal digits: with the time in it nobody
/// can send an old message as a new one.
#[must_use]
pub fn signature(key: &str, sent_at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, format!("{sent_at}.{body}").as_bytes());
    let digits = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// The address, if it is one that a message may go to: over TLS, or to this host itself.
///
/// # Errors
/// Why not, in words that do not repeat it.
pub fn address(url: &str, plain_http: bool) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|_| "the address is none".to_owned())?;
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or("the address names no host")?;
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err("the address has a password in it: use token_file".to_owned());
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if plain_http || is_loopback(host) => Ok(uri),
        Some("http") => Err(
            "the address begins with http: and is not on this host; use https, or plain_http = true"
                .to_owned(),
        ),
        _ => Err("the address must begin with https:".to_owned()),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Result<std::net::IpAddr, _> = bare.parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn post(
    uri: &Uri,
    message: &Message,
    trusted: impl FnOnce() -> Result<RootCerts, String>,
) -> Outcome {
    let agent = match agent(uri, trusted) {
        Ok(agent) => agent,
        Err(why) => return Outcome::failed(why),
    };
    let mut request = agent.post(uri);
    for (name, value) in &message.headers {
        request = request.header(name, value);
    }
    match request.send(&message.body) {
        Ok(answer) => {
            let after = answer.headers().get("Retry-After");
            let after = after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            judged(answer.status().as_u16(), after)
        }
        Err(error) => Outcome::failed(because(&error)),
    }
}

fn agent(uri: &Uri, trusted: impl FnOnce() -> Result<RootCerts, String>) -> Result<Agent, String> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(MOST_HEADERS)
        .timeout_global(Some(LIMIT))
        // The environment is nobody's to say where messages go.
        .proxy(None)
        .user_agent(concat!("tpa/", env!("CARGO_PKG_VERSION")));
    if uri.scheme_str() == Some("https") {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(trusted()?)
            .unversioned_rustls_crypto_provider(provider);
        config = config.tls_config(tls.build());
    }
    Ok(config.build().into())
}

/// Whom this host trusts, by the first of these files.
fn trusted(files: &[&str]) -> Result<RootCerts, String> {
    let found = files.iter().find_map(|file| std::fs::read(file).ok());
    let pem = found.ok_or("this host trusts nobody yet: install ca-certificates")?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

/// What a status means. Most of what is wrong with an address or a key can be put right while the
/// message waits; what is wrong with the message itself cannot.
fn judged(status: u16, retry_after_s: Option<u64>) -> Outcome {
    match status {
        200..=299 => Outcome::Told,
        300..=399 => Outcome::failed(format!(
            "it answers with {status}: redirects are not followed, put the new address in its file"
        )),
        400 | 413 | 422 => Outcome::refused(format!(
            "it answers with {status}: it does not take this message"
        )),
        401 | 403 | 404 | 410 => Outcome::failed(format!(
            "it answers with {status}: the address or the key is wrong"
        )),
        _ => Outcome::Failed {
            why: format!("it answers with {status}"),
            retry_after_s: retry_after_s.map(|seconds| seconds.min(LONGEST_WAIT_S)),
        },
    }
}

/// Why nothing came back. Only kinds, no text of the other side's.
fn because(error: &Error) -> String {
    match error {
        Error::Timeout(_) => format!("no answer within {} s", LIMIT.as_secs()),
        Error::HostNotFound => "the name of its host cannot be resolved".to_owned(),
        Error::ConnectionFailed => "nobody answers at its address".to_owned(),
        Error::LargeResponseHeader(..) => "its answer is too long".to_owned(),
        Error::Protocol(_) => "its answer is not HTTP".to_owned(),
        Error::Tls(_) | Error::Rustls(_) | Error::Pem(_) => by_tls(error),
        Error::Io(error) => of_io(error),
        _ => "the message could not be sent".to_owned(),
    }
}

/// TLS errors come as such, or inside of one of reading.
fn of_io(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(error) => of_rustls(error),
        None => format!("the connection failed: {}", error.kind()),
    }
}

fn by_tls(error: &Error) -> String {
    match error {
        Error::Rustls(error) => of_rustls(error),
        _ => "TLS failed".to_owned(),
    }
}

fn of_rustls(error: &rustls::Error) -> String {
    use rustls::CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer,
    };
    let rustls::Error::InvalidCertificate(error) = error else {
        return "TLS failed".to_owned();
    };
    match error {
        UnknownIssuer => "its certificate is from nobody whom this host trusts".to_owned(),
        NotValidForName | NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        Expired | ExpiredContext { .. } => "its certificate has expired".to_owned(),
        _ => "its certificate is not valid".to_owned(),
    }
}

/// For a body in the form that mail takes.
pub(crate) fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[cfg(test)]
mod tests;
