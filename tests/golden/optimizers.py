# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes optimizers.json: what PyTorch's optimizers do to a few weights in six steps, computed in double, alone and with
each of its schedules. Lion is Keras's, in float32. Muon computes in double here in place of its bfloat16.
usage: python3 optimizers.py > optimizers.json      (needs PyTorch and Keras; the file says which versions made it)"""
import json
import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import torch

torch.bfloat16 = torch.float64  # what Muon rounds to before it multiplies matrices

START = [1.0, -0.5, 0.25]
GRADIENTS = [[2.0, -1.0, 0.01], [-1.0, 0.5, 0.02], [0.5, 0.0, -0.03], [0.0, 3.0, 0.04], [1.5, -2.0, 0.0],
             [-0.25, 1.0, 0.5]]
KINDS = {"vector": {"shape": [3], "start": START, "gradients": GRADIENTS},
         "matrix": {"shape": [2, 3], "start": [1.0, -0.5, 0.25, 0.5, 0.75, -1.0],
                    "gradients": [row + [row[1], -row[0] / 2, row[2] + 0.125] for row in GRADIENTS]}}
VALUES = [1.0, 0.85, 0.8, 0.76, 0.76, 0.7]  # what is monitored, an epoch a step
ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-10}


def sgd(parameters, learning_rate, momentum=0.0, nesterov=False, weight_decay=0.0):
    return torch.optim.SGD(parameters, learning_rate, momentum, 0, weight_decay, nesterov)


def adam(parameters, learning_rate, beta_1, beta_2, epsilon, weight_decay=0.0, kind=torch.optim.Adam, **more):
    return kind(parameters, learning_rate, (beta_1, beta_2), epsilon, weight_decay, **more)


def adamw(parameters, **fields):
    return adam(parameters, kind=torch.optim.AdamW, **fields)


def nadam(parameters, **fields):
    return adam(parameters, kind=torch.optim.NAdam, **fields)


def rmsprop(parameters, learning_rate, rho=0.9, momentum=0.0, epsilon=1e-7, weight_decay=0.0):
    return torch.optim.RMSprop(parameters, learning_rate, rho, epsilon, weight_decay, momentum)


def adagrad(parameters, learning_rate, initial_accumulator_value=0.1, epsilon=1e-7, weight_decay=0.0):
    return torch.optim.Adagrad(parameters, learning_rate, 0, weight_decay, initial_accumulator_value, epsilon)


def muon(parameters, learning_rate, momentum=0.95, nesterov=True, weight_decay=0.1):
    return torch.optim.Muon(parameters, learning_rate, weight_decay, momentum=momentum, nesterov=nesterov,
                            adjust_lr_fn="match_rms_adamw")


class Lion:
    """Keras's, with the little of PyTorch's manners that schedules ask for."""

    def __init__(self, parameters, learning_rate, beta_1=0.9, beta_2=0.99, weight_decay=0.0):
        self.weights = parameters[0]
        self.variable = keras.Variable(self.weights.detach().to(torch.float32))
        self.keras = keras.optimizers.Lion(learning_rate, beta_1, beta_2, weight_decay=weight_decay or None)
        self.param_groups = [{"lr": learning_rate}]

    def step(self):
        self.keras.learning_rate.assign(self.param_groups[0]["lr"])
        self.keras.apply([self.weights.grad.to(torch.float32)], [self.variable])
        with torch.no_grad():
            self.weights.copy_(self.variable.value)


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
    ("rmsprop", "rmsprop", rmsprop, {"learning_rate": 0.01}),
    ("rmsprop, large epsilon, weight decay", "rmsprop", rmsprop,
     {"learning_rate": 0.01, "rho": 0.5, "epsilon": 0.1, "weight_decay": 0.1}),
    ("rmsprop, momentum", "rmsprop", rmsprop, {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    ("nadam", "nadam", nadam, {"learning_rate": 0.01, "momentum_decay": 0.004, **ADAM}),
    ("nadam, large epsilon, weight decay", "nadam", nadam,
     {"learning_rate": 0.01, "momentum_decay": 0.1, "weight_decay": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.1}),
    ("adagrad", "adagrad", adagrad, {"learning_rate": 0.1}),
    ("adagrad, large epsilon, weight decay", "adagrad", adagrad,
     {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 0.1, "weight_decay": 0.1}),
    ("lion", "lion", Lion, {"learning_rate": 0.01}),
    ("lion, weight decay", "lion", Lion, {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.8, "weight_decay": 0.5}),
    ("muon", "muon", muon, {"learning_rate": 0.1}),
    ("muon, plain momentum", "muon", muon, {"learning_rate": 0.1, "momentum": 0.8, "nesterov": False, "weight_decay": 0.0}),
]
# With momentum Keras and PyTorch part as soon as the rate changes: Strata's SGD is Keras's.
SCHEDULED = ["sgd, weight decay", "adam", "adamw", "rmsprop, momentum", "nadam", "adagrad",
             "lion", "muon"]

SCHEDULES = {
    "step": ({"step_size": 2, "gamma": 0.5}, lambda o, f: torch.optim.lr_scheduler.StepLR(o, f["step_size"], f["gamma"])),
    "exponential": ({"gamma": 0.7}, lambda o, f: torch.optim.lr_scheduler.ExponentialLR(o, f["gamma"])),
    "cosine": ({"end_factor": 0.1},
               lambda o, f: torch.optim.lr_scheduler.CosineAnnealingLR(
                   o, len(GRADIENTS), f["end_factor"] * o.param_groups[0]["lr"])),
    "inverse_time": ({"decay": 0.5}, lambda o, f: torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + f["decay"] * t))),
    "reduce_on_plateau": ({"factor": 0.5, "patience": 1, "min_delta": 0.1, "min_rate": 1e-4},
                          lambda o, f: torch.optim.lr_scheduler.ReduceLROnPlateau(
                              o, "min", f["factor"], f["patience"], f["min_delta"], "abs", 0, f["min_rate"], 0)),
    "constant": ({"warmup_steps": 4}, lambda o, f: torch.optim.lr_scheduler.LambdaLR(
        o, lambda t: min(1, t / f["warmup_steps"]))),
}


def rates_of(schedule, learning_rate):
    fields, make = SCHEDULES[schedule]
    plain = sgd([torch.zeros(1, requires_grad=True)], learning_rate)
    scheduler, rates = make(plain, fields), []
    for value in VALUES:
        rates.append(plain.param_groups[0]["lr"])
        plain.step()
        scheduler.step(value) if schedule == "reduce_on_plateau" else scheduler.step()
    return rates


def run(name, kind, make, fields, schedule=None, clip_norm=0.0, clip_value=0.0):
    of = "matrix" if kind == "muon" else "vector"
    shape, gradients = KINDS[of]["shape"], KINDS[of]["gradients"]
    weights = torch.tensor(KINDS[of]["start"], dtype=torch.float64).reshape(shape).requires_grad_()
    optimizer, after = make([weights], **fields), []
    rates = rates_of(schedule, fields["learning_rate"]) if schedule else [fields["learning_rate"]] * len(gradients)
    for gradient, rate in zip(gradients, rates):
        optimizer.param_groups[0]["lr"] = rate
        weights.grad = torch.tensor(gradient, dtype=torch.float64).reshape(shape)
        if clip_norm:
            torch.nn.utils.clip_grad_norm_([weights], clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_([weights], clip_value)
        optimizer.step()
        after.append([float("%.10g" % weight) for weight in weights.flatten().tolist()])
    case = {"name": name, "type": kind, "fields": dict(fields), "of": of, "rates": rates, "weights": after}
    if clip_norm:
        case["fields"]["clip_norm"] = clip_norm
    if clip_value:
        case["fields"]["clip_value"] = clip_value
    if schedule:
        case["schedule"] = {"type": schedule, "fields": SCHEDULES[schedule][0]}
    return case


def all_runs():
    named = {case[0]: case for case in CASES}
    for case in CASES:
        yield run(*case)
    for name in SCHEDULED:
        _, kind, make, fields = named[name]
        for schedule in SCHEDULES:
            yield run(name + ", " + schedule, kind, make, fields, schedule)
        yield run(name + ", clipped by norm", kind, make, fields, clip_norm=1.5)
        yield run(name + ", clipped by value", kind, make, fields, clip_value=0.4)
        yield run(name + ", clipped by both", kind, make, fields, clip_norm=1.5, clip_value=1.0)


print('{"made_by": "optimizers.py", "library": "torch %s, keras %s",' % (torch.__version__, keras.__version__))
print('"kinds": %s, "values": %s, "cases": [' % (json.dumps(KINDS), VALUES))
print(",\n".join(json.dumps(case) for case in all_runs()))
print("]}")
