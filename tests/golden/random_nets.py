#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random nets of every layer and container, one training step each, by the program strata and by PyTorch in float64.

    random_nets.py STRATA [--seeds N] [--first SEED] [--backend ID]

Each seed draws a net (containers in containers, images, sequences and vectors), a data set of random pixels and random
weights; strata takes one step of plain SGD with a known rate, so that what it took off the weights is the gradient.
Compared: the loss of the batch, every gradient, and batch norm's running values. Needs torch and numpy.
"""
import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

RATE = 64.0
BATCH = 6


# ---- safetensors, the little that is needed

def write_tensors(path, tensors):
    header, at = {}, 0
    for name, value in tensors.items():
        size = value.size * 4
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text +
                     b"".join(v.astype("<f4").tobytes() for v in tensors.values()))


def read_tensors(path):
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    out = {}
    for name, place in header.items():
        if name != "__metadata__" and place["dtype"] == "F32":
            begin, end = place["data_offsets"]
            out[name] = np.frombuffer(data[8 + size + begin:8 + size + end], "<f4").reshape(place["shape"])
    return out


# ---- the layers in PyTorch; an image is [N,H,W,C], a sequence [N,T,D], a vector [N,D]

ACTIVATIONS = {
    "linear": lambda z: z, "relu": torch.relu, "leaky_relu": lambda z: F.leaky_relu(z, 0.3), "elu": F.elu,
    "selu": F.selu, "gelu": F.gelu, "swish": F.silu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "softplus": F.softplus, "softmax": lambda z: torch.softmax(z, -1),
    "hard_sigmoid": lambda z: F.relu6(z + 3) / 6,
}


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def same_padding(size, kernel, stride, dilation=1):
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def channels_first(x):
    return x.permute(0, 3, 1, 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1)


def padded(x, layer, kernel, strides, dilation=(1, 1), value=0.0):
    if layer.get("padding", "valid") != "same":
        return x
    top, bottom = same_padding(x.shape[2], kernel[0], strides[0], dilation[0])
    left, right = same_padding(x.shape[3], kernel[1], strides[1], dilation[1])
    return F.pad(x, (left, right, top, bottom), value=value)


class Net:
    """Builds and runs a net from its project; `weights` are made as the layers ask for them."""

    def __init__(self, rng):
        self.rng = rng
        self.weights = {}   # name -> float64 tensor
        self.running = {}   # name -> value after the step

    def variable(self, name, shape, scale=None, running=None):
        if name not in self.weights:
            if running is not None:
                values = running
            else:
                fan = max(1, int(np.prod(shape[:-1])))
                values = self.rng.standard_normal(shape) * (scale or fan ** -0.5)
            values = np.asarray(values, "float32").reshape(shape)
            self.weights[name] = torch.tensor(values, dtype=torch.float64, requires_grad=running is None)
        return self.weights[name]

    def stack(self, layers, x, prefix):
        for layer in layers:
            x = getattr(self, layer["type"])(layer, x, prefix + layer["name"])
        return x

    def act(self, layer, z, default="linear"):
        return ACTIVATIONS[layer.get("activation", default)](z)

    def bias(self, layer, name, size):
        return self.variable(name + ".bias", (size,), 0.1) if layer.get("use_bias", True) else None

    def conv2d(self, layer, x, name):
        k, s, d = pair(layer.get("kernel_size", 3)), pair(layer.get("strides", 1)), pair(layer.get("dilation_rate", 1))
        groups, filters = layer.get("groups", 1), layer["filters"]
        w = self.variable(name + ".kernel", (*k, x.shape[-1] // groups, filters))
        y = F.conv2d(padded(channels_first(x), layer, k, s, d), w.permute(3, 2, 0, 1).contiguous(),
                     self.bias(layer, name, filters), stride=s, dilation=d, groups=groups)
        return self.act(layer, channels_last(y))

    def depthwise_conv2d(self, layer, x, name, kernel="kernel", with_bias=True):
        k, s, d = pair(layer.get("kernel_size", 3)), pair(layer.get("strides", 1)), pair(layer.get("dilation_rate", 1))
        c, m = x.shape[-1], layer.get("depth_multiplier", 1)
        w = self.variable(f"{name}.{kernel}", (*k, c, m), 0.4)
        w = w.permute(2, 3, 0, 1).reshape(c * m, 1, *k).contiguous()
        bias = self.bias(layer, name, c * m) if with_bias else None
        y = channels_last(F.conv2d(padded(channels_first(x), layer, k, s, d), w, bias, stride=s, dilation=d, groups=c))
        return self.act(layer, y) if with_bias else y

    def separable_conv2d(self, layer, x, name):
        y = self.depthwise_conv2d({**layer, "activation": "linear"}, x, name, "depthwise_kernel", False)
        w = self.variable(name + ".pointwise_kernel", (1, 1, y.shape[-1], layer["filters"]))
        y = F.conv2d(channels_first(y), w.permute(3, 2, 0, 1).contiguous(), self.bias(layer, name, layer["filters"]))
        return self.act(layer, channels_last(y))

    def conv2d_transpose(self, layer, x, name):
        k, s, filters = pair(layer.get("kernel_size", 3)), pair(layer.get("strides", 1)), layer["filters"]
        w = self.variable(name + ".kernel", (*k, filters, x.shape[-1]))
        y = F.conv_transpose2d(channels_first(x), w.permute(3, 2, 0, 1).contiguous(), stride=s)
        y = F.pad(y, (0, max(0, s[1] - k[1]), 0, max(0, s[0] - k[0])))  # as Keras: a step wider than the kernel
        if layer.get("padding", "valid") == "same":
            cut = [max(k[i] - s[i], 0) // 2 for i in (0, 1)]
            size = [x.shape[1 + i] * s[i] for i in (0, 1)]
            y = y[:, :, cut[0]:cut[0] + size[0], cut[1]:cut[1] + size[1]]
        bias = self.bias(layer, name, filters)
        y = channels_last(y)
        return self.act(layer, y if bias is None else y + bias)

    def pool(self, layer, x, reduce, outside):
        k = pair(layer.get("pool_size", 2))
        s = pair(layer.get("strides", 0) or k)
        windows = padded(channels_first(x), layer, k, s, value=outside).unfold(2, k[0], s[0]).unfold(3, k[1], s[1])
        return channels_last(reduce(windows))

    def max_pool2d(self, layer, x, name):
        return self.pool(layer, x, lambda w: w.amax((-1, -2)), -torch.inf)

    def avg_pool2d(self, layer, x, name):
        inside = self.pool(layer, torch.ones_like(x), lambda w: w.sum((-1, -2)), 0.0)
        return self.pool(layer, x, lambda w: w.sum((-1, -2)), 0.0) / inside

    def global_avg_pool(self, layer, x, name):
        return x.flatten(1, -2).mean(1)

    def global_max_pool(self, layer, x, name):
        return x.flatten(1, -2).amax(1)

    def upsample2d(self, layer, x, name):
        mode = layer.get("interpolation", "nearest")
        size = [n * f for n, f in zip(x.shape[1:3], pair(layer.get("size", 2)))]
        extra = {} if mode == "nearest" else {"align_corners": False}
        return channels_last(F.interpolate(channels_first(x), size, mode=mode, **extra))

    def zero_pad2d(self, layer, x, name):
        h, w = pair(layer.get("padding", 1))
        return F.pad(x, (0, 0, w, w, h, h))

    def flatten(self, layer, x, name):
        return x.flatten(1)

    def dense(self, layer, x, name):
        w = self.variable(name + ".kernel", (x.shape[-1], layer["units"]))
        y = x @ w
        bias = self.bias(layer, name, layer["units"])
        return self.act(layer, y if bias is None else y + bias)

    def activation(self, layer, x, name):
        return self.act(layer, x, "relu")

    def batch_norm(self, layer, x, name):
        c, momentum, epsilon = x.shape[-1], layer.get("momentum", 0.99), layer.get("epsilon", 1e-3)
        gamma = self.variable(name + ".gamma", (c,), 1.0) if layer.get("scale", True) else 1
        beta = self.variable(name + ".beta", (c,), 0.3) if layer.get("center", True) else 0
        rows = x.reshape(-1, c)
        mean, variance = rows.mean(0), rows.var(0, unbiased=False)
        for which, value, start in (("mean", mean, 0.2), ("variance", variance, 1.5)):
            full = f"{name}.moving_{which}"
            old = self.variable(full, (c,), running=np.full(c, start))
            self.running[full] = (momentum * old + (1 - momentum) * value).detach()
        return self.act(layer, gamma * (x - mean) / torch.sqrt(variance + epsilon) + beta)

    def layer_norm(self, layer, x, name):
        c = x.shape[-1]
        gamma, beta = self.variable(name + ".gamma", (c,), 1.0), self.variable(name + ".beta", (c,), 0.3)
        return self.act(layer, F.layer_norm(x, (c,), gamma, beta, layer.get("epsilon", 1e-3)))

    def steps(self, x):
        return x.flatten(2) if x.dim() == 4 else x  # an image is a sequence of its rows

    def recurrent(self, layer, x, name, gates, step, state_of):
        x, units = self.steps(x), layer["units"]
        w = self.variable(name + ".kernel", (x.shape[-1], gates * units))
        u = self.variable(name + ".recurrent_kernel", (units, gates * units))
        state, outputs = state_of(x.new_zeros(x.shape[0], units)), []
        for t in range(x.shape[1]):
            state = step(x[:, t] @ w, u, state)
            outputs.append(state[0])
        return torch.stack(outputs, 1) if layer.get("return_sequences", False) else outputs[-1]

    def simple_rnn(self, layer, x, name):
        b = self.variable(name + ".bias", (layer["units"],), 0.1)
        act = ACTIVATIONS[layer.get("activation", "tanh")]
        return self.recurrent(layer, x, name, 1, lambda z, u, s: (act(z + s[0] @ u + b),), lambda zero: (zero,))

    def lstm(self, layer, x, name):
        b = self.variable(name + ".bias", (4 * layer["units"],), 0.1)
        act = ACTIVATIONS[layer.get("activation", "tanh")]

        def step(z, u, state):
            i, f, c, o = (z + state[0] @ u + b).chunk(4, -1)
            cell = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * act(c)
            return torch.sigmoid(o) * act(cell), cell

        return self.recurrent(layer, x, name, 4, step, lambda zero: (zero, zero))

    def gru(self, layer, x, name):
        b = self.variable(name + ".bias", (2, 3 * layer["units"]), 0.1)
        act = ACTIVATIONS[layer.get("activation", "tanh")]

        def step(z, u, state):
            xz, xr, xh = (z + b[0]).chunk(3, -1)
            hz, hr, hh = (state[0] @ u + b[1]).chunk(3, -1)
            update, reset = torch.sigmoid(xz + hz), torch.sigmoid(xr + hr)
            return (update * state[0] + (1 - update) * act(xh + reset * hh),)

        return self.recurrent(layer, x, name, 3, step, lambda zero: (zero,))

    def bidirectional(self, layer, x, name):
        inner = layer["stack"][0]
        run = getattr(self, inner["type"])
        x = self.steps(x)
        there, back = run(inner, x, name + "/forward"), run(inner, x.flip(1), name + "/backward")
        if inner.get("return_sequences", False):
            back = back.flip(1)
        merge = layer.get("merge_mode", "concat")
        return {"concat": lambda: torch.cat([there, back], -1), "sum": lambda: there + back,
                "mul": lambda: there * back, "ave": lambda: (there + back) / 2}[merge]()

    def multi_head_attention(self, layer, x, name):
        x, heads, dim = self.steps(x), layer.get("heads", 4), layer.get("key_dim", 16)
        d = x.shape[-1]
        q, k, v = (torch.einsum("btd,dhk->bhtk", x, self.variable(f"{name}.{part}.kernel", (d, heads, dim), d ** -0.5))
                   + self.variable(f"{name}.{part}.bias", (heads, dim), 0.1).unsqueeze(1)
                   for part in ("query", "key", "value"))
        mixed = torch.softmax(q @ k.transpose(-1, -2) * dim ** -0.5, -1) @ v
        out = torch.einsum("bhtk,hkd->btd", mixed,
                           self.variable(name + ".output.kernel", (heads, dim, d), (heads * dim) ** -0.5))
        return out + self.variable(name + ".output.bias", (d,), 0.1)

    def positional_embedding(self, layer, x, name):
        x = self.steps(x)
        return x + self.variable(name + ".embedding", tuple(x.shape[1:]), 0.3)

    def residual(self, layer, x, name):
        y = self.stack(layer["stack"], x, name + "/") + self.stack(layer.get("shortcut", []), x, name + "/")
        return self.act(layer, y, "relu")

    def branches(self, layer, x, name):
        ys = [self.stack(s, x, name + "/") for s in layer["stacks"]]
        merge = layer.get("merge", "concat")
        if merge == "concat":
            return torch.cat(ys, -1)
        all_of_them = torch.stack(ys)
        return {"add": lambda: all_of_them.sum(0), "multiply": lambda: all_of_them.prod(0),
                "average": lambda: all_of_them.mean(0), "max": lambda: all_of_them.amax(0)}[merge]()


# ---- drawing a net

class Drawer:
    """Draws layers that fit what came before; shapes are found by running PyTorch on one sample."""

    def __init__(self, seed, known):
        self.r = random.Random(seed)
        self.known = known
        self.count = 0

    def name(self):
        self.count += 1
        return f"l{self.count}"

    def some(self, chance):
        return self.r.random() < chance

    def activation(self):
        return self.r.choice([a for a in ACTIVATIONS if a != "softmax"])

    def image_layer(self, shape):
        h, w, c = shape
        r = self.r
        window = {"kernel_size": [r.randint(1, min(3, h)), r.randint(1, min(3, w))],
                  "padding": r.choice(["same", "valid"])}
        strided = {**window, "strides": [r.randint(1, 2), r.randint(1, 2)]}
        groups = r.choice([g for g in (1, 2, 3) if c % g == 0])
        options = [
            {"type": "conv2d", "filters": groups * r.randint(1, 3), "groups": groups, **strided,
             "activation": self.activation(), "use_bias": self.some(0.7)},
            {"type": "conv2d", "filters": r.randint(1, 5), "kernel_size": r.randint(1, 2), "padding": "same",
             "dilation_rate": r.randint(1, 2), "activation": self.activation()},
            {"type": "depthwise_conv2d", **window, "depth_multiplier": r.randint(1, 2),
             "activation": self.activation()},
            {"type": "separable_conv2d", "filters": r.randint(1, 5), **window, "activation": self.activation()},
            {"type": "conv2d_transpose", "filters": r.randint(1, 4), **strided, "activation": self.activation()},
            {"type": "batch_norm", "momentum": 0.9, "scale": self.some(0.8), "center": self.some(0.8),
             "activation": self.activation()},
            {"type": "layer_norm", "activation": self.activation()},
            {"type": "upsample2d", "size": r.randint(1, 2), "interpolation": r.choice(["nearest", "bilinear"])},
            {"type": "zero_pad2d", "padding": r.randint(1, 2)},
            {"type": "activation", "activation": self.activation()},
            {"type": "dense", "units": r.randint(1, 5), "activation": self.activation()},
        ]
        if min(h, w) > 1:
            options += [{"type": kind, "pool_size": [r.randint(1, min(3, h)), r.randint(1, min(3, w))],
                         "padding": r.choice(["same", "valid"])} for kind in ("max_pool2d", "avg_pool2d")]
        return r.choice(options)

    def sequence_layer(self):
        r = self.r
        cell = {"type": r.choice(["simple_rnn", "lstm", "gru"]), "units": r.randint(1, 5), "return_sequences": True}
        return r.choice([
            cell,
            {"type": "bidirectional", "stack": [{**cell, "name": self.name()}],
             "merge_mode": r.choice(["concat", "sum", "mul", "ave"])},
            {"type": "multi_head_attention", "heads": r.randint(1, 3), "key_dim": r.randint(1, 4)},
            {"type": "positional_embedding"},
            {"type": "layer_norm", "activation": self.activation()},
            {"type": "dense", "units": r.randint(1, 6), "activation": self.activation()},
            {"type": "batch_norm", "momentum": 0.8},
        ])

    def container(self, shape, depth):
        if self.some(0.5):
            return {"type": "residual", "stack": self.keeping(shape, depth + 1), "activation": self.activation()}
        merge = self.r.choice(["concat", "add", "multiply", "average", "max"])
        return {"type": "branches", "merge": merge, "stacks": [self.keeping(shape, depth + 1) for _ in range(2)]}

    def keeping(self, shape, depth):
        """A stack that leaves the shape as it is."""
        layers = []
        for _ in range(self.r.randint(1, 2)):
            if depth < 3 and self.some(0.3):
                inner = self.container(shape, depth)
                if inner.get("merge") == "concat":
                    inner["merge"] = "add"
                layers.append({"name": self.name(), **inner})
            elif len(shape) == 3 and self.some(0.6):
                layers.append({"type": "conv2d", "name": self.name(), "filters": shape[-1], "padding": "same",
                               "kernel_size": self.r.choice([1, 3]), "activation": self.activation()})
            else:
                layers.append({"type": "dense", "name": self.name(), "units": shape[-1],
                               "activation": self.activation()})
        return layers

    def net(self, input_shape):
        layers = []

        def shape_now():
            net = Net(np.random.default_rng(0))
            with torch.no_grad():
                return tuple(net.stack(layers, torch.zeros((2, *input_shape), dtype=torch.float64), "").shape[1:])

        for _ in range(self.r.randint(1, 5)):
            shape = shape_now()
            if self.some(0.3):
                layer = self.container(shape, 0)
            elif len(shape) == 3 and not (set(self.known) & {"lstm"} and self.some(0.15)):
                layer = self.image_layer(shape)
            elif len(shape) >= 2:
                layer = self.sequence_layer()
            else:
                layer = {"type": "dense", "units": self.r.randint(2, 8), "activation": self.activation()}
            if layer["type"] in self.known:
                layers.append({**layer, "name": self.name()})
        if len(shape_now()) > 1:
            pools = ["global_avg_pool", "global_max_pool"] if len(shape_now()) == 3 else []
            layers.append({"type": self.r.choice(["flatten", *pools]), "name": self.name()})
        layers.append({"type": "dense", "name": self.name(), "units": 4})
        return layers


# ---- one seed

def write_idx(folder, pixels, labels):
    for part in ("train", "t10k"):
        dims = pixels.shape if pixels.shape[-1] > 1 else pixels.shape[:-1]
        head = struct.pack(">HBB", 0, 8, len(dims)) + struct.pack(f">{len(dims)}I", *dims)
        (folder / f"{part}-images-idx{len(dims)}-ubyte").write_bytes(head + pixels.tobytes())
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        head = struct.pack(">HBBI", 0, 8, 1, len(labels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())


def run(seed, strata, backend, known):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(3, 8)), int(rng.integers(3, 8)), int(rng.choice([1, 3])))
    layers = Drawer(seed, known).net(shape)
    pixels = rng.integers(0, 256, (BATCH, *shape), dtype=np.uint8)
    labels = np.concatenate([np.arange(4), rng.integers(0, 4, BATCH - 4)]).astype(np.uint8)

    net = Net(rng)
    x = torch.tensor(pixels.astype("float64") / 255)
    logits = net.stack(layers, x, "")
    loss = F.cross_entropy(logits, torch.tensor(labels.astype("int64")))
    loss.backward()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_idx(folder, pixels, labels)
        write_tensors(folder / "start.safetensors", {n: w.detach().numpy() for n, w in net.weights.items()})
        project = {"version": 2, "name": "random", "data": {"source": str(folder), "validation": "test"},
                   "network": {"input": list(shape), "classes": 4, "layers": layers},
                   "training": {"optimizer": {"type": "sgd", "learning_rate": RATE}, "batch_size": BATCH, "epochs": 1,
                                "shuffle": False}}
        (folder / "net.strata").write_text(json.dumps(project))
        done = subprocess.run([strata, "train", folder / "net.strata", "--weights", folder / "start.safetensors",
                               "--steps", "1", "--backend", backend, "--out", folder / "run",
                               "--log-batches", folder / "batches.csv"], capture_output=True, text=True)
        if done.returncode:
            return f"strata ended with {done.returncode}: {done.stderr.strip()}", layers
        got_loss = float((folder / "batches.csv").read_text().splitlines()[1].split(",")[1])
        after = read_tensors(folder / "run/checkpoints/last.safetensors")

    if abs(got_loss - loss.item()) > 1e-4 * max(1, abs(loss.item())):
        return f"loss {got_loss}, PyTorch {loss.item()}", layers
    for name, start in net.weights.items():
        if name in net.running:
            wanted, got, noise = net.running[name].numpy(), after[name].astype("float64"), 1e-6
        else:
            if start.grad is None:
                continue
            wanted = start.grad.numpy()
            before = start.detach().numpy()
            got = (before - after[name].astype("float64")) / RATE
            noise = 4e-6  # of sums in float that cancel to nothing
        scale = max(np.abs(wanted).max(), 1e-3)
        worst = np.abs(got - wanted).max()
        if not worst <= 1e-3 * scale + noise:
            return f"{name}: off by {worst:.3g}, of at most {scale:.3g}", layers
    return None, layers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strata")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--backend", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = {n for n in vars(Net) if not n.startswith("_")} - {"variable", "stack", "act", "bias", "pool", "steps",
                                                               "recurrent"}
    failed, kinds = 0, {}
    for seed in range(args.first, args.first + args.seeds):
        problem, layers = run(seed, args.strata, args.backend, known)
        for kind in sorted(known):
            kinds[kind] = kinds.get(kind, 0) + (f'"type": "{kind}"' in json.dumps(layers))
        if problem:
            failed += 1
            print(f"seed {seed}: {problem}\n  {json.dumps(layers)}", flush=True)
    print("nets with each layer:", ", ".join(f"{k} {v}" for k, v in kinds.items()))
    print(f"{args.seeds - failed} of {args.seeds} nets agree with PyTorch {torch.__version__}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
