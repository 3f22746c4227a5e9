"""Writes a synthetic Neuropixels session of realistic size, for load tests and benches.

    python dev/make_session.py FOLDER [--scale 0.01] [--only session probe blocks shuffled columns]

Scale 1 is a full session: 9,600 s, 6 probes (2,304 electrodes), 2,800 units with about 130 million spikes (`session.nwb`, pynwb;
1.1 GB, 2.1 GB with --amplitudes), and one probe's LFP (`probe.nwb`: 90 channels, 1,250 Hz, float32, gzip chunks of (47320, 1), time
stamps; Allen's layout). `blocks`, `shuffled` and `columns` are a two-hour series of 384 channels at 2,500 Hz, int16, gzip: row blocks
of (1000, 384), the same shuffled, and columns of (47320, 1). A scale below 1 makes everything shorter and has fewer units by its root.

Figures: the Allen Institute's sessions 715093703 (2,779 units, 131 M spikes) and DANDI 000022 (2,890 units, 125 M spikes). Rates are
log-normal (median about 1.8 Hz, mean about 5 Hz), trains have a refractory time of 1.5 ms, bursts, a slow shared modulation, and the
30 kHz grid of the sampling. LFP is 1/f**2 noise, correlated over channels, with one dead and one saturated channel; eight different
stretches of it are written in turn, because compressing hours of noise would take hours too.
"""
import argparse, os, zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
import h5py, numpy as np
import pynwb
from hdmf.backends.hdf5.h5_utils import H5DataIO
from hdmf.common import DynamicTableRegion, ElementIdentifiers, VectorData, VectorIndex
from pynwb.ecephys import ElectricalSeries

AREAS = ["VISp", "VISl", "VISrl", "VISal", "VISpm", "VISam", "CA1", "CA3", "DG", "SUB", "LGd", "LP", "APN", "root"]
DIFFERENT = 8


def train(rng, rate_hz, length_s, phase):
    """A sorted train on the 30 kHz grid: refractory, bursting, slowly modulated."""
    n = int(rate_hz * length_s * 1.3) + 20
    gaps = 0.0015 + rng.exponential(max(1 / rate_hz - 0.0015, 1e-4), n)
    bursts = rng.random(n) < 0.05
    gaps[bursts] = 0.0015 + rng.exponential(0.003, bursts.sum())
    t = np.cumsum(gaps)
    t = t + 0.25 * np.sin(2 * np.pi * 0.15 * t + phase) / (2 * np.pi * 0.15)
    t = np.sort(t[t < length_s - 4.0])
    return np.round((t + 3.8 - min(0.0, t[0] if len(t) else 0.0)) * 30000) / 30000


