//! A stand-in for `tpad`, to try the module by hand on a throwaway host:
//! `fake_tpad gate|bus allow SECONDS|deny|error|hang`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::os::unix::net::UnixListener;

use common::{Answer, FakeTpad, allowed, serve};
use tpa_bus::error::Refusal;
use tpa_bus::gate::Verdict;
use tpa_bus::names;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let (place, answer) = match words.as_slice() {
        [place, "allow", seconds] => (*place, allowed(seconds.parse()?)),
        [place, "deny"] => (
            *place,
            Answer::Verdict(Verdict {
                text: vec![
                    "tpa: access to web-01 denied: no active grant.".into(),
                    "     Request:  tpactl request web-ops --for 1h --reason \"…\"".into(),
                ],
                ..Verdict::default()
            }),
        ),
        [place, "error"] => (
            *place,
            Answer::Refusal(Refusal::Failed("the database is read-only".into())),
        ),
        [place, "hang"] => (*place, Answer::Silence),
        _ => return Err("gate|bus, then allow SECONDS, deny, error or hang".into()),
    };
    match place {
        "gate" => {
            let _ = std::fs::remove_file(names::GATE_SOCKET);
            for stream in UnixListener::bind(names::GATE_SOCKET)?.incoming() {
                let (stream, answer) = (stream?, answer.clone());
                std::thread::spawn(move || serve(stream, answer));
            }
        }
        _ => zbus::block_on(async {
            let connection = zbus::connection::Builder::address(names::SYSTEM_BUS_ADDRESS)
                .name(names::BUS_NAME)
                .serve_at(names::OBJECT_PATH, FakeTpad(answer))
                .build()
                .await?;
            connection.closed().await;
            zbus::Result::Ok(())
        })?,
    }
    Ok(())
}
