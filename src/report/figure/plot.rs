//! A small chart: plotters draws frame, grid and labels; marks are written as one compact path a series.
//!
//! Plotters knows no style sheet, so it draws with stand-in colours that are then replaced by CSS variables: one picture for light and dark.

use super::super::number::number;
use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::{IntoFont, TextStyle};
use std::fmt::Write;

/// Units of the drawing; a figure is shown at about half of them, so that whole-unit coordinates stay fine enough.
const WIDTH: u32 = 1000;
const HEIGHT: u32 = 640;
/// Text height in those units (plotters divides by 1.24): 14 px on a desk, 9 px on a phone.
const TEXT: u32 = 35;
/// Labels an axis, about.
const LABELS: usize = 6;
/// The frame without labels, for axes of equal scale; label widths change it by a few per cent at most.
const FRAME_RATIO: f64 = 840.0 / 526.0;
const GRID_INK: RGBColor = RGBColor(1, 1, 1);
const AXIS_INK: RGBColor = RGBColor(2, 2, 2);
const TEXT_INK: RGBColor = RGBColor(3, 3, 3);

/// An axis; a logarithmic one takes plain values and hides those that are not positive.
#[derive(Debug, Clone, Default)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) log: bool,
    /// Names at given places instead of numbers.
    pub(super) names: Option<Vec<(f64, String)>>,
}

impl Axis {
    /// A linear axis around `values`, with some air; `None` when there is no finite value or they span more than numbers can hold.
    pub(super) fn around(label: impl Into<String>, values: impl Iterator<Item = f64>, air: f64) -> Option<Self> {
        let (low, high) = bounds(values)?;
        let margin = if apart(low, high) { (high - low) * air } else { high.abs().max(1e-6) * 0.1 };
        let (low, high) = (low - margin, high + margin);
        (high - low).is_finite().then(|| Self { label: label.into(), low, high, ..Self::default() })
    }
    /// A logarithmic axis over the positive ones of `values`.
    pub(super) fn log(label: impl Into<String>, values: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = bounds(values.filter(|&value| value > f64::MIN_POSITIVE))?;
        let (low, high) = if high > low * 1.01 { (low, high) } else { (low / 2.0, high * 2.0) };
        high.is_finite().then(|| Self { label: label.into(), low, high, log: true, ..Self::default() })
    }
    /// Widens the axis that has room, so that both have one scale and a circle is round.
    pub(super) fn equalise(x: &mut Self, y: &mut Self) {
        let widen = |axis: &mut Self, span: f64| {
            let more = (span - (axis.high - axis.low)).max(0.0) / 2.0;
            (axis.low, axis.high) = (axis.low - more, axis.high + more);
        };
        let (across, up) = (x.high - x.low, y.high - y.low);
        widen(x, up * FRAME_RATIO);
        widen(y, across / FRAME_RATIO);
    }
    fn place(&self, value: f64) -> Option<f64> {
        let placed = if self.log { value.log10() } else { value };
        (placed.is_finite() && (!self.log || value > 0.0)).then_some(placed)
    }
    /// Plotters looks for ticks in a loop that never ends when the range overflows or is narrower than a number's last digit.
    fn is_drawable(&self) -> bool {
        let range = self.range();
        let bounded = |value: f64| value.abs() < 1e290;
        bounded(range.start) && bounded(range.end) && apart(range.start, range.end)
    }
    fn range(&self) -> std::ops::Range<f64> {
        let place = |value: f64| if self.log { value.log10() } else { value };
        place(self.low)..place(self.high)
    }
    fn tick(&self, value: f64) -> String {
        if self.names.is_some() {
            String::new()
        } else if self.log {
            let wide = (self.high / self.low).log10() > LABELS as f64 / 2.0;
            log_tick(value, wide)
        } else {
            // A tick that should be 0 may come out as 1e-17.
            number(if value.abs() < 1e-9 * (self.high - self.low).abs() { 0.0 } else { value })
        }
    }
}

/// Whether an axis from `low` to `high` has ticks that differ: nearer together they would be one and the same number.
pub(super) fn apart(low: f64, high: f64) -> bool {
    high - low > (low.abs().max(high.abs()) * 1e-9).max(1e-200)
}

