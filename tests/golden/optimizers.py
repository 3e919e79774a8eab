# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes optimizers.json: what PyTorch's optimizers do to three weights in six steps, computed in double.
usage: python3 optimizers.py > optimizers.json      (needs PyTorch; the file says which version it was made with)"""
import json

import torch

START = [1.0, -0.5, 0.25]
GRADIENTS = [[2.0, -1.0, 0.01], [-1.0, 0.5, 0.02], [0.5, 0.0, -0.03], [0.0, 3.0, 0.04], [1.5, -2.0, 0.0],
             [-0.25, 1.0, 0.5]]
ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-10}


def sgd(parameters, learning_rate, momentum=0.0, nesterov=False, weight_decay=0.0):
    return torch.optim.SGD(parameters, learning_rate, momentum, 0, weight_decay, nesterov)


def adam(parameters, learning_rate, beta_1, beta_2, epsilon, weight_decay=0.0, kind=torch.optim.Adam):
    return kind(parameters, learning_rate, (beta_1, beta_2), epsilon, weight_decay)


def adamw(parameters, **fields):
    return adam(parameters, kind=torch.optim.AdamW, **fields)


CASES = [
    ("sgd, weight decay", "sgd", sgd, {"learning_rate": 0.1, "weight_decay": 0.05}),
    ("momentum", "sgd", sgd, {"learning_rate": 0.1, "momentum": 0.9}),
    ("momentum, weight decay", "sgd", sgd, {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 0.05}),
    ("Nesterov, weight decay", "sgd", sgd,
     {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}),
    ("adam", "adam", adam, {"learning_rate": 0.01, **ADAM}),
    ("adam, weight decay", "adam", adam, {"learning_rate": 0.01, "weight_decay": 0.1, **ADAM}),
    ("adamw", "adamw", adamw, {"learning_rate": 0.01, "weight_decay": 0.1, **ADAM}),
    ("adamw, short memory", "adamw", adamw,
     {"learning_rate": 0.05, "weight_decay": 0.5, "beta_1": 0.5, "beta_2": 0.8, "epsilon": 1e-10}),
]


def run(name, kind, make, fields):
    weights = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer, after = make([weights], **fields), []
    for gradient in GRADIENTS:
        weights.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        after.append(weights.tolist())
    return {"name": name, "type": kind, "fields": fields, "start": START, "gradients": GRADIENTS, "weights": after}


print('{"made_by": "optimizers.py", "library": "torch %s", "cases": [' % torch.__version__)
print(",\n".join(json.dumps(run(*case)) for case in CASES))
print("]}")
