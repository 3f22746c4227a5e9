"""Writes tests/data/files: small npy, csv and parquet files as numpy and pyarrow write them. Needs numpy and pyarrow."""

import pathlib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "files"
HERE.mkdir(parents=True, exist_ok=True)

# Row r, column c holds 10 r + c: the tests know every value. Booleans hold its parity.
VALUES = 10 * np.arange(6)[:, None] + np.arange(3)[None, :]
for dtype in ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]:
    values = (VALUES % 2 if dtype == "b1" else VALUES).astype(dtype)
    for order in "<>":
        if order == ">" and dtype in ("i1", "u1", "b1"):
            continue
        name = {"<": "le", ">": "be"}[order]
        swapped = values.astype(order + dtype)
        np.save(HERE / f"{dtype}_{name}_c.npy", np.ascontiguousarray(swapped))
        np.save(HERE / f"{dtype}_{name}_f.npy", np.asfortranarray(swapped))
np.save(HERE / "one_d.npy", np.arange(6.0))
np.save(HERE / "scalar.npy", np.array(1.0))
np.save(HERE / "three_d.npy", np.zeros((2, 2, 2)))
np.save(HERE / "complex.npy", np.zeros(3, complex))
np.save(HERE / "object.npy", np.array([None, 1], object), allow_pickle=True)
np.save(HERE / "structured.npy", np.zeros(2, [("a", "i4"), ("b", "f8")]))
np.savez(HERE / "archive.npz", a=np.zeros(2), b=np.ones(2))
with_nan = VALUES.astype(float)
with_nan[4, 1] = np.nan
np.save(HERE / "nan.npy", with_nan)

rows = 1000
table = pa.table(
    {
        "time_s": 2.0 + np.arange(rows) / 250.0,
        "a": np.arange(rows).astype("f4"),
        "b": pa.array(np.arange(rows) * 2, pa.int16()),
        "flag": np.arange(rows) % 2 == 0,
        "label": [f"row {row}" for row in range(rows)],
    }
)
pq.write_table(table, HERE / "series.parquet", row_group_size=128, compression="zstd")
pq.write_table(
    pa.table({"a": pa.array([1.0, None, 3.0]), "b": [1.0, 2.0, 3.0]}), HERE / "nulls.parquet"
)
pq.write_table(pa.table({"vector": [[1.0, 2.0], [3.0, 4.0]], "n": [1, 2]}), HERE / "lists.parquet")
pq.write_table(
    pa.table({"unit": pa.array([2, 1, 10, 2], pa.int64()), "time_s": [0.5, 0.25, 1.0, 0.125]}),
    HERE / "spikes.parquet",
)
pq.write_table(pa.table({"unit": ["b", "a"], "time_s": [1.0, 2.0]}), HERE / "named_spikes.parquet")
gap = np.concatenate([np.arange(5), np.arange(7, 12)]) / 100.0
pq.write_table(pa.table({"time": gap, "x": np.zeros(10)}), HERE / "gap.parquet")
