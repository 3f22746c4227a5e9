//! What a run says while it goes on. The bar, the plain lines and the JSON stream are listeners; a run prints nothing itself.

use serde::Serialize;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The units are known; a [`Event::Planned`] for each follows.
    Begun {
        /// All of this run.
        units: usize,
        /// Of these, already computed by an earlier run.
        reused: usize,
    },
    /// A unit of this run.
    Planned {
        /// Its id.
        unit: String,
        /// What it is estimated to take.
        seconds: f64,
        /// Already computed by an earlier run.
        reused: bool,
    },
    /// A worker took a unit.
    Started {
        /// Its id.
        unit: String,
    },
    /// A unit is done and stored.
    Finished {
        /// Its id.
        unit: String,
        /// Wall time.
        seconds: f64,
        /// The same by stage.
        #[serde(serialize_with = "as_map")]
        stages: Vec<(String, f64)>,
        /// Values that do not exist, and why (empty: none).
        undefined: String,
    },
    /// A unit failed and will be tried again.
    Retried {
        /// Its id.
        unit: String,
        /// How long the attempt took.
        seconds: f64,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// Why.
        error: String,
    },
    /// A unit failed for good.
    Failed {
        /// Its id.
        unit: String,
        /// How long the last attempt took; 0 when there was none.
        seconds: f64,
        /// A stable word.
        kind: String,
        /// Why.
        error: String,
        /// Left out on purpose.
        skipped: bool,
    },
    /// All units are through; what is being done now ("tables", "fidelity", "reports").
    Stage {
        /// Its name.
        name: &'static str,
    },
}

fn as_map<S: serde::Serializer>(pairs: &[(String, f64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(stage, seconds)| (stage, seconds)))
}

/// A listener.
pub trait Listener: Send {
    /// Hears an event.
    fn hear(&mut self, event: &Event);
}

/// A listener for those who do not care.
pub struct Silent;

impl Listener for Silent {
    fn hear(&mut self, _: &Event) {}
}
