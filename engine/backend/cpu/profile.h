// SPDX-License-Identifier: Apache-2.0
// What the passes of a compiled net do and how long they take: for `strata bench` and explain().
#pragma once
#include <string>
#include <vector>

namespace strata {

/// What a pass does to one sample. Shares are of values that were not zero, over everything computed so far.
struct PassWork {
  std::string name;     ///< layers it computes: "conv1 + pool1"
  std::string forward;  ///< how, and why
  std::string backward;
  double macs = 0;  ///< multiply-adds of the forward pass, zeros included
  /// What backward() computes; a dense layer's weight gradient is part of the update.
  bool inputGradient = false, weightGradient = false;
  double inputLive = 1, gradientLive = 1;  ///< shares of inputs and of output gradients that were multiplied
  double weightGradientLive = 1;           ///< share of what the weight gradient multiplied
  /// Shares of channels, or inputs of a dense layer, in the forward and the backward pass: dead ones may be left out.
  double outputChannels = 1, inputChannels = 1;
};

/// Seconds of every batch since profiling began.
struct PassTimes {
  PassWork work;
  std::vector<double> forward, backward;
};

struct NetProfile {
  std::vector<PassTimes> passes;
  std::vector<double> input, loss, update, step;
};

/// A compiled net that can tell its times.
class Profiled {
 public:
  virtual ~Profiled() = default;
  virtual void startProfile() = 0;
  virtual NetProfile profile() const = 0;
};

}  // namespace strata