/// A tick at 10 to the `power`. On an axis of many decades only whole powers get a label.
fn log_tick(power: f64, wide: bool) -> String {
    let whole = (power - power.round()).abs() < 1e-6;
    if !wide || (whole && (-3.0..=4.0).contains(&power.round())) {
        let real = 10f64.powf(power);
        let two_digits: f64 = format!("{real:.1e}").parse().unwrap_or(real);
        return number(two_digits);
    }
    let raised = |letter: char| match letter {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32(0x2070 + digit.to_digit(10).unwrap_or_default()).unwrap_or(digit),
    };
    if whole { format!("10{}", format!("{:.0}", power.round()).chars().map(raised).collect::<String>()) } else { String::new() }
}

/// What is drawn, in data coordinates.
#[derive(Debug, Clone)]
pub(super) enum Mark {
    /// Round or square dots, `size` units wide.
    Dots { points: Vec<(f64, f64)>, colour: String, size: u32, square: bool },
    /// A line through the points.
    Line { points: Vec<(f64, f64)>, colour: String, dashed: bool },
    /// Short upright strokes.
    Ticks { points: Vec<(f64, f64)>, colour: String, length: f64 },
    /// Level bars from the first to the second abscissa.
    Bars { bars: Vec<(f64, f64, f64)>, colour: String, width: f64 },
    /// Rectangles that are the stronger the nearer `strength` is to 1, with a text on hover.
    Tiles { tiles: Vec<Tile>, colour: String },
    /// A text beside a place.
    Note { at: (f64, f64), text: String },
}

/// A rectangle from `low` to `high`.
#[derive(Debug, Clone)]
pub(super) struct Tile {
    pub(super) low: (f64, f64),
    pub(super) high: (f64, f64),
    pub(super) strength: f64,
    pub(super) title: String,
}

/// A chart.
#[derive(Debug, Clone, Default)]
pub(super) struct Plot {
    /// What a screen reader says.
    pub(super) label: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) marks: Vec<Mark>,
}

/// Draws it; an empty text when an axis has no ticks that a number can hold.
pub(super) fn draw(plot: &Plot) -> String {
    if !(plot.x.is_drawable() && plot.y.is_drawable()) {
        return String::new();
    }
    let mut svg = String::new();
    let Ok(place) = frame(plot, &mut svg) else { return String::new() };
    let mut marks = String::new();
    for mark in &plot.marks {
        paint(&mut marks, mark, &|x, y| Some(place(plot.x.place(x)?, plot.y.place(y)?)));
    }
    names(&mut marks, plot, &place);
    finish(&svg, &marks, &plot.label)
}

type Place = Box<dyn Fn(f64, f64) -> (f64, f64)>;

/// Draws frame and labels and returns where a (transformed) point lies.
fn frame(plot: &Plot, svg: &mut String) -> Result<Place, Box<dyn std::error::Error>> {
    let (x, y) = (plot.x.range(), plot.y.range());
    let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
    let (left, bottom) = label_areas(plot);
    let mut chart = ChartBuilder::on(&root)
        .margin_top(14)
        .margin_right(30)
        .x_label_area_size(bottom)
        .y_label_area_size(left)
        .build_cartesian_2d(x.clone(), y.clone())?;
    let text = TextStyle::from(("sans-serif", TEXT).into_font()).color(&TEXT_INK);
    chart
        .configure_mesh()
        .bold_line_style(GRID_INK)
        .light_line_style(TRANSPARENT)
        .axis_style(AXIS_INK)
        .label_style(text.clone())
        .axis_desc_style(text)
        .x_labels(LABELS)
        .y_labels(LABELS)
        .x_label_formatter(&|value| plot.x.tick(*value))
        .y_label_formatter(&|value| plot.y.tick(*value))
        .x_desc(plot.x.label.clone())
        .y_desc(plot.y.label.clone())
        .draw()?;
    let corner = |x: f64, y: f64| {
        let (px, py) = chart.backend_coord(&(x, y));
        (f64::from(px), f64::from(py))
    };
    let (low, high) = (corner(x.start, y.start), corner(x.end, y.end));
    root.present()?;
    Ok(Box::new(move |px, py| {
        let across = (px - x.start) / (x.end - x.start);
        let up = (py - y.start) / (y.end - y.start);
        (low.0 + across * (high.0 - low.0), low.1 + up * (high.1 - low.1))
    }))
}

