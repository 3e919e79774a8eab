# SPDX-License-Identifier: GPL-3.0-or-later
"""MNIST as float32 in [0, 1] and int labels, in file order, from where Strata finds it."""
import gzip
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
STRATA = ROOT / "build" / "bin" / "strata"
ABSENT = f"MNIST is not on this machine. {STRATA} data get mnist gets it."


def folder():
    """Where MNIST lies, or None: where set-up found it unless $STRATA_DATA_DIR is set, or where Strata finds it."""
    if not STRATA.exists():
        raise SystemExit(f"{STRATA} is not there. ./tests/run and ./gui/run build it.")
    note = ROOT / "build" / "mnist.found"
    found = pathlib.Path(note.read_text().strip()) if note.exists() and not os.environ.get("STRATA_DATA_DIR") else None
    if found and found.is_dir():
        return found
    listing = subprocess.run([str(STRATA), "data", "list"], check=True, capture_output=True, text=True).stdout
    line = re.search(r"^mnist\s[^:]*: (.+)$", listing, re.MULTILINE)
    return pathlib.Path(line[1]).absolute() if line and pathlib.Path(line[1]).is_dir() else None


def idx(base, name):
    """An IDX file under any of the spellings that Strata reads, gzipped or plain."""
    import numpy as np
    spellings = [spelled + end for spelled in (name, name.replace("-idx", ".idx")) for end in (".gz", "")]
    path = next(base / spelling for spelling in spellings if (base / spelling).is_file())
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    dims = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(dims)).reshape(dims)


def load():
    import numpy as np
    base = folder()
    if base is None:
        raise SystemExit(ABSENT)
    x, y = idx(base, "train-images-idx3-ubyte"), idx(base, "train-labels-idx1-ubyte")
    u, v = idx(base, "t10k-images-idx3-ubyte"), idx(base, "t10k-labels-idx1-ubyte")
    scale = lambda a: (a.astype(np.float32) / 255)[..., None]  # NHWC
    return scale(x), y.astype(np.int64), scale(u), v.astype(np.int64)
