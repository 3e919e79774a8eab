// SPDX-License-Identifier: Apache-2.0
// The nodes that join several values to one: add, multiply, average, max (all inputs of one shape) and concat (one
// behind the other along the channels). Containers make them; no person puts one into a stack.
#include "engine/layers/common.h"

namespace strata {
namespace {

ShapeResult sameShape(const Fields&, const std::vector<Shape>& ins) {
  for (const Shape& in : ins)
    if (in != ins.front())
      return {{},
              Issue{-1,
                    "",
                    Issue::Level::Error,
                    "What is joined has to have one shape; got " + ins.front().text() + " and " + in.text() + ".",
                    {}}};
  return {ins.front(), {}};
}

ShapeResult concatShape(const Fields&, const std::vector<Shape>& ins) {
  Shape out = ins.front();
  std::int64_t channels = 0;
  for (const Shape& in : ins) {
    if (in.rank != out.rank || in.h != out.h || in.w != out.w)
      return {{},
              Issue{-1,
                    "",
                    Issue::Level::Error,
                    "Only channels may differ in what is put side by side; got " + ins.front().text() + " and " +
                        in.text() + ".",
                    {}}};
    channels += in.c;
  }
  if (channels > INT32_MAX)
    return {{}, Issue{-1, "", Issue::Level::Error, "Side by side they have too many channels.", {}}};
  out.c = static_cast<int>(channels);
  return {out, {}};
}

/// What the elementwise ones share: each value of y is made of the values at the same place of all inputs.
template <class Real>
class ElementwiseOp : public BasicOp<Real> {
 public:
  explicit ElementwiseOp(const Site& site) : m_size(site.out.size()) {}

 protected:
  template <class Fold>
  void fold(const BasicOpIo<Real>& io, Fold fold) const {
    const std::int64_t count = io.batch * m_size;
    std::copy_n(io.xs.front(), count, io.y);
    for (const Real* x : io.xs.subspan(1))
      for (std::int64_t i = 0; i < count; ++i) io.y[i] = fold(io.y[i], x[i]);
  }
  /// slope(input, place): how much y changes there with that input.
  template <class Slope>
  void spread(const BasicOpIo<Real>& io, Slope slope) const {
    const std::int64_t count = io.batch * m_size;
    for (std::size_t in = 0; in < io.dxs.size(); ++in)
      if (Real* dx = io.dxs[in])
        for (std::int64_t i = 0; i < count; ++i) dx[i] = io.dy[i] * slope(in, i);
  }

 private:
  const std::int64_t m_size;
};

template <class Real>
class AddOp : public ElementwiseOp<Real> {
 public:
  using ElementwiseOp<Real>::ElementwiseOp;
  void forward(const BasicOpIo<Real>& io) override {
    this->fold(io, [](Real a, Real b) { return a + b; });
  }
  void backward(const BasicOpIo<Real>& io) override {
    this->spread(io, [](std::size_t, std::int64_t) { return Real(1); });
  }
};

template <class Real>
class AverageOp : public ElementwiseOp<Real> {
 public:
  explicit AverageOp(const Site& site)
      : ElementwiseOp<Real>(site), m_values(site.out.size()), m_share(Real(1) / Real(site.ins.size())) {}
  void forward(const BasicOpIo<Real>& io) override {
    this->fold(io, [](Real a, Real b) { return a + b; });
    for (std::int64_t i = 0; i < io.batch * m_values; ++i) io.y[i] *= m_share;
  }
  void backward(const BasicOpIo<Real>& io) override {
    this->spread(io, [this](std::size_t, std::int64_t) { return m_share; });
  }

