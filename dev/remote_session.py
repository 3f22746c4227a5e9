"""A synthetic session of about 650 MB written by pynwb, and a file server with byte ranges: `make FILE`, `serve PORT` (the working folder).

For docs/measured.md, "Recordings that are elsewhere". `make` needs pynwb.
"""

import http.server
import os
import re
import sys


def make(path, seconds=4320.0):
    from datetime import datetime, timezone

    import numpy as np
    from pynwb import H5DataIO, NWBFile, NWBHDF5IO
    from pynwb.ecephys import LFP, ElectricalSeries

    rng = np.random.default_rng(1)
    nwb = NWBFile("synthetic", "synthetic-session", datetime(2026, 1, 1, tzinfo=timezone.utc))
    group = nwb.create_electrode_group("probeA", "", "VISp", nwb.create_device("probe"))
    for channel in range(96):
        nwb.add_electrode(location=["VISp", "CA1"][channel % 2], group=group)
    region = nwb.create_electrode_table_region(list(range(96)), "all")
    n = int(seconds * 1250)
    data = rng.normal(0, 40, (n, 96)).astype("i2")
    packed = H5DataIO(data, compression="gzip", compression_opts=1, shuffle=True, chunks=(47320, 1))
    stamps = H5DataIO(np.arange(n) / 1250.0, compression="gzip", chunks=(47320,))
    nwb.create_processing_module("ecephys", "").add(LFP(ElectricalSeries(name="lfp", data=packed, electrodes=region, timestamps=stamps, conversion=1e-6)))
    for unit in range(400):
        nwb.add_unit(spike_times=np.sort(rng.uniform(0, seconds, rng.integers(500, 20000))), electrodes=[unit % 96])
    for trial in range(600):
        nwb.add_trial(start_time=trial * 1.0, stop_time=trial + 0.5)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)


class Files(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sent = 0
    requests = 0

    def do_GET(self):
        path = "." + self.path.split("?")[0]
        if not os.path.isfile(path):
            self.send_error(404)
            return
        size = os.path.getsize(path)
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2] or size - 1), size - 1)) if asked else (0, size - 1)
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{size}"')
        self.send_header("Content-Length", last - first + 1)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        Files.requests += 1
        Files.sent += last - first + 1
        with open(path, "rb") as file:
            file.seek(first)
            left = last - first + 1
            while left:
                piece = file.read(min(left, 1 << 20))
                self.wfile.write(piece)
                left -= len(piece)

    def do_HEAD(self):
        """What was sent so far."""
        self.send_response(200)
        self.send_header("X-Sent", str(Files.sent))
        self.send_header("X-Requests", str(Files.requests))
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Files).serve_forever()
