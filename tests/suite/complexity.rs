//! Lempel-Ziv variants, PCI, integration, Phi and dimensions against numbers from independent programs (see `metrics.rs`).

use super::metrics::{cases, close, columns, json, metric, numbers, of, root, series, shared};
use ndarray::Array2;
use std::path::Path;
use tcs_batch::data::{MetricRow, Series};

/// A matrix of a file; `rows` are channels.
fn matrix(path: &Path) -> Array2<f64> {
    ndarray_npy::read_npy(path).unwrap()
}

fn channels(matrix: &Array2<f64>) -> Series {
    series(&matrix.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>())
}

fn data(name: &str) -> std::path::PathBuf {
    root().join("tests/data/metrics").join(name)
}

fn value(rows: &[MetricRow], statistic: &str) -> f64 {
    rows.iter()
        .find(|row| row.statistic == statistic)
        .and_then(|row| row.value.known())
        .unwrap_or_else(|| panic!("no {statistic} in {rows:?}"))
}

#[test]
fn three_parsings_of_the_reference_texts() {
    let texts = json(&data("lz_strings.json"));
    for case in texts.as_array().unwrap().iter().filter(|case| case["n"].as_u64() > Some(0)) {
        let symbols = case["s"].as_str().unwrap().chars().map(|symbol| f64::from(symbol as u32)).collect();
        let text = series(&[symbols]);
        for (kind, key) in [("lz76", "lz76"), ("lz78", "lz78"), ("lzc", "lzdict_schartner")] {
            close(of(&metric(kind, "binarise = \"none\"", &text), "phrases", "0"), &case[key], 0.0);
        }
    }
}

#[test]
fn permutation_complexity_is_neurokits_and_antropys() {
    for case in cases("metrics/permutation_lz.json") {
        let signal = series(&[numbers(&case["values"])]);
        let keys = format!("binarise = \"ordinal\"\norder = {}\ndelay = {}", case["order"], case["delay"]);
        let rows = metric("lz76", &keys, &signal);
        close(value(&rows, "phrases"), &case["phrases"], 0.0);
        close(value(&rows, "value"), &case["value"], 1e-12);
    }
}

#[test]
fn lzc_of_a_real_eeg_is_schartners() {
    let (Some(file), Some(golden)) = (shared("data/metrics/tms_base16.npy"), shared("golden/metrics/lzc_tms_base16.json")) else { return };
    let (series, expected) = (channels(&matrix(&file)), &json(&golden)["expected"]);
    let keys = |more: &str| format!("binarise = \"hilbert-mean\"\nscope = \"concatenate\"\n{more}");
    for (kind, key) in [("lzc", "c_dict"), ("lz78", "c_lz78"), ("lz76", "c_lz76")] {
        close(value(&metric(kind, &keys(""), &series), "phrases"), &expected[key], 0.0);
    }
    close(value(&metric("lz76", &keys(""), &series), "value"), &expected["lz76_n_log2n"], 1e-12);
    let rows = metric("lzc", &keys("normalise = \"shuffle\"\ndraws = 200"), &series);
    close(value(&rows, "value"), &expected["lzc_dict"], 0.01);
    let sd = expected["shuffle_sd_dict"].as_f64().unwrap();
    close(value(&rows, "null_mean"), &expected["shuffle_mean_dict"], 5.0 * sd * (2.0_f64 / 200.0).sqrt());
    assert!((0.7..1.4).contains(&(value(&rows, "null_sd") / sd)));
    close(value(&metric("lz76", &keys("normalise = \"shuffle\""), &series), "value"), &expected["lzc_lz76"], 0.01);
}

#[test]
fn pci_of_matrices_is_that_of_the_definition() {
    for case in cases("metrics/pci.json") {
        let rows: Vec<Vec<f64>> = case["matrix"].as_array().unwrap().iter().map(numbers).collect();
        let found = metric("pci", "ready = true", &series(&rows));
        close(value(&found, "phrases"), &case["phrases"], 0.0);
        close(value(&found, "value"), &case["value"], 1e-12);
    }
}

#[test]
fn pci_of_a_real_response_is_pypcis() {
    let (Some(file), Some(golden)) = (shared("data/metrics/pci_ss_tms62x293.npy"), shared("golden/metrics/pci_casali_tms.json")) else {
        return;
    };
    let bits: Array2<u8> = ndarray_npy::read_npy(file).unwrap();
    let (matrix, expected) = (bits.mapv(f64::from), &json(&golden)["expected"]);
    let rows = metric("pci", "ready = true", &channels(&matrix));
    close(value(&rows, "phrases"), &expected["c_2d_columnwise"], 0.0);
    close(value(&rows, "value"), &expected["pci"], 1e-12);
    close(value(&rows, "source_entropy"), &expected["H"], 1e-12);
    let transposed = metric("pci", "ready = true", &channels(&matrix.t().to_owned()));
    close(value(&transposed, "phrases"), &expected["c_2d_transposed"], 0.0);
}

