// SPDX-License-Identifier: Apache-2.0
// What a command takes as MODEL: a run or a checkpoint.
#pragma once
#include "engine/run/checkpoint.h"

namespace strata {

/// A run's best weights, else its last; or the checkpoint itself.
Checkpoint readModel(const std::string& model);
/// The folder of the run that the weights are of; empty where `model` is a file outside of any.
Path runOf(const std::string& model);
std::string className(const Checkpoint& model, std::size_t index);

}  // namespace strata
