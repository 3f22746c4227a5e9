"""docs/workflows/Snakefile, really run: plain, killed in the middle and run again, with a unit that fails, with an edited job.

    python3 -m venv /tmp/snakemake && /tmp/snakemake/bin/pip install snakemake      (57 packages, 135 MB, 12 s)
    cargo build --release && python3 dev/snakemake_check.py /tmp/snakemake/bin/snakemake

Without Snakemake it says so and ends well. The tables must be, byte for byte, those of a plain run.
"""
import os, pathlib, shutil, signal, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/tcs-batch"
SNAKEMAKE = shutil.which(sys.argv[1] if len(sys.argv) > 1 else "snakemake")
TABLES = ["metrics", "diagrams", "embeddings", "fidelity", "expectations", "previews"]
SHARDS = 3
SLOW = """schema_version = 1
[job]
name = "slow"
[[dataset]]
id = "map"
format = "simulate"
model = "henon"
params = { samples = 12000 }
window = { length_s = 200.0 }
[embedding]
method = "takens"
dimension = 3
delay = 1
[persistence]
max_dim = 2
max_points = 150
[[metric]]
kind = "lz76"
surrogates = 20
"""


def snakemake(folder, job, out, *more, shards=SHARDS):
    config = ["--config", f"job={job}", f"out={out}", f"shards={shards}", f"tcs={BINARY}"]
    command = [SNAKEMAKE, "-s", ROOT / "docs/workflows/Snakefile", "--directory", folder, "--cores", "2", "--quiet", "all", *more, *config]
    return subprocess.Popen([str(part) for part in command], cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True)


def finish(process, code=0):
    _, said = process.communicate()
    assert (process.returncode == 0) == (code == 0), said
    return said


def plain(job, out, code=0):
    done = subprocess.run([BINARY, "run", job, "--out", out, "--progress", "none", "-q"])
    assert done.returncode == code, done.returncode


def same(a, b):
    for table in TABLES:
        assert (a / f"{table}.parquet").read_bytes() == (b / f"{table}.parquet").read_bytes(), table


def stored(out):
    return {path: path.stat().st_mtime_ns for path in pathlib.Path(f"{out}.shards").glob("*/shards/units/*.unit")}


def killed(folder, job):
    """kill -9 of Snakemake and all below it, until a run gets through; nothing finished may be computed again."""
    out, kills, before = folder / "killed", 0, {}
    while True:
        process = snakemake(folder, job, out, "--nolock")
        deadline = time.monotonic() + 120
        while process.poll() is None and len(stored(out)) < len(before) + 12 and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        time.sleep(0.3)
        kept = stored(out)
        assert all(kept.get(path) == when for path, when in before.items()), "a finished unit was computed again"
        kills, before = kills + 1, kept
    finish(process)
    after = stored(out)
    assert kills > 0 and before and all(after[path] == when for path, when in before.items())
    return out, kills, len(before), len(after)


def main():
    if SNAKEMAKE is None:
        print("skipped: there is no snakemake; python3 -m venv DIR && DIR/bin/pip install snakemake")
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        quickstart = ROOT / "jobs/quickstart.toml"
        plain(quickstart, folder / "plain")
        finish(snakemake(folder, quickstart, folder / "shards"))
        same(folder / "plain", folder / "shards")
        finish(snakemake(folder, quickstart, folder / "shards", shards=2))
        same(folder / "plain", folder / "shards")
        print("quickstart, three shards and then two into the same folders: as a plain run")

        slow = folder / "slow.toml"
        slow.write_text(SLOW)
        out, kills, kept, units = killed(folder, slow)
        plain(slow, folder / "slow")
        same(folder / "slow", out)
        print(f"killed {kills} times, the last with {kept} of {units} units done: as a plain run, no unit computed twice")

        before = stored(out)
        slow.write_text(SLOW + "[[expect]]\nmetric = 'lz76'\nvalue = 99.0\ntolerance = 0.1\n")
        said = finish(snakemake(folder, slow, out), code=4)
        assert f"{len(before)} of {len(before)} units done, {len(before)} reused, 0 of 1 expectations held" in said, said
        assert stored(out) == before, "an expectation is no reason to compute"
        plain(slow, folder / "slow", code=4)
        same(folder / "slow", out)
        print("an edited job is seen; an expectation that falls short fails the merge alone, and its tables stay")


if __name__ == "__main__":
    main()