/// Room for the labels left of the frame and below it.
fn label_areas(plot: &Plot) -> (u32, u32) {
    let longest = |names: &[(f64, String)]| names.iter().map(|(_, name)| name.chars().count()).max().unwrap_or(0) as u32;
    let ticks = RangedCoordf64::from(plot.y.range()).key_points(LABELS);
    let widest = ticks.iter().map(|&tick| plot.y.tick(tick).chars().count()).max().unwrap_or(0) as u32;
    let left = match &plot.y.names {
        Some(names) => 40 + 15 * longest(names) + if plot.y.label.is_empty() { 0 } else { 50 },
        None => 75 + 17 * widest,
    };
    let bottom = match &plot.x.names {
        Some(names) => 45 + 8 * longest(names) + if plot.x.label.is_empty() { 0 } else { 50 },
        None => 100,
    };
    (left, bottom)
}

fn paint(out: &mut String, mark: &Mark, place: &dyn Fn(f64, f64) -> Option<(f64, f64)>) {
    // Writing to a String cannot fail.
    match mark {
        Mark::Dots { points, colour, size, square } => {
            let path = path(points, place, |(x, y), _| format!("M{} {}h0", short(x), short(y)));
            let cap = if *square { "square" } else { "round" };
            let _ =
                writeln!(out, r#"<path class="dots" d="{path}" stroke="var(--{colour})" stroke-width="{size}" stroke-linecap="{cap}"/>"#);
        }
        Mark::Line { points, colour, dashed } => {
            let path = path(points, place, |(x, y), first| format!("{}{} {}", if first { 'M' } else { 'L' }, short(x), short(y)));
            let dashes = if *dashed { r#" stroke-dasharray="10 8""# } else { "" };
            let _ = writeln!(out, r#"<path d="{path}" stroke="var(--{colour})" stroke-width="3" stroke-linejoin="round"{dashes}/>"#);
        }
        Mark::Ticks { points, colour, length } => {
            let half = length / 2.0;
            let path = path(points, place, |(x, y), _| format!("M{} {}v{}", short(x), short(y - half), short(*length)));
            let _ = writeln!(out, r#"<path d="{path}" stroke="var(--{colour})" stroke-width="2"/>"#);
        }
        Mark::Bars { bars, colour, width } => {
            let mut path = String::new();
            for &(from, to, y) in bars {
                if let Some(((x0, y0), (x1, _))) = place(from, y).zip(place(to, y)) {
                    let _ = write!(path, "M{} {}H{}", short(x0), short(y0), short(x1.max(x0 + 1.0)));
                }
            }
            let _ = writeln!(out, r#"<path d="{path}" stroke="var(--{colour})" stroke-width="{}"/>"#, short(*width));
        }
        Mark::Tiles { tiles, colour } => tiles.iter().for_each(|tile| paint_tile(out, tile, colour, place)),
        Mark::Note { at, text } => {
            if let Some((x, y)) = place(at.0, at.1) {
                let _ = writeln!(out, r#"<text x="{}" y="{}" class="note">{}</text>"#, short(x), short(y), escaped(text));
            }
        }
    }
}

fn paint_tile(out: &mut String, tile: &Tile, colour: &str, place: &dyn Fn(f64, f64) -> Option<(f64, f64)>) {
    let Some(((x0, y0), (x1, y1))) = place(tile.low.0, tile.low.1).zip(place(tile.high.0, tile.high.1)) else { return };
    let title = if tile.title.is_empty() { String::new() } else { format!("<title>{}</title>", escaped(&tile.title)) };
    let strength = tile.strength.clamp(0.0, 1.0);
    let (left, top, width, height) = (short(x0), short(y1), short(x1 - x0), short(y0 - y1));
    let _ = writeln!(
        out,
        r#"<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="var(--{colour})" fill-opacity="{strength:.2}">{title}</rect>"#
    );
}

fn path(points: &[(f64, f64)], place: &dyn Fn(f64, f64) -> Option<(f64, f64)>, step: impl Fn((f64, f64), bool) -> String) -> String {
    let mut path = String::new();
    for point in points.iter().filter_map(|&(x, y)| place(x, y)) {
        let first = path.is_empty();
        path += &step(point, first);
    }
    path
}

/// Names along an axis, in place of numbers.
fn names(out: &mut String, plot: &Plot, place: &Place) {
    let (x_range, y_range) = (plot.x.range(), plot.y.range());
    for (at, name) in plot.y.names.iter().flatten() {
        let (x, y) = place(x_range.start, *at);
        let _ = writeln!(
            out,
            r#"<text x="{}" y="{}" class="name" text-anchor="end">{}</text>"#,
            short(x - 12.0),
            short(y + 9.0),
            escaped(name)
        );
    }
    for (at, name) in plot.x.names.iter().flatten() {
        let (x, y) = place(*at, y_range.start);
        let (x, y) = (short(x + 6.0), short(y + 30.0));
        let name = escaped(name);
        let _ = writeln!(out, r#"<text x="{x}" y="{y}" class="name" text-anchor="end" transform="rotate(-30 {x} {y})">{name}</text>"#);
    }
}

/// Puts the marks into the picture, swaps stand-in colours for variables, and drops what inline SVG does not need.
fn finish(svg: &str, marks: &str, label: &str) -> String {
    let body = svg.split_once('>').map_or("", |(_, rest)| rest).trim_end().trim_end_matches("</svg>");
    let body = body
        .replace("\"#010101\"", "\"var(--grid)\"")
        .replace("\"#020202\"", "\"var(--axis)\"")
        .replace("\"#030303\"", "\"var(--quiet)\"")
        .replace(" opacity=\"1\"", "")
        .replace(" stroke-width=\"1\"", "");
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">{body}<g fill=\"none\">\n{marks}</g></svg>",
        escaped(label)
    )
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |found, value| match found {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

/// A coordinate to a tenth of a unit, without a needless `.0`.
fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        let axis = Axis::around("time <s>", [0.0, 10.0].into_iter(), 0.0).unwrap();
        let marks = vec![Mark::Dots { points: vec![(5.0, 5.0), (f64::NAN, 1.0)], colour: "c0".into(), size: 6, square: false }];
        Plot { label: "a \"b\" <c>".into(), x: axis.clone(), y: axis, marks }
    }

    #[test]
    fn a_picture_is_labelled_escaped_and_free_of_addresses() {
        let svg = draw(&plot());
        assert!(svg.starts_with("<svg viewBox=\"0 0 1000 640\" role=\"img\" aria-label=\"a &quot;b&quot; &lt;c&gt;\">"), "{svg}");
        assert!(svg.ends_with("</svg>") && svg.matches("</svg>").count() == 1);
        assert!(!svg.contains("http") && !svg.contains("#0") && svg.contains("time &lt;s&gt;"), "{svg}");
    }

    #[test]
    fn a_point_in_the_middle_lies_in_the_middle_and_nan_is_not_drawn() {
        let svg = draw(&plot());
        let path = svg.split("class=\"dots\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 1);
        let x: f64 = path[1..].split(' ').next().unwrap().parse().unwrap();
        assert!((x - (109.0 + 970.0) / 2.0).abs() < 3.0, "{x}");
    }

    /// Ticks are found by a loop in plotters that must end, and coordinates must stay numbers, whatever the data.
    #[test]
    fn extreme_values_are_drawn_or_refused_and_never_hang() {
        let values = [0.0, 1e-310, 1e-200, 1e-9, 1.0, 1.0 + 1e-15, 1.7e9, 1.7e9 + 1e-6, 1e16, 1e16 + 2.0, 1e300, f64::MAX, -1.0, -f64::MAX];
        for low in values {
            for high in values {
                for make in [|pair: [f64; 2]| Axis::around("x", pair.into_iter(), 0.05), |pair: [f64; 2]| Axis::log("x", pair.into_iter())]
                {
                    let Some(axis) = make([low, high]) else { continue };
                    let marks = vec![Mark::Dots { points: vec![(low, high)], colour: "c0".into(), size: 6, square: false }];
                    let svg = draw(&Plot { label: "x".into(), x: axis.clone(), y: axis, marks });
                    assert!(!svg.contains("NaN") && !svg.contains("\"inf") && svg.len() < 20_000, "{low} {high}: {svg}");
                }
            }
        }
    }

    #[test]
    fn a_logarithmic_axis_needs_a_positive_value() {
        assert!(Axis::log("f", [0.0, -1.0].into_iter()).is_none());
        assert!(Axis::around("f", [f64::INFINITY].into_iter(), 0.1).is_none());
        let one = Axis::around("f", [3.0].into_iter(), 0.1).unwrap();
        assert!(one.low < 3.0 && one.high > 3.0);
    }
}
