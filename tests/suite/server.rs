//! A web server of this machine that misbehaves on request.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// Headers, names in small letters.
    pub headers: HashMap<String, String>,
    /// How many requests came before it.
    pub earlier: usize,
}

impl Request {
    /// The first byte that is asked for, and the last where there is one.
    pub fn range(&self) -> Option<(usize, Option<usize>)> {
        let (first, last) = self.headers.get("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()))
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Close after so many bytes of the body.
    pub cut: Option<usize>,
    /// Be silent for ever after so many bytes of the body.
    pub stall: Option<usize>,
    /// Wait after each 16 kB.
    pub slow: Duration,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), cut: None, stall: None, slow: Duration::ZERO }
    }
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }
    pub fn cut(mut self, after: usize) -> Self {
        self.cut = Some(after);
        self
    }
}

/// A file as a good server gives it: ranges, `If-Range`, an entity tag.
pub fn file(request: &Request, body: &[u8], etag: &str) -> Answer {
    let same = request.headers.get("if-range").is_none_or(|tag| tag == etag);
    match request.range().filter(|_| same) {
        Some((first, _)) if first >= body.len() => Answer::new(416, "").with("Content-Range", format!("bytes */{}", body.len())),
        Some((first, last)) => {
            let last = last.unwrap_or(body.len() - 1).min(body.len() - 1);
            Answer::new(206, &body[first..=last]).with("Content-Range", format!("bytes {first}-{last}/{}", body.len())).with("ETag", etag)
        }
        None => Answer::new(200, body).with("ETag", etag),
    }
}

/// A server; it ends with this.
pub struct Server {
    port: u16,
    log: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
}

impl Server {
    pub fn new(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (log, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let answer = Arc::new(answer);
        let (known, ended) = (Arc::clone(&log), Arc::clone(&over));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (answer, log, over) = (Arc::clone(&answer), Arc::clone(&known), Arc::clone(&ended));
                std::thread::spawn(move || serve(stream, answer.as_ref(), &log, &over));
            }
        });
        Self { port, log, over }
    }
    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
    /// What was asked so far.
    pub fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: TcpStream, answer: &(impl Fn(&Request) -> Answer + ?Sized), log: &Mutex<Vec<Request>>, over: &AtomicBool) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    let mut request = Request { path: first.split(' ').nth(1).unwrap_or("/").to_owned(), headers: HashMap::new(), earlier: 0 };
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            request.headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    {
        let mut log = log.lock().unwrap();
        request.earlier = log.len();
        log.push(request.clone());
    }
    // The client may go away in the middle: that is part of the play.
    let _ = send(stream, &answer(&request), over);
}

fn send(mut stream: TcpStream, answer: &Answer, over: &AtomicBool) -> std::io::Result<()> {
    let has = |name: &str| answer.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !has("content-length") && !has("transfer-encoding") {
        head += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    let end = answer.cut.or(answer.stall).unwrap_or(answer.body.len()).min(answer.body.len());
    for piece in answer.body[..end].chunks(16 << 10) {
        stream.write_all(piece)?;
        std::thread::sleep(answer.slow);
    }
    stream.flush()?;
    while answer.stall.is_some() && !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