def electrodes(nwb, probes, per_probe, rng):
    rows = []
    for probe in range(probes):
        device = nwb.create_device(name=f"probe{'ABCDEF'[probe]}")
        group = nwb.create_electrode_group(name=device.name, description="probe", location="brain", device=device)
        areas = rng.choice(AREAS, 8, replace=True)
        for channel in range(per_probe):
            area = areas[channel * 8 // per_probe]
            nwb.add_electrode(x=0.0, y=0.0, z=20.0 * channel, imp=0.0, location=str(area), filtering="", group=group, id=850_000_000 + 1_000 * probe + channel)
            rows.append(850_000_000 + 1_000 * probe + channel)
    return np.array(rows)


def new_file(name):
    subject = pynwb.file.Subject(subject_id="synthetic", species="Mus musculus", sex="F", age="P110D")
    return pynwb.NWBFile("a synthetic session", name, datetime(2026, 11, 25, tzinfo=timezone.utc), subject=subject)


def session(path, scale, amplitudes):
    rng = np.random.default_rng(715093703)
    length_s, n = max(9600 * scale**0.5, 60), max(int(2800 * scale**0.5), 20)
    nwb = new_file("session")
    ids = electrodes(nwb, 6, 384, rng)
    rates = np.clip(rng.lognormal(np.log(1.8), 1.4, n), 0.003, 60)
    trains = [train(rng, rate, length_s, 0.3 * unit) if unit % 97 else np.zeros(0) for unit, rate in enumerate(rates)]
    ends = np.cumsum([len(t) for t in trains])
    flat = np.concatenate(trains)
    del trains
    column = lambda name, data: VectorData(name=name, description=name, data=data)
    times = column("spike_times", flat)
    columns = [times, VectorIndex(name="spike_times_index", data=ends, target=times)]
    if amplitudes:
        sizes = column("spike_amplitudes", np.full(len(flat), 1e-4))
        columns += [sizes, VectorIndex(name="spike_amplitudes_index", data=ends, target=sizes)]
    counts = np.diff(ends, prepend=0)
    columns += [
        column("peak_channel_id", rng.choice(ids, n)), column("quality", list(rng.choice(["good", "noise"], n, p=[0.8, 0.2]))),
        column("firing_rate", counts / length_s), column("isi_violations", rng.exponential(0.3, n)),
        column("presence_ratio", rng.beta(20, 1, n)), column("amplitude_cutoff", rng.exponential(0.08, n)), column("snr", rng.gamma(4, 0.7, n)),
    ]
    nwb.units = pynwb.misc.Units(name="units", description="sorted units", id=ElementIdentifiers(name="id", data=951_000_000 + 3 * np.arange(n)), columns=columns)
    nwb.add_trial_column("stimulus_name", "what was shown")
    for at, start in enumerate(np.arange(10.0, length_s - 10.0, 8.0)[:600]):
        nwb.add_trial(start_time=start, stop_time=start + 2.0, stimulus_name=["flashes", "gabors", "natural_movie_one"][at % 3])
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    print(f"{path}: {n} units, {len(flat)} spikes, {length_s:.0f} s, {os.path.getsize(path) / 1e6:.0f} MB")


def noise(rng, rows, channels, dtype):
    """1/f**2 noise, 60 % shared by all channels; channel 3 dead, channel 5 saturated."""
    def walk(*shape):
        x = np.cumsum(rng.normal(size=shape), 0)
        return x - np.linspace(0, 1, rows)[:, None] * x[-1]
    x = 0.6 * walk(rows, 1) + 0.4 * walk(rows, channels) + rng.normal(size=(rows, channels)) * 3
    x = x / x.std() * 100
    if channels > 5:
        x[:, 3], x[:, 5] = 0, 4095
    return x.astype(dtype) if dtype == "<i2" else (x * 1e-6).astype(dtype)


def shuffled(block):
    return np.frombuffer(block.tobytes(), "u1").reshape(-1, block.itemsize).T.tobytes()


def fill(path, where, rows, channels, dtype, chunk, shuffle):
    """Chunks compressed in parallel and written as they are; eight different stretches in turn."""
    rng = np.random.default_rng(7)
    tall, wide = chunk
    pack = lambda block: zlib.compress(shuffled(block) if shuffle else np.ascontiguousarray(block).tobytes(), 4)
    stretches = []
    for _ in range(min(DIFFERENT, -(-rows // tall))):
        whole = noise(rng, tall, channels, dtype)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            stretches.append(list(pool.map(pack, [whole[:, at : at + wide] for at in range(0, channels, wide)])))
    with h5py.File(path, "r+") as f:
        data = f[where]
        data.resize((rows, channels))
        for band in range(-(-rows // tall)):
            for at, packed in enumerate(stretches[band % len(stretches)]):
                data.id.write_direct_chunk((band * tall, at * wide), packed)


def recording(path, name, rows, channels, rate_hz, dtype, chunk, shuffle=False, stamps=False):
    rng = np.random.default_rng(1)
    nwb = new_file(name)
    electrodes(nwb, 1, channels, rng)
    region = nwb.create_electrode_table_region(region=list(range(channels)), description="all")
    options = {"compression": "gzip", "chunks": chunk, "maxshape": (None, channels), "shuffle": shuffle}
    clock = {"rate": rate_hz, "starting_time": 0.0}
    if stamps:
        # The clock of a probe is not exact.
        t = 3.7 + np.arange(rows) * 0.00080000080
        clock = {"timestamps": H5DataIO(t, compression="gzip", chunks=(min(47320, rows),))}
    # One row for pynwb; the rest is appended chunk by chunk.
    data = H5DataIO(np.zeros((1, channels), dtype), **options)
    conversion = 1.95e-7 if dtype == "<i2" else 1.0
    nwb.add_acquisition(ElectricalSeries(name="lfp", data=data, electrodes=region, conversion=conversion, **clock))
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    fill(path, "acquisition/lfp/data", rows, channels, dtype, chunk, shuffle)
    raw = rows * channels * np.dtype(dtype).itemsize
    print(f"{path}: {rows} x {channels} {dtype}, {raw / 1e6:.0f} MB, {os.path.getsize(path) / 1e6:.0f} MB stored")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("--scale", type=float, default=0.01)
    arguments.add_argument("--amplitudes", action="store_true", help="a second ragged column of the size of the spike times")
    arguments.add_argument("--only", nargs="+", default=["session", "probe", "blocks", "shuffled", "columns"])
    given = arguments.parse_args()
    os.makedirs(given.folder, exist_ok=True)
    path = lambda name: os.path.join(given.folder, f"{name}.nwb")
    root = given.scale**0.5
    two_hours = max(int(7200 * 2500 * given.scale), 60 * 2500 * 2)
    if "session" in given.only:
        session(path("session"), given.scale, given.amplitudes)
    if "probe" in given.only:
        recording(path("probe"), "probe", max(int(9600 * 1250 * root), 47320), 90, 1250.0, "<f4", (47320, 1), stamps=True)
    for name, chunk, shuffle in [("blocks", (1000, 384), False), ("shuffled", (1000, 384), True), ("columns", (47320, 1), False)]:
        if name in given.only:
            recording(path(name), name, two_hours, 384, 2500.0, "<i2", chunk, shuffle)


main()