 private:
  const std::int64_t m_values;
  const Real m_share;
};

template <class Real>
class MultiplyOp : public ElementwiseOp<Real> {
 public:
  using ElementwiseOp<Real>::ElementwiseOp;
  void forward(const BasicOpIo<Real>& io) override {
    this->fold(io, [](Real a, Real b) { return a * b; });
  }
  void backward(const BasicOpIo<Real>& io) override {
    this->spread(io, [&](std::size_t in, std::int64_t i) {
      Real others = 1;
      for (std::size_t other = 0; other < io.xs.size(); ++other)
        if (other != in) others *= io.xs[other][i];
      return others;
    });
  }
};

/// Of equal values the first input's counts, and gets the whole gradient.
template <class Real>
class MaxOp : public ElementwiseOp<Real> {
 public:
  using ElementwiseOp<Real>::ElementwiseOp;
  void forward(const BasicOpIo<Real>& io) override {
    this->fold(io, [](Real a, Real b) { return b > a || b != b ? b : a; });
  }
  void backward(const BasicOpIo<Real>& io) override {
    this->spread(io, [&](std::size_t in, std::int64_t i) {
      std::size_t largest = 0;
      for (std::size_t other = 1; other < io.xs.size(); ++other)
        if (io.xs[other][i] > io.xs[largest][i]) largest = other;
      return Real(in == largest);
    });
  }
};

template <class Real>
class ConcatOp : public BasicOp<Real> {
 public:
  explicit ConcatOp(const Site& site) : m_pixels(site.out.size() / site.out.c), m_channels(site.out.c) {
    for (const Shape& in : site.ins) m_parts.push_back(in.c);
  }
  void forward(const BasicOpIo<Real>& io) override {
    std::int64_t at = 0;
    for (std::size_t in = 0; in < m_parts.size(); at += m_parts[in++])
      for (std::int64_t i = 0; i < io.batch * m_pixels; ++i)
        std::copy_n(io.xs[in] + i * m_parts[in], m_parts[in], io.y + i * m_channels + at);
  }
  void backward(const BasicOpIo<Real>& io) override {
    std::int64_t at = 0;
    for (std::size_t in = 0; in < m_parts.size(); at += m_parts[in++])
      if (Real* dx = io.dxs[in])
        for (std::int64_t i = 0; i < io.batch * m_pixels; ++i)
          std::copy_n(io.dy + i * m_channels + at, m_parts[in], dx + i * m_parts[in]);
  }

 private:
  const std::int64_t m_pixels, m_channels;
  std::vector<std::int64_t> m_parts;  ///< channels of each input
};

template <template <class> class OpTemplate>
LayerDef joinDef(const char* type, const char* title, const char* help) {
  LayerDef def;
  def.type = type;
  def.title = title;
  def.stem = type;
  def.category = "shape";
  def.icon = "branch";
  def.help = help;
  def.hidden = true;
  def.samplesIndependent = true;
  def.inferJoin = sameShape;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields&) { return std::string("joins its inputs"); };
  def.makeOp = makeReferenceOp<OpTemplate, float>;
  def.makeOp64 = makeReferenceOp<OpTemplate, double>;
  def.examples = {{"{}", Shape::image(3, 5, 7), {Shape::image(3, 5, 7)}},
                  {"{}", Shape::vector(11), {Shape::vector(11), Shape::vector(11)}}};
  return def;
}

}  // namespace

LayerDef addLayer() { return joinDef<AddOp>("add", "Add", "Adds its inputs, value by value."); }
LayerDef multiplyLayer() {
  return joinDef<MultiplyOp>("multiply", "Multiply", "Multiplies its inputs, value by value.");
}
LayerDef averageLayer() { return joinDef<AverageOp>("average", "Average", "The mean of its inputs, value by value."); }
LayerDef maxLayer() { return joinDef<MaxOp>("max", "Max", "The largest of its inputs, value by value."); }

LayerDef concatLayer() {
  LayerDef def = joinDef<ConcatOp>("concat", "Concat", "Puts the channels of its inputs one behind the other.");
  def.inferJoin = concatShape;
  def.examples = {{"{}", Shape::image(3, 5, 7), {Shape::image(3, 5, 2)}},
                  {"{}", Shape::vector(3), {Shape::vector(9), Shape::vector(1)}}};
  return def;
}

}  // namespace strata
