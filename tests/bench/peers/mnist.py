# SPDX-License-Identifier: GPL-3.0-or-later
"""MNIST from $STRATA_DATA_DIR/mnist as float32 in [0, 1] and int labels, in file order."""
import gzip, os, pathlib, numpy as np
ROOT = pathlib.Path(os.environ["STRATA_DATA_DIR"]) / "mnist"

def idx(name):
    raw = gzip.open(ROOT / f"{name}.gz").read()
    dims = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(dims)).reshape(dims)

def load():
    x, y = idx("train-images-idx3-ubyte"), idx("train-labels-idx1-ubyte")
    u, v = idx("t10k-images-idx3-ubyte"), idx("t10k-labels-idx1-ubyte")
    scale = lambda a: (a.astype(np.float32) / 255)[..., None]        # NHWC
    return scale(x), y.astype(np.int64), scale(u), v.astype(np.int64)
