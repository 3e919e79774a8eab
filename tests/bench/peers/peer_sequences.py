# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequence layers beside PyTorch on the CPU: one layer and a dense head trained by SGD on seeded noise, median
milliseconds of a training step. Each round runs PyTorch once and then `strata bench`, so that both meet the same noise.
usage: peer_sequences.py STRATA [--batch 16 128] [--threads 2] [--rounds 5] [--steps 60] [--only NET]"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
import torch.nn as nn

NETS = {
    "lstm": ([28, 28], {"type": "lstm", "units": 128}),
    "gru": ([28, 28], {"type": "gru", "units": 128}),
    "rnn": ([28, 28], {"type": "simple_rnn", "units": 128}),
    "attention": ([28, 64], {"type": "multi_head_attention", "heads": 4, "key_dim": 16}),
}


class Torch(nn.Module):
    def __init__(self, name, shape):
        super().__init__()
        self.name = name
        if name == "attention":
            self.layer, self.head = nn.MultiheadAttention(shape[1], 4, batch_first=True), nn.Linear(shape[0] * shape[1], 10)
        else:
            kind = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[name]
            self.layer, self.head = kind(shape[1], 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x):
        if self.name == "attention":
            return self.head(self.layer(x, x, x, need_weights=False)[0].flatten(1))
        return self.head(self.layer(x)[0][:, -1])


def torch_step(name, shape, batch, steps):
    net = Torch(name, shape)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    x, labels = torch.rand(batch, *shape), torch.randint(0, 10, [batch])
    times = []
    for _ in range(steps + 5):
        start = time.perf_counter()
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[5:])


def strata_step(strata, name, shape, batch, steps, threads):
    layers = [{"name": "layer", **NETS[name][1]}, {"type": "flatten", "name": "flatten"},
              {"type": "dense", "name": "head", "units": 10}]
    project = {"version": 1, "network": {"input": shape, "classes": 10, "layers": layers},
               "training": {"optimizer": {"type": "sgd", "learning_rate": 0.01}}}
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "net.strata")
        file.write_text(json.dumps(project))
        out = subprocess.run([strata, "bench", file, "--density", "1", "--samples", str(batch * (steps + 5)), "--batch",
                              str(batch), "--threads", str(threads), "--json"], check=True, capture_output=True, text=True)
    return json.loads(out.stdout.splitlines()[-1])["step_ms"][1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("strata")
    parser.add_argument("--batch", type=int, nargs="*", default=[16, 128])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--only")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.rounds} rounds")
    for name, (shape, _) in NETS.items():
        if options.only and name != options.only:
            continue
        for batch in options.batch:
            theirs, ours = [], []
            for _ in range(options.rounds):
                theirs.append(torch_step(name, shape, batch, options.steps))
                ours.append(strata_step(options.strata, name, shape, batch, options.steps, options.threads))
            ratios = sorted(b / a for a, b in zip(ours, theirs))
            print(f"{name:10} batch {batch:4}  PyTorch {statistics.median(theirs):7.3f} ms  Strata "
                  f"{statistics.median(ours):7.3f} ms  {statistics.median(ratios):5.2f} times as fast "
                  f"({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)


if __name__ == "__main__":
    main()
