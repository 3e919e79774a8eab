// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/recurrent_pass.h"

#include <algorithm>

#include "engine/layers/recurrent.h"

namespace strata {
namespace {

/// Samples that a thread takes at a time: enough for the weights that they read, few enough for several threads.
int groupOf(int batch) { return batch < 32 ? 8 : 16; }
constexpr int kChunk = 64;  // rows of gradients and of what they are multiplied by, in the first cache

/// A row that does not meet itself in the first cache when every row of a column is read.
std::int64_t oddRow(int cols, int lanes) { return ((cols + lanes - 1) / lanes | 1) * std::int64_t{lanes}; }

}  // namespace

RecurrentPass::RecurrentPass(const Node& node, RecurrentCell cell, int stateSlots, bool training, Buffer& x, Buffer& y,
                             const Kernels& kernels)
    : WeightedPass(node, stateSlots), m_x(x),
      m_y(y), m_shape{cell, activationOf(node.fields), asSequence(x.shape).c, node.fields.integer("units")},
      m_steps(x.shape.h), m_lanes(kernels.lanes), m_sequences(node.fields.flag("return_sequences")),
      m_backwards(goesBackwards(node.fields)), m_training(training), m_blocks(m_shape.blocks(m_lanes)),
      m_width(m_shape.width(m_lanes)), m_gatesRow(m_shape.gates() * m_lanes), m_keptRow(m_shape.kept() * m_lanes),
      m_kernelRow(oddRow(m_shape.inputs, m_lanes)), m_recurrentRow(oddRow(m_shape.units, m_lanes)) {
  const auto array = [](std::int64_t a, std::int64_t b, std::int64_t c) {
    return Array<float>(std::size_t(a * b * c));
  };
  const std::int64_t batch = x.batch, slots = training ? m_steps : 2;
  m_kernel = array(m_blocks, m_shape.inputs, m_gatesRow);
  m_recurrent = array(m_blocks, m_shape.units, m_gatesRow);
  m_bias = array(m_blocks, 1, m_keptRow);
  m_outputs = array(slots, batch, m_width);
  m_cells = array(cell == RecurrentCell::Lstm ? slots : 0, batch, m_width);
  m_kept = array(m_blocks, (training ? m_steps : 1) * batch, m_keptRow);
  m_y.hasZeros |= m_shape.activation == Activation::Relu;
  if (!training) return;
  m_kernelT = array(m_blocks, m_gatesRow, m_kernelRow);
  m_recurrentT = array(m_blocks, m_gatesRow, m_recurrentRow);
  m_dOut = array(1, batch, m_width);
  m_dCells = array(cell == RecurrentCell::Lstm, batch, m_width);
  m_blockGradients = array(m_blocks, 1, std::int64_t{m_shape.inputs + m_shape.units} * m_gatesRow + m_keptRow);
}

std::int64_t RecurrentPass::column(int gate, int block, bool inner) const {
  // A GRU's candidate comes first among the gates of the input here and last in the canonical weights.
  const int canonical = m_shape.cell == RecurrentCell::Gru && !inner ? (gate + 2) % 3 : gate;
  return std::int64_t{canonical} * m_shape.units + std::int64_t{block} * m_lanes;
}

void RecurrentPass::packBlock(int block) {
  const int gates = m_shape.gates(), units = unitsOf(block), total = gates * m_shape.units;
  const float *kernel = m_weights.data(), *recurrent = kernel + std::int64_t{m_shape.inputs} * total,
              *bias = recurrent + std::int64_t{m_shape.units} * total;
  const auto put = [&](const float* from, int rows, bool inner, const Array<float>& packed, const Array<float>& turned,
                       std::int64_t turnedRow) {
    for (int gate = 0; gate < gates; ++gate) {
      const float* gateFrom = from + column(gate, block, inner);
      float* to = packed.data() + std::int64_t{block} * rows * m_gatesRow + gate * m_lanes;
      for (int row = 0; row < rows; ++row)
        std::copy_n(gateFrom + std::int64_t{row} * total, units, to + std::int64_t{row} * m_gatesRow);
      if (turned.size() > 0)
        for (int unit = 0; unit < units; ++unit) {
          float* line = turned.data() + (std::int64_t{block} * m_gatesRow + gate * m_lanes + unit) * turnedRow;
          for (int row = 0; row < rows; ++row) line[row] = gateFrom[std::int64_t{row} * total + unit];
        }
    }
  };
  put(kernel, m_shape.inputs, false, m_kernel, m_kernelT, m_kernelRow);
  put(recurrent, m_shape.units, true, m_recurrent, m_recurrentT, m_recurrentRow);
  float* to = m_bias.data() + std::int64_t{block} * m_keptRow;
  for (int gate = 0; gate < gates; ++gate) std::copy_n(bias + column(gate, block, false), units, to + gate * m_lanes);
  if (m_shape.cell != RecurrentCell::Gru) return;
  const float* innerBias = bias + total;
  for (int unit = 0; unit < units; ++unit) {  // z and r take the sum of both
    to[m_lanes + unit] += innerBias[column(0, block, true) + unit];
    to[2 * m_lanes + unit] += innerBias[column(1, block, true) + unit];
    to[3 * m_lanes + unit] = innerBias[column(2, block, true) + unit];
  }
}

void RecurrentPass::pack(const Step& step) {
  if (!m_stale) return;
  step.pool.run(m_blocks, [&](int block, int) { packBlock(block); });
  m_stale = false;
}

RecurrentStep RecurrentPass::stepAt(const Step& step, int s) const {
  RecurrentStep at;
  at.x = m_x.values.data() + std::int64_t{place(s)} * m_shape.inputs;
  at.xRow = m_x.sampleSize();
  at.before = s > 0 ? outputs(step, s - 1) : nullptr;
  at.out = at.cells = outputs(step, s);
  if (m_shape.cell == RecurrentCell::Lstm) {
    at.cellsBefore = s > 0 ? cells(step, s - 1) : nullptr;
    at.cells = cells(step, s);
  }
  at.kernel = m_kernel.data();
  at.recurrent = m_recurrent.data();
  at.bias = m_bias.data();
  at.kept = m_kept.data() + std::int64_t{m_training ? s : 0} * step.batch * m_keptRow;
  at.keptBlock = keptBlock(step);
  return at;
}

void RecurrentPass::forward(const Step& step) {
  m_finite = true;
  m_allFinite = true;
  pack(step);
  const int group = groupOf(step.batch);
  step.pool.run((step.batch + group - 1) / group,
                [&](int task, int) { groupForward(step, task * group, std::min(task * group + group, step.batch)); });
}

void RecurrentPass::groupForward(const Step& step, int begin, int end) {
  for (int s = 0; s < m_steps; ++s) {
    const RecurrentStep at = stepAt(step, s);
    if (!(step.kernels.recurrentForward(m_shape, at, begin, end) == 0)) m_allFinite = false;
    if (!m_sequences && s + 1 < m_steps) continue;
    for (int n = begin; n < end; ++n) {
      float* out = at.out + std::int64_t{n} * m_width;
      if (m_sequences)
        std::copy_n(out, m_shape.units, m_y.sample(n, m_y.values) + std::int64_t{place(s)} * m_shape.units);
      else copySample<Copy::In>(m_y, m_y.values, out, n);
    }
  }
}

void RecurrentPass::backward(const Step& step) {
  const int group = groupOf(step.batch);
  step.pool.run((step.batch + group - 1) / group,
                [&](int task, int) { groupBackward(step, task * group, std::min(task * group + group, step.batch)); });
}

void RecurrentPass::groupBackward(const Step& step, int begin, int end) {
  const int inner = (m_shape.kept() - m_shape.gates()) * m_lanes;
  float *dOut = m_dOut.data(), *dCells = m_dCells.size() > 0 ? m_dCells.data() : dOut;
  const std::int64_t from = std::int64_t{begin} * m_width, count = std::int64_t{end - begin} * m_width;
  std::fill_n(dOut + from, count, 0.f);
  std::fill_n(dCells + from, count, 0.f);
  for (int s = m_steps; s-- > 0;) {
    if (m_sequences || s + 1 == m_steps)
      for (int n = begin; n < end; ++n) {
        float* row = dOut + std::int64_t{n} * m_width;
        if (m_sequences)
          step.kernels.addInPlace(row, m_y.sample(n, m_y.gradients) + std::int64_t{place(s)} * m_shape.units,
                                  m_shape.units);
        else copySample<Copy::Out>(m_y, m_y.gradients, row, n);
      }
    step.kernels.recurrentBackward(m_shape, stepAt(step, s), begin, end, dOut, dCells);
    if (s > 0)
      throughWeights(step, s, begin, end, m_recurrentT, m_recurrentRow, inner, m_shape.units, dOut, m_width, true);
    if (m_x.gradients.size() > 0)
      throughWeights(step, s, begin, end, m_kernelT, m_kernelRow, 0, m_shape.inputs,
                     m_x.gradients.data() + std::int64_t{place(s)} * m_shape.inputs, m_x.sampleSize(), false);
  }
}

void RecurrentPass::throughWeights(const Step& step, int s, int begin, int end, const Array<float>& transposed,
                                   std::int64_t row, int first, int cols, float* out, std::int64_t outRow,
                                   bool added) const {
  Product product;
  product.aRow = m_keptRow;
  product.bRow = row;
  product.rows = end - begin;
  product.depth = m_gatesRow;
  product.cols = cols;
  product.out = out + begin * outRow;
  product.outRow = product.startRow = outRow;
  for (int block = 0; block < m_blocks; ++block) {
    product.a = m_kept.data() + block * keptBlock(step) + (std::int64_t{s} * step.batch + begin) * m_keptRow + first;
    product.b = transposed.data() + std::int64_t{block} * m_gatesRow * row;
    product.start = added || block > 0 ? product.out : nullptr;
    step.kernels.product(product);
  }
}

void RecurrentPass::addGradient(const Step& step, const float* inputs, std::int64_t inputsRow, int features,
                                const float* kept, std::int64_t rows, int first, float* gradient) const {
  Product product;
  product.aRow = 1;
  product.aStep = inputsRow;
  product.bRow = m_keptRow;
  product.rows = features;
  product.cols = m_gatesRow;
  product.start = product.out = gradient;
  product.startRow = product.outRow = m_gatesRow;
  for (std::int64_t row = 0; row < rows; row += kChunk) {
    product.a = inputs + row * inputsRow;
    product.b = kept + row * m_keptRow + first;
    product.depth = int(std::min<std::int64_t>(kChunk, rows - row));
    step.kernels.product(product);
  }
}

void RecurrentPass::gradientTask(const Step& step, int block) {
  const std::int64_t kernelSize = std::int64_t{m_shape.inputs} * m_gatesRow,
                     recurrentSize = std::int64_t{m_shape.units} * m_gatesRow,
                     size = kernelSize + recurrentSize + m_keptRow, stepRows = step.batch;
  const int inner = (m_shape.kept() - m_shape.gates()) * m_lanes;
  const float* kept = m_kept.data() + block * keptBlock(step);
  float *kernel = m_blockGradients.data() + block * size, *recurrent = kernel + kernelSize,
        *bias = recurrent + recurrentSize;
  std::fill_n(kernel, size, 0.f);
  for (int s = 0; s < m_steps; ++s)
    addGradient(step, stepAt(step, s).x, m_x.sampleSize(), m_shape.inputs, kept + s * stepRows * m_keptRow, stepRows, 0,
                kernel);
  addGradient(step, outputs(step, 0), m_width, m_shape.units, kept + stepRows * m_keptRow, (m_steps - 1) * stepRows,
              inner, recurrent);
  constexpr float kOne = 1;
  step.kernels.product({&kOne, 0, 0, kept, m_keptRow, 1, int(m_steps * stepRows), m_keptRow, bias, m_keptRow});
  if (!(step.kernels.probe(kernel, size) == 0)) m_allFinite = false;
  unpackGradient(block, kernel, recurrent, bias);
}

void RecurrentPass::unpackGradient(int block, const float* kernel, const float* recurrent, const float* bias) {
  const int gates = m_shape.gates(), units = unitsOf(block), total = gates * m_shape.units;
  float *toKernel = m_gradients.data(), *toRecurrent = toKernel + std::int64_t{m_shape.inputs} * total,
        *toBias = toRecurrent + std::int64_t{m_shape.units} * total;
  const auto put = [&](const float* from, int rows, bool inner, float* to) {
    for (int gate = 0; gate < gates; ++gate)
      for (int row = 0; row < rows; ++row)
        std::copy_n(from + std::int64_t{row} * m_gatesRow + gate * m_lanes, units,
                    to + std::int64_t{row} * total + column(gate, block, inner));
  };
  put(kernel, m_shape.inputs, false, toKernel);
  put(recurrent, m_shape.units, true, toRecurrent);
  put(bias, 1, false, toBias);
  if (m_shape.cell == RecurrentCell::Gru) put(bias + m_lanes, 1, true, toBias + total);
}

float RecurrentPass::updateTask(const Step& step, int task, int thread, const UpdateRule& rule) {
  m_stale = true;
  return WeightedPass::updateTask(step, task, thread, rule);
}

void RecurrentPass::setWeights(const float* canonical) {
  m_stale = true;
  WeightedPass::setWeights(canonical);
}

PassWork RecurrentPass::work() const {
  const std::string how = "register blocks, step by step, gates at once";
  const double macs = double(m_steps) * m_shape.gates() * m_shape.units * (m_shape.inputs + m_shape.units);
  return {m_node.path, how, how, macs, m_x.gradients.size() > 0, true, 1, 1, 1};
}

namespace {

template <RecurrentCell kCell>
PassKind recurrentPassKind(const char* type) {
  PassKind kind{type};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<RecurrentPass>(place.node(), kCell, place.stateSlots(), place.request.training, place.x(),
                                           place.y, place.kernels);
  };
  return kind;
}

}  // namespace

PassKind simpleRnnPassKind() { return recurrentPassKind<RecurrentCell::Simple>("simple_rnn"); }
PassKind gruPassKind() { return recurrentPassKind<RecurrentCell::Gru>("gru"); }
PassKind lstmPassKind() { return recurrentPassKind<RecurrentCell::Lstm>("lstm"); }

}  // namespace strata
