// SPDX-License-Identifier: GPL-3.0-or-later
// Nets with containers for the studio's tests, written as in a project.
#pragma once
#include <random>

#include "engine/base/json.h"
#include "engine/run/project.h"

namespace strata {

/// Layers by number: 0 conv1, 1 res1 (2 conv1, 3 bn1), 4 res2 (5 conv1; its shortcut 6 match), 7 mix1 (8 conv1, 9
/// conv2; 10 pool1), 11 gap, 12 fc.
inline Project nestedProject() {
  Project project;
  project.name = "Nested";
  project.data.source = "synthetic-digits";
  project.network = networkFromJson(Json::parse(R"({"input": [28, 28, 1], "classes": 10, "layers": [
    {"type": "conv2d", "name": "conv1", "filters": 4, "kernel_size": 3, "padding": "same"},
    {"type": "residual", "name": "res1", "stack": [
      {"type": "conv2d", "name": "conv1", "filters": 4, "kernel_size": 3, "padding": "same"},
      {"type": "batch_norm", "name": "bn1"}], "shortcut": []},
    {"type": "residual", "name": "res2",
     "stack": [{"type": "conv2d", "name": "conv1", "filters": 8, "kernel_size": 3, "padding": "same", "strides": 2}],
     "shortcut": [{"type": "conv2d", "name": "match", "filters": 8, "kernel_size": 1, "strides": 2}]},
    {"type": "branches", "name": "mix1", "stacks": [
      [{"type": "conv2d", "name": "conv1", "filters": 4, "kernel_size": 1},
       {"type": "conv2d", "name": "conv2", "filters": 4, "kernel_size": 3, "padding": "same"}],
      [{"type": "max_pool2d", "name": "pool1", "pool_size": 3, "strides": 1, "padding": "same"}]]},
    {"type": "global_avg_pool", "name": "gap"},
    {"type": "dense", "name": "fc", "units": 10}]})"),
                                    "test");
  return project;
}

/// A residual in a residual in a residual, and four branches in the innermost.
inline Project deepProject() {
  Project project = nestedProject();
  project.network = networkFromJson(Json::parse(R"({"input": [28, 28, 1], "classes": 10, "layers": [
    {"type": "residual", "name": "outer", "stack": [
      {"type": "residual", "name": "inner", "stack": [
        {"type": "residual", "name": "core", "stack": [
          {"type": "branches", "name": "ways", "merge": "add", "stacks": [
            [{"type": "dropout", "name": "a"}], [{"type": "dropout", "name": "b"}], [], [{"type": "dropout", "name": "c"}]]}
        ], "shortcut": []}], "shortcut": []}], "shortcut": []},
    {"type": "flatten", "name": "flat"},
    {"type": "dense", "name": "fc", "units": 10}]})"),
                                    "test");
  return project;
}

}  // namespace strata
