// SPDX-License-Identifier: GPL-3.0-or-later
// A net and a data set so small that a run takes milliseconds, and the events of a run gathered.
#pragma once
#include <QtTest>

#include "engine/base/rng.h"
#include "engine/run/trainer.h"

/// 8 x 8 pictures of three classes: a bright bar in another place each, over noise.
inline std::shared_ptr<const strata::Dataset> tinyDataset(int train = 200, int test = 60) {
  using namespace strata;
  auto dataset = std::make_shared<Dataset>();
  dataset->id = "tiny";
  dataset->title = "Tiny bars";
  dataset->synthetic = true;
  dataset->shape = Shape::image(8, 8, 1);
  dataset->classes = {"left", "middle", "right"};
  Rng random(7, Stream::Test);
  const auto fill = [&](Samples& samples, int count) {
    samples.count = count;
    for (int i = 0; i < count; ++i) {
      const int label = static_cast<int>(random.below(3));
      samples.labels.push_back(label);
      for (int at = 0; at < 64; ++at)
        samples.pixels.push_back(static_cast<std::uint8_t>(random.below(120) + (at % 8 / 3 == label ? 90 : 0)));
    }
  };
  fill(dataset->train, train);
  fill(dataset->test, test);
  return dataset;
}

inline strata::LayerSpec tinyLayer(const strata::NetworkSpec& network, const std::string& type,
                                   const std::vector<std::pair<std::string, strata::Value>>& values = {}) {
  strata::LayerSpec layer = strata::newLayer(network, *strata::findLayer(type));
  for (const auto& [id, value] : values) layer.fields.set(id, value);
  return layer;
}

/// 13 batches of 16 an epoch, shuffled, with dropout and momentum: everything a resume has to get right.
inline strata::Project tinyProject() {
  using namespace strata;
  Project project;
  project.name = "Tiny";
  project.data.source = "tiny";
  project.data.validation = ValidationSource::TestSet;
  NetworkSpec& network = project.network;
  network.input = Shape::image(8, 8, 1);
  network.classes = 3;
  network.layers.push_back(
      tinyLayer(network, "conv2d",
                {{"filters", std::int64_t{4}}, {"kernel_size", Pair{3, 3}}, {"activation", std::string("relu")}}));
  network.layers.push_back(tinyLayer(network, "max_pool2d"));
  network.layers.push_back(tinyLayer(network, "flatten"));
  network.layers.push_back(tinyLayer(network, "dropout"));
  network.layers.push_back(tinyLayer(network, "dense", {{"units", std::int64_t{3}}}));
  project.training.optimizer.fields.set("learning_rate", 0.1);
  project.training.optimizer.fields.set("momentum", 0.5);
  project.training.batchSize = 16;
  project.training.epochs = 3;
  return project;
}

inline strata::TrainJob tinyJob(const strata::Path& folder = {}) {
  strata::TrainJob job;
  job.project = tinyProject();
  job.data = strata::makeDataView(tinyDataset(), strata::ValidationSource::TestSet, 0.1, 1);
  job.threads = 1;
  job.runFolder = folder;
  return job;
}

/// What a run has said, by kind.
struct RunEvents {
  std::vector<strata::TrainEvent> all;

  void take(strata::Trainer& trainer) {
    for (auto& event : trainer.events().drain()) all.push_back(std::move(event));
  }
  template <class Event>
  std::vector<Event> of() const {
    std::vector<Event> found;
    for (const auto& event : all)
      if (const auto* one = std::get_if<Event>(&event)) found.push_back(*one);
    return found;
  }
  std::vector<strata::EpochRecord> epochs() const {
    std::vector<strata::EpochRecord> records;
    for (const auto& event : of<strata::EpochDoneEvent>()) records.push_back(event.record);
    return records;
  }
  std::vector<double> losses() const {
    std::vector<double> values;
    for (const auto& event : of<strata::ProgressEvent>())
      for (const auto& point : event.points) values.push_back(point.loss);
    return values;
  }
};

/// Runs the job to its end.
inline RunEvents runToEnd(strata::TrainJob job) {
  strata::Trainer trainer;
  trainer.start(std::move(job));
  trainer.wait();
  RunEvents events;
  events.take(trainer);
  return events;
}
