"""Writes small twins of the layouts in which the large data sets come: Allen, IBL, Steinmetz, MIES, MatNWB, SpikeInterface, Neo.

    python dev/make_layouts.py target/twins

Needs h5py, numpy and pynwb. Groups, names, types and attributes are those of the real files (Allen SDK, IBL-to-nwb and DANDI listings);
the values are random, from fixed seeds. `dev/make_twins.py` calls it; `tests/suite/layouts.rs` reads what it writes, and
`layouts.json` holds the numbers to expect.
"""
import datetime, json, os, sys
import h5py, numpy as np

OUT = "target/twins"
FACTS = {}
TEXT = h5py.string_dtype()
BOOL = h5py.enum_dtype({"FALSE": 0, "TRUE": 1}, basetype="i1")


def create(name, version="2.2.2", session="715093703", start="2019-01-19T00:54:18-08:00", identifier=None):
    f = h5py.File(os.path.join(OUT, name), "w")
    f.attrs.update(nwb_version=version, neurodata_type="NWBFile", namespace="core")
    f["identifier"] = identifier or session
    f["session_start_time"] = start
    f["timestamps_reference_time"] = start
    f["general/session_id"] = session
    for g in ("acquisition", "analysis", "processing", "intervals", "stimulus/presentation", "stimulus/templates", "general/devices"):
        f.create_group(g)
    return f


