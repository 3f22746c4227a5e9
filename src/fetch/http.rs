//! One HTTP request at a time, without async for the caller: object_store's client (reqwest, rustls) on a runtime of its own.
//!
//! Transport and TLS, pooling, redirects and proxies (`HTTPS_PROXY`, `NO_PROXY`) are object_store's. What is asked (ranges, validators) and
//! what is believed of an answer is decided here and in `download`, because object_store's own `get` hides `Retry-After` and needs a
//! `Content-Length`.

use super::uri::{is_this_machine, redacted};
use super::{FetchError, Settings};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::{HeaderMap, Method, StatusCode, header};
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, ReqwestConnector};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use url::Url;

/// An answer of the DANDI API is never larger than this, bytes.
const MOST_JSON: usize = 64 << 20;
/// How often a wait looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);
/// No `Retry-After` is waited for longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Asks servers.
pub struct Web<'a> {
    runtime: Runtime,
    secure: HttpClient,
    local: HttpClient,
    /// How to fetch.
    pub settings: Settings,
    interrupted: &'a AtomicI32,
}

/// The head of an answer, and its body piece by piece.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: BoxStream<'static, Result<Bytes, HttpError>>,
}

/// Why a try failed, and whether another may help.
pub struct Failure {
    /// The error to report when it is final.
    pub error: FetchError,
    /// Whether trying again may help.
    pub passing: bool,
    /// When the server asks to be asked again.
    pub after: Option<Duration>,
}

impl Failure {
    /// One that stays.
    pub fn lasting(error: FetchError) -> Self {
        Self { error, passing: false, after: None }
    }
    /// One that may pass.
    pub fn passing(error: FetchError) -> Self {
        Self { error, passing: true, after: None }
    }
}

impl<'a> Web<'a> {
    /// A client.
    ///
    /// # Errors
    /// When the system's certificates or a proxy's address cannot be read.
    pub fn new(settings: &Settings, interrupted: &'a AtomicI32) -> Result<Self, FetchError> {
        let fail = |what: String| FetchError::new("https", "network", what);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| fail(error.to_string()))?;
        let agent = header::HeaderValue::from_static(concat!("tcs-batch/", env!("CARGO_PKG_VERSION")));
        let options = ClientOptions::new().with_user_agent(agent).with_timeout_disabled().with_connect_timeout(settings.stall);
        let connect = |options: &ClientOptions| {
            ReqwestConnector::default().connect(options).map_err(|error| {
                fail(format!("no client ({error})"))
                    .hint("check the proxy variables (HTTPS_PROXY, ALL_PROXY) and the system's certificates")
            })
        };
        let secure = connect(&options)?;
        // This machine is never reached through a proxy: one that excludes everything stands in for those of the environment.
        let local = connect(
            &options.with_allow_http(true).with_proxy_url("http://127.0.0.1:9").with_proxy_excludes("127.0.0.0/8,::1,localhost,*"),
        )?;
        Ok(Self { runtime, secure, local, settings: settings.clone(), interrupted })
    }

    /// Waits for `work`, no longer than the settings allow a server to be silent.
    fn wait<T>(&self, shown: &str, work: impl Future<Output = Result<T, HttpError>>) -> Result<T, Failure> {
        let begin = Instant::now();
        let mut work = std::pin::pin!(work);
        loop {
            self.stop_if_asked(shown)?;
            let looked = self.runtime.block_on(async { tokio::time::timeout(LOOK, &mut work).await });
            match looked {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => return Err(network(shown, &error)),
                Err(_) if begin.elapsed() > self.settings.stall => {
                    let what = format!("the server was silent for {} s", self.settings.stall.as_secs_f64());
                    return Err(Failure::passing(
                        FetchError::new(shown, "timeout", what).hint("try again later; what has arrived is kept"),
                    ));
                }
                Err(_) => {}
            }
        }
    }

    fn stop_if_asked(&self, shown: &str) -> Result<(), Failure> {
        match self.interrupted.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(Failure::lasting(FetchError::new(shown, "interrupted", "interrupted"))),
        }
    }

    /// Sends one GET.
    ///
    /// # Errors
    /// When no head of an answer comes. Any status is an answer.
    pub fn get(&self, url: &Url, headers: &[(header::HeaderName, String)]) -> Result<Answer, Failure> {
        let shown = redacted(url.as_str());
        if self.settings.offline {
            return Err(Failure::lasting(offline(&shown)));
        }
        let odd = |what: String| Failure::lasting(FetchError::new(&shown, "bad-uri", what));
        let mut request = http::Request::builder().method(Method::GET).uri(url.as_str()).header(header::ACCEPT_ENCODING, "identity");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request: HttpRequest =
            request.body(HttpRequestBody::empty()).map_err(|error| odd(format!("not an address that can be asked ({error})")))?;
        let client = if url.scheme() == "http" && is_this_machine(url) { &self.local } else { &self.secure };
        let (head, body) = self.wait(&shown, client.execute(request))?.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body: body.bytes_stream() })
    }

    /// The next piece of a body; `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks off or stays silent.
    pub fn piece(&self, shown: &str, answer: &mut Answer) -> Result<Option<Bytes>, Failure> {
        let body = &mut answer.body;
        self.wait(shown, async { body.next().await.transpose() })
    }

    /// A JSON answer, tried again where that may help.
    ///
    /// # Errors
    /// As [`Web::get`], by status, and when the answer is no JSON.
    pub fn json(&self, url: &Url) -> Result<serde_json::Value, FetchError> {
        let shown = redacted(url.as_str());
        self.patiently(&shown, |_| {
            let mut answer = self.get(url, &[(header::ACCEPT, "application/json".into())])?;
            if !answer.status.is_success() {
                return Err(status_failure(&shown, &answer));
            }
            let mut text = Vec::new();
            while let Some(piece) = self.piece(&shown, &mut answer)? {
                text.extend_from_slice(&piece);
                if text.len() > MOST_JSON {
                    return Err(Failure::lasting(FetchError::new(&shown, "http", "the answer is too large to be a description")));
                }
            }
            serde_json::from_slice(&text).map_err(|_| Failure::passing(FetchError::new(&shown, "http", "the answer is not JSON")))
        })
    }

    /// Tries until it works, a failure lasts, or `settings.retries` tries in a row brought nothing. A try that returns an error is told
    /// from one that made progress by `progress`, which it may raise.
    ///
    /// # Errors
    /// The last failure.
    pub fn patiently<T>(&self, shown: &str, mut attempt: impl FnMut(&mut bool) -> Result<T, Failure>) -> Result<T, FetchError> {
        let mut in_vain = 0;
        loop {
            let mut progress = false;
            let failure = match attempt(&mut progress) {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            in_vain = if progress { 1 } else { in_vain + 1 };
            if !failure.passing {
                return Err(failure.error);
            }
            if in_vain > self.settings.retries {
                let tries = if in_vain > 1 { format!(" ({in_vain} tries)") } else { String::new() };
                return Err(FetchError { what: format!("{}{tries}", failure.error.what), ..failure.error });
            }
            let wait = failure.after.unwrap_or_else(|| self.backoff(in_vain)).min(LONGEST_WAIT);
            tracing::info!("{shown}: {}; trying again in {:.1} s", failure.error.what, wait.as_secs_f64());
            self.sleep(shown, wait)?;
        }
    }

    /// Doubles from `settings.backoff`, at most half a minute, less up to a quarter so that many clients do not come at once.
    fn backoff(&self, tries: u32) -> Duration {
        let whole = self.settings.backoff.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(Duration::from_secs(30));
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_micros());
        let spread = f64::from(clock % 1000) / 1000.0;
        whole.mul_f64(1.0 - spread / 4.0)
    }

    fn sleep(&self, shown: &str, wait: Duration) -> Result<(), FetchError> {
        let end = Instant::now() + wait;
        while Instant::now() < end {
            self.stop_if_asked(shown).map_err(|failure| failure.error)?;
            std::thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
        Ok(())
    }
}

