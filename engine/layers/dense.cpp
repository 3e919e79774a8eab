// SPDX-License-Identifier: Apache-2.0
// Dense: every output looks at every input. y[k] = act(bias[k] + sum over i of x[i] * kernel[i,k]). Of an image or a
// sequence each pixel or step is a vector by itself, as in Keras.
#include "engine/base/text.h"
#include "engine/layers/common.h"

namespace strata {
namespace {

std::vector<Field> denseFields() {
  return {intField("units", "Units", 128, 1, 1 << 20,
                   "How many outputs the layer has. The last layer needs one for each class."),
          activationField("linear"), biasField(), initializerField()};
}

ShapeResult denseShape(const Fields& fields, Shape in) {
  Shape out = in;
  out.c = fields.integer("units");
  if (!in.isImage()) return {out, {}};
  Issue issue;
  issue.level = Issue::Level::Warning;
  issue.text = "Dense sees each pixel of the " + in.text() +
               " image by itself. To look at all of it, put a Flatten layer before it.";
  issue.fixes = {{"Add Flatten", {}, {}, "flatten"}};
  return {out, issue};
}

std::vector<ParamInfo> denseParams(const Fields& fields, Shape in) {
  const int units = fields.integer("units");
  std::vector<ParamInfo> params{{"kernel", {in.c, units}, fields.initializer("kernel_initializer"), in.c, units}};
  if (fields.flag("use_bias")) params.push_back({"bias", {units}, {"zeros"}, units, units});
  return params;
}

std::int64_t denseMacs(const Fields& fields, Shape in) { return in.size() * fields.integer("units"); }

std::string denseSummary(const Fields& fields) {
  return counted(fields.integer("units"), "unit") + thenActivation(fields);
}

template <class Real>
class DenseOp : public BasicOp<Real> {
 public:
  explicit DenseOp(const Site& site)
      : m_places(site.in.places()), m_inputs(site.in.c), m_units(site.out.c), m_activation(activationOf(site.fields)),
        m_bias(site.fields.flag("use_bias")) {}

  void forward(const BasicOpIo<Real>& io) override {
    const Real *kernel = io.weights.data(), *bias = kernel + m_inputs * m_units;
    const std::int64_t rows = io.batch * m_places;
    for (std::int64_t n = 0; n < rows; ++n) {
      Real* y = io.y + n * m_units;
      if (m_bias) std::copy_n(bias, m_units, y);
      else std::fill_n(y, m_units, Real{0});
      addProduct(m_inputs, m_units, io.x + n * m_inputs, 1, kernel, m_units, y);
    }
    activate(m_activation, io.y, rows * m_units);
  }

  void backward(const BasicOpIo<Real>& io) override {
    const std::int64_t rows = io.batch * m_places;
    m_dz.resize(rows * m_units);
    activationGradient(m_activation, io.y, io.dy, m_dz.data(), rows * m_units);
    std::fill(io.gradients.begin(), io.gradients.end(), Real{0});
    for (std::int64_t i = 0; i < m_inputs; ++i)  // row i of the kernel's gradient: x[:,i] times dz
      addProduct<Real>(rows, m_units, io.x + i, m_inputs, m_dz.data(), m_units, io.gradients.data() + i * m_units);
    if (m_bias)
      for (std::int64_t n = 0; n < rows; ++n)
        for (std::int64_t k = 0; k < m_units; ++k) io.gradients[m_inputs * m_units + k] += m_dz[n * m_units + k];
    if (!io.dx) return;
    m_transposed.resize(m_inputs * m_units);
    transpose(io.weights.data(), m_inputs, m_units, m_transposed.data());
    std::fill_n(io.dx, rows * m_inputs, Real{0});
    for (std::int64_t n = 0; n < rows; ++n)
      addProduct<Real>(m_units, m_inputs, m_dz.data() + n * m_units, 1, m_transposed.data(), m_inputs,
                       io.dx + n * m_inputs);
  }

 private:
  std::int64_t m_places, m_inputs, m_units;
  Activation m_activation;
  bool m_bias;
  std::vector<Real> m_dz;          ///< [N * places, units] gradient before the activation
  std::vector<Real> m_transposed;  ///< kernel as [units, inputs]
};

}  // namespace

LayerDef denseLayer() {
  LayerDef def;
  def.type = "dense";
  def.title = "Dense";
  def.stem = "dense";
  def.category = "dense";
  def.icon = "dense";
  def.help =
      "Every output is a weighted sum of all inputs. It mixes what the layers before have found into an answer; "
      "the last layer of a classifier is a Dense with one unit for each class. It holds most weights of a small net.";
  def.fields = denseFields();
  def.inferShape = denseShape;
  def.params = denseParams;
  def.macs = denseMacs;
  def.summary = denseSummary;
  def.width = "units";
  def.shortText = [](const Fields& fields) { return "D" + std::to_string(fields.integer("units")); };
  def.makeOp = makeReferenceOp<DenseOp, float>;
  def.makeOp64 = makeReferenceOp<DenseOp, double>;
  def.samplesIndependent = true;
  def.examples = {
      {R"({"units": 10})", Shape::vector(16)},
      {R"({"units": 32, "activation": "relu"})", Shape::vector(27)},
      {R"({"units": 7, "activation": "tanh", "use_bias": false})", Shape::vector(13)},
      {R"({"units": 1, "activation": "sigmoid"})", Shape::vector(1)},
      {R"({"units": 8, "activation": "leaky_relu"})", Shape::vector(11)},
      {R"({"units": 6, "activation": "relu"})", Shape::sequence(5, 7)},
      {R"({"units": 20})", Shape::image(3, 4, 5)},
      {R"({"units": 33, "activation": "relu", "kernel_initializer": "he_normal"})", Shape::vector(65)},
  };
  return def;
}

}  // namespace strata