def table(f, path, kind, columns, ids=None):
    g = f.create_group(path)
    g.attrs.update(neurodata_type=kind, namespace="core", description="x")
    g.attrs["colnames"] = np.array(list(columns), dtype=TEXT)
    n = 0
    for name, values in columns.items():
        if isinstance(values, tuple):
            flat, ends, dtype = values
            g[name] = flat
            g[name + "_index"] = np.asarray(ends, dtype=dtype)
            g[name + "_index"].attrs["target"] = g[name].ref
            n = len(ends)
        else:
            first = values[0] if len(values) else 0.0
            if isinstance(first, str):
                g[name] = np.asarray(values, dtype=TEXT)
            elif isinstance(first, h5py.Reference):
                g.create_dataset(name, data=np.array(values, dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
            elif isinstance(first, (bool, np.bool_)):
                g.create_dataset(name, data=np.asarray(values, dtype="i1"), dtype=BOOL)
            else:
                g[name] = np.asarray(values)
            n = len(values)
    g["id"] = np.asarray(range(n) if ids is None else ids, dtype="int64")
    return g


def series(f, path, data, kind="TimeSeries", stamps=None, rate=None, t0=0.0, unit="volts", **attrs):
    g = f.create_group(path)
    g.attrs.update(neurodata_type=kind, namespace="core")
    g["data"] = data
    g["data"].attrs.update({"unit": unit, "conversion": 1.0, "resolution": -1.0, **attrs})
    if stamps is not None:
        g["timestamps"] = stamps
        g["timestamps"].attrs.update(interval=1, unit="seconds")
    if rate is not None:
        g["starting_time"] = t0
        g["starting_time"].attrs.update(rate=rate, unit="seconds")
    return g


def spikes(seed, counts, start=3.8, stop=100.0):
    rng = np.random.default_rng(seed)
    flat = np.concatenate([np.sort(np.round(rng.uniform(start, stop, n) * 30000) / 30000) for n in counts])
    return flat, np.cumsum(counts)


PROBES = ("probeA", "probeB")
ELECTRODE_IDS = 850090592 + 2 * np.arange(24)
AREAS = ["VISp", "VISp2/3", "CA1", "grey", "", "nan"]


def probe_groups(f, probes=PROBES):
    for at, name in enumerate(probes):
        d = f.create_group(f"general/devices/{name}")
        d.attrs.update(neurodata_type="EcephysProbe", namespace="ndx-aibs-ecephys", probe_id=810755797 + at, sampling_rate=29999.95 + at)
        g = f.create_group(f"general/extracellular_ephys/{name}")
        g.attrs.update(neurodata_type="EcephysElectrodeGroup", namespace="ndx-aibs-ecephys", location="", has_lfp_data=True,
                       probe_id=810755797 + at, lfp_sampling_rate=625.0, description=name)
        g["device"] = h5py.SoftLink(f"/general/devices/{name}")


def electrodes(f, rows, probes=PROBES):
    probe_groups(f, probes)
    names = [PROBES[r // 12] for r in rows]
    return table(f, "general/extracellular_ephys/electrodes", "DynamicTable", {
        "x": np.full(len(rows), -1.0), "y": np.full(len(rows), -1.0), "z": np.full(len(rows), -1.0),
        "imp": np.full(len(rows), np.nan), "location": [AREAS[r % 6] for r in rows], "filtering": ["AP band: 500 Hz high-pass"] * len(rows),
        "group": [f[f"general/extracellular_ephys/{n}"].ref for n in names], "group_name": names,
        "local_index": [r % 12 for r in rows], "probe_vertical_position": np.array([20 * (r % 12) for r in rows]),
        "probe_id": np.array([810755797 + r // 12 for r in rows]), "valid_data": [r % 12 != 11 for r in rows]}, ELECTRODE_IDS[rows])


def presentations(f, name, starts, length, stimulus, **columns):
    n = len(starts)
    g = table(f, f"intervals/{name}", "TimeIntervals", {
        "start_time": np.asarray(starts, float), "stop_time": np.asarray(starts, float) + length, "stimulus_name": [stimulus] * n,
        "stimulus_block": np.full(n, 2.0), **columns, "tags": (np.array(["stimulus_time_interval"] * n, dtype=TEXT), np.arange(n) + 1, "uint16")})
    kind = np.dtype([("idx_start", "i4"), ("count", "i4"), ("timeseries", h5py.ref_dtype)])
    g.create_dataset("timeseries", data=np.array([(0, 1, f["general"].ref)] * n, dtype=kind))
    g["timeseries_index"] = np.arange(n) + 1
    return g


def visual_coding():
    """3.1 and 3.2: a session file without raw data, and one LFP file a probe on the same clock."""
    f = create("vcn_session.nwb")
    electrodes(f, np.arange(24))
    stamps = np.arange(500) * 0.2
    series(f, "acquisition/raw_running_wheel_rotation", np.zeros(500), stamps=stamps, unit="radians")
    for name in ("running_wheel_signal_voltage", "running_wheel_supply_voltage"):
        series(f, f"acquisition/{name}", np.ones(500))["timestamps"] = h5py.SoftLink("/acquisition/raw_running_wheel_rotation/timestamps")
    series(f, "processing/running/running_speed", np.arange(499.0), stamps=stamps[:499], unit="cm/s")
    series(f, "processing/stimulus/timestamps", np.array(np.arange(60) / 60.0), stamps=np.arange(60) / 60.0, unit="s")
    counts = [40, 0, 25, 60, 30, 45, 33, 12]
    flat, ends = spikes(1, counts)
    good = ["good", "noise", "good", "good", "good", "good", "good", "good"]
    nan = np.nan
    g = table(f, "units", "Units", {
        "spike_times": (flat, ends, "int64"), "spike_amplitudes": (flat * 1e-6, ends, "int64"),
        "waveform_mean": (np.zeros((8 * 12, 82)), np.arange(1, 9) * 12, "int64"),
        "peak_channel_id": ELECTRODE_IDS[[0, 3, 1, 12, 13, 2, 4, 15]], "cluster_id": np.arange(8), "quality": good,
        "amplitude_cutoff": [0.05, 0.01, 0.2, 0.1, nan, 0.01, 0.01, 0.01], "presence_ratio": [0.99, 0.99, 0.99, 0.95, 0.99, 0.94, 0.99, 0.99],
        "isi_violations": [0.1, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1, 0.51], "snr": np.arange(8) + 0.5, "firing_rate": np.array(counts) / 100.0},
        ids=951791918 + np.arange(8))
    g["spike_times"].attrs["resolution"] = 3.3e-5
    presentations(f, "flashes_presentations", 10.0 + 4.0 * np.arange(5), 0.25, "flashes", color=["-1.0", "1.0"] * 2 + ["-1.0"])
    presentations(f, "drifting_gratings_presentations", 40.0 + 3.0 * np.arange(6), 2.0, "drifting_gratings",
                  orientation=np.array([0.0, 45.0, 90.0, 0.0, 45.0, np.nan]), contrast=np.full(6, 0.8), spatial_frequency=["[0.0, 0.0]"] * 6)
    presentations(f, "spontaneous_presentations", [30.0], 8.0, "spontaneous")
    table(f, "intervals/invalid_times", "TimeIntervals", {
        "start_time": [14.1, 46.0, 60.0], "stop_time": [14.3, 46.5, 61.0],
        "tags": (np.array(["EcephysProbe", "810755797", "probeA", "EcephysSession", "715093703", "all_probes", "EcephysSession", "stimulus"], dtype=TEXT),
                 [3, 6, 8], "uint8")})
    table(f, "processing/optotagging/optogenetic_stimulation", "TimeIntervals", {"start_time": [90.0], "stop_time": [90.1], "level": [1.0]})
    FACTS["vcn"] = {"counts": counts, "total": int(sum(counts)), "areas": ["VISp", "grey", "VISp2/3", "VISp", "VISp2/3", "CA1", None, "grey"]}
    f.close()
    sums = []
    for at, probe in enumerate(PROBES):
        rows = np.arange(12 * at, 12 * at + 12, 4)
        p = 810755797 + at
        f = create(f"vcn_probe_{p}_lfp.nwb", identifier=str(p))
        electrodes(f, rows, (probe,))
        n = 100_000
        data = np.random.default_rng(20 + at).normal(0, 1e-4, (n, 3)).astype("f4")
        stamps = 3.7 + 1e-4 * at + np.arange(n) * (0.00080000080 + 1e-12 * at)
        g = f.create_group(f"acquisition/probe_{p}_lfp")
        g.attrs["neurodata_type"] = "LFP"
        s = series(f, f"acquisition/probe_{p}_lfp/probe_{p}_lfp_data", data[:1], "ElectricalSeries")
        del s["data"]
        s.create_dataset("data", data=data, chunks=(23660, 1), compression="gzip")
        s["data"].attrs.update(unit="volts", conversion=1.0)
        s.create_dataset("timestamps", data=stamps, chunks=(50_000,), compression="gzip")
        s["electrodes"] = np.arange(3)
        s["electrodes"].attrs.update(neurodata_type="DynamicTableRegion", table=f["general/extracellular_ephys/electrodes"].ref)
        f[f"acquisition/probe_{p}_lfp_data"] = h5py.SoftLink(f"/acquisition/probe_{p}_lfp/probe_{p}_lfp_data")
        series(f, "processing/current_source_density/ecephys_csd/current_source_density", np.zeros((875, 12)), stamps=np.arange(875) / 2500.0 - 0.1,
               unit="V/cm^2")
        first = int(round((20.0 - stamps[0]) / 0.0008000008))
        sums += data[first:first + 1250].astype("f8").sum(axis=0).tolist()
        f.close()
    FACTS["vcn_lfp"] = {"names": [str(i) for i in ELECTRODE_IDS[[0, 4, 8, 12, 16, 20]]], "sums_20_to_21": sums}
    create("vcn_other_session_lfp.nwb", session="1", identifier="9").close()


def visual_behavior():
    """3.3: trials and image presentations, `active`, probe attributes that were never updated; and a session of behaviour alone."""
    for name, with_units in (("vbn_session.nwb", True), ("vbn_behavior.nwb", False)):
        f = create(name, "2.6.0-alpha", session="1044385384")
        if with_units:
            electrodes(f, np.arange(24))
            for probe in PROBES:
                f[f"general/extracellular_ephys/{probe}"].attrs["has_lfp_data"] = False
            flat, ends = spikes(2, [20, 30])
            table(f, "units", "Units", {"spike_times": (flat, ends, "int64"), "peak_channel_id": ELECTRODE_IDS[[1, 2]], "quality": ["good", "good"]})
        n = 6
        hit = [True, False, True, False, True, False]
        table(f, "intervals/trials", "TimeIntervals", {
            "start_time": 10.0 + np.arange(n) * 8.0, "stop_time": 17.0 + np.arange(n) * 8.0, "hit": hit, "miss": [not h for h in hit],
            "change_time": np.array([12.0, np.nan, 28.0, 36.0, 44.0, 52.0]), "initial_image_name": ["im036_r"] * n,
            "lick_times": (np.array([12.5, 12.7, 28.4]), [2, 2, 3, 3, 3, 3], "uint8")})
        names = ["im036_r", "omitted", "im012_r", "im036_r"]
        presentations(f, "Natural_Images_Lum_Matched_set_ophys_G_2019_presentations", 10.0 + np.arange(4) * 0.75, 0.25,
                      "Natural_Images_Lum_Matched_set_ophys_G_2019", image_name=names, omitted=[False, True, False, False],
                      active=[True, True, True, False], is_change=[False, False, True, False], flashes_since_change=np.array([0.0, 1.0, 0.0, 1.0]))
        for s in ("speed", "speed_unfiltered", "dx"):
            series(f, f"processing/running/{s}", np.arange(300.0), stamps=np.arange(300) / 60.0, unit="cm/s")
        series(f, "processing/licking/licks", np.array([1.0, 1.0, 1.0]), stamps=np.array([12.5, 12.7, 28.4]))
        series(f, "processing/rewards/volume", np.array([0.005]), stamps=np.array([12.6]), unit="mL")
        f.close()


def two_photon():
    """3.4 and 3.5: dF/F with the ROIs first (1.x), time first (2.x), and inside a Fluorescence group (converted files)."""
    f = create("ophys_v2.nwb", "2.2.5", session="775614751")
    dff = np.random.default_rng(5).normal(0, 0.1, (900, 4))
    stamps = 8.7 + np.arange(900) / 31.0
    cells = table(f, "processing/ophys/image_segmentation/cell_specimen_table", "PlaneSegmentation", {
        "cell_specimen_id": np.array([1086614149, 1086614819, 1086614512, 1086613265]), "valid_roi": [True, True, False, True],
        "mask_image_plane": np.zeros(4, dtype="i8")}, ids=[10, 11, 12, 13])
    for path in ("processing/ophys/dff/traces", "processing/ophys/corrected_fluorescence/traces"):
        s = series(f, path, dff if "dff" in path else dff * 100, "RoiResponseSeries", stamps=stamps, unit="NA")
        s["rois"] = np.arange(4)
        s["rois"].attrs.update(neurodata_type="DynamicTableRegion", table=cells.ref)
        f[path.rsplit("/", 1)[0]].attrs["neurodata_type"] = "DfOverF" if "dff" in path else "Fluorescence"
    presentations(f, "stimulus_presentations", 10.0 + np.arange(3), 0.5, "images")
    FACTS["ophys_v2"] = {"mean": dff.mean(axis=0).tolist(), "first": stamps[0]}
    f.close()
    f = create("ophys_000039.nwb", "2.1.0", session="502608215")
    s = series(f, "processing/brain_observatory_pipeline/Fluorescence/DfOverF", dff, "RoiResponseSeries", stamps=stamps, unit="NA")
    table(f, "units", "Units", {"cell_id": np.arange(4), "pos_x": np.zeros(4), "pos_y": np.zeros(4)})
    table(f, "intervals/epochs", "TimeIntervals", {"start_time": [10.0, 20.0], "stop_time": [15.0, 25.0], "stimulus": ["static_gratings", "spontaneous"]})
    f.close()
    f = h5py.File(os.path.join(OUT, "ophys_v1.nwb"), "w")
    f["nwb_version"] = np.bytes_("NWB-1.0.5")
    f["identifier"] = np.bytes_("Allen brain observatory 502608215")
    f["session_start_time"] = np.bytes_("Wed Jan 20 10:24:01 2016")
    f["general/session_id"] = np.bytes_("502608215")
    f["general/generated_by"] = np.array([[b"pipeline", b"allensdk"], [b"version", b"3.0"]])
    home = "processing/brain_observatory_pipeline"
    for interface, names in {"DfOverF": ["imaging_plane_1"], "Fluorescence": ["imaging_plane_1", "imaging_plane_1_demixed_signal", "imaging_plane_1_neuropil_response"]}.items():
        for name in names:
            g = f.create_group(f"{home}/{interface}/{name}")
            g.attrs["ancestry"] = np.array([b"TimeSeries", b"RoiResponseSeries"])
            g.attrs["neurodata_type"] = b"TimeSeries"
            g["data"] = dff.T.astype("f4") * (1 if interface == "DfOverF" else 100)
            g["data"].attrs.update(unit=b"percent" if interface == "DfOverF" else b"fluorescence", conversion=np.nan, resolution=np.nan)
            g["timestamps"] = stamps
            g["num_samples"] = np.int64(900)
            g["roi_names"] = np.array([b"roi_0000", b"roi_0001", b"roi_0002", b"roi_0003"])
            g["segmentation_interface"] = h5py.SoftLink(f"/{home}/ImageSegmentation")
    f[f"{home}/ImageSegmentation/cell_specimen_ids"] = np.arange(4) + 517470000
    g = f.create_group(f"{home}/BehavioralTimeSeries/running_speed")
    g.attrs["ancestry"] = np.array([b"TimeSeries"])
    g["data"], g["timestamps"] = np.zeros(900), stamps
    g["data"].attrs["conversion"] = np.nan
    g = f.create_group("stimulus/presentation/static_gratings_stimulus")
    g.attrs["ancestry"] = np.array([b"TimeSeries", b"AbstractFeatureSeries"])
    g["data"] = np.array([[0.0, 0.04], [30.0, 0.08], [60.0, 0.16]])
    g["features"] = np.array([b"orientation", b"spatial_frequency"])
    g["frame_duration"] = np.array([[30, 45], [60, 75], [90, 105]])
    g["timestamps"] = stamps[[30, 60, 90]]
    FACTS["ophys_v1"] = {"mean": dff.T.astype("f4").astype("f8").mean(axis=1).tolist(), "starts": stamps[[30, 60, 90]].tolist(), "stops": stamps[[45, 75, 105]].tolist()}
    f.close()


def sweeps():
    """3.6: Allen Cell Types (pipelines before and after 1.1) and a file of MIES, whose scalars are arrays of one."""
    for name, version in (("cell_types_old.nwb", b"1.0"), ("cell_types_new.nwb", b"1.1")):
        f = h5py.File(os.path.join(OUT, name), "w")
        f["nwb_version"] = np.bytes_("NWB-1.0.5")
        f["identifier"] = np.bytes_("sweeps")
        f["session_start_time"] = np.bytes_("2016-01-20")
        f["general/generated_by"] = np.array([[b"pipeline", b"hdf5"], [b"version", version]])
        for n in (4, 5):
            ts = f.create_group(f"acquisition/timeseries/Sweep_{n}")
            ts.attrs["ancestry"] = np.array([b"TimeSeries", b"PatchClampSeries", b"CurrentClampSeries"])
            ts["data"] = (np.arange(2000) % 100 - 70).astype("f4") * np.float32(1e-3)
            ts["data"].attrs.update(conversion=np.float32(0.001), unit=b"Volts", resolution=0.0)
            ts["starting_time"] = 0.0
            ts["starting_time"].attrs["rate"] = np.float32(200000.0)
            ts["num_samples"] = np.int64(2000)
            st = f.create_group(f"stimulus/presentation/Sweep_{n}")
            st.attrs["ancestry"] = np.array([b"TimeSeries", b"PatchClampSeries", b"CurrentClampStimulusSeries"])
            st["data"] = np.zeros(2000, "f4")
            st["data"].attrs.update(conversion=1.0, unit=b"Amps")
            st["starting_time"] = 0.0
            st["starting_time"].attrs["rate"] = np.float32(200000.0)
            e = f.create_group(f"epochs/Sweep_{n}")
            e["start_time"], e["stop_time"] = 10.0 * n, 10.0 * n + 0.01
            for side, target in (("response", f"/acquisition/timeseries/Sweep_{n}"), ("stimulus", f"/stimulus/presentation/Sweep_{n}")):
                e[f"{side}/timeseries"] = h5py.SoftLink(target)
                e[f"{side}/idx_start"], e[f"{side}/count"] = np.int64(0), np.int64(2000)
            where = "analysis/aibs_spike_times" if version == b"1.0" else "analysis/spike_times"
            f[f"{where}/Sweep_{n}"] = np.array([0.001, 0.004, 0.0055])[: n - 2]
        f.close()
    f = h5py.File(os.path.join(OUT, "mies.nwb"), "w")
    f["nwb_version"] = np.array([b"NWB-1.0.5"])
    f["identifier"] = np.array([b"mies"])
    f["session_start_time"] = np.array([b"2018-06-08T10:00:00Z"])
    for name, unit, factor in (("data_00000_AD0", b"V", 1e-3), ("data_00000_AD1", b"A", 1e-12)):
        g = f.create_group(f"acquisition/timeseries/{name}")
        g.attrs.update(ancestry=np.array([b"TimeSeries", b"PatchClampSeries"]), neurodata_type=np.array([b"TimeSeries"]))
        g["data"] = np.arange(1000, dtype="f4")
        g["data"].attrs.update(conversion=np.array([factor]), unit=np.array([unit]), resolution=np.array([np.nan]), IGORWaveScaling=np.zeros((2, 2)))
        g["starting_time"] = np.array([12.5])
        g["starting_time"].attrs.update(rate=np.array([np.float32(50000.0)]), unit=np.array([b"Seconds"]))
        g["num_samples"] = np.array([1000])
    f.close()


def ibl():
    """3.7: a raw file with explicit time stamps and a processed file; unit names repeat across probes."""
    eid = "d23a44ef-1402-4ed7-97f5-47e9a7a504d9"
    f = create("sub-x_ses-y_desc-raw_ecephys.nwb", "2.8.0", session=eid, start="2019-05-06T15:00:00+00:00", identifier="a")
    for probe in ("Probe00", "Probe01"):
        f.create_group(f"general/extracellular_ephys/{probe}").attrs["location"] = "unknown"
    refs = [f[f"general/extracellular_ephys/{p}"].ref for p in ("Probe00",) * 4 + ("Probe01",) * 4]
    table(f, "general/extracellular_ephys/electrodes", "ElectrodesTable", {
        "location": ["VISp5", "VISp5", "CA1", "void"] * 2, "beryl_location": ["VISp", "VISp", "CA1", "void"] * 2, "cosmos_location": ["Isocortex"] * 2 + ["HPF", "void"] + ["Isocortex"] * 2 + ["HPF", "void"],
        "atlas_id": np.array([-778, -778, -382, 0] * 2), "group": refs, "group_name": ["Probe00"] * 4 + ["Probe01"] * 4})
    rng = np.random.default_rng(7)
    stamps = 0.4 + np.cumsum(np.full(5000, 0.0004) + rng.normal(0, 1e-9, 5000))
    for at, probe in enumerate(("Probe00", "Probe01")):
        for band, every in (("AP", 1), ("LF", 2)):
            data = rng.integers(-500, 500, (5000 // every, 4)).astype("i2")
            g = series(f, f"acquisition/ElectricalSeries{probe}{band}", data, "ElectricalSeries", stamps=stamps[::every], conversion=4.69e-6, offset=0.0)
            g["electrodes"] = np.arange(4) + 4 * at
            g["electrodes"].attrs["table"] = f["general/extracellular_ephys/electrodes"].ref
            FACTS[f"ibl_{probe}{band}"] = (data.astype("f8").sum(axis=0) * 4.69e-6).tolist()
    v = f.create_group("acquisition/VideoLeftCamera")
    v.attrs["neurodata_type"] = "ImageSeries"
    v["data"], v["timestamps"], v["external_file"] = np.zeros((0, 0, 0), "u1"), np.arange(10) / 60.0, np.array(["./video.mp4"], dtype=TEXT)
    f.close()
    f = create("sub-x_ses-y_desc-processed_behavior+ecephys.nwb", "2.8.0", session=eid, start="2019-05-06T15:00:00+00:00", identifier="b")
    for probe in ("Probe00", "Probe01"):
        f.create_group(f"general/extracellular_ephys/{probe}").attrs["location"] = "unknown"
    refs = [f[f"general/extracellular_ephys/{p}"].ref for p in ("Probe00",) * 4 + ("Probe01",) * 4]
    e = table(f, "general/extracellular_ephys/electrodes", "ElectrodesTable", {
        "location": ["VISp5", "VISp5", "CA1", "void"] * 2, "beryl_location": ["VISp", "VISp", "CA1", "void"] * 2,
        "group": refs, "group_name": ["Probe00"] * 4 + ["Probe01"] * 4})
    counts = [30, 20, 0, 40]
    flat, ends = spikes(8, counts, 0.5, 60.0)
    u = table(f, "units", "Units", {
        "unit_name": ["0", "1", "0", "1"], "probe_name": ["Probe00", "Probe00", "Probe01", "Probe01"],
        "cluster_uuid": ["u0", "u1", "u2", "u3"], "spike_times": (flat, ends, "uint8"), "spike_amplitudes_uV": (flat, ends, "uint8"),
        "ibl_quality_score": np.array([1.0, 0.67, 0.33, 0.0], "f4"), "kilosort2_label": ["good", "mua", "good", ""], "presence_ratio": [1.0, np.nan, 0.2, 0.9],
        "max_electrode": np.array([2, 0, 3, 5]), "waveform_mean": np.zeros((4, 82, 4))})
    u["electrodes"] = np.array([3, 2, 1, 0, 3, 5])
    u["electrodes"].attrs.update(neurodata_type="DynamicTableRegion", table=e.ref)
    u["electrodes_index"] = np.array([2, 4, 5, 6], "uint8")
    table(f, "intervals/trials", "TimeIntervals", {"start_time": np.array([1.0, 1.2, 1.4, 40.0]), "stop_time": np.array([1.1, 1.3, np.nan, 41.0]),
          "choice": np.array([-1.0, 1.0, 0.0, 1.0]), "feedback_type": np.array([1.0, -1.0, 1.0, 1.0]), "mouse_wheel_choice": ["left", "right", "", "right"],
          "is_mouse_rewarded": [True, False, True, True], "gabor_stimulus_contrast": np.array([100.0, 25.0, 0.0, 6.25])})
    FACTS["ibl"] = {"counts": counts, "max_areas": ["CA1", "VISp5", None, "VISp5"]}
    f.close()


def steinmetz():
    """3.8: peak_channel is (n, 1), every unit has a fixed number of electrodes, annotations are numbers."""
    f = create("steinmetz.nwb", "2.1.0", session="2016-12-14_Cori")
    for probe in ("Probe1", "Probe2"):
        f.create_group(f"general/extracellular_ephys/{probe}").attrs["location"] = ""
    n = 10
    e = table(f, "general/extracellular_ephys/electrodes", "DynamicTable", {
        "location": ["CA3", "CA3", "DG", "DG", "VISp", "VISp", "MOs", "MOs", "root", "root"], "ccf_ap": np.arange(n) * 1.0,
        "site_position": np.zeros((n, 2)), "group": [f["general/extracellular_ephys/Probe1"].ref] * n})
    flat, ends = spikes(9, [25, 35, 15], 0.1, 50.0)
    u = table(f, "units", "Units", {
        "spike_times": (flat, ends, "int64"), "spike_amps": (flat, ends, "int64"), "spike_depths": (flat, ends, "int64"),
        "peak_channel": np.array([[4], [0], [8]]), "phy_annotations": np.array([[2], [2], [1]]), "waveform_mean": np.zeros((3, 82, 5)),
        "cluster_depths": np.zeros((3, 1))})
    u["electrodes"] = np.array([4, 5, 0, 1, 2, 0, 1, 2, 3, 4, 8, 9, 0, 1, 2])
    u["electrodes"].attrs.update(neurodata_type="DynamicTableRegion", table=e.ref)
    u["electrodes_index"] = np.array([5, 10, 15])
    table(f, "intervals/trials", "TimeIntervals", {"start_time": np.arange(3) * 5.0 + 1, "stop_time": np.arange(3) * 5.0 + 3,
          "response_choice": np.array([1.0, 0.0, -1.0]), "included": [True, True, False]})
    table(f, "intervals/spontaneous", "TimeIntervals", {"start_time": [20.0, 30.0], "stop_time": [25.0, 40.0]})
    series(f, "acquisition/wheel_position", np.arange(100.0)[:, None], rate=10.0, unit="mm")
    series(f, "acquisition/lickPiezo", np.arange(100.0)[:, None], rate=10.0, unit="V")
    series(f, "stimulus/presentation/go_cue", np.zeros(3), stamps=np.array([1.5, 6.5, 11.5]))
    FACTS["steinmetz"] = {"counts": [25, 35, 15], "areas": ["VISp", "CA3", "root"]}
    f.close()


def matlab():
    """MatNWB: vectors as (n, 1) or (1, n), fixed-length text, doubles everywhere, data stored channel by time."""
    f = create("matnwb.nwb", "2.6.0", session="m")
    f["general/subject/species"] = np.bytes_("Rattus norvegicus")
    table(f, "general/extracellular_ephys/electrodes", "DynamicTable", {"location": np.array([b"CA1", b"CA3", b"CA3"]), "x": np.arange(3.0)})
    flat, ends = spikes(10, [10, 0, 20], 0.1, 30.0)
    g = table(f, "units", "Units", {"quality": np.array([b"good", b"mua", b"good"])})
    g["spike_times"], g["spike_times_index"] = flat[:, None], ends.astype("f8")[:, None]
    g["electrodes"] = np.array([2, 0, 1], "f8")
    g["electrodes"].attrs["table"] = f["general/extracellular_ephys/electrodes"].ref
    raw = np.arange(3 * 500, dtype="i2").reshape(3, 500)
    s = series(f, "acquisition/ElectricalSeries", raw, "ElectricalSeries", rate=np.array([250.0]), t0=np.array([2.0]), conversion=np.array([1e-3]))
    s["electrodes"] = np.arange(3)[:, None]
    s["electrodes"].attrs["table"] = f["general/extracellular_ephys/electrodes"].ref
    series(f, "acquisition/plain", raw.astype("f8"), stamps=2.0 + np.arange(500)[None, :] / 250.0)
    series(f, "acquisition/nothing_tells", np.zeros((4, 500)), rate=250.0)
    series(f, "acquisition/told", np.zeros((4, 500)), rate=250.0)["num_samples"] = np.int64(500)
    f.close()


def exotic():
    """Types and links that are valid and rare: float16, big-endian, booleans, text, external data beside the file."""
    f = create("types.nwb", "2.7.0", session="t")
    rng = np.random.default_rng(11)
    base = rng.integers(-100, 100, (400, 2))
    for dtype in ("f2", ">f4", ">i2", "i1", "u1", ">u4", "i8", ">f8"):
        data = (base + (100 if "u" in dtype else 0)).astype(dtype)
        series(f, f"acquisition/{dtype.strip('>')}{'be' if '>' in dtype else 'le'}", data, rate=100.0)
    series(f, "acquisition/flags", (base[:, 0] > 0).astype("i1"), rate=100.0)
    del f["acquisition/flags/data"]
    f["acquisition/flags"].create_dataset("data", data=(base[:, 0] > 0).astype("i1"), dtype=BOOL)
    FACTS["types"] = base.astype("f8").sum(axis=0).tolist()
    os.makedirs(os.path.join(OUT, "elsewhere"), exist_ok=True)
    with h5py.File(os.path.join(OUT, "elsewhere", "raw.h5"), "w") as raw:
        raw["deep/data"] = base.astype("f4")
    g = f.create_group("acquisition/linked")
    g.attrs["neurodata_type"] = "TimeSeries"
    g["data"] = h5py.ExternalLink("elsewhere/raw.h5", "/deep/data")
    g["starting_time"] = 0.0
    g["starting_time"].attrs["rate"] = 100.0
    g = f.create_group("acquisition/gone")
    g.attrs["neurodata_type"] = "TimeSeries"
    g["data"] = h5py.ExternalLink("elsewhere/absent.h5", "/deep/data")
    g["starting_time"] = 0.0
    g["starting_time"].attrs["rate"] = 100.0
    f["acquisition/cycle"] = h5py.SoftLink("/acquisition/cycle")
    f["acquisition/up"] = f["acquisition"]
    f.close()
    f = create("one_a_neuron.nwb", "2.1.0", session="scholz")
    stamps = np.arange(600) / 30.0
    for at, name in enumerate(("AVAL", "AVAR", "RMEV")):
        series(f, f"acquisition/calcium/{name}", np.arange(600.0) + 1000 * at, stamps=stamps, unit="dF/F")
    series(f, "acquisition/other_clock", np.zeros(100), rate=7.0)
    f.close()


def liars():
    """Clocks and tables that lie."""
    f = create("liars.nwb", "2.6.0", session="l")
    n = np.arange(1000.0)
    series(f, "acquisition/rate_zero", n, rate=0.0)
    series(f, "acquisition/rate_negative", n, rate=-5.0)
    series(f, "acquisition/stale", n, stamps=np.arange(1000) / 1250.0, rate=625.0)
    back = np.arange(1000) / 100.0
    back[400:] -= 3.0
    series(f, "acquisition/backwards", n, stamps=back)
    jump = np.arange(1000) / 100.0
    jump[500:] += 20.0
    series(f, "acquisition/gap", n, stamps=jump)
    series(f, "acquisition/nan_start", n, rate=100.0, t0=np.nan)
    series(f, "acquisition/unix_time", n, stamps=1.6e9 + np.arange(1000) / 100.0)
    series(f, "acquisition/samples_said", n, rate=100.0)["num_samples"] = np.int64(113855)
    table(f, "intervals/trials", "TimeIntervals", {"start_time": np.array([1.0, 5.0, -4.0, np.nan, 6.0]), "stop_time": np.array([2.0, 4.0, -3.0, 7.0, np.nan])})
    table(f, "units", "Units", {"spike_times": (np.array([1000.0, 2000.0, 90000.0, -5.0, 7000.0, 6000.0, np.nan]), [3, 4, 7], "uint8")})
    f.close()
    f = create("milliseconds.nwb", "2.6.0", session="l")
    series(f, "acquisition/lfp", n, rate=100.0)
    table(f, "units", "Units", {"spike_times": (np.arange(100.0) * 90, [40, 100], "uint8")})
    f.close()
    f = create("decreasing.nwb", "2.6.0", session="l")
    table(f, "units", "Units", {"spike_times": (np.arange(5.0), [3, 1, 5], "uint8")})
    f.close()


def by_pynwb():
    """What pynwb itself writes today: an imaging file, and units and LFP as SpikeInterface and Neo lay them out."""
    import pynwb
    from pynwb.ecephys import ElectricalSeries, LFP
    start = datetime.datetime(2024, 5, 1, 12, 0, tzinfo=datetime.timezone.utc)
    nwb = pynwb.NWBFile("session", "spikeinterface", start, session_id="si")
    device = nwb.create_device("dev")
    group = nwb.create_electrode_group("0", "d", "unknown", device)
    for name in ("channel_name", "brain_area"):
        nwb.add_electrode_column(name, name)
    for name in ("gain_to_uV", "offset_to_uV"):
        nwb.add_electrode_column(name, name)
    for at in range(4):
        nwb.add_electrode(location="unknown", group=group, channel_name=f"CH{at}", brain_area=["CA1", "CA1", "DG", "CA3"][at], gain_to_uV=0.195, offset_to_uV=0.0)
    region = nwb.create_electrode_table_region([0, 1, 2, 3], "all")
    raw = np.random.default_rng(12).integers(-1000, 1000, (2000, 4)).astype("i2")
    factors = [1.0, 1.0, 2.0, 1.0]
    nwb.add_acquisition(ElectricalSeries("ElectricalSeriesRaw", raw, region, rate=1000.0, starting_time=0.0, conversion=1.95e-7, offset=1e-5, channel_conversion=factors))
    nwb.add_unit_column("unit_name", "n")
    nwb.add_unit_column("quality", "q")
    for at in range(3):
        nwb.add_unit(spike_times=np.sort(np.random.default_rng(at).uniform(0, 2, 10 * at)), electrodes=[3 - at], electrode_group=group, unit_name=str(at), quality="good")
    nwb.add_acquisition(pynwb.TimeSeries("segment 0 + sig.0", np.arange(50.0), "mV", rate=10.0))
    nwb.add_invalid_time_interval(start_time=0.5, stop_time=0.75)
    nwb.add_trial_column("correct", "c")
    for at in range(4):
        nwb.add_trial(start_time=0.4 * at, stop_time=0.4 * at + 0.3, correct=bool(at % 2))
    with pynwb.NWBHDF5IO(os.path.join(OUT, "spikeinterface.nwb"), "w") as io:
        io.write(nwb)
    FACTS["spikeinterface"] = ((raw.astype("f8") * 1.95e-7 * np.array(factors) + 1e-5).sum(axis=0)).tolist()


def main(out):
    global OUT
    OUT = out
    os.makedirs(OUT, exist_ok=True)
    for make in (visual_coding, visual_behavior, two_photon, sweeps, ibl, steinmetz, matlab, exotic, liars, by_pynwb):
        make()
    with open(os.path.join(OUT, "layouts.json"), "w") as f:
        json.dump(FACTS, f, indent=1)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else OUT)
