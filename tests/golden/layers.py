# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes layers.json: output, loss and every gradient of small nets around one layer, as Keras computes them in double.
usage: KERAS_BACKEND=torch python3 layers.py > layers.json      (needs Keras 3 and PyTorch; the file names both)

Each net is a dense layer at each place (its gradient holds that of the layer's input), the layer, and a dense layer on
all that comes out; the loss is the mean softmax cross entropy of two samples. Inputs and weights are multiples of 1/64,
which float holds exactly. Weights are listed as Strata lays them out, kernels and biases as Keras names them."""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

keras.config.set_floatx("float64")
L = keras.layers
CLASSES, BATCH = 3, 2


ACTIVATIONS = ["relu", "leaky_relu", "elu", "selu", "gelu", "swish", "sigmoid", "tanh", "softplus", "softmax",
               "hard_sigmoid"]
# type, fields as in a project, input without the batch, the layer in Keras
CASES = [("activation", {"activation": name}, [2, 3, 5],
          L.LeakyReLU(0.3) if name == "leaky_relu" else L.Activation(name)) for name in ACTIVATIONS] + [
    (kind, fields, shape, make(**fields)) for kind, make, shape, fields in [
        ("conv2d", L.Conv2D, [6, 5, 3], {"filters": 4, "kernel_size": 3, "activation": "elu"}),
        ("conv2d", L.Conv2D, [7, 6, 3], {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}),
        ("conv2d", L.Conv2D, [8, 7, 2], {"filters": 3, "kernel_size": [3, 2], "dilation_rate": [2, 3], "activation": "gelu"}),
        ("conv2d", L.Conv2D, [5, 6, 6], {"filters": 4, "kernel_size": 3, "groups": 2, "padding": "same", "strides": 2}),
        ("conv2d", L.Conv2D, [5, 4, 3], {"filters": 6, "kernel_size": 3, "groups": 3, "activation": "tanh"}),
        ("depthwise_conv2d", L.DepthwiseConv2D, [6, 5, 3], {"kernel_size": 3, "depth_multiplier": 2}),
        ("depthwise_conv2d", L.DepthwiseConv2D, [7, 6, 3],
         {"kernel_size": 3, "dilation_rate": 2, "padding": "same", "activation": "relu"}),
        ("separable_conv2d", L.SeparableConv2D, [5, 6, 3], {"filters": 4, "kernel_size": 3, "activation": "swish"}),
        ("separable_conv2d", L.SeparableConv2D, [6, 5, 2],
         {"filters": 3, "kernel_size": [3, 2], "padding": "same", "strides": 2, "depth_multiplier": 3}),
        ("conv2d_transpose", L.Conv2DTranspose, [4, 3, 2], {"filters": 3, "kernel_size": 3}),
        ("conv2d_transpose", L.Conv2DTranspose, [3, 4, 2],
         {"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same", "activation": "tanh"}),
        ("conv2d_transpose", L.Conv2DTranspose, [3, 3, 3],
         {"filters": 2, "kernel_size": [2, 3], "strides": [2, 1], "use_bias": False}),
        ("global_max_pool", L.GlobalMaxPooling2D, [4, 3, 5], {}),
        ("max_pool2d", L.MaxPooling2D, [5, 7, 3], {"pool_size": 3, "strides": 2}),
        ("zero_pad2d", L.ZeroPadding2D, [3, 4, 2], {"padding": 1}),
        ("zero_pad2d", L.ZeroPadding2D, [2, 3, 3], {"padding": [2, 1]}),
        ("upsample2d", L.UpSampling2D, [3, 4, 2], {"size": 2}),
        ("upsample2d", L.UpSampling2D, [2, 3, 3], {"size": [3, 2], "interpolation": "bilinear"}),
        ("upsample2d", L.UpSampling2D, [3, 1, 2], {"size": 2, "interpolation": "bilinear"}),
        ("reshape", L.Reshape, [4, 3, 2], {"target_shape": [2, 3, 4]}),
        ("reshape", L.Reshape, [4, 3, 2], {"target_shape": [4, -1]}),
        ("layer_norm", L.LayerNormalization, [2, 3, 5], {}),
        ("layer_norm", L.LayerNormalization, [7], {"epsilon": 0.1}),
        ("batch_norm", L.BatchNormalization, [2, 3, 4], {}),
    ]
]


def coarse(random, shape, spread):
    return np.clip(np.round(random.normal(0, spread, shape) * 64), -160, 160) / 64


def numbers(tensor):
    return [float(f"{value:.10g}") for value in tensor.detach().cpu().numpy().ravel()]


def run(number, kind, fields, shape, layer):
    random = np.random.default_rng(number)
    net = keras.Sequential([keras.Input(shape), L.Dense(shape[-1]), layer, L.Flatten(), L.Dense(CLASSES)])
    for variable in net.trainable_variables:
        variable.assign(coarse(random, variable.shape, 0.5))
    x = coarse(random, [BATCH, *shape], 1)
    labels = [1, 2]
    outputs = net(torch.tensor(x), training=True)
    loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(labels, device=outputs.device))
    variables = net.trainable_variables
    gradients = torch.autograd.grad(loss, [variable.value for variable in variables])
    return {"layer": {"type": kind, **fields}, "input": shape, "x": [float(value) for value in x.ravel()],
            "labels": labels, "outputs": numbers(outputs), "loss": float(loss.detach()),
            "weights": [float(value) for variable in variables for value in variable.numpy().ravel()],
            "gradients": [numbers(gradient) for gradient in gradients]}


def main():
    cases = [run(number, *case) for number, case in enumerate(CASES)]
    print("{" + f'"made with": "Keras {keras.__version__}, PyTorch {torch.__version__}",\n"cases": [')
    print(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
    print("]}")


if __name__ == "__main__":
    main()
