// SPDX-License-Identifier: Apache-2.0
// What the recurrent layers share: their input as a sequence, their fields and shape rule, and the reference op around
// a cell. A cell is the arithmetic of one step of one sample; the op walks the steps, multiplies by the weights and
// carries the gradient back through time. Formulas, gates and their order are Keras's.
#pragma once
#include "engine/layers/common.h"

namespace strata {

/// An image is a sequence of its rows; anything else is what it is.
inline Shape asSequence(Shape in) {
  // analyse() has refused inputs past kMaxElements, so the product fits an int.
  return in.isImage() ? Shape::sequence(in.h, static_cast<int>(std::int64_t{in.w} * in.c)) : in;
}
/// Ends the help of a layer that reads sequences.
inline constexpr const char* kRowsHelp = " An image is read row by row, from the top.";
/// The issue of a layer that reads sequences and is given a vector.
Issue needsSequence(const std::string& title, Shape in);

/// The fields of every recurrent layer: units, return_sequences, activation.
std::vector<Field> recurrentFields();
/// Whether a node reads from the last step to the first. Its outputs stand at the steps they belong to all the same.
/// No person sets it: one of the two nodes of a Bidirectional has it.
inline constexpr const char* kGoBackwards = "go_backwards";
bool goesBackwards(const Fields& fields);
/// What every recurrent layer's def says alike.
void makeRecurrent(LayerDef& def);
ShapeResult recurrentShape(const std::string& title, const Fields& fields, Shape in);
std::int64_t recurrentMacs(const Fields& fields, Shape in, int gates);
/// kernel [D, gates * units], recurrent_kernel [units, gates * units] and a bias of the given shape and first values.
std::vector<ParamInfo> recurrentParams(const Fields& fields, Shape in, int gates, const std::vector<int>& biasShape,
                                       const char* biasStart);

/// Numbers and arrays of one step of one sample, for a cell. Arrays are [units] or [gates * units], gate after gate.
template <class Real>
struct CellStep {
  std::int64_t units = 0;
  Activation activation = Activation::Tanh;
  const Real* before = nullptr;       ///< the output of the step before; zeros at the first
  Real* saved = nullptr;              ///< [Cell::kSaved * units], for backward()
  const Real* savedBefore = nullptr;  ///< that of the step before; null at the first
};

/// The reference op of a recurrent layer. A Cell<Real> has:
///   kGates, kSaved: arrays of [units] in a step's products, and kept from it;
///   kTwoBiases: the product with the last output has a bias of its own, bias [2, gates * units];
///   forward(step, input, inner, out): from x · kernel + bias and the last output · recurrent_kernel (+ bias) the
///     step's output;
///   backward(step, out, dOut, carry, dInput, dInner, dBefore): from the output's gradient those of both products, and
///     what of it reaches the last output without them. carry [units] comes from the step after and goes to the one
///     before.
template <class Real, class Cell>
class RecurrentOp : public BasicOp<Real> {
 public:
  explicit RecurrentOp(const Site& site)
      : m_steps(asSequence(site.in).h), m_inputs(asSequence(site.in).c), m_units(site.fields.integer("units")),
        m_sequences(site.fields.flag("return_sequences")), m_backwards(goesBackwards(site.fields)),
        m_activation(activationOf(site.fields)) {}

  void forward(const BasicOpIo<Real>& io) override {
    const std::int64_t width = Cell::kGates * m_units;
    m_out.resize(static_cast<std::size_t>(io.batch * m_steps * m_units));
    m_saved.resize(m_out.size() * Cell::kSaved);
    std::vector<Real> input(static_cast<std::size_t>(width)), inner(input.size());
    const std::vector<Real> zeros(static_cast<std::size_t>(m_units));
    const Weights w = split(io.weights.data());
    for (std::int64_t n = 0; n < io.batch; ++n)
      for (std::int64_t s = 0; s < m_steps; ++s) {
        const CellStep<Real> step = stepAt(n, s, zeros);
        std::copy_n(w.bias, width, input.data());
        addProduct(m_inputs, width, inputAt(io.x, n, s), 1, w.kernel, width, input.data());
        if (Cell::kTwoBiases) std::copy_n(w.bias + width, width, inner.data());
        else std::fill(inner.begin(), inner.end(), Real{0});
        addProduct(m_units, width, step.before, 1, w.recurrent, width, inner.data());
        Cell::forward(step, input.data(), inner.data(), outAt(n, s));
        if (m_sequences) std::copy_n(outAt(n, s), m_units, io.y + (n * m_steps + place(s)) * m_units);
        else if (s + 1 == m_steps) std::copy_n(outAt(n, s), m_units, io.y + n * m_units);
      }
  }