/// The error of a cache miss while offline.
pub fn offline(shown: &str) -> FetchError {
    FetchError::new(shown, "offline", "not in the cache, and this run is offline")
        .hint("run `tcs-batch datasets fetch` while online, or leave out --offline (TCS_OFFLINE)")
}

fn network(shown: &str, error: &HttpError) -> Failure {
    let mut causes = vec![error.to_string()];
    let mut at: &dyn std::error::Error = error;
    while let Some(source) = at.source() {
        let text = source.to_string();
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        at = source;
    }
    let why = redacted(&causes.join(": ").replace("HTTP error: ", ""));
    let lasting = why.contains("too many redirects") || why.contains("URL scheme is not allowed") || why.contains("certificate");
    let (kind, what, hint) = match error.kind() {
        HttpErrorKind::Connect => {
            ("network", format!("no connection ({why})"), "check the address, the network and the proxy (HTTPS_PROXY, NO_PROXY)")
        }
        HttpErrorKind::Timeout => {
            ("timeout", format!("the server did not answer in time ({why})"), "try again later; what has arrived is kept")
        }
        _ => ("network", format!("the connection broke off ({why})"), "try again later; what has arrived is kept"),
    };
    let error = FetchError::new(shown, kind, what).hint(hint);
    if lasting { Failure::lasting(error) } else { Failure::passing(error) }
}

/// What a status other than success means.
pub fn status_failure(shown: &str, answer: &Answer) -> Failure {
    let status = answer.status;
    let name = status.canonical_reason().map_or_else(|| status.as_u16().to_string(), |name| format!("{} {name}", status.as_u16()));
    let error = |kind, hint: &str| FetchError::new(shown, kind, format!("the server says {name}")).hint(hint);
    let after = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
    match status.as_u16() {
        404 | 410 => Failure::lasting(error("not-found", "check the address; the file may have been moved or renamed")),
        401 | 403 | 407 => {
            Failure::lasting(error("forbidden", "only public and presigned addresses can be read; a presigned one may have expired"))
        }
        408 | 425 | 429 | 500 | 502 | 503 | 504 => {
            Failure { error: error("http", "try again later; what has arrived is kept"), passing: true, after }
        }
        301 | 302 | 307 | 308 => Failure::lasting(error("http", "it leads nowhere")),
        _ => Failure::lasting(error("http", "check the address")),
    }
}
