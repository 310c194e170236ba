//! `sse-bridge healthcheck`: whether a daemon serves, for images that have no shell and no curl. Silence is good news.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::cat::address::{Address, BadAddress};
use crate::config::ConfigError;
use crate::config::healthcheck::Healthcheck;
use crate::errno::reason;

/// How much of what an answer says is read, in bytes, and how many characters of it are shown.
const SAID: (usize, usize) = (4096, 200);

/// Why it is not known to be well.
#[derive(Debug, thiserror::Error)]
pub enum Unwell {
    /// What is to be asked is not known.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The URL is none.
    #[error("could not ask '{0}': {1}")]
    Address(String, #[source] BadAddress),
    /// Nobody is there, or not in time, or it speaks something else.
    #[error("could not ask {0}: {1}")]
    Silent(String, String),
    /// It says so.
    #[error("{0} answers {1}")]
    Says(String, String),
}

/// Asks.
///
/// # Errors
/// It does not serve, or nobody knows.
pub fn run(asked: &Healthcheck, variables: &[(String, OsString)]) -> Result<ExitCode, Unwell> {
    let url = asked.url(variables)?;
    let address = Address::parse(&url).map_err(|bad| Unwell::Address(url, bad))?;
    let silent = |why: String| Unwell::Silent(address.name(), why);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| silent(reason(&error)))?;
    let answer = runtime.block_on(async { tokio::time::timeout(asked.timeout, ask(&address)).await });
    let (status, said) = answer.map_err(|_| silent(format!("no answer within {:?}", asked.timeout)))?.map_err(silent)?;
    if status == StatusCode::OK {
        return Ok(ExitCode::SUCCESS);
    }
    let line: String = said.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(SAID.1).collect();
    let said = if line.is_empty() { status.to_string() } else { format!("{}: {line}", status.as_u16()) };
    Err(Unwell::Says(address.name(), said))
}

/// The status of the answer, and what it says.
async fn ask(address: &Address) -> Result<(StatusCode, String), String> {
    let in_words = |error: io::Error| reason(&error);
    let socket = TcpStream::connect((&*address.host, address.port)).await.map_err(in_words)?;
    let no_http = |error: hyper::Error| format!("no answer in HTTP: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(no_http)?;
    let request = Request::get(address.target())
        .header(header::HOST, &address.authority)
        .header(header::USER_AGENT, concat!("sse-bridge/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let response: Response<_> = sender.send_request(request).await.map_err(no_http)?;
        let status = response.status();
        // What is more than anybody reads is not shown.
        let said = Limited::new(response.into_body(), SAID.0).collect().await.map(Collected::to_bytes).unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&said).into_owned()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}
