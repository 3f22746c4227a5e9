//! Reads a recording window by window and says how fast: `windows FILE SERIES|spikes WINDOW_S [COUNT] [AREA]`.
//!
//! Windows follow each other from the recording's start; COUNT stops earlier. With `spikes` a window of 0 reads all spikes at once,
//! AREA keeps the units of one brain area. The benchmark in `benches/nwb/` runs it; threads are set with RAYON_NUM_THREADS.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use tcs_batch::data::{Content, Span};
use tcs_batch::read::{self, Condition, Filter, Request, SignalKind};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    let path = PathBuf::from(argument(0).ok_or("which file?")?);
    let what = argument(1).ok_or("which series? or `spikes`")?;
    let window_s: f64 = argument(2).unwrap_or("60").parse()?;
    let count: usize = argument(3).map_or(Ok(usize::MAX), str::parse)?;
    let (start, cpu) = (Instant::now(), cpu_s());
    let format = read::format_of(&path).ok_or("not a recording")?;
    let conditions = argument(4).map(|area| ("location".to_owned(), Condition::OneOf(vec![area.to_owned()])));
    let is_spikes = what == "spikes";
    let mut reader = (format.open)(&Request {
        with: Vec::new(),
        path,
        signal: if is_spikes { SignalKind::Spikes } else { SignalKind::Series },
        series: if is_spikes { vec![] } else { vec![what.to_owned()] },
        units: Filter { conditions: conditions.into_iter().collect(), every: 1, ..Filter::default() },
        channels: Filter { conditions: vec![], every: 1, ..Filter::default() },
        sampling_rate_hz: None,
    })?;
    let (opened_s, whole) = (start.elapsed().as_secs_f64(), reader.header().span);
    let fits = if window_s > 0.0 { ((whole.length_s() / window_s) as usize).max(1) } else { 1 };
    let n = fits.min(count);
    let (mut values, mut sum) = (0, 0.0);
    for window in 0..n {
        let start_s = whole.start_s + window as f64 * window_s;
        let span = (window_s > 0.0).then_some(Span { start_s, stop_s: start_s + window_s });
        match reader.read(span)? {
            Content::Series(series) => {
                values += series.values().len();
                sum += series.values().iter().step_by(997).sum::<f64>();
            }
            Content::Spikes(spikes) => {
                values += spikes.trains().iter().map(|train| train.times_s.len()).sum::<usize>();
                sum += spikes.trains().iter().flat_map(|train| train.times_s.first()).sum::<f64>();
            }
            _ => {}
        }
    }
    println!(
        "{{\"windows\": {n}, \"opened_s\": {opened_s:.4}, \"seconds\": {:.4}, \"cpu_s\": {:.2}, \"values\": {values}, \"sum\": {sum:e}, \"peak_mib\": {}}}",
        start.elapsed().as_secs_f64(),
        cpu_s() - cpu,
        peak_mib()
    );
    Ok(())
}

/// Computing time of all threads so far, from `/proc` (10 ms ticks); 0 elsewhere.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
