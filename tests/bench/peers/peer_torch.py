# SPDX-License-Identifier: GPL-3.0-or-later
"""A net of nets.json trained in PyTorch on the CPU: MNIST in file order, or seeded noise where the input is not 28x28x1.
usage: peer_torch.py [epochs] [--net NAME] [--nets FILE] [--batch N] [--lr R] [--threads N] [--seed N] [--density D --samples N] [--last] [--compile] [--bf16]
  --density noise with that share of values that are not zero, instead of MNIST
  --last channels-last memory, --compile torch.compile, --bf16 autocast; the fastest of these is the peer to beat."""
import argparse, json, pathlib, time, numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from mnist import load
a = argparse.ArgumentParser(); a.add_argument("epochs", nargs="?", type=int, default=3); a.add_argument("--net", default="seed")
a.add_argument("--batch", type=int, default=128); a.add_argument("--lr", type=float, default=None); a.add_argument("--threads", type=int); a.add_argument("--seed", type=int, default=0)
a.add_argument("--nets", default=pathlib.Path(__file__).parent / "nets.json"); a.add_argument("--density", type=float); a.add_argument("--samples", type=int)
for f in ("last", "compile", "bf16"): a.add_argument("--" + f, action="store_true")
a = a.parse_args(); torch.manual_seed(a.seed)
if a.threads: torch.set_num_threads(a.threads)
spec = json.loads(pathlib.Path(a.nets).read_text())[a.net]
lr = a.lr or (0.5 if a.net == "seed" else 0.05); h, w, c = spec["input"]
if (h, w, c) == (28, 28, 1) and a.density is None: x, y, u, v = load()
else:
    r = np.random.default_rng(0); n = a.samples or spec["samples"]; density = 1 if a.density is None else a.density
    x, u = (r.random((m, h, w, c), np.float32) * (r.random((m, h, w, c), np.float32) < density) for m in (n, n // 6)); y, v = r.integers(0, 10, n), r.integers(0, 10, n // 6)
x, u, y, v = *(torch.from_numpy(t).permute(0, 3, 1, 2).contiguous() for t in (x, u)), torch.from_numpy(y), torch.from_numpy(v)
act = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}; mods, flat = [], 0
for L in spec["layers"]:
    t = L["type"]
    if t == "conv2d":
        k, s, same = L["kernel_size"], L.get("strides", 1), L.get("padding") == "same"
        if same:                                                                   # as Keras pads: the odd pixel goes below and right
            o = -(-h // s); p = max((o - 1) * s + k - h, 0); mods.append(nn.ZeroPad2d((p // 2, p - p // 2, p // 2, p - p // 2)) if s > 1 else nn.Identity())
        m = nn.Conv2d(c, L["filters"], k, s, padding=k // 2 if same and s == 1 else 0); mods.append(m)
        h, w, c = ((-(-h // s), -(-w // s)) if same else ((h - k) // s + 1, (w - k) // s + 1)) + (L["filters"],)
    elif t == "max_pool2d": mods.append(nn.MaxPool2d(2)); h, w = h // 2, w // 2
    elif t == "avg_pool2d": mods.append(nn.AvgPool2d(2)); h, w = h // 2, w // 2
    elif t == "flatten": mods.append(nn.Flatten()); flat = h * w * c
    elif t == "dense": m = nn.Linear(flat, L["units"]); mods.append(m); flat = L["units"]
    elif t == "dropout": mods.append(nn.Dropout(L["rate"]))
    if t in ("conv2d", "dense"):
        (nn.init.uniform_(m.weight, -L["init"], L["init"]) if "init" in L else nn.init.xavier_uniform_(m.weight)); nn.init.zeros_(m.bias)
        if "activation" in L: mods.append(act[L["activation"]]())
net = nn.Sequential(*[m for m in mods if not isinstance(m, nn.Identity)])
if a.last: net, x, u = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last), u.contiguous(memory_format=torch.channels_last)
run = torch.compile(net) if a.compile else net; B = a.batch
opt = torch.optim.SGD(net.parameters(), lr=lr); sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda i: 1 / (1 + 1e-6 * i))
amp = torch.autocast("cpu", torch.bfloat16, enabled=a.bf16)
print(f"{a.net}: {sum(p.numel() for p in net.parameters()):,} parameters, torch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
for e in range(a.epochs):
    t = time.perf_counter(); loss_sum = hits = torch.zeros(()); net.train()
    for i in range(0, len(x), B):
        with amp: out = run(x[i:i + B]); loss = F.cross_entropy(out.float(), y[i:i + B])
        opt.zero_grad(); loss.backward(); opt.step(); sched.step()
        loss_sum = loss_sum + loss.detach() * len(out); hits = hits + (out.argmax(1) == y[i:i + B]).sum()
    t1 = time.perf_counter(); net.eval()
    with torch.no_grad(), amp: out = torch.cat([run(u[i:i + B]).float() for i in range(0, len(u), B)])
    t2 = time.perf_counter()
    print(f"epoch {e + 1}  loss: {loss_sum / len(x):.4f} / {F.cross_entropy(out, v):.4f}  accuracy: {hits / len(x):.4f} / "
          f"{(out.argmax(1) == v).float().mean():.4f}  train {t1 - t:.2f} s  eval {t2 - t1:.2f} s", flush=True)
