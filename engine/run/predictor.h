// SPDX-License-Identifier: Apache-2.0
// Answers from a snapshot, never from the trainer's weights. Owns its net, so it can run on any one thread beside the
// training.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/data/dataset.h"

namespace strata {

/// Which views of a sample an answer may be the mean of: "none" is the sample alone, "shift" adds those moved by a
/// pixel in each direction, "flip" the mirrored one, "shift_flip" both.
const std::vector<Choice>& testViews();

struct Evaluation {
  std::vector<float> predictions;  ///< [N, outputSize()]: probabilities by class where the loss is a classifier's
  // Of classifiers:
  std::vector<int> predicted;               ///< [N]
  std::vector<std::vector<int>> confusion;  ///< [true][predicted]
  double loss = 0;                          ///< mean
  std::map<std::string, double> metrics;    ///< all that fit the loss, by id
};

class Predictor {
 public:
  /// Runs on the cpu backend with one thread unless told otherwise: predicting must not slow the training.
  /// The net is compiled when something is asked, for as many samples as are asked at once and fit into the memory.
  /// `loss` is what the net was trained with: it makes predictions of the net's output.
  explicit Predictor(const NetworkSpec& network, const LossSpec& loss = {}, const std::string& backend = "cpu",
                     int threads = 1);
  ~Predictor();

  void setWeights(const Weights& weights);  ///< Error::Input for those of another net
  /// Compiles for so many samples at once now. Error::Input when there is not memory enough.
  void reserve(int samples) { netFor(samples); }
  /// One sample of floats as the net reads them (already scaled). Returns what the loss makes of the net's output: of a
  /// classifier's, probabilities by class.
  /// Error::Input when its answer is not a number, as that of a net whose weights have grown beyond all bounds.
  std::vector<float> predict(const std::vector<float>& sample);
  /// Every layer's output for one sample, in stack order.
  std::vector<std::vector<float>> activations(const std::vector<float>& sample);
  /// `indices` of `samples`. Error::Input when a label is not one of the net's classes.
  /// `views`: one of testViews(); Error::Input where the samples are no pictures of bytes.
  Evaluation evaluate(const Samples& samples, const std::vector<int>& indices, const Preprocessing& preprocessing,
                      const std::string& views = testViews().front().id);
  const NetworkSpec& network() const { return m_network; }
  const LossSpec& loss() const { return m_loss; }

 private:
  int samplesAtOnce(std::size_t wanted) const;
  void forwardViews(CompiledNetwork& net, const Batch& batch, std::uint8_t ground, const std::string& views,
                    std::vector<float>& outputs);
  CompiledNetwork& netFor(int samples);

  NetworkSpec m_network;
  LossSpec m_loss;
  std::int64_t m_outputSize;
  Weights m_weights;
  std::unique_ptr<Backend> m_backend;
  std::unique_ptr<CompiledNetwork> m_net;
  int m_samples = 0;  ///< that m_net takes at once
};

}  // namespace strata
