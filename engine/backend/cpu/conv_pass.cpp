// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_pass.h"

#include <algorithm>
#include <cmath>

#include "engine/backend/cpu/conv_forward_planes.h"

namespace strata {
namespace {

constexpr double kBackgroundFrom = 0.25;  // share of pixels alike, for what they hold to be taken off the others

std::optional<PlanePlaces> placesFor(const ConvContext& context, const Buffer& x, const Buffer& y) {
  if (!context.shape.planes) return {};
  return PlanePlaces(context, y.cols, x.hasZeros && planesPack(context.shape));
}

/// For work(): channels that were left out, if any were.
std::string leftOut(double share, const char* which) {
  if (share >= 1) return "";
  return ", without the " + std::to_string(std::lround(100 * (1 - share))) + " % of channels that " + which;
}

}  // namespace

ConvPass::ConvPass(const Plan& plan, Buffer& x, Buffer& y, std::unique_ptr<AveragePoolPass> average,
                   const Kernels& kernels, int threads)
    : m_plan(plan), m_context{kernels, plan.shape, threads, x.shape.size()}, m_tile(tileSamples(x.sampleSize())),
      m_x(x), m_y(y), m_average(std::move(average)),
      m_weights(m_context, {plan.hasBias, plan.training, x.rectified && plan.inputGradient, plan.stateSlots}),
      m_places(placesFor(m_context, x, y)), m_record(m_context, m_places ? &*m_places : nullptr, x.batch),
      m_back(plan.shape), m_counts(std::size_t(threads)) {
  m_y.mayPackGradients = plan.shape.planes && m_context.window() > 1;  // planeChannelLists() takes them
  makeForward();
  if (plan.training) makeGradients();
}

void ConvPass::makeForward() {
  if (!m_places) {
    m_whole = std::make_unique<ForwardByBlocks>(m_context, m_weights);
    if (m_x.hasZeros) m_sparse = makeSparseForward(m_context, m_weights);
    return;
  }
  m_liveOutputs.emplace(m_context);
  m_whole = std::make_unique<ForwardByPlanes>(m_context, m_weights, *m_places);
  if (m_x.hasZeros && windowsSuit(m_context.shape, m_context.kernels))
    m_sparse = std::make_unique<ForwardByWindows>(m_context, m_weights, *m_places);
}

void ConvPass::makeGradients() {
  const ConvShape& g = m_context.shape;
  const bool pooled = m_context.window() > 1;
  for (int thread = 0; thread < m_context.threads; ++thread)
    m_gradientSums.emplace_back(std::size_t(g.kWidth(m_context.lanes())));
  if (m_x.rectified && m_plan.inputGradient) m_liveInputs.emplace(m_context, m_x.sampleSize(), m_tile);
  if (pooled && m_places) m_weightByLists = std::make_unique<WeightGradientByPlanes>(m_context, *m_places, m_tile);
  else m_weightByLists = std::make_unique<WeightGradientByLists>(m_context, m_tile);
  if (!pooled && g.patchVecs > 0) m_weightByBlocks = std::make_unique<WeightGradientByPatches>(m_context);
  else if (!pooled) m_weightByBlocks = std::make_unique<WeightGradientByBlocks>(m_context);
  if (m_x.hasZeros && inputListsSuit(g, m_plan.inputGradient) && (!m_average || m_average->shape().tiles()))
    m_weightByInputs = std::make_unique<WeightGradientByInputs>(m_context);
  if (!m_plan.inputGradient) return;
  m_inputByLists = std::make_unique<InputGradientByLists>(m_context);
  if (!pooled) m_inputByBlocks = std::make_unique<InputGradientByBlocks>(m_context);
}

void ConvPass::forward(const Step& step) {
  m_finite = true;
  for (Counts& own : m_counts) own.deadPixels = 0, own.finite = true;
  ConvBatch batch;
  if (m_liveOutputs) {
    m_liveOutputs->choose(m_weights, m_x.least, m_x.most);
    batch.outputs = m_liveOutputs->channels();
    m_counts.front().outputChannels.add(batch.outputs.count, m_context.shape.k);
  }
  batch.background = background();
  m_whole->prepare(batch);
  if (m_sparse) m_sparse->prepare(batch);
  if (m_liveInputs) m_liveInputs->clear();
  step.pool.run(step.batch, [&](int n, int thread) { forwardSample(step, n, thread); });
  if (m_places && m_context.shape.relu() && !m_average) tellBackground(step);
}

const float* ConvPass::background() const {
  return m_x.backgroundShare > kBackgroundFrom && !m_x.framed() ? m_x.background.data() : nullptr;
}

void ConvPass::tellBackground(const Step& step) {
  for (int k = 0; k < m_context.shape.k; ++k) m_y.background[std::size_t(k)] = std::max(m_weights.bias()[k], 0.f);
  m_y.backgroundShare = double(allCounts().deadPixels) / (double(step.batch) * m_context.outputPixels());
}

void ConvPass::forwardSample(const Step& step, int n, int thread) {
  ForwardSample sample{
      m_x.sample(n, m_x.values), m_y.inside(n, m_y.values), m_record.codes(n), m_record.pixels(n, thread), {}};
  if (step.training && m_liveInputs) m_liveInputs->mark(sample.x, thread);
  if (m_sparse) sample.inputs = m_sparse->look(sample.x, thread);
  const bool sparse = m_sparse && sample.inputs.share() < m_sparse->below();
  const ForwardResult result = (sparse ? *m_sparse : *m_whole).forward(sample, thread);
  Counts& own = counts(thread);
  ++(sparse ? own.forwardSparse : own.forwardWhole);
  own.inputs.add(result.inputs.live, result.inputs.of);
  if (sample.pixels) own.deadPixels += sample.pixels->deadCount;
  if (!(result.probe == 0)) own.finite = false;
  if (m_average) m_average->forwardSample(m_context.kernels, n);
}

void ConvPass::backward(const Step& step) {
  if (m_liveInputs) chooseInputs();
  step.pool.run(step.parts(), [&](int part, int thread) {
    const ConvGradient sum = m_weights.gradient(part);
    m_weights.clearGradient(part, m_back.c);
    for (int n = step.begin(part); n < step.end(part); n += m_tile)
      backwardTile(n, std::min(n + m_tile, step.end(part)), thread, sum);
    m_weightByLists->finishPart(m_back, sum, thread);
    if (m_weightByInputs) m_weightByInputs->finishPart(m_back, sum, thread);
    if (m_weightByBlocks) m_weightByBlocks->finishPart(m_back, sum, thread);
  });
}

void ConvPass::chooseInputs() {
  const int channels = m_context.shape.c;
  m_back = m_liveInputs->choose(m_weights);
  m_counts.front().inputChannels.add(m_back.c, channels);
  if (!m_x.mayPackGradients) return;
  m_x.gradientChannels = 0;
  for (int c = 0; c < channels; ++c)
    if (m_liveInputs->has(c)) m_x.channels[std::size_t(m_x.gradientChannels++)] = c;
}

void ConvPass::backwardTile(int begin, int end, int thread, const ConvGradient& sum) {
  const bool packed = m_liveInputs && m_liveInputs->packed();
  for (int n = begin; packed && n < end; ++n) m_liveInputs->pack(m_x.sample(n, m_x.values), n - begin, thread);
  for (int n = begin; n < end; ++n)
    backwardSample(n, packed ? m_liveInputs->sample(n - begin, thread) : m_x.sample(n, m_x.values), thread, sum);
  m_weightByLists->finishTile(m_back, sum, thread);
}

GradientSample ConvPass::gradientSample(int n, const float* x, int thread) {
  return {m_back,
          x,
          m_y.inside(n, m_y.values),
          m_y.gradientInside(n),
          m_y.channels.data(),
          m_y.gradientChannels,
          m_gradientSums[std::size_t(thread)].data(),
          m_record.codes(n),
          m_record.pixels(n, thread)};
}

void ConvPass::backwardSample(int n, const float* x, int thread, const ConvGradient& sum) {
  const GradientSample sample = gradientSample(n, x, thread);
  Counts& own = counts(thread);
  if (m_weightByInputs && weightGradientFromInputs(sample, n, thread, sum)) return;
  bool blocks = false;
  if (m_weightByBlocks) {
    const int live = beforeActivation(n, sample.dy, m_back.k, thread);
    blocks = gradientBlocksPay(m_context, m_back, m_plan.inputGradient, live);
    if (blocks) own.gradients.add(live, std::int64_t{m_context.outputPixels()} * m_back.k);
  }
  const LiveCount multiplied = (blocks ? *m_weightByBlocks : *m_weightByLists).add(sample, sum, thread);
  ++(blocks ? own.backByBlocks : own.backByLists);
  if (!blocks) own.gradients.add(multiplied.live, multiplied.of);
  own.weightGradients.add(multiplied.live, multiplied.of);
  if (m_plan.inputGradient) writeInputGradient(sample, n, blocks, thread);
}

/// False, and nothing done, where there are too many live inputs.
bool ConvPass::weightGradientFromInputs(GradientSample sample, int n, int thread, const ConvGradient& sum) {
  if (!m_weightByInputs->look(sample.x, thread)) return false;
  sample.dy = m_weightByInputs->room(thread);
  const int passed = beforeActivation(n, sample.dy, m_context.shape.kWidth(m_context.lanes()), thread);
  Counts& own = counts(thread);
  own.gradients.add(passed, std::int64_t{m_context.outputPixels()} * m_context.shape.k);
  const LiveCount multiplied = m_weightByInputs->add(sample, sum, thread);
  own.weightGradients.add(multiplied.live, multiplied.of);
  ++own.backByInputs;
  return true;
}

int ConvPass::beforeActivation(int n, Frame to, int pixel, int thread) {
  const ConvShape& g = m_context.shape;
  const Kernels& kernels = m_context.kernels;
  const bool tiles = m_average && m_average->shape().tiles();
  if (m_average && !tiles) m_average->backwardSample(kernels, n);
  const PoolShape pool = tiles ? m_average->shape() : PoolShape{g.k, g.outH, g.outW, g.outH, g.outW};
  return kernels.outputGradient(g, pool, tiles ? m_average->gradientOf(n) : m_y.gradientInside(n),
                                m_y.inside(n, m_y.values), to, pixel, m_gradientSums[std::size_t(thread)].data());
}

void ConvPass::writeInputGradient(const GradientSample& sample, int n, bool blocks, int thread) {
  const bool packed = m_liveInputs && m_liveInputs->packed(), unpack = packed && !m_x.mayPackGradients;
  float* dx = unpack ? m_liveInputs->gradient(thread) : m_x.sample(n, m_x.gradients);
  (blocks ? *m_inputByBlocks : *m_inputByLists)
      .write(sample, packed ? m_liveInputs->rows() : m_weights.rows(), dx, thread);
  if (unpack) m_liveInputs->unpackGradient(thread, m_x.sample(n, m_x.gradients));
}

void ConvPass::gradientTask(const Step& step, int row) {
  if (!m_weights.addParts(row, step.parts(), m_back.c)) m_finite = false;
  if (row == 0) m_weights.addBiasParts(step.parts());
}

float ConvPass::updateTask(const Step&, int task, int thread, const UpdateRule& rule) {
  if (task == m_context.shape.r) return m_weights.updateBias(rule);
  return m_weights.update(task, gradientChannels(), thread, rule);
}

double ConvPass::gradientSquares(const Step&, int task, int) {
  return task == m_context.shape.r ? m_weights.biasSquares() : m_weights.squares(task, gradientChannels());
}

bool ConvPass::finite() const {
  return m_finite && std::all_of(m_counts.begin(), m_counts.end(), [](const Counts& own) { return own.finite; });
}

ConvPass::Counts& ConvPass::Counts::operator+=(const Counts& other) {
  for (Tally Counts::*tally :
       {&Counts::inputs, &Counts::gradients, &Counts::weightGradients, &Counts::inputChannels, &Counts::outputChannels})
    (this->*tally).add((other.*tally).live, (other.*tally).possible);
  for (std::int64_t Counts::*count : {&Counts::forwardSparse, &Counts::forwardWhole, &Counts::backByInputs,
                                      &Counts::backByLists, &Counts::backByBlocks, &Counts::deadPixels})
    this->*count += other.*count;
  return *this;
}

ConvPass::Counts ConvPass::allCounts() const {
  Counts sum;
  for (const Counts& own : m_counts) sum += own;
  return sum;
}

PassWork ConvPass::work() const {
  const ConvShape& g = m_context.shape;
  const Counts counts = allCounts();
  PassWork work;
  work.name = m_plan.name;
  work.macs = double(g.r) * g.s * g.c * g.k * g.outH * g.poolH * g.outW * g.poolW;
  work.inputGradient = m_plan.inputGradient, work.weightGradient = true;
  work.inputLive = g.planes || counts.mostlySparse() ? counts.inputs.share() : 1;
  work.gradientLive = counts.mostlyBlocks() ? 1 : counts.gradients.share();
  work.weightGradientLive = counts.weightGradients.share();
  work.inputChannels = counts.inputChannels.share(), work.outputChannels = counts.outputChannels.share();
  work.forward = forwardText(counts);
  work.backward = backwardText(counts);
  return work;
}

std::string ConvPass::forwardText(const Counts& counts) const {
  std::string text = counts.mostlySparse() ? m_sparse->how() : m_whole->how();
  if (!m_context.shape.planes && !counts.mostlySparse())
    text += m_sparse ? ": too few zeros in the input" : ": the input has no zeros";
  return text + leftOut(counts.outputChannels.share(), "no input can bring to life");
}

std::string ConvPass::backwardText(const Counts& counts) const {
  std::string text = m_context.window() > 1 ? "lists of the largest of each window" : "lists of live gradients";
  if (counts.backByInputs > 0) text = "lists of live inputs";
  else if (counts.mostlyBlocks())
    text = std::string("register blocks: too few zeros in the gradient") +
           (counts.weightGradients.share() < 1 ? ", patches of zeros left out" : "");
  return text + leftOut(counts.inputChannels.share(), "a whole batch leaves dead");
}

namespace {

/// Max pooling can ride on a convolution when its windows lie side by side inside the image, so that each output has
/// one place.
bool maxPoolFuses(const WindowGeometry& pool, Activation before) {
  const bool sideBySide = pool.kernel() == pool.stride() && pool.y.before == 0 && pool.x.before == 0 &&
                          pool.after(pool.y) <= 0 && pool.after(pool.x) <= 0;
  return sideBySide && pool.y.kernel * pool.x.kernel <= 255 &&
         (before == Activation::Relu || before == Activation::Linear);
}

bool poolFuses(const Site& site, const Node& next, const Site& nextSite) {
  const std::string& type = next.def->type;
  return type == "avg_pool2d" ||
         (type == "max_pool2d" && maxPoolFuses(poolGeometry(nextSite), activationOf(site.fields)));
}

/// A bare image of the batch and its gradient.
Buffer& bufferBetween(const PassPlace& place, const Shape& shape) {
  auto buffer = std::make_unique<Buffer>();
  buffer->shape = shape;
  buffer->rows = shape.h, buffer->cols = shape.w;
  buffer->allocate(place.request.maxBatch, place.request.training);
  return *place.buffers.emplace_back(std::move(buffer));
}

std::unique_ptr<Pass> makeConvPass(const PassPlace& place, const WindowGeometry& g) {
  const Site site = place.site();
  const bool average = place.fused() && place.tail().def->type == "avg_pool2d";
  const bool relu = activationOf(site.fields) == Activation::Relu;
  place.y.hasZeros |= relu;
  place.y.rectified = relu && place.readOnce && !average;
  ConvPass::Plan plan;
  plan.name = place.fused() ? site.name + " + " + place.tail().path : site.name;
  plan.hasBias = site.fields.flag("use_bias");
  plan.inputGradient = site.needsInputGradient;
  plan.training = place.request.training;
  plan.stateSlots = place.stateSlots();
  plan.weightsOffset = place.node().weightsOffset;
  ConvShape& shape = plan.shape;
  shape.c = site.in.c, shape.k = site.out.c;
  shape.r = g.y.kernel, shape.s = g.x.kernel, shape.sy = g.y.stride, shape.sx = g.x.stride;
  shape.rows = place.x().rows, shape.cols = place.x().cols;
  shape.activation = activationOf(site.fields);
  std::unique_ptr<AveragePoolPass> tail;
  Buffer* out = &place.y;
  if (average) {
    out = &bufferBetween(place, site.out);
    tail = std::make_unique<AveragePoolPass>(plan.name, poolGeometry(place.tailSite()), *out, place.y);
  } else if (place.fused()) {
    const Pair window = poolGeometry(place.tailSite()).kernel();
    shape.poolH = window.h, shape.poolW = window.w;
  }
  shape.outH = out->shape.h, shape.outW = out->shape.w;
  planConv(shape, plan.inputGradient, place.kernels);
  return std::make_unique<ConvPass>(plan, place.x(), *out, std::move(tail), place.kernels, place.threads);
}

}  // namespace

PassKind convPassKind() {
  PassKind kind{"conv2d"};
  kind.framed = true;
  kind.takes = [](const Site& site) {
    return site.fields.integer("groups") == 1 && site.fields.pair("dilation_rate") == Pair{1, 1};
  };
  kind.fuses = poolFuses;
  kind.make = [](const PassPlace& place) { return makeConvPass(place, convGeometry(place.site())); };
  return kind;
}

PassKind pointwisePassKind() {
  PassKind kind{"dense"};
  kind.takes = [](const Site& site) { return !site.in.isVector(); };
  kind.make = [](const PassPlace& place) { return makeConvPass(place, pointGeometry(place.site())); };
  return kind;
}

}  // namespace strata
