//! Computes one metric or embedding on `.npy` matrices (rows: time, columns: channels named `0`, `1`, …) and prints one line of
//! JSON a file: what the scripts in `dev/` and `benches/` compare with other programs.
//!
//! `metric KIND 'key = value' FILE.npy…`; `embed:KIND` for an embedding; of `reconstruction-error` the files come in pairs, before and after. `REPEAT=n` computes each n times
//! (0: only reads the files) and prints the last, so that a script can tell the computing from the rest.

use tcs_batch::data::Series;
use tcs_batch::embed::EMBEDDINGS;
use tcs_batch::metrics::{Bench, Beside, METRICS, Resampling, resample};
use tcs_batch::spec::{Diagnostics, Entry, Section};
use toml::de::DeTable;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, keys, files @ ..] = &arguments[..] else {
        return Err("usage: metric KIND 'key = value' FILE.npy…".into());
    };
    let repeat: usize = std::env::var("REPEAT").map_or(Ok(1), |text| text.parse())?;
    if kind == "reconstruction-error" {
        return reconstructions(keys, files);
    }
    for file in files {
        let series = read(file)?;
        for turn in 1..=repeat {
            let json = computed(kind, keys, &series)?;
            if turn == repeat {
                println!("{json}");
            }
        }
    }
    Ok(())
}

fn reconstructions(keys: &str, files: &[String]) -> Result<(), Failure> {
    let (metric, _) = parsed(METRICS, "reconstruction-error", keys)?;
    for pair in files.chunks_exact(2) {
        let (before, after) = (read(&pair[0])?, read(&pair[1])?);
        let beside = Beside { before: Some(&before), ..Beside::default() };
        let rows = metric.evaluate_beside(&Bench { series: &after, spikes: None, seed: 1 }, &beside).rows;
        println!("{}", serde_json::to_value(rows)?);
    }
    Ok(())
}

fn computed(kind: &str, keys: &str, series: &Series) -> Result<serde_json::Value, Failure> {
    Ok(match kind.strip_prefix("embed:") {
        Some(method) => {
            let (embed, _) = parsed(EMBEDDINGS, method, keys)?;
            let out = embed.embed(series, 0)?;
            serde_json::json!({ "points": out.points.iter().collect::<Vec<_>>(), "rows": out.rows })
        }
        None => {
            let (metric, resampling) = parsed(METRICS, kind, keys)?;
            serde_json::to_value(resample::evaluate(&*metric, &resampling, &Bench { series, spikes: None, seed: 1 }).rows)?
        }
    })
}

fn parsed<T: ?Sized>(registry: &[Entry<T>], kind: &str, keys: &str) -> Result<(Box<T>, Resampling), Failure> {
    let entry = registry.iter().find(|entry| entry.kind == kind).ok_or_else(|| format!("no `{kind}`"))?;
    let table = DeTable::parse(keys)?;
    let diagnostics = Diagnostics::default();
    let section = Section::new("[[metric]]", table.get_ref(), table.span(), &diagnostics);
    let (made, resampling) = ((entry.parse)(&section), Resampling::parse(&section));
    section.finish();
    made.map(|made| (made, resampling)).filter(|_| diagnostics.is_empty()).ok_or_else(|| format!("{diagnostics:?}").into())
}

fn read(file: &str) -> Result<Series, Failure> {
    let matrix: ndarray::Array2<f64> = ndarray_npy::read_npy(file)?;
    let names = (0..matrix.ncols()).map(|channel| channel.to_string()).collect();
    Ok(Series::new(names, matrix.t().iter().copied().collect(), 1.0, 0.0, "")?)
}
