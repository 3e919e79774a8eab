// SPDX-License-Identifier: Apache-2.0
// Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998; orthogonal: Saxe et al. 2014. The numbers are Keras's.
#include "engine/net/initializer.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace strata {
namespace {

using Values = std::span<float>;

/// Ways to count the inputs and outputs of a weight.
double fanIn(const ParamInfo& param) { return static_cast<double>(param.fanIn); }
double fanAverage(const ParamInfo& param) { return static_cast<double>(param.fanIn + param.fanOut) / 2; }

void drawUniform(double limit, Rng& rng, Values values) {
  const auto high = static_cast<float>(limit);
  for (float& value : values) value = rng.uniform(-high, high);
}

/// A normal distribution cut at two deviations, which leaves `left` of its deviation.
void drawTruncated(double deviation, double left, Rng& rng, Values values) {
  for (float& value : values) {
    float drawn = rng.normal();
    while (std::abs(drawn) > 2) drawn = rng.normal();
    value = static_cast<float>(drawn * deviation / left);
  }
}

/// So that the variance is `scale` by the counted inputs.
template <double (*kFan)(const ParamInfo&), int kScale>
void scaledUniform(const ParamInfo& param, double, Rng& rng, Values values) {
  drawUniform(std::sqrt(3 * kScale / kFan(param)), rng, values);
}
template <double (*kFan)(const ParamInfo&), int kScale>
void scaledNormal(const ParamInfo& param, double, Rng& rng, Values values) {
  drawTruncated(std::sqrt(kScale / kFan(param)), 0.87962566103423978, rng, values);
}

/// Rows [rows][cols], rows <= cols, become orthogonal to each other and of length 1: Gram-Schmidt, each row cleared of
/// those before it twice, which leaves rounding alone.
void orthonormalize(std::vector<double>& values, std::size_t rows, std::size_t cols) {
  for (std::size_t i = 0; i < rows; ++i) {
    double* row = values.data() + i * cols;
    for (int round = 0; round < 2; ++round)
      for (std::size_t j = 0; j < i; ++j) {
        const double* other = values.data() + j * cols;
        double product = 0;
        for (std::size_t k = 0; k < cols; ++k) product += row[k] * other[k];
        for (std::size_t k = 0; k < cols; ++k) row[k] -= product * other[k];
      }
    double length = 0;
    for (std::size_t k = 0; k < cols; ++k) length += row[k] * row[k];
    for (std::size_t k = 0; k < cols; ++k) row[k] /= std::sqrt(length);
  }
}

/// The tensor as a matrix, its last side the columns: the rows or the columns, whichever are fewer, are orthogonal.
void fillOrthogonal(const ParamInfo& param, double gain, Rng& rng, Values values) {
  const std::size_t cols = static_cast<std::size_t>(param.shape.back()), rows = values.size() / cols;
  const std::size_t few = std::min(rows, cols), many = std::max(rows, cols);
  std::vector<double> drawn(values.size());
  for (double& value : drawn) value = static_cast<double>(rng.normal());
  orthonormalize(drawn, few, many);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j)
      values[i * cols + j] = static_cast<float>(gain * (rows < cols ? drawn[i * many + j] : drawn[j * many + i]));
}

/// The middle tap of a kernel [R,S,C,K], or a dense kernel [in,out], hands each input on to the output of its number.
void fillDirac(const ParamInfo& param, double, Rng&, Values values) {
  std::fill(values.begin(), values.end(), 0.f);
  const std::size_t sides = param.shape.size();
  const auto side = [&](std::size_t i) { return static_cast<std::size_t>(i < sides ? param.shape[sides - 1 - i] : 1); };
  const std::size_t outs = side(0), ins = side(1), middle = side(3) / 2 * side(2) + side(2) / 2;
  for (std::size_t i = 0; i < std::min(ins, outs); ++i) values[(middle * ins + i) * outs + i] = 1;
}

void fillWith(float value, Values values) { std::fill(values.begin(), values.end(), value); }

Field numberField(const char* id, const char* title, double initial, double low, const char* help) {
  return realField(id, title, initial, low, 1000, help);
}