  void backward(const BasicOpIo<Real>& io) override {
    const std::int64_t width = Cell::kGates * m_units;
    const auto array = [](std::int64_t size) { return std::vector<Real>(static_cast<std::size_t>(size)); };
    const Weights w = split(io.weights.data());
    auto kernelT = array(m_inputs * width), recurrentT = array(m_units * width);
    transpose(w.kernel, m_inputs, width, kernelT.data());
    transpose(w.recurrent, m_units, width, recurrentT.data());
    std::fill(io.gradients.begin(), io.gradients.end(), Real{0});
    Real* const dKernel = io.gradients.data();
    Real* const dRecurrent = dKernel + m_inputs * width;
    Real* const dBias = dRecurrent + m_units * width;
    const auto zeros = array(m_units);
    auto dOut = array(m_units), carry = array(m_units), dBefore = array(m_units), dInput = array(width),
         dInner = array(width);
    for (std::int64_t n = 0; n < io.batch; ++n) {
      std::fill(dBefore.begin(), dBefore.end(), Real{0});
      std::fill(carry.begin(), carry.end(), Real{0});
      for (std::int64_t s = m_steps; s-- > 0;) {
        const CellStep<Real> step = stepAt(n, s, zeros);
        dOut.swap(dBefore);  // through the step after
        if (m_sequences || s + 1 == m_steps)
          addProduct<Real>(1, m_units, &kOne, 1, io.dy + (m_sequences ? n * m_steps + place(s) : n) * m_units, m_units,
                           dOut.data());
        Cell::backward(step, outAt(n, s), dOut.data(), carry.data(), dInput.data(), dInner.data(), dBefore.data());
        addProduct(width, m_units, dInner.data(), 1, recurrentT.data(), m_units, dBefore.data());
        const Real* x = inputAt(io.x, n, s);
        for (std::int64_t i = 0; i < m_inputs; ++i)
          addProduct(1, width, x + i, 1, dInput.data(), width, dKernel + i * width);
        for (std::int64_t i = 0; i < m_units; ++i)
          addProduct(1, width, step.before + i, 1, dInner.data(), width, dRecurrent + i * width);
        addProduct<Real>(1, width, &kOne, 1, dInput.data(), width, dBias);
        if (Cell::kTwoBiases) addProduct<Real>(1, width, &kOne, 1, dInner.data(), width, dBias + width);
        if (!io.dx) continue;
        Real* dx = io.dx + (n * m_steps + place(s)) * m_inputs;
        std::fill_n(dx, m_inputs, Real{0});
        addProduct(width, m_inputs, dInput.data(), 1, kernelT.data(), m_inputs, dx);
      }
    }
  }

 private:
  static constexpr Real kOne = 1;
  struct Weights {
    const Real *kernel, *recurrent, *bias;
  };
  Weights split(const Real* weights) const {
    const std::int64_t width = Cell::kGates * m_units;
    return {weights, weights + m_inputs * width, weights + (m_inputs + m_units) * width};
  }
  /// The place in the sequence that is read as number s.
  std::int64_t place(std::int64_t s) const { return m_backwards ? m_steps - 1 - s : s; }
  const Real* inputAt(const Real* x, std::int64_t n, std::int64_t s) const {
    return x + (n * m_steps + place(s)) * m_inputs;
  }
  Real* outAt(std::int64_t n, std::int64_t s) { return m_out.data() + (n * m_steps + s) * m_units; }
  CellStep<Real> stepAt(std::int64_t n, std::int64_t s, const std::vector<Real>& zeros) {
    Real* saved = m_saved.data() + (n * m_steps + s) * Cell::kSaved * m_units;
    return {m_units, m_activation, s > 0 ? outAt(n, s - 1) : zeros.data(), saved,
            s > 0 ? saved - Cell::kSaved * m_units : nullptr};
  }

  const std::int64_t m_steps, m_inputs, m_units;
  const bool m_sequences, m_backwards;
  const Activation m_activation;
  std::vector<Real> m_out;    ///< [N, T, units] in the order of reading
  std::vector<Real> m_saved;  ///< [N, T, kSaved * units]
};

/// LayerDef::makeOp and makeOp64 of a recurrent layer.
template <template <class> class Cell>
void setRecurrentOp(LayerDef& def) {
  def.makeOp = [](const Site& site) -> std::unique_ptr<Op> {
    return std::make_unique<RecurrentOp<float, Cell<float>>>(site);
  };
  def.makeOp64 = [](const Site& site) -> std::unique_ptr<BasicOp<double>> {
    return std::make_unique<RecurrentOp<double, Cell<double>>>(site);
  };
}

}  // namespace strata
