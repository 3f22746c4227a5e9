"""Reads every Parquet table of an output folder with pyarrow and says what is wrong with it.

    python dev/read_tables.py OUT

Checks what a user of pandas or DuckDB relies on: it opens, the provenance is there, no NaN stands for a missing value,
columns have the contract's types. Exits 1 and names the table and column otherwise.
"""
import math
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

TYPES = {"dim": pa.int8(), "index": pa.uint32(), "attempts": pa.uint32(), "surrogates": pa.uint32(), "peak_memory_bytes": pa.uint64(), "held": pa.bool_()}
problems = []
tables = sorted(pathlib.Path(sys.argv[1]).glob("*.parquet"))
for path in tables:
    file = pq.ParquetFile(path)
    schema, table = file.schema_arrow, file.read()
    metadata = {key.decode() for key in (schema.metadata or {})} | {key.decode() for key in (file.metadata.metadata or {})}
    problems += [f"{path.name} lacks {key}" for key in ("schema_version", "tool_version", "job_hash", "seed") if f"tcs.{key}" not in metadata]
    for field in schema:
        column = table[field.name]
        if field.name in TYPES and field.type != TYPES[field.name]:
            problems.append(f"{path.name}: {field.name} is {field.type}")
        if field.name.endswith("_s") and (field.metadata or {}).get(b"unit") != b"s":
            problems.append(f"{path.name}: {field.name} has no unit")
        if pa.types.is_float64(field.type) and any(value is not None and math.isnan(value) for value in column.to_pylist()):
            problems.append(f"{path.name}: {field.name} holds NaN")
    codecs = {file.metadata.row_group(group).column(at).compression for group in range(file.num_row_groups) for at in range(len(schema))}
    if codecs - {"ZSTD"}:
        problems.append(f"{path.name} is compressed with {codecs}")
    print(f"{path.name}: {table.num_rows} rows, {len(schema)} columns")
if not tables:
    problems.append("there is no table")
print("\n".join(problems), file=sys.stderr)
sys.exit(bool(problems))
