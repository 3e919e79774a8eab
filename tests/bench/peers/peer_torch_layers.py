# SPDX-License-Identifier: GPL-3.0-or-later
"""One layer of layers.json in PyTorch on the CPU, in channels-last memory: milliseconds of its forward and backward pass.
usage: peer_torch_layers.py NAME [--batch N] [--threads N]
Prints JSON: {"forward_ms": [5th percentile, median], "backward_ms": [...]}; the input's gradient is computed too."""
import argparse
import json
import pathlib
import time

import torch
import torch.nn as nn

CURVES = {"relu": nn.ReLU, "elu": nn.ELU, "gelu": nn.GELU, "swish": nn.SiLU, "softplus": nn.Softplus,
          "softmax": lambda: nn.Softmax(dim=1), "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class Noise(nn.Module):
    def __init__(self, deviation):
        super().__init__()
        self.deviation = deviation

    def forward(self, x):
        return x + torch.randn_like(x) * self.deviation


class LastNorm(nn.Module):
    """Layer norm over the channels, which lie side by side in this memory."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-3)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class GlobalMax(nn.Module):
    def forward(self, x):
        return nn.functional.adaptive_max_pool2d(x, 1)


def module_for(layer, channels):
    kind, kernel, stride = layer["type"], layer.get("kernel_size", 3), layer.get("strides", 1)
    dilation = layer.get("dilation_rate", 1)
    if kind in ("conv2d", "depthwise_conv2d"):  # with padding same
        wide = kind == "conv2d"
        filters = layer["filters"] if wide else channels * layer.get("depth_multiplier", 1)
        return nn.Conv2d(channels, filters, kernel, stride, kernel // 2 * dilation, dilation,
                         layer.get("groups", 1) if wide else channels)
    if kind == "conv2d_transpose":
        return nn.ConvTranspose2d(channels, layer["filters"], kernel, stride, (kernel - stride) // 2)
    return {"max_pool2d": lambda: nn.MaxPool2d(layer.get("pool_size", 2), layer.get("strides")),
            "global_avg_pool": lambda: nn.AdaptiveAvgPool2d(1), "global_max_pool": GlobalMax,
            "batch_norm": lambda: nn.BatchNorm2d(channels, 1e-3, 0.01), "layer_norm": lambda: LastNorm(channels),
            "upsample2d": lambda: nn.Upsample(scale_factor=2, mode=layer.get("interpolation", "nearest")),
            "zero_pad2d": lambda: nn.ZeroPad2d(1), "dropout": lambda: nn.Dropout(0.5),
            "spatial_dropout2d": lambda: nn.Dropout2d(0.5), "gaussian_noise": lambda: Noise(0.1),
            "activation": lambda: CURVES[layer["activation"]]()}[kind]()


def timed(work):
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1e3, result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    case = json.loads((pathlib.Path(__file__).parent / "layers.json").read_text())[options.name]
    h, w, c = case["input"]
    torch.manual_seed(1)
    net = module_for(case["layer"], c).to(memory_format=torch.channels_last)
    x = torch.randn(options.batch, c, h, w).contiguous(memory_format=torch.channels_last).requires_grad_()
    dy = torch.randn_like(net(x))
    forward, backward = [], []
    begin = time.perf_counter()
    while len(forward) < 20 or (time.perf_counter() - begin < 3 and len(forward) < 400):
        for tensor in [x, *net.parameters()]:
            tensor.grad = None
        ms, y = timed(lambda: net(x))
        forward.append(ms)
        backward.append(timed(lambda: y.backward(dy))[0])
    percentiles = [[sorted(times)[int(len(times) * share)] for share in (0.05, 0.5)] for times in (forward, backward)]
    print(json.dumps({"forward_ms": percentiles[0], "backward_ms": percentiles[1]}))


if __name__ == "__main__":
    main()