const char* const kDeviationHelp = "The standard deviation of the weights.";


/// Of an LSTM's bias [4 * units]: ones for the forget gate, the second, so that it remembers at first (Jozefowicz et
/// al. 2015), zeros for the others.
void fillUnitForget(const ParamInfo&, double, Rng&, Values values) {
  const std::size_t units = values.size() / 4;
  std::fill(values.begin(), values.end(), 0.f);
  std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(units), units, 1.f);
}

}  // namespace

const std::vector<InitializerDef>& allInitializers() {
  static const std::vector<InitializerDef> initializers{
      {{"uniform", "Uniform", "Evenly between minus and plus a limit."},
       numberField("limit", "Limit", 0.05, 0, "Weights are drawn evenly between minus and plus this limit."),
       [](const ParamInfo&, double limit, Rng& rng, Values values) { drawUniform(limit, rng, values); }},
      {{"normal", "Normal", "From a normal distribution around zero."},
       numberField("stddev", "Deviation", 0.05, 0, kDeviationHelp),
       [](const ParamInfo&, double stddev, Rng& rng, Values values) {
         for (float& value : values) value = static_cast<float>(rng.normal() * stddev);
       }},
      {{"truncated_normal", "Truncated normal", "The same, without what lies more than two deviations from zero."},
       numberField("stddev", "Deviation", 0.05, 0, "The standard deviation before the cut at twice of it."),
       [](const ParamInfo&, double stddev, Rng& rng, Values values) { drawTruncated(stddev, 1, rng, values); }},
      {{"glorot_uniform", "Glorot uniform", "Evenly, so that signals keep their size both ways: suits most nets."},
       {},
       scaledUniform<fanAverage, 1>},
      {{"glorot_normal", "Glorot normal", "The same from a truncated normal distribution."},
       {},
       scaledNormal<fanAverage, 1>},
      {{"he_uniform", "He uniform", "Evenly, so that signals keep their size through layers of ReLU."},
       {},
       scaledUniform<fanIn, 2>},
      {{"he_normal", "He normal", "The same from a truncated normal distribution."}, {}, scaledNormal<fanIn, 2>},
      {{"lecun_uniform", "LeCun uniform", "Evenly, so that signals keep their size on their way forward."},
       {},
       scaledUniform<fanIn, 1>},
      {{"lecun_normal", "LeCun normal", "The same from a truncated normal distribution; SELU is made for it."},
       {},
       scaledNormal<fanIn, 1>},
      {{"orthogonal", "Orthogonal", "No output begins as a mixture of others; for deep and for recurrent nets."},
       numberField("gain", "Gain", 1, -1000, "All weights are multiplied by it."),
       fillOrthogonal},
      {{"dirac", "Dirac", "Each input is handed on to the output of its number."}, {}, fillDirac},
      {{"zeros", "Zeros", "All zero."}, {}, [](const ParamInfo&, double, Rng&, Values values) { fillWith(0, values); }},
      {{"ones", "Ones", "All one."}, {}, [](const ParamInfo&, double, Rng&, Values values) { fillWith(1, values); }},
      {{"constant", "Constant", "All the same number."},
       numberField("value", "Value", 0, -1000, "What every weight starts at."),
       [](const ParamInfo&, double value, Rng&, Values values) { fillWith(static_cast<float>(value), values); }},
  };
  return initializers;
}

const InitializerDef* findInitializer(const std::string& id) {
  static const InitializerDef unitForget{{"unit_forget", "Unit forget", "Of an LSTM's bias."}, {}, fillUnitForget};
  for (const InitializerDef& def : allInitializers())
    if (def.choice.id == id) return &def;
  return id == unitForget.choice.id ? &unitForget : nullptr;
}

Initializer makeInitializer(const std::string& type) {
  const InitializerDef* def = findInitializer(type);
  return {type, def && def->number ? std::get<double>(def->number->initial) : 0};
}

void initialize(const ParamInfo& param, Rng& rng, std::span<float> values) {
  findInitializer(param.initializer.type)->fill(param, param.initializer.number, rng, values);
}

}  // namespace strata
