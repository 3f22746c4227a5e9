//! Progress: listeners to a run's events. All write to stderr.

use super::run::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use tcs_batch::run::event::{Event, Listener, Silent};

/// Several listeners.
pub struct Fan(Vec<Box<dyn Listener>>);

impl Fan {
    /// One more.
    pub fn add(&mut self, listener: Box<dyn Listener>) {
        self.0.push(listener);
    }
}

impl Listener for Fan {
    fn hear(&mut self, event: &Event) {
        for listener in &mut self.0 {
            listener.hear(event);
        }
    }
}

/// The listener that was asked for, and room for more.
pub fn fan(progress: Progress, quiet: bool) -> Fan {
    Fan(vec![listener(progress, quiet)])
}

/// The listener that was asked for.
pub fn listener(progress: Progress, quiet: bool) -> Box<dyn Listener> {
    let on_terminal = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
    match progress {
        Progress::None => Box::new(Silent),
        Progress::Json => Box::new(Json),
        Progress::Auto if quiet => Box::new(Silent),
        Progress::Bar => Box::new(Bar::new()),
        Progress::Auto if on_terminal => Box::new(Bar::new()),
        Progress::Auto | Progress::Plain => Box::new(Plain { started: Instant::now(), units: 0, done: 0 }),
    }
}

/// One JSON object a line.
struct Json;

impl Listener for Json {
    fn hear(&mut self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            eprintln!("{line}");
        }
    }
}

/// One line a unit.
struct Plain {
    started: Instant,
    units: usize,
    done: usize,
}

impl Plain {
    fn line(&mut self, what: &str) {
        self.done += 1;
        let elapsed = self.started.elapsed().as_secs_f64();
        let left = if self.done < self.units {
            format!(", about {:.0} s left", elapsed / self.done as f64 * (self.units - self.done) as f64)
        } else {
            String::new()
        };
        eprintln!("[{}/{}] {what} ({elapsed:.1} s{left})", self.done, self.units);
    }
}

impl Listener for Plain {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Begun { units, reused } => {
                self.units = units - reused;
                let reused = if *reused > 0 { format!(", {reused} of them reused") } else { String::new() };
                eprintln!("{units} units{reused}");
            }
            Event::Finished { unit, undefined, .. } => {
                self.line(unit);
                if !undefined.is_empty() {
                    eprintln!("note: {unit}: {undefined}");
                }
            }
            Event::Failed { unit, error, skipped, .. } => self.line(&failure(unit, error, *skipped)),
            Event::Retried { unit, attempt, error, .. } => eprintln!("{unit}: attempt {attempt} failed: {error}"),
            Event::Planned { .. } | Event::Started { .. } | Event::Stage { .. } => {}
        }
    }
}

fn failure(unit: &str, error: &str, skipped: bool) -> String {
    format!("{} {unit}: {error}", if skipped { "skipped" } else { "error:" })
}

/// A bar: units done of all, rate, time left, what is being done.
struct Bar {
    bar: ProgressBar,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} units  {per_sec}  {eta} left  {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }
}

impl Listener for Bar {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Begun { units, reused } => {
                self.bar.set_length((units - reused) as u64);
                if *reused > 0 {
                    self.bar.println(format!("{reused} of {units} units reused"));
                }
            }
            Event::Started { unit } => self.bar.set_message(unit.clone()),
            Event::Finished { unit, undefined, .. } => {
                self.bar.inc(1);
                if !undefined.is_empty() {
                    self.bar.println(format!("note: {unit}: {undefined}"));
                }
            }
            Event::Failed { unit, error, skipped, .. } => {
                self.bar.inc(1);
                self.bar.println(failure(unit, error, *skipped));
            }
            Event::Retried { unit, attempt, error, .. } => self.bar.println(format!("{unit}: attempt {attempt} failed: {error}")),
            Event::Stage { name } => self.bar.set_message(*name),
            Event::Planned { .. } => {}
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
