//! How long a unit spends in each stage.

use std::cell::RefCell;
use std::time::Instant;

/// Seconds by stage. A stage begun inside another counts for itself alone.
#[derive(Debug, Default)]
pub struct Stages {
    inner: RefCell<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    seconds: Vec<(&'static str, f64)>,
    /// Seconds that stages inside the one under way have taken.
    nested: f64,
}

impl Stages {
    /// Does `work`; its time counts as `stage`'s.
    pub fn time<T>(&self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let outer = std::mem::take(&mut self.inner.borrow_mut().nested);
        let started = Instant::now();
        let result = work();
        let elapsed = started.elapsed().as_secs_f64();
        let mut inner = self.inner.borrow_mut();
        let own = (elapsed - inner.nested).max(0.0);
        inner.nested = outer + elapsed;
        match inner.seconds.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, seconds)) => *seconds += own,
            None => inner.seconds.push((stage, own)),
        }
        result
    }

    /// The seconds, stages in the order in which they ended first.
    pub fn seconds(self) -> Vec<(String, f64)> {
        self.inner.into_inner().seconds.into_iter().map(|(stage, seconds)| (stage.to_owned(), seconds)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_stage_inside_another_counts_once() {
        let stages = Stages::default();
        let started = Instant::now();
        stages.time("metrics", || {
            stages.time("embedding", || std::thread::sleep(Duration::from_millis(20)));
            stages.time("embedding", || ());
        });
        stages.time("metrics", || ());
        let all = started.elapsed().as_secs_f64();
        let seconds = stages.seconds();
        let names: Vec<&str> = seconds.iter().map(|(stage, _)| stage.as_str()).collect();
        assert_eq!(names, ["embedding", "metrics"]);
        assert!(seconds[0].1 >= 0.02 && seconds[1].1 < 0.02, "{seconds:?}");
        assert!(seconds.iter().map(|(_, seconds)| seconds).sum::<f64>() <= all);
    }
}