#[test]
fn pci_st_is_that_of_the_definition_and_of_the_authors_code() {
    for case in cases("metrics/pci_st.json") {
        let rows: Vec<Vec<f64>> = case["evoked"].as_array().unwrap().iter().map(numbers).collect();
        let names = (0..rows.len()).map(|channel| channel.to_string()).collect();
        let evoked = Series::new(names, rows.concat(), 1000.0, -0.12, "").unwrap();
        let found = metric("pci-st", "baseline_s = [-0.1, -0.01]\nresponse_s = [0.0, 0.1]", &evoked);
        close(value(&found, "value"), &case["value"], 1e-9);
        close(value(&found, "components"), &case["components"], 0.0);
    }
    let (Some(file), Some(golden)) = (shared("data/metrics/tms_evoked_62x1201.npy"), shared("golden/metrics/pcist_tms_default.json"))
    else {
        return;
    };
    let all = matrix(&file);
    let names = (1..all.nrows()).map(|channel| channel.to_string()).collect();
    let values = all.rows().into_iter().skip(1).flat_map(|row| row.to_vec()).collect();
    let evoked = Series::new(names, values, 1000.0, all[(0, 0)] / 1000.0, "").unwrap();
    let (rows, expected) = (metric("pci-st", "", &evoked), &json(&golden)["expected"]);
    close(value(&rows, "value"), &expected["PCIst"], 1e-6);
    close(value(&rows, "components"), &expected["n_dims"], 0.0);
    for (at, one) in expected["dNST"].as_array().unwrap().iter().enumerate() {
        close(of(&rows, "dnst", &format!("pc{}", at + 1)), one, 1e-6);
    }
}

#[test]
fn informations_of_a_real_eeg_are_jidts() {
    let (Some(file), Some(golden)) = (shared("data/metrics/tms_base4.csv"), shared("golden/metrics/oinfo_tms4.json")) else { return };
    let (series, expected) = (columns(&file), &json(&golden)["expected"]);
    for (kind, key) in [("o-information", "oinfo_gauss"), ("s-information", "sinfo_gauss"), ("dual-total-correlation", "dtc_gauss")] {
        close(value(&metric(kind, "", &series), "value"), &expected[key], 1e-9);
    }
}

#[test]
fn integration_estimators_are_the_peers() {
    for case in cases("metrics/integration.json") {
        let rows: Vec<Vec<f64>> = case["channels"].as_array().unwrap().iter().map(numbers).collect();
        for (keys, expected) in case["expected"].as_object().unwrap() {
            let (kind, keys) = keys.split_once('\n').unwrap();
            close(value(&metric(kind, keys, &series(&rows)), "value"), expected, 1e-9);
        }
    }
}

#[test]
fn phi_of_a_sampled_pair_is_numpys() {
    let series = channels(&matrix(&data("var_phi2.npy")));
    let series = if series.n_channels() == 2 { series } else { channels(&matrix(&data("var_phi2.npy")).t().to_owned()) };
    let expected = &json(&data("phi_gaussian_var2.json"))["expected"]["sample"];
    for (variant, key) in [("wms", "wms"), ("r", "phi_r_mmi"), ("star", "phi_star")] {
        for partition in ["mip", "atomic"] {
            let rows = metric("phi", &format!("variant = \"{variant}\"\npartition = \"{partition}\""), &series);
            close(value(&rows, "value"), &expected[key], 1e-9);
            assert_eq!(rows.get(1).and_then(|row| row.target.as_deref()), (partition == "mip").then_some("0 | 1"));
        }
    }
    for case in cases("metrics/phi_g.json") {
        let rows: Vec<Vec<f64>> = case["channels"].as_array().unwrap().iter().map(numbers).collect();
        let found = metric("phi", "variant = \"g\"\npartition = \"atomic\"", &self::series(&rows));
        close(value(&found, "value"), &case["value"], 1e-6);
    }
}

#[test]
fn dimensions_of_a_swiss_roll_are_scikit_dimensions() {
    let points = channels(&matrix(&data("swissroll1000.npy")).t().to_owned());
    let expected = &json(&data("id_swissroll.json"))["expected"];
    for (keys, key) in [
        ("", "twonn_linear_discard0p1"),
        ("method = \"mle\"\nk = 20", "levina_bickel_mle_default_K20"),
        ("method = \"correlation\"", "corrint_k1_10_k2_20"),
    ] {
        let found = value(&metric("intrinsic-dimension", keys, &points), "value");
        close(found, &expected[key], 1e-6 * expected[key].as_f64().unwrap());
    }
}
