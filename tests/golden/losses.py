# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes losses.json: what PyTorch's losses and their gradients are for three samples of four values, in double. Those it
has no function for are written out in its operations, and it differentiates them.
usage: python3 losses.py > losses.json      (needs PyTorch; the file says which version it was made with)"""
import json

import torch
from torch.nn import functional

OUTPUTS = [[0.3, -1.2, 2.0, 0.1], [30.0, -25.0, 0.4, 28.5], [-0.7, 0.2, -0.1, 0.6]]
LABELS = [2, 3, 0]
TARGETS = [[0.1, -0.4, 1.2, 0.6], [29.0, 3.0, 0.45, -2.0], [-0.7, 0.15, 0.9, -0.6]]


def one_hot(outputs):
    return functional.one_hot(torch.tensor(LABELS), outputs.shape[1]).to(outputs.dtype)


def softmax_cross_entropy(outputs, label_smoothing=0.0):
    return functional.cross_entropy(outputs, torch.tensor(LABELS), label_smoothing=label_smoothing)


def sigmoid_cross_entropy(outputs):
    return functional.binary_cross_entropy_with_logits(outputs, one_hot(outputs))


def focal(outputs, gamma):
    log_p = (functional.log_softmax(outputs, 1) * one_hot(outputs)).sum(1)
    return (-((1 - log_p.exp()) ** gamma) * log_p).mean()


def targets(outputs):
    return torch.tensor(TARGETS, dtype=outputs.dtype)


def mean_squared_error(outputs):
    return functional.mse_loss(outputs, targets(outputs))


def mean_absolute_error(outputs):
    return functional.l1_loss(outputs, targets(outputs))


def huber(outputs, delta):
    return functional.huber_loss(outputs, targets(outputs), delta=delta)


CASES = [
    (softmax_cross_entropy, {}),
    (softmax_cross_entropy, {"label_smoothing": 0.15}),
    (sigmoid_cross_entropy, {}),
    (focal, {"gamma": 0.0}),
    (focal, {"gamma": 0.5}),
    (focal, {"gamma": 2.0}),
    (mean_squared_error, {}),
    (mean_absolute_error, {}),
    (huber, {"delta": 1.0}),
    (huber, {"delta": 0.25}),
]


def run(loss, fields):
    outputs = torch.tensor(OUTPUTS, dtype=torch.float64, requires_grad=True)
    value = loss(outputs, **fields)
    value.backward()
    return {"type": loss.__name__, "fields": fields, "loss": value.item(), "gradient": outputs.grad.flatten().tolist()}


print('{"made_by": "losses.py", "library": "torch %s",' % torch.__version__)
print(' "outputs": %s, "labels": %s, "targets": %s, "cases": [' % (OUTPUTS, LABELS, TARGETS))
print(",\n".join(json.dumps(run(*case)) for case in CASES))
print("]}")
