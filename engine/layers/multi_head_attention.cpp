// SPDX-License-Identifier: Apache-2.0
// Multi-head attention of a sequence on itself (Vaswani et al. 2017), as Keras's MultiHeadAttention. Of each head, with
// q k v = x · kernel + bias of its own, [T, key_dim]: p = softmax over the steps of q k' / sqrt(key_dim), o = p v; all
// heads' o side by side, [T, heads * key_dim], times the output kernel plus its bias is the result, [T, D].
#include "engine/base/text.h"
#include "engine/layers/recurrent.h"

namespace strata {
namespace {

std::vector<ParamInfo> attentionParams(const Fields& fields, Shape in) {
  const int heads = fields.integer("heads"), size = fields.integer("key_dim"), width = asSequence(in).c;
  std::vector<ParamInfo> params;
  for (const std::string name : {"query", "key", "value"}) {
    params.push_back(
        {name + ".kernel", {width, heads, size}, {}, std::int64_t{width} * heads, std::int64_t{width} * size});
    params.push_back({name + ".bias", {heads, size}, {"zeros"}, heads, size});
  }
  params.push_back(
      {"output.kernel", {heads, size, width}, {}, std::int64_t{heads} * size, std::int64_t{heads} * width});
  params.push_back({"output.bias", {width}, {"zeros"}, width, width});
  return params;
}

std::int64_t attentionMacs(const Fields& fields, Shape in) {
  const Shape sequence = asSequence(in);
  const std::int64_t heads = fields.integer("heads") * std::int64_t{fields.integer("key_dim")};
  return saturatingMul(saturatingMul(heads, sequence.h), 4 * std::int64_t{sequence.c} + 2 * std::int64_t{sequence.h});
}

ShapeResult attentionShape(const Fields& fields, Shape in) {
  if (in.isVector()) return {{}, needsSequence("Multi-head attention", in)};
  const std::int64_t heads = fields.integer("heads"), steps = in.h;
  constexpr std::int64_t kMostScores = 1 << 26;
  if (heads * steps * steps <= kMostScores) return {asSequence(in), {}};
  Issue issue;
  issue.field = "heads";
  issue.text = "Every head compares each of the " + grouped(steps) +
               " steps with each: " + grouped(heads * steps * steps) + " numbers for one sample; at most " +
               grouped(kMostScores) + " are allowed.";
  if (const std::int64_t most = kMostScores / (steps * steps); most > 0)
    issue.fixes = {{"Use " + counted(most, "head"), "heads", most, {}}};
  return {{}, issue};
}

template <class Real>
class AttentionOp : public BasicOp<Real> {
 public:
  explicit AttentionOp(const Site& site)
      : m_steps(asSequence(site.in).h), m_width(asSequence(site.in).c), m_heads(site.fields.integer("heads")),
        m_size(site.fields.integer("key_dim")), m_all(m_heads * m_size),
        m_scale(1 / std::sqrt(static_cast<Real>(m_size))) {}

  void forward(const BasicOpIo<Real>& io) override {
    const std::int64_t rows = io.batch * m_steps;
    for (auto& projected : m_projected) resize(projected, rows * m_all);
    resize(m_shares, io.batch * m_heads * m_steps * m_steps);
    resize(m_mixed, rows * m_all);
    for (int which = 0; which < 3; ++which)
      affine(io.x, rows, m_width, kernel(io.weights.data(), which), m_all, m_projected[which].data());
    std::fill(m_mixed.begin(), m_mixed.end(), Real{0});
    eachHead(io.batch, [&](std::int64_t at, Real* shares) {
      for (std::int64_t i = 0; i < m_steps; ++i, shares += m_steps) {
        for (std::int64_t j = 0; j < m_steps; ++j)
          shares[j] = m_scale * dot(row(m_projected[0], at, i), row(m_projected[1], at, j));
        softmax(shares);
        addProduct<Real>(m_steps, m_size, shares, 1, row(m_projected[2], at, 0), m_all, row(m_mixed, at, i));
      }
    });
    affine(m_mixed.data(), rows, m_all, kernel(io.weights.data(), 3), m_width, io.y);
  }

  void backward(const BasicOpIo<Real>& io) override {
    const std::int64_t rows = io.batch * m_steps;
    std::fill(io.gradients.begin(), io.gradients.end(), Real{0});
    for (auto& gradient : m_dProjected) {
      resize(gradient, rows * m_all);
      std::fill(gradient.begin(), gradient.end(), Real{0});
    }
    resize(m_dMixed, rows * m_all);
    std::fill(m_dMixed.begin(), m_dMixed.end(), Real{0});
    affineGradient(io, m_mixed.data(), 3, io.dy, m_dMixed.data());
    std::vector<Real> dShares(static_cast<std::size_t>(m_steps));
    eachHead(io.batch, [&](std::int64_t at, const Real* shares) {
      for (std::int64_t i = 0; i < m_steps; ++i, shares += m_steps) {
        Real mean = 0;
        for (std::int64_t j = 0; j < m_steps; ++j) {
          dShares[static_cast<std::size_t>(j)] = dot(row(m_dMixed, at, i), row(m_projected[2], at, j));
          mean += shares[j] * dShares[static_cast<std::size_t>(j)];
        }
        for (std::int64_t j = 0; j < m_steps; ++j) {
          const Real dScore = m_scale * shares[j] * (dShares[static_cast<std::size_t>(j)] - mean);
          addProduct<Real>(1, m_size, &dScore, 1, row(m_projected[1], at, j), 0, row(m_dProjected[0], at, i));
          addProduct<Real>(1, m_size, &dScore, 1, row(m_projected[0], at, i), 0, row(m_dProjected[1], at, j));
          addProduct<Real>(1, m_size, &shares[j], 1, row(m_dMixed, at, i), 0, row(m_dProjected[2], at, j));
        }
      }
    });
    if (io.dx) std::fill_n(io.dx, rows * m_width, Real{0});
    for (int which = 0; which < 3; ++which) affineGradient(io, io.x, which, m_dProjected[which].data(), io.dx);
  }

