// SPDX-License-Identifier: GPL-3.0-or-later
// A project for the studio's tests, small enough to train an epoch in a blink, on digits that need no file.
#pragma once
#include "engine/run/project.h"

inline strata::Project smallProject(int epochs) {
  using namespace strata;
  Project project;
  project.name = "Small";
  project.data.source = "synthetic-digits";
  project.data.validation = ValidationSource::TestSet;
  const auto layer = [](const char* type, const char* name) {
    return LayerSpec{type, name, Fields(findLayer(type)->fields)};
  };
  auto dense = layer("dense", "dense1");
  dense.fields.set("units", std::int64_t{10});
  project.network.layers = {layer("flatten", "flatten"), dense};
  project.training.epochs = epochs;
  project.training.batchSize = 32;
  project.training.optimizer.fields.set("learning_rate", 0.05);
  return project;
}
