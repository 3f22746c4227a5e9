"""Writes small twins of the layouts that real NWB files have, and of the ways in which they are broken.

    python dev/make_twins.py target/twins [--big]

Needs h5py, numpy and pynwb. Everything is made from fixed seeds; what each file is for stands beside it. `tests/suite/nwb.rs` reads them. Those of the large data sets are in `make_layouts.py`.
"""
import json, os, sys
import h5py, numpy as np

OUT = sys.argv[1] if len(sys.argv) > 1 else "target/twins"
os.makedirs(OUT, exist_ok=True)
FACTS = {}
TEXT = h5py.string_dtype()


def start(name, version="2.6.0"):
    f = h5py.File(os.path.join(OUT, name), "w")
    f.attrs.update(nwb_version=version, neurodata_type="NWBFile", namespace="core")
    f["identifier"] = name
    f["session_start_time"] = "2020-01-01T00:00:00+00:00"
    for g in ("acquisition", "processing", "intervals", "general"):
        f.create_group(g)
    return f


def table(f, path, kind, columns, ids=None):
    g = f.create_group(path)
    g.attrs["neurodata_type"] = kind
    g.attrs["colnames"] = np.array(list(columns), dtype=TEXT)
    n = None
    for name, values in columns.items():
        if isinstance(values, tuple):  # ragged: (flat, ends, dtype of the index)
            flat, ends, dtype = values
            g[name] = flat
            g[name + "_index"] = np.asarray(ends, dtype=dtype)
            g[name + "_index"].attrs["target"] = g[name].ref
            n = len(ends)
        else:
            g[name] = np.asarray(values, dtype=TEXT) if isinstance(values[0], str) else np.asarray(values)
            n = len(values)
    g["id"] = np.asarray(ids if ids is not None else range(n), dtype="int64")
    return g


def electrodes(f, n, ids=None, locations=("VISp", "CA1", "")):
    return table(f, "general/extracellular_ephys/electrodes", "DynamicTable", {
        "location": [locations[i % len(locations)] for i in range(n)],
        "x": np.arange(n) * 20.0,
        "valid_data": np.arange(n) % 2 == 0,
    }, ids)


def region(f, group, name, rows, null=False):
    d = group.create_dataset(name, data=np.asarray(rows, dtype="int64"))
    d.attrs["neurodata_type"] = "DynamicTableRegion"
    if not null:
        d.attrs["table"] = f["general/extracellular_ephys/electrodes"].ref
    return d


def trains(seed, counts, length=100.0):
    rng = np.random.default_rng(seed)
    parts = [np.sort(rng.uniform(1.0, length, n)) for n in counts]
    return np.concatenate(parts) if parts else np.zeros(0), np.cumsum(counts)


def series(f, path, data, rate=None, t0=0.0, stamps=None, kind="ElectricalSeries", attrs=None, **layout):
    g = f.create_group(path)
    g.attrs["neurodata_type"] = kind
    d = g.create_dataset("data", data=data, **layout)
    d.attrs.update({"unit": "volts", "conversion": 1.0, **(attrs or {})})
    if stamps is not None:
        g["timestamps"] = stamps
    if rate is not None:
        g["starting_time"] = t0
        g["starting_time"].attrs["rate"] = rate
    return g


def allen_session(name="allen_session.nwb", cut=False):
    """peak_channel_id holds electrode ids, the index is int64; `cut`: the index reaches past the end."""
    f = start(name)
    electrodes(f, 12, ids=850090592 + 2 * np.arange(12))
    flat, ends = trains(1, [40, 0, 25, 60])
    table(f, "units", "Units", {
        "spike_times": (flat[:10] if cut else flat, ends, "int64"),
        "peak_channel_id": 850090592 + 2 * np.array([1, 0, 3, 4]),
        "quality": ["good", "noise", "good", "good"],
        "snr": np.array([2.5, np.nan, 1.0, 4.0]),
    }, ids=[951791918, 951791919, 951791920, 951791930])
    table(f, "intervals/drifting_gratings_presentations", "TimeIntervals", {
        "start_time": np.arange(6) * 2.0, "stop_time": np.arange(6) * 2.0 + 1.5, "orientation": np.arange(6) * 45.0,
        "tags": (np.array(["a", "b"] * 3, dtype=TEXT), np.arange(6) + 1, "uint8")})
    FACTS[name] = {"counts": [40, 0, 25, 60], "sum": float(flat.sum()), "locations": ["CA1", "VISp", "VISp", "CA1"]}