 private:
  static void resize(std::vector<Real>& array, std::int64_t size) { array.resize(static_cast<std::size_t>(size)); }
  /// Where in the weights a projection begins: query 0, key 1, value 2, output 3. Its bias follows its kernel.
  std::int64_t offset(int which) const { return which * (m_width + 1) * m_all; }
  const Real* kernel(const Real* weights, int which) const { return weights + offset(which); }
  /// Step `step` of the head that begins at `at`.
  template <class Array>
  auto row(Array& array, std::int64_t at, std::int64_t step) const {
    return array.data() + at + step * m_all;
  }
  Real dot(const Real* a, const Real* b) const {
    Real sum = 0;
    for (std::int64_t i = 0; i < m_size; ++i) sum += a[i] * b[i];
    return sum;
  }
  void softmax(Real* values) const {
    const Real largest = *std::max_element(values, values + m_steps);
    Real sum = 0;
    for (std::int64_t j = 0; j < m_steps; ++j) sum += values[j] = std::exp(values[j] - largest);
    for (std::int64_t j = 0; j < m_steps; ++j) values[j] /= sum;
  }
  /// body(place of a sample's head in the arrays [N, T, heads, key_dim], its shares [T, T]).
  template <class Body>
  void eachHead(std::int64_t batch, Body body) {
    for (std::int64_t n = 0; n < batch; ++n)
      for (std::int64_t h = 0; h < m_heads; ++h)
        body(n * m_steps * m_all + h * m_size, m_shares.data() + (n * m_heads + h) * m_steps * m_steps);
  }
  /// y = x · kernel + bias, the bias behind the kernel.
  static void affine(const Real* x, std::int64_t rows, std::int64_t in, const Real* kernel, std::int64_t out, Real* y) {
    for (std::int64_t n = 0; n < rows; ++n) {
      std::copy_n(kernel + in * out, out, y + n * out);
      addProduct(in, out, x + n * in, 1, kernel, out, y + n * out);
    }
  }
  /// Of affine(): the weights' gradients, and dx is added to where it is wanted.
  void affineGradient(const BasicOpIo<Real>& io, const Real* x, int which, const Real* dy, Real* dx) {
    const std::int64_t rows = io.batch * m_steps, in = which == 3 ? m_all : m_width, out = which == 3 ? m_width : m_all;
    const Real one = 1;
    Real* gradient = io.gradients.data() + offset(which);
    for (std::int64_t i = 0; i < in; ++i) addProduct(rows, out, x + i, in, dy, out, gradient + i * out);
    addProduct(rows, out, &one, 0, dy, out, gradient + in * out);
    if (!dx) return;
    resize(m_transposed, in * out);
    transpose(kernel(io.weights.data(), which), in, out, m_transposed.data());
    for (std::int64_t n = 0; n < rows; ++n)
      addProduct<Real>(out, in, dy + n * out, 1, m_transposed.data(), in, dx + n * in);
  }

  const std::int64_t m_steps, m_width, m_heads, m_size, m_all;
  const Real m_scale;
  std::vector<Real> m_projected[3], m_dProjected[3];  ///< query, key, value, [N, T, heads, key_dim]
  std::vector<Real> m_shares;                         ///< [N, heads, T, T]: what each step takes from each
  std::vector<Real> m_mixed, m_dMixed;                ///< [N, T, heads, key_dim]
  std::vector<Real> m_transposed;
};

}  // namespace

LayerDef multiHeadAttentionLayer() {
  LayerDef def;
  def.type = "multi_head_attention";
  def.title = "Multi-head attention";
  def.stem = "attention";
  def.category = "seq";
  def.icon = "mha";
  def.help = std::string("Lets every step of a sequence look at all others and take over what matters to it; each head "
                         "learns to look for something else. It does not know the order of steps: put a Positional "
                         "embedding before it.") +
             kRowsHelp;
  def.fields = {intField("heads", "Heads", 4, 1, 256, "How many different things each step can look for."),
                intField("key_dim", "Size of a head", 16, 1, 1024,
                         "How many numbers a head compares and takes over. Often the width of the sequence divided by "
                         "the number of heads.")};
  def.inferShape = attentionShape;
  def.params = attentionParams;
  def.macs = attentionMacs;
  def.summary = [](const Fields& fields) {
    return counted(fields.integer("heads"), "head") + " · size " + std::to_string(fields.integer("key_dim"));
  };
  def.shortText = [](const Fields& fields) {
    return std::string(1, 'A').append(std::to_string(fields.integer("heads")));
  };
  def.makeOp = makeReferenceOp<AttentionOp, float>;
  def.makeOp64 = makeReferenceOp<AttentionOp, double>;
  def.samplesIndependent = true;
  def.examples = {
      {R"({"heads": 2, "key_dim": 3})", Shape::sequence(5, 4)},
      {R"({"heads": 3, "key_dim": 5})", Shape::image(3, 5, 2)},
      {R"({"heads": 1, "key_dim": 1})", Shape::sequence(1, 1)},
      {R"({"heads": 1, "key_dim": 17})", Shape::sequence(17, 3)},
  };
  for (Example& example : def.examples) example.tolerance = 1e-5;  // the keys' bias has no gradient at all
  return def;
}

}  // namespace strata
