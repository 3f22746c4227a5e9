//! Numbers as a reader sees them: four significant digits, a dash for what is missing.

/// Stands for a value that does not exist.
pub(super) const MISSING: &str = "—";

/// Digits that a reader gets; the tables hold all of them.
const SIGNIFICANT: i32 = 4;

/// A number with four significant digits, trailing zeros dropped.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        return MISSING.to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:.*e}", SIGNIFICANT as usize - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let plain = if (-4..6).contains(&exponent) {
        let decimals = (SIGNIFICANT - 1 - exponent).max(0) as usize;
        // Rounding goes through the mantissa, so that 123456 is shown as 123500 and not with digits that the others do not get.
        let rounded: f64 = text.parse().unwrap_or(value);
        trimmed(&format!("{rounded:.decimals$}")).to_owned()
    } else {
        format!("{}e{exponent}", trimmed(mantissa))
    };
    plain.replace('-', "−")
}

/// [`number`], or a dash.
pub(super) fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| MISSING.to_owned(), number)
}

/// A length of time that a person can grasp.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{} s", number(s)),
        s if s < 5400.0 => format!("{} min", number((s / 6.0).round() / 10.0)),
        s => format!("{} h", number((s / 360.0).round() / 10.0)),
    }
}

/// A size in bytes, binary prefixes.
pub(super) fn bytes(size: f64) -> String {
    let prefixes = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = size;
    let mut at = 0;
    while size >= 1024.0 && at + 1 < prefixes.len() {
        size /= 1024.0;
        at += 1;
    }
    if at == 0 { format!("{size} B") } else { format!("{size:.1} {}", prefixes[at]) }
}

/// `1 unit`, `2 units`.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_significant_digits() {
        let cases = [
            (0.0, "0"),
            (0.95, "0.95"),
            (1.0 / 3.0, "0.3333"),
            (123_456.0, "123500"),
            (9_999.96, "10000"),
            (1_234_567.0, "1.235e6"),
            (0.000_012_344, "1.234e−5"),
            (-2.5, "−2.5"),
            (100.0, "100"),
            (f64::INFINITY, "∞"),
            (f64::NAN, "—"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn lengths_and_sizes() {
        assert_eq!(duration(12.34), "12.34 s");
        assert_eq!(duration(600.0), "10 min");
        assert_eq!(duration(9000.0), "2.5 h");
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(bytes(1_572_864.0), "1.5 MiB");
    }
}
