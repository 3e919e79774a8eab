# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes sequences.json: what Keras's sequence layers make of three samples, and every gradient of the mean softmax
cross-entropy of their flattened output, computed in double.
usage: KERAS_BACKEND=torch python3 sequences.py > sequences.json
(needs Keras 3 and PyTorch; the file says which versions it was made with)"""
import json

import keras
import numpy as np
import torch
from keras import layers

SAMPLES = 3


class PositionalEmbedding(layers.Layer):
    """As the layer of this name in KerasHub: a learned vector is added to every step."""

    def build(self, shape):
        self.embedding = self.add_weight(shape=shape[1:], name="embedding")

    def call(self, x):
        return x + self.embedding


RECURRENT = {"simple_rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}


def recurrent(type, **fields):
    return RECURRENT[type](dtype="float64", **fields)


def make(type, **fields):
    """The Keras layer of a layer as it stands in a project."""
    if type in RECURRENT:
        return recurrent(type, **fields)
    if type == "bidirectional":
        [inner] = fields["stack"]
        inner = {key: value for key, value in inner.items() if key != "name"}
        return layers.Bidirectional(recurrent(**inner), merge_mode=fields.get("merge_mode", "concat"), dtype="float64")
    if type == "multi_head_attention":
        return layers.MultiHeadAttention(fields["heads"], fields["key_dim"], dtype="float64")
    return PositionalEmbedding(dtype="float64")


def names(type):
    """Of its variables, in Keras's order."""
    cell = ["kernel", "recurrent_kernel", "bias"]
    if type in RECURRENT:
        return cell
    if type == "bidirectional":
        return [f"layer/{way}.{name}" for way in ("forward", "backward") for name in cell]
    if type == "multi_head_attention":
        return [f"{part}.{name}" for part in ("query", "key", "value", "output") for name in ("kernel", "bias")]
    return ["embedding"]


CASES = [
    ("simple_rnn", [5, 4], {"units": 3}),
    ("simple_rnn", [4, 3], {"units": 5, "return_sequences": True, "activation": "relu"}),
    ("lstm", [5, 4], {"units": 3}),
    ("lstm", [4, 3], {"units": 5, "return_sequences": True, "activation": "sigmoid"}),
    ("lstm", [3, 2, 2], {"units": 7}),
    ("gru", [5, 4], {"units": 3}),
    ("gru", [4, 3], {"units": 5, "return_sequences": True, "activation": "relu"}),
    ("gru", [3, 2, 2], {"units": 7}),
    ("bidirectional", [5, 4], {"stack": [{"type": "lstm", "name": "a", "units": 3}]}),
    ("bidirectional", [4, 3], {"stack": [{"type": "gru", "name": "a", "units": 4, "return_sequences": True}],
                               "merge_mode": "sum"}),
    ("bidirectional", [4, 3], {"stack": [{"type": "simple_rnn", "name": "a", "units": 4, "return_sequences": True}],
                               "merge_mode": "mul"}),
    ("bidirectional", [4, 3], {"stack": [{"type": "lstm", "name": "a", "units": 5}], "merge_mode": "ave"}),
    ("multi_head_attention", [5, 4], {"heads": 2, "key_dim": 3}),
    ("multi_head_attention", [3, 6], {"heads": 3, "key_dim": 2}),
    ("multi_head_attention", [7, 3], {"heads": 1, "key_dim": 5}),
    ("positional_embedding", [5, 4], {}),
    ("positional_embedding", [3, 2, 2], {}),
]


def numbers(tensor):
    return [float("%.8g" % value) for value in np.asarray(tensor, np.float64).ravel()]


def drawn(random, shape, scale):
    """Multiples of a 64th, which a float holds exactly and which are short to write."""
    return np.round(random.standard_normal(shape) * scale * 64) / 64


def run(index, type, shape, fields):
    random = np.random.default_rng(index)
    layer = make(type, **fields)
    values = drawn(random, [SAMPLES, *shape], 1)
    x = torch.tensor(values, requires_grad=True)
    sequence = x.reshape(SAMPLES, shape[0], -1)
    call = (lambda: layer(sequence, sequence)) if type == "multi_head_attention" else (lambda: layer(sequence))
    call()  # builds it
    layer.set_weights([drawn(random, weight.shape, 0.5) for weight in layer.weights])
    y = call()
    labels = torch.arange(SAMPLES) % y[0].numel()
    loss = torch.nn.functional.cross_entropy(y.reshape(SAMPLES, -1), labels)
    variables = [weight.value for weight in layer.weights]
    gradients = torch.autograd.grad(loss, [x, *variables])
    named = zip(names(type), variables, gradients[1:], strict=True)
    return {"name": f"{type} {json.dumps(fields)}", "layer": {"type": type, "name": "layer", **fields}, "input": shape,
            "x": values.ravel().tolist(), "y": numbers(y.detach()), "loss": loss.item(),
            "dx": numbers(gradients[0]),
            "variables": [{"name": name if "/" in name else f"layer.{name}", "shape": list(value.shape),
                           "value": value.detach().numpy().ravel().tolist(),
                           "gradient": numbers(gradient)} for name, value, gradient in named]}


print('{"made_by": "sequences.py", "library": "keras %s, torch %s", "samples": %d, "cases": [' %
      (keras.__version__, torch.__version__, SAMPLES))
print(",\n".join(json.dumps(run(index, *case)) for index, case in enumerate(CASES)))
print("]}")
