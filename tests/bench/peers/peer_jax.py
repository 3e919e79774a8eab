# SPDX-License-Identifier: GPL-3.0-or-later
"""The seed recipe in JAX on the CPU, one jitted step per batch.  usage: peer_jax.py [epochs]"""
import sys, time, jax, jax.numpy as jnp, numpy as np
from mnist import load
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
x, y, u, v = load(); key = iter(jax.random.split(jax.random.key(0), 8))
U = lambda s, a: jax.random.uniform(next(key), s, minval=-a, maxval=a)
p = {"c1": U((5, 5, 1, 24), .1), "b1": jnp.zeros(24), "c2": U((5, 5, 24, 48), .1), "b2": jnp.zeros(48),
     "d1": U((768, 512), .01), "b3": jnp.zeros(512), "d2": U((512, 10), .01), "b4": jnp.zeros(10)}
conv = lambda a, w: jax.lax.conv_general_dilated(a, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
pool = lambda a: jax.lax.reduce_window(a, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
def net(p, a):
    a = pool(jax.nn.relu(conv(a, p["c1"]) + p["b1"])); a = pool(jax.nn.relu(conv(a, p["c2"]) + p["b2"]))
    a = jax.nn.relu(a.reshape(len(a), -1) @ p["d1"] + p["b3"]); return a @ p["d2"] + p["b4"]
def cost(p, a, t):
    z = net(p, a); return -jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], 1).mean(), (z.argmax(1) == t).sum()
@jax.jit
def step(p, a, t, i):
    (l, h), g = jax.value_and_grad(cost, has_aux=True)(p, a, t); lr = 0.5 / (1 + 1e-6 * i)
    return jax.tree.map(lambda w, d: w - lr * d, p, g), l, h
test = jax.jit(cost); i = 0; y = y.astype(np.int32); v = v.astype(np.int32)
for e in range(epochs):
    t0 = time.perf_counter(); ls = []; hs = []
    for k in range(0, len(x), 128):
        p, l, h = step(p, x[k:k + 128], y[k:k + 128], i); i += 1; ls.append(l * len(x[k:k + 128])); hs.append(h)
    loss, hits = float(sum(ls)) / len(x), int(sum(hs)) / len(x); t1 = time.perf_counter()
    r = [(test(p, u[k:k + 128], v[k:k + 128]), len(u[k:k + 128])) for k in range(0, len(u), 128)]
    vl = float(sum(a[0] * n for a, n in r)) / len(u); va = int(sum(a[1] for a, n in r)) / len(u); t2 = time.perf_counter()
    print(f"epoch {e + 1}  loss: {loss:.4f} / {vl:.4f}  accuracy: {hits:.4f} / {va:.4f}  train {t1 - t0:.2f} s  eval {t2 - t1:.2f} s", flush=True)