def ibl():
    """electrodes is a ragged region of row numbers; the index of the spikes is uint8."""
    f = start("ibl.nwb")
    electrodes(f, 6, ids=np.arange(6) + 100)
    flat, ends = trains(2, [10, 20, 30])
    g = table(f, "units", "Units", {"spike_times": (flat, ends, "uint8"), "firing_rate": [1.0, 2.0, 3.0]})
    region(f, g, "electrodes", [1, 2, 5, 0, 1, 2], null=True)
    g["electrodes_index"] = np.array([2, 3, 6], dtype="uint16")
    FACTS["ibl.nwb"] = {"counts": [10, 20, 30], "locations": ["CA1", None, "VISp"]}


def groups():
    """No area but that of the electrode group."""
    f = start("groups.nwb")
    for name, area in (("tetrode1", "CA1"), ("tetrode2", "unknown")):
        f.create_group(f"general/extracellular_ephys/{name}").attrs["location"] = area
    flat, ends = trains(8, [5, 6, 7])
    g = table(f, "units", "Units", {"spike_times": (flat, ends, "uint16")})
    refs = [f[f"general/extracellular_ephys/tetrode{i}"].ref for i in (2, 1, 1)]
    g.create_dataset("electrode_group", data=np.array(refs, dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)
    table(f, "intervals/invalid_times", "TimeIntervals", {"start_time": [1.0, 5.0], "stop_time": [2.0, 5.5]})


def allen_lfp():
    """Tall chunks of one channel, time stamps with a scaled clock, a soft link to the same series, a null table reference."""
    f = start("allen_lfp.nwb")
    electrodes(f, 5, ids=[7, 11, 15, 19, 23])
    rng = np.random.default_rng(3)
    data = rng.normal(0, 1e-4, (20000, 5)).astype("float32")
    stamps = 3.7 + np.arange(20000) * 0.00080000080
    g = series(f, "acquisition/probe_1_lfp/probe_1_lfp_data", data, stamps=stamps, chunks=(4732, 1), compression="gzip", shuffle=True)
    region(f, g, "electrodes", range(5), null=True)
    f["acquisition/aaa_probe_1_lfp_data"] = h5py.SoftLink("/acquisition/probe_1_lfp/probe_1_lfp_data")
    f["acquisition/nowhere"] = h5py.ExternalLink("no_such_file.h5", "/x")
    f["acquisition/loop"] = h5py.SoftLink("/acquisition")
    FACTS["allen_lfp.nwb"] = {"sums": [float(c) for c in data.astype("float64")[5000:9000].sum(axis=0)]}


def scaled():
    """int16 counts with conversion, channel_conversion and offset, a scalar start of shape (1,), transposed storage beside it."""
    f = start("scaled.nwb")
    electrodes(f, 3)
    raw = np.random.default_rng(4).integers(-3000, 3000, (5000, 3)).astype("int16")
    g = series(f, "acquisition/ES", raw, attrs={"conversion": np.float32(1e-6), "offset": 0.5}, chunks=(1000, 2), compression="lzf", fletcher32=True)
    g["channel_conversion"] = np.array([1.0, 2.0, 4.0], dtype="float32")
    g["starting_time"] = np.array([10.0])
    g["starting_time"].attrs["rate"] = np.float32(500.0)
    region(f, g, "electrodes", [2, 0, 1])
    t = series(f, "acquisition/transposed", np.ascontiguousarray(raw.T), rate=500.0, t0=10.0)
    region(f, t, "electrodes", [2, 0, 1])
    nan = series(f, "acquisition/nan_conversion", raw[:, 0], rate=500.0, kind="TimeSeries", attrs={"conversion": np.nan})
    physical = raw.astype("float64") * float(np.float32(1e-6)) * np.array([1.0, 2.0, 4.0]) + 0.5
    FACTS["scaled.nwb"] = {"row_1234": physical[1234].tolist(), "sum": float(physical.sum())}


def broken_clocks():
    f = start("clocks.nwb")
    stamps = np.arange(4000) * 0.01
    stamps[2500:] += 11.16
    series(f, "acquisition/gap", np.arange(4000.0), stamps=stamps, kind="TimeSeries")
    bad = np.arange(1000.0)
    bad[321] = np.nan
    series(f, "acquisition/nan", bad, rate=100.0, kind="TimeSeries")
    series(f, "acquisition/stale_rate", np.arange(1000.0), rate=625.0, stamps=np.arange(1000) / 1250.0, kind="TimeSeries")
    series(f, "acquisition/short_stamps", np.arange(1000.0), stamps=np.arange(900) / 1250.0, kind="TimeSeries")
    series(f, "acquisition/cube", np.zeros((3, 4, 5)), rate=1.0, kind="TimeSeries")
    series(f, "acquisition/unclear", np.zeros((3, 40)), rate=1.0, kind="TimeSeries")
    electrodes(f, 7)
    region(f, f["acquisition/unclear"], "electrodes", range(7))


def units_of_all_kinds():
    f = start("no_units.nwb")
    table(f, "intervals/trials", "TimeIntervals", {"start_time": [0.0, 1.0], "stop_time": [0.5, 1.5]})
    series(f, "acquisition/wheel", np.arange(100.0), rate=10.0, kind="TimeSeries")
    f = start("elsewhere.nwb")
    flat, ends = trains(5, [3, 4])
    table(f, "processing/ecephys/units", "Units", {"spike_times": (flat, ends, "uint32")})
    f = start("odd_spikes.nwb")
    times = np.array([5.0, 1.0, 3.0, -2.0, 4.0, np.nan, 9.0])
    table(f, "units", "Units", {"spike_times": (times, [3, 3, 7], "uint8"), "location": ["None", "nan", "VISp"]})
    f = start("giant.nwb")
    g = f.create_group("units")
    g.create_dataset("spike_times", (2**40,), "float64", chunks=(1024,), compression="gzip")
    g["spike_times_index"] = np.array([2**40], dtype="uint64")
    g["id"] = np.array([0])
    g = f.create_group("acquisition/series")
    g.create_dataset("data", (2**40, 4), "int16", chunks=(1024, 4), compression="gzip")
    g["starting_time"] = 0.0
    g["starting_time"].attrs["rate"] = 1000.0
    f = start("unknown_filter.nwb")
    g = f.create_group("acquisition/series")
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((100,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    h5py.h5d.create(g.id, b"data", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((1000,)), plist)
    g["starting_time"] = 0.0
    g["starting_time"].attrs["rate"] = 1000.0


def plain():
    rng = np.random.default_rng(6)
    with h5py.File(os.path.join(OUT, "plain.h5"), "w") as f:
        f["one"] = rng.normal(size=(300, 4)).astype(">f4")
        f["deep/points"] = rng.normal(size=(20, 3))
        d = np.abs(rng.normal(size=(6, 6)))
        d = d + d.T
        np.fill_diagonal(d, 0)
        f["square"] = d
        f["lower"] = d[np.tril_indices(6, -1)]
        for unit in (2, 10):
            f[f"spikes/cell_{unit}"] = np.sort(rng.uniform(0, 10, unit * 3))
        FACTS["plain.h5"] = {"one_sum": float(f["one"][100:200].astype("f8").sum()), "d_3_1": d[3, 1]}
    with h5py.File(os.path.join(OUT, "single.h5"), "w") as f:
        f["only"] = np.arange(12, dtype="u1")


def random_matrices():
    """Windows of random shapes, chunks, types and filters, with the sums that numpy finds: the reader must agree exactly."""
    rng = np.random.default_rng(7)
    cases = []
    with h5py.File(os.path.join(OUT, "random.h5"), "w") as f:
        for at in range(40):
            n, c = int(rng.integers(5, 3000)), int(rng.integers(1, 40))
            dtype = rng.choice(["i1", "u1", ">i2", "<i2", "u2", "i4", "f2", "f4", ">f8", "i8"])
            data = rng.integers(0, 100, (n, c)).astype(dtype)
            kind = int(rng.integers(0, 4))
            layout = {} if kind == 0 else {"chunks": (int(rng.integers(1, n + 1)), int(rng.integers(1, c + 1)))}
            layout.update([{}, {}, {"compression": "gzip", "shuffle": True}, {"compression": "lzf"}][kind])
            f.create_dataset(f"m{at}", data=data, **layout)
            first = int(rng.integers(0, n))
            rows = int(rng.integers(1, n - first + 1))
            every = int(rng.integers(1, c + 1))
            part = data[first:first + rows, ::every].astype("f8")
            weights = np.arange(1, part.size + 1) % 97
            cases.append({"path": f"/m{at}", "first": first, "rows": rows, "every": every, "check": float((part.T.ravel() * weights).sum())})
    FACTS["random.h5"] = cases


def bulk_arrays():
    """Random arrays in all the ways that HDF5 stores them: bulk reads must equal libhdf5's, and both h5py's (the checks)."""
    rng = np.random.default_rng(20)
    kinds = ["<i2", "<i2", "<f4", "<f8", "<f8", "<u2", "<i4", "<u4", "<i8", "<u8", "i1", "u1", ">i2", ">f8", ">f4", "<f2"]
    filters = [{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True}, {"compression": "lzf", "shuffle": True},
               {"compression": "lzf"}, {"compression": "gzip", "shuffle": True, "fletcher32": True}, {"fletcher32": True},
               {"shuffle": True}, {"scaleoffset": 0}]
    cases = []
    for name, how in (("bulk.h5", {}), ("bulk_latest.h5", {"libver": "latest"}), ("bulk_userblock.h5", {"userblock_size": 512})):
        with h5py.File(os.path.join(OUT, name), "w", **how) as f:
            for at in range(72):
                kind = np.dtype(kinds[at % len(kinds)])
                shape = tuple(int(n) for n in rng.integers(1, [2, 4000] if at % 3 == 0 else [400, 30]))
                shape = shape[1:] if at % 3 == 0 else shape
                data = rng.integers(0, 100, shape) if kind.kind in "iu" else rng.normal(size=shape) * 1e3
                data = data.astype(kind)
                data.ravel()[:: 7] = (np.iinfo(kind).max if kind.kind in "iu" else min(1e30, float(np.finfo(kind).max)))
                layout = {}
                if at % 5:
                    layout = {"chunks": tuple(int(rng.integers(1, n + 1)) for n in shape), "maxshape": (None,) + shape[1:] if at % 4 == 0 else None}
                    layout.update(filters[int(rng.integers(len(filters)))] if at % 7 else filters[2])
                    if kind.kind == "f":
                        layout.pop("scaleoffset", None)
                sparse = layout and at % 11 == 0
                d = f.create_dataset(f"d{at}", shape, kind, fillvalue=3, **layout)
                if sparse:
                    half = shape[0] // 2
                    d[:half] = data[:half]
                else:
                    d[...] = data
                if layout.get("maxshape"):
                    d.resize(shape[0] + 3, 0)
                values = d[...].astype("f8").ravel()
                weights = np.arange(1, values.size + 1) % 97
                cases.append({"file": name, "path": f"/d{at}", "check": float((values * weights).sum())})
    FACTS["bulk"] = cases
    with h5py.File(os.path.join(OUT, "bulk_damage.h5"), "w") as f:
        f.create_dataset("gzip", data=np.cumsum(rng.integers(-3, 4, 3000)).astype("<i4"), chunks=(1000,), compression="gzip", compression_opts=4)


def big():
    """Full-size files for timings (not part of the tests): sizes of an Allen session and of an hour of probe LFP."""
    rng = np.random.default_rng(0)
    counts = rng.lognormal(np.log(20000), 1.0, 2800).astype(int)
    flat = np.concatenate([np.sort(rng.uniform(3.8, 9600, n)) for n in counts])
    for name, layout in (("big_spikes.nwb", {}), ("big_spikes_gzip.nwb", {"chunks": True, "compression": "gzip", "compression_opts": 1})):
        f = start(name)
        g = f.create_group("units")
        g.create_dataset("spike_times", data=flat, **layout)
        g["spike_times_index"] = np.cumsum(counts)
        g["id"] = np.arange(len(counts))
        f.close()
    f = start("big_lfp.nwb")
    g = f.create_group("acquisition/lfp")
    block = (rng.normal(size=47320) * 1e-4).astype("f4")
    d = g.create_dataset("data", (47320 * 60, 90), "f4", chunks=(47320, 1), compression="gzip", compression_opts=1)
    for c in range(90):
        d[:, c] = np.tile(block + np.float32(c * 1e-6), 60)
    g.create_dataset("timestamps", data=3.7 + np.arange(47320 * 60) * 0.00080000080, chunks=(47320,), compression="gzip")
    f.close()


allen_session()
allen_session("cut_session.nwb", cut=True)
ibl()
groups()
allen_lfp()
scaled()
broken_clocks()
units_of_all_kinds()
plain()
random_matrices()
bulk_arrays()
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_layouts  # noqa: E402

make_layouts.main(OUT)
with open(os.path.join(OUT, "facts.json"), "w") as out:
    json.dump(FACTS, out, indent=1)
if "--big" in sys.argv:
    big()
# Half a file, and a text file with the wrong name.
import gc
gc.collect()
whole = open(os.path.join(OUT, "allen_lfp.nwb"), "rb").read()
open(os.path.join(OUT, "half.nwb"), "wb").write(whole[: len(whole) // 2])
open(os.path.join(OUT, "text.nwb"), "w").write("version https://git-lfs.github.com/spec/v1\n")
print("wrote", len(os.listdir(OUT)), "files to", OUT)
