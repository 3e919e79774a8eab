// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda_network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/base/rng.h"

namespace strata::cuda {
namespace {

constexpr std::size_t kReserve = std::size_t{256} << 20;  // left for cuDNN, cuBLASLt and the screen
constexpr Index kBlockAlignment = 256;
constexpr int kBfloat16Capability = 80;  // of the first devices whose libraries compute in bfloat16

Precision precisionFor(const CompileRequest& request, const Device& device) {
  const Precision wanted = request.precision.value_or(Precision::Tf32);
  return wanted == Precision::Bfloat16 && device.capability() < kBfloat16Capability ? Precision::Float32 : wanted;
}

/// The kernel of the loss; null when there is none for it or for one of the metrics.
LossKernel lossKernelOf(const Scorer& scorer, const std::set<std::string>& types) {
  static_assert(StepResult::kCounts == kMostMetrics);
  const auto kernel = lossKernels().find(scorer.loss().type);
  const auto counted = [](const MetricDef* metric) { return metric->withinTop > 0; };
  const bool known = kernel != lossKernels().end() && types.contains(kernel->first);
  return known && std::ranges::all_of(scorer.metrics(), counted) ? kernel->second : nullptr;
}

std::string megabytes(std::int64_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MB"; }

}  // namespace

const std::set<std::string>& kernelTypes() {
  static const std::set<std::string> types = [] {
    std::set<std::string> all = stageTypes();
    for (const auto& [type, kernel] : lossKernels()) all.insert(type);
    return all;
  }();
  return types;
}

CudaNetwork::Control::Control(int maxBatch) {
  const auto place = [this](Index bytes) {
    const Index at = size;
    size += (bytes + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
    return at;
  };
  cursor = place(sizeof(StepCursor));
  params = place(kRun * Index{sizeof(StepParams)});
  results = place(kRun * Index{sizeof(StepResult)});
  labels = place(maxBatch * Index{sizeof(std::int32_t)});
  numbers = place(kRun * maxBatch * Index{sizeof(std::int32_t)});
  drawn = place(kRun * maxBatch * Index{sizeof(std::int32_t)});
}

CudaNetwork::CudaNetwork(std::shared_ptr<Device> device, const CompileRequest& request,
                         const std::set<std::string>& types)
    : m_device(std::move(device)), m_request(request), m_scorer(request.loss, request.metrics),
      m_lossKernel(lossKernelOf(m_scorer, types)), m_analysis(soundAnalysis(request.network)),
      m_layout(layoutFor(m_analysis.graph)), m_offsets(request.maxBatch),
      m_control((checkMemory(), Buffer<std::byte>(*m_device, m_offsets.size))),
      m_controlHost(*m_device, m_offsets.size), m_results(*m_device, kRun),
      m_plans(*m_device), m_shared{*m_device,
                                   m_plans,
                                   request.maxBatch,
                                   precisionFor(request, *m_device),
                                   request.seed,
                                   {},
                                   {},
                                   {},
                                   {},
                                   {},
                                   deviceAt<const StepCursor, Use::Read>(m_offsets.cursor, 1),
                                   deviceAt<const StepParams, Use::Read>(m_offsets.params, kRun),
                                   {}} {
  m_layout.values.clear();
  std::memset(m_controlHost.data(), 0, static_cast<std::size_t>(m_offsets.size));
  m_stages = makeStages(m_analysis.graph, types, m_shared);
  m_onHost = m_request.optimizer.updatesMatrices() ||
             std::ranges::any_of(m_stages, [](const auto& stage) { return stage->onHost; });
  m_shared.weights = Buffer<float>(*m_device, m_shared.arena.size());
  m_shared.gradients = Buffer<float>(*m_device, m_shared.arena.size());
  m_state = Buffer<float>(*m_device, m_shared.arena.size() * m_request.optimizer.slotsPerWeight());
  if (makeUpdateRule(m_request.optimizer, 0, 0).clipNorm > 0)
    m_squares = Buffer<double>(*m_device, std::min(GradientSquares::kParts, m_shared.arena.trained()));
  m_losses = Buffer<float>(*m_device, m_request.maxBatch);
  m_ranks = Buffer<std::int32_t>(*m_device, m_request.maxBatch);
  if (!m_lossKernel) {  // the host fills in what these would say
    m_device->clear(Lane::Main, m_losses.data(), m_losses.bytes());
    m_device->clear(Lane::Main, m_ranks.data(), m_ranks.bytes());
  }
  for (const Buffer<float>* buffer : {&m_shared.weights, &m_shared.gradients, &m_state})
    if (*buffer) m_device->clear(Lane::Main, buffer->data(), buffer->bytes());
  if (m_shared.storage() == Storage::Bfloat16)
    m_shared.rounded = RealBuffer(*m_device, m_shared.arena.size(), Storage::Bfloat16);
  m_device->clear(Lane::Main, m_control.data(), m_control.bytes());
  m_device->synchronize();
}

// Nothing may still be running when the memory goes.
CudaNetwork::~CudaNetwork() {
  try {
    m_device->synchronize();
  } catch (...) {
    // the device has failed; who used the net has been told
  }
}

void CudaNetwork::checkMemory() const {
  const Storage storage = storageOf(precisionFor(m_request, *m_device));
  // The weights' copy.
  const std::int64_t rounded = storage == Storage::Float32 ? 0 : m_analysis.parameters * bytesOf(storage);
  const auto needed = [&](int batch) {
    return m_analysis.trainingBytes(batch, m_request.optimizer.slotsPerWeight()) + rounded;
  };
  const auto free = static_cast<std::int64_t>(m_device->freeBytes() - std::min(kReserve, m_device->freeBytes()));
  if (needed(m_request.maxBatch) <= free) return;
  int fits = 0;
  for (int step = 1 << 20; step > 0; step /= 2)
    if (fits + step < m_request.maxBatch && needed(fits + step) <= free) fits += step;
  throw Error(Error::Kind::Device, m_device->name(),
              "the net needs " + megabytes(needed(m_request.maxBatch)) + " of memory for a batch of " +
                  std::to_string(m_request.maxBatch) + ", and " + megabytes(free) + " are free",
              fits > 0 ? "The largest batch that fits is " + std::to_string(fits) + "."
                       : "Not even one sample fits; train on the CPU.");
}

void CudaNetwork::setWeights(const Weights& weights) {
  if (weights.places != m_layout.places) throw Error(Error::Kind::Input, "weights", "they belong to another net");
  const std::vector<float> values = m_shared.arena.toDevice(weights.values.data());
  m_device->copyIn(Lane::Main, m_shared.weights.data(), values.data(), m_shared.weights.bytes());
  m_device->synchronize();
  if (m_shared.rounded)
    launch(*m_device, Lane::Main, Activate{Act::Linear, m_shared.weights.in(), m_shared.rounded.out()},
           m_shared.arena.size());
}

std::vector<float> CudaNetwork::canonical(const Buffer<float>& buffer, Index offset) const {
  std::vector<float> values(static_cast<std::size_t>(m_shared.arena.size())),
      result(static_cast<std::size_t>(m_analysis.parameters));
  m_device->copyOut(Lane::Main, values.data(), buffer.data() + offset, values.size() * sizeof(float));
  m_device->synchronize();
  m_shared.arena.toCanonical(values.data(), result.data());
  return result;
}

Weights CudaNetwork::weights() const { return {m_layout.places, canonical(m_shared.weights, 0)}; }
std::vector<float> CudaNetwork::gradients() const { return canonical(m_shared.gradients, 0); }

std::vector<float> CudaNetwork::optimizerState() const {
  std::vector<float> state;
  for (Index offset = 0; offset < m_state.size(); offset += m_shared.arena.size()) {
    const std::vector<float> slot = canonical(m_state, offset);
    state.insert(state.end(), slot.begin(), slot.end());
  }
  return state;
}

void CudaNetwork::setOptimizerState(const std::vector<float>& state) {
  const auto slots = static_cast<std::size_t>(m_request.optimizer.slotsPerWeight()),
             count = static_cast<std::size_t>(m_analysis.parameters);
  if (state.size() != slots * count)
    throw Error(Error::Kind::Input, "optimizer state",
                "got " + std::to_string(state.size()) + " values, needed " + std::to_string(slots * count));
  for (std::size_t slot = 0; slot < slots; ++slot) {
    const std::vector<float> values = m_shared.arena.toDevice(state.data() + slot * count);
    m_device->copyIn(Lane::Main, m_state.data() + static_cast<Index>(slot) * m_shared.arena.size(), values.data(),
                     values.size() * sizeof(float));
    m_device->synchronize();
  }
}

LossResult CudaNetwork::trainBatch(const Batch& batch, double learningRate, std::uint64_t step) {
  upload(batch, learningRate, step);
  const Key key{batch.size,  1,           true, batch.floats ? Key::Source::Floats : Key::Source::Bytes,
                batch.scale, batch.offset};
  if (!m_lossKernel) return trainWithHostLoss(batch, key);
  run(key);
  return results(1).front();
}

/// The output goes to the host and its gradient comes back; the rest is as ever.
LossResult CudaNetwork::trainWithHostLoss(const Batch& batch, Key key) {
  const Tensor& top = m_stages.back()->out;
  m_scorer.checkTargets(batch, top.size);
  key.part = Key::Part::Forward;
  run(key);
  std::vector<float> outputs(static_cast<std::size_t>(batch.size * top.size)), gradients(outputs.size());
  copyOutputs(batch.size, outputs.data());
  LossResult result = m_scorer(batch, 0, batch.size, top.size, outputs.data(), gradients.data());
  if (!std::isfinite(result.lossSum)) return result;
  const Access to = top.gradients.out(batch.size * top.size).access();
  std::vector<std::uint16_t> rounded;
  if (top.gradients.storage() == Storage::Bfloat16)
    std::ranges::transform(gradients, std::back_inserter(rounded), toBfloat16);
  m_device->copyIn(Lane::Main, const_cast<void*>(to.data),
                   rounded.empty() ? static_cast<const void*>(gradients.data()) : rounded.data(), to.bytes);
  key.part = Key::Part::Backward;
  run(key);
  if (!std::isfinite(results(1).front().lossSum)) result.lossSum = std::nan("");
  return result;
}

void CudaNetwork::copyOutputs(int batch, float* outputs) {
  const Tensor& top = m_stages.back()->out;
  const Access values = top.values.in(batch * top.size).access();
  m_device->copyOut(Lane::Main, outputs, values.data, values.bytes);
  m_device->synchronize();
}

std::vector<LossResult> CudaNetwork::trainRun(Batches& batches, int first, std::span<const double> learningRates,
                                              std::uint64_t step) {
  const auto steps = static_cast<int>(learningRates.size());
  const Key::Source source = steps > kRun || m_onHost || !m_lossKernel || !batches.areBytes()
                                 ? Key::Source::Bytes
                                 : placeSamples(batches.samples());
  if (source == Key::Source::Bytes || !batches.augmentation().onlyShiftsAndTurns())
    return CompiledNetwork::trainRun(batches, first, learningRates, step);
  const bool streamed = source == Key::Source::Streamed;
  const auto sizeOf = [&](int i) { return static_cast<int>(batches.numbers(first + i).size()); };
  for (int i = 0; i < steps; ++i) {
    setStep(i, learningRates[static_cast<std::size_t>(i)], step + static_cast<std::uint64_t>(i),
            static_cast<std::uint32_t>(batches.epoch()));
    const std::span<const int> numbers = batches.numbers(first + i);
    const Index slot = Index{i} * m_request.maxBatch;
    std::ranges::copy(numbers, hostAt<std::int32_t>(streamed ? m_offsets.drawn : m_offsets.numbers) + slot);
    if (!streamed) continue;
    const int before = (first + i) % kCaptured;  // batches of its chunk
    std::int32_t* places = hostAt<std::int32_t>(m_offsets.numbers) + slot;
    std::iota(places, places + numbers.size(),
              static_cast<std::int32_t>(batches.numbers(first + i - before, before).size()));
  }
  sendControl(steps);
  Key key{1, 1, true, source, batches.scaling().first, batches.scaling().second};
  if (batches.augmentation().any()) {
    key.shift = batches.augmentation().fields.integer("shift");
    key.rotate = batches.augmentation().fields.real("rotate");
    key.augmentSeed = batches.seed();
    key.ground = batches.ground();
    if (!m_bytes) m_bytes = Buffer<std::uint8_t>(*m_device, m_request.maxBatch * m_request.network.input.size());
    if (!m_moves) m_moves = Buffer<Move>(*m_device, m_request.maxBatch);
    if (streamed)
      m_device->copyIn(
          Lane::Main, m_control.data() + m_offsets.drawn, m_controlHost.data() + m_offsets.drawn,
          static_cast<std::size_t>(steps) * static_cast<std::size_t>(m_request.maxBatch) * sizeof(std::int32_t));
  }
  for (int i = 0; i < steps; i += key.steps) {
    const bool together = !streamed || (first + i) % kCaptured == 0;  // the coming batches, in one chunk
    key.batch = sizeOf(i);
    // Only an epoch's last batch is short.
    key.steps = together && i + kCaptured <= steps && sizeOf(i + kCaptured - 1) == key.batch ? kCaptured : 1;
    if (streamed) {
      const int chunk = (first + i) / kCaptured;
      key.half = chunk % 2;
      bringChunk(batches, chunk);
    }
    run(key);
  }
  return results(steps);
}

/// The losses of the steps done, up to the first that is not finite.
std::vector<LossResult> CudaNetwork::results(int steps) {
  m_device->copyOut(Lane::Main, m_results.data(), m_control.data() + m_offsets.results,
                    static_cast<std::size_t>(steps) * sizeof(StepResult));
  m_device->synchronize(Lane::Main);  // not for samples that are on their way
  std::vector<LossResult> results;
  for (int i = 0; i < steps; ++i) {
    LossResult& result = results.emplace_back();
    result.lossSum = m_results[i].spoiled ? std::nan("") : m_results[i].lossSum;
    std::ranges::copy(m_results[i].counts, result.metrics.begin());
    if (!std::isfinite(results.back().lossSum)) break;
  }
  return results;
}

// Once for a data set. All on the device where there is room, else two chunks at a time; Bytes where not even those
// fit.
CudaNetwork::Key::Source CudaNetwork::placeSamples(const Samples& samples) {
  if (m_samples == &samples) return m_source;
  m_device->synchronize();
  m_programs.clear();  // graphs hold addresses
  m_pixels = Buffer<std::uint8_t>();
  m_labels = Buffer<std::int32_t>();
  m_pixelsHost.reset();
  m_labelsHost.reset();
  for (Half& half : m_halves) half = {};
  m_source = Key::Source::Bytes;
  m_samples = &samples;
  if (readsLabels())
    for (const std::int32_t label : samples.labels) checkLabel(label);
  const Index size = m_request.network.input.size(), chunks = Index{2} * kCaptured * m_request.maxBatch;
  const auto fits = [&](Index count) {
    return static_cast<std::size_t>(count * (size + Index{sizeof(std::int32_t)})) + kReserve <= m_device->freeBytes();
  };
  const bool resident = fits(samples.count);
  if (!resident && !fits(chunks)) return m_source;
  Buffer<std::uint8_t> pixels(*m_device, (resident ? samples.count : chunks) * size);
  Buffer<std::int32_t> labels(*m_device, resident ? samples.count : chunks);
  if (resident) {
    m_device->copyIn(Lane::Main, pixels.data(), samples.pixels.data(), pixels.bytes());
    if (readsLabels()) m_device->copyIn(Lane::Main, labels.data(), samples.labels.data(), labels.bytes());
  } else {
    // The last chunk of an epoch may leave a part of its half as it is.
    m_device->clear(Lane::Main, pixels.data(), pixels.bytes());
    m_device->clear(Lane::Main, labels.data(), labels.bytes());
    m_pixelsHost.emplace(*m_device, chunks * size);
    m_labelsHost.emplace(*m_device, chunks);
  }
  m_device->synchronize();
  m_pixels = std::move(pixels);
  m_labels = std::move(labels);
  return m_source = resident ? Key::Source::Resident : Key::Source::Streamed;
}

/// What follows on the main lane can train on the chunk; and the next one of the epoch sets out, to arrive while it
/// does.
void CudaNetwork::bringChunk(const Batches& batches, int chunk) {
  sendChunk(batches, chunk);
  if (Half& half = m_halves[chunk % 2]; !half.arrived) {
    m_device->wait(Lane::Main, Lane::Side);
    half.arrived = true;
  }
  if ((chunk + 1) * kCaptured < batches.count()) sendChunk(batches, chunk + 1);
}

// Nothing to do when it is there or on its way: a chunk is known by its samples.
void CudaNetwork::sendChunk(const Batches& batches, int chunk) {
  Half& half = m_halves[chunk % 2];
  const std::span<const int> numbers = batches.numbers(chunk * kCaptured, kCaptured);
  if (std::ranges::equal(half.numbers, numbers)) return;
  half = {};
  m_device->synchronize(Lane::Side);  // the copy out of this half of the host's memory, two chunks ago
  const Samples& samples = batches.samples();
  const Index size = m_request.network.input.size(), first = chunk % 2 * m_labels.size() / 2;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const Index to = first + static_cast<Index>(i);
    std::copy_n(samples.pixels.data() + numbers[i] * size, size, m_pixelsHost->data() + to * size);
    if (readsLabels()) (*m_labelsHost)[to] = samples.labels[static_cast<std::size_t>(numbers[i])];
  }
  m_device->wait(Lane::Side, Lane::Main);  // the steps that read this half of the device's memory
  m_device->copyIn(Lane::Side, m_pixels.data() + first * size, m_pixelsHost->data() + first * size,
                   numbers.size() * static_cast<std::size_t>(size));
  if (readsLabels())
    m_device->copyIn(Lane::Side, m_labels.data() + first, m_labelsHost->data() + first,
                     numbers.size() * sizeof(std::int32_t));
  half.numbers.assign(numbers.begin(), numbers.end());
}

void CudaNetwork::forward(const Batch& batch, float* outputs) {
  upload(batch, 0, 0);
  run({batch.size, 1, false, batch.floats ? Key::Source::Floats : Key::Source::Bytes, batch.scale, batch.offset});
  copyOutputs(batch.size, outputs);
}

void CudaNetwork::checkLabel(std::int32_t label) const {
  if (label < 0 || label >= m_request.network.classes)
    throw Error(
        Error::Kind::Input, "labels",
        "got label " + std::to_string(label) + ", needed 0 to " + std::to_string(m_request.network.classes - 1));
}

void CudaNetwork::setStep(int slot, double rate, std::uint64_t step, std::uint32_t epoch) {
  hostAt<StepParams>(m_offsets.params)[slot] = StepParams{step, makeUpdateRule(m_request.optimizer, rate, step), epoch};
  hostAt<StepResult>(m_offsets.results)[slot] = StepResult{};
}

/// With sample numbers for that many steps; the cursor stands at the first.
void CudaNetwork::sendControl(int steps) {
  *hostAt<StepCursor>(m_offsets.cursor) = StepCursor{};
  const Index bytes = m_offsets.numbers + Index{steps} * m_request.maxBatch * Index{sizeof(std::int32_t)};
  m_device->copyIn(Lane::Main, m_control.data(), m_controlHost.data(), static_cast<std::size_t>(bytes));
}

// Samples and the control block go to page-locked memory first, so that the copies need not block.
void CudaNetwork::upload(const Batch& batch, double rate, std::uint64_t step) {
  if (batch.size < 1 || batch.size > m_request.maxBatch)
    throw Error(Error::Kind::Input, "batch",
                "got " + std::to_string(batch.size) + " samples, needed 1 to " + std::to_string(m_request.maxBatch));
  setStep(0, rate, step);
  m_rate = rate;
  for (int n = 0; n < batch.size; ++n) {
    hostAt<std::int32_t>(m_offsets.numbers)[n] = n;
    hostAt<std::int32_t>(m_offsets.labels)[n] = batch.labels ? batch.labels[n] : 0;
    if (m_lossKernel && readsLabels()) checkLabel(hostAt<std::int32_t>(m_offsets.labels)[n]);
  }
  sendControl(1);

  const Index count = batch.size * m_request.network.input.size(),
              most = m_request.maxBatch * m_request.network.input.size();
  if (batch.floats) {
    if (!m_floats) m_floats = Buffer<float>(*m_device, most);
    if (!m_floatsHost) m_floatsHost.emplace(*m_device, most);
    std::copy_n(batch.floats, count, m_floatsHost->data());
    m_device->copyIn(Lane::Main, m_floats.data(), m_floatsHost->data(),
                     static_cast<std::size_t>(count) * sizeof(float));
  } else {
    if (!m_bytes) m_bytes = Buffer<std::uint8_t>(*m_device, most);
    if (!m_bytesHost) m_bytesHost.emplace(*m_device, most);
    std::copy_n(batch.bytes, count, m_bytesHost->data());
    m_device->copyIn(Lane::Main, m_bytes.data(), m_bytesHost->data(), static_cast<std::size_t>(count));
  }
}

// The first time as plain launches, which load what is loaded lazily; the second time captured; from then on as one
// graph. What waits for the host cannot be captured.
void CudaNetwork::run(const Key& key) {
  Program& program = m_programs[key];
  if (program.graph && program.generation == m_plans.generation()) return program.graph->launch();
  if (!program.warm) {
    for (const auto& stage : m_stages) stage->prepare(key.batch, key.training);
    execute(key);
    program.warm = true;
    return;
  }
  if (m_onHost) return execute(key);
  Capture capture(*m_device);
  execute(key);
  program.graph = capture.finish();
  program.generation = m_plans.generation();
  program.graph->launch();
}

void CudaNetwork::execute(const Key& key) {
  const Index size = m_request.network.input.size();
  Pass pass;
  pass.batch = key.batch;
  pass.training = key.training;
  pass.images.cursor = m_shared.cursor;
  pass.images.numbers = deviceAt<const std::int32_t, Use::Read>(m_offsets.numbers, Index{kRun} * m_request.maxBatch);
  if (key.source == Key::Source::Floats) pass.images.floats = m_floats.in(key.batch * size);
  else pass.images.bytes = key.onDevice() && !key.moved() ? part(m_pixels, key) : m_bytes.in(key.batch * size);
  pass.images.inOrder = key.moved();
  pass.images.sampleSize = size;
  pass.images.maxBatch = m_request.maxBatch;
  pass.images.scale = key.scale;
  pass.images.offset = key.offset;
  pass.step = hostAt<StepParams>(m_offsets.params)->step;
  for (int step = 0; step < key.steps; ++step) executeStep(key, pass);
}

void CudaNetwork::executeStep(const Key& key, const Pass& pass) {
  if (key.part != Key::Part::Backward) {
    if (key.moved()) moveSamples(key, pass);
    for (const auto& stage : m_stages) stage->forward(pass);
  }
  if (key.training && key.part != Key::Part::Forward) executeBackward(key, pass);
}

/// The batch's samples out of those on the device into m_bytes, each by its own draw.
void CudaNetwork::moveSamples(const Key& key, const Pass& pass) {
  const Shape& shape = m_request.network.input;
  const auto stream = static_cast<std::uint64_t>(strata::Stream::Augment) << 56;
  const Index ring = Index{kRun} * m_request.maxBatch;
  const auto drawn = deviceAt<const std::int32_t, Use::Read>(
      key.source == Key::Source::Streamed ? m_offsets.drawn : m_offsets.numbers, ring);
  launch(*m_device, Lane::Main,
         DrawMoves{m_shared.cursor, m_shared.params, drawn, m_request.maxBatch, key.augmentSeed, stream, key.shift,
                   key.rotate, m_moves.out(key.batch)},
         key.batch);
  launch(*m_device, Lane::Main,
         MoveSamples{m_shared.cursor, pass.images.numbers, part(m_pixels, key), m_moves.in(key.batch),
                     m_request.maxBatch, shape.h, shape.w, shape.c, key.ground, m_bytes.out(key.batch * shape.size())},
         key.batch * shape.size());
}

void CudaNetwork::launchLoss(const Key& key, const Pass& pass) {
  const Tensor& top = m_stages.back()->out;
  const Index count = key.batch * top.size;
  m_lossKernel(
      *m_device,
      {m_request.loss, key.batch, pass.images,
       key.onDevice() ? part(m_labels, key) : deviceAt<const std::int32_t, Use::Read>(m_offsets.labels, key.batch),
       top.values.in(count), top.gradients.out(count), m_losses.out(key.batch), m_ranks.out(key.batch)});
}

void CudaNetwork::executeBackward(const Key& key, const Pass& pass) {
  if (key.part == Key::Part::Whole) launchLoss(key, pass);
  m_shared.reductions.clear();
  m_device->wait(Lane::Side, Lane::Main);  // a capture must see the side lane leave before it comes back
  for (auto stage = m_stages.rbegin(); stage != m_stages.rend(); ++stage) {
    if (!(*stage)->inBackward) continue;
    (*stage)->backward(pass);
    for (const Input& input : (*stage)->in) input.addPart(pass.batch);
  }
  m_device->wait(Lane::Main, Lane::Side);
  reduce(key);
  if (m_request.optimizer.updatesMatrices()) return updateOnHost();
  if (m_squares) clipByNorm();
  update();
}

// As many launches as the jobs need, nearly always one; the last looks at the gradients written before and ends the
// loss.
void CudaNetwork::reduce(const Key& key) {
  const std::vector<Reduce::Job>& jobs = m_shared.reductions.jobs();
  std::size_t next = 0;
  do {
    Reduce reduce;
    reduce.cursor = deviceAt<StepCursor, Use::Update>(m_offsets.cursor, 1);
    reduce.results = deviceAt<StepResult, Use::Update>(m_offsets.results, kRun);
    for (; next < jobs.size() && reduce.jobCount < Reduce::kJobs; ++next) reduce.jobs[reduce.jobCount++] = jobs[next];
    if (next == jobs.size()) {
      if (m_shared.arena.early() > 0) reduce.finished = m_shared.gradients.in(m_shared.arena.early());
      reduce.params = m_shared.params;
      reduce.losses = m_losses.in(key.batch);
      if (!m_scorer.metrics().empty()) reduce.ranks = m_ranks.in(key.batch);
      for (const MetricDef* metric : m_scorer.metrics()) reduce.within[reduce.metricCount++] = metric->withinTop;
    }
    launch(*m_device, Lane::Main, reduce, reduce.items());
  } while (next < jobs.size());
}

/// Sets the scale of the gradients in the rule that the update is about to read.
void CudaNetwork::clipByNorm() {
  const In<float> gradients = m_shared.gradients.in().slice(m_shared.arena.running(), m_shared.arena.trained());
  launch(*m_device, Lane::Main, GradientSquares{gradients, m_squares.out()}, m_squares.size());
  launch(*m_device, Lane::Main, ClipByNorm{m_squares.in(), deviceAt<StepCursor, Use::Update>(m_offsets.cursor, 1)}, 1);
}

/// What is not done element by element: weights, gradients and state come to the host, and go back when all is well.
void CudaNetwork::updateOnHost() {
  StepCursor cursor;
  m_device->copyOut(Lane::Main, &cursor, m_control.data() + m_offsets.cursor, sizeof cursor);
  m_device->synchronize();
  if (!cursor.healthy || cursor.spoiled) return;
  Weights changed = weights();
  std::vector<float> slopes = gradients(), state = optimizerState();
  updateVariables(m_analysis.graph, m_request.optimizer, m_rate, hostAt<StepParams>(m_offsets.params)->step,
                  changed.values, slopes, state);
  setWeights(changed);
  setOptimizerState(state);
}

void CudaNetwork::update() {
  const Index first = m_shared.arena.running(), count = m_shared.arena.trained(), slots = m_shared.arena.size();
  const auto roundedFrom = [this](Index from, Index size) {
    return m_shared.rounded ? m_shared.rounded.update().slice(from, size) : Update<Real>{};
  };
  if (first > 0)
    launch(*m_device, Lane::Main,
           TakeRunning{m_shared.cursor, m_shared.gradients.in(first), m_shared.weights.update(first),
                       roundedFrom(0, first)},
           first);
  // The kind is the same in every step; the numbers come with each.
  withKind(makeUpdateRule(m_request.optimizer, 0, 0).kind, [&](auto kind) {
    UpdateWeights<decltype(kind)::value> update;
    update.cursor = deviceAt<StepCursor, Use::Update>(m_offsets.cursor, 1);
    update.gradients = m_shared.gradients.in().slice(first, count);
    update.weights = m_shared.weights.update().slice(first, count);
    update.rounded = roundedFrom(first, count);
    for (int slot = 0; slot < update.kSlots; ++slot)
      update.state[slot] = m_state.update().slice(slot * slots + first, count);
    launch(*m_device, Lane::Main, update, count);
    if (m_request.optimizer.average.kept())
      launch(*m_device, Lane::Main,
             AverageWeights{m_shared.cursor, m_shared.weights.in().slice(first, count),
                            m_state.update().slice(update.kSlots * slots + first, count)},
             count);
  });
}

// Looking inside is rare, and fusion leaves no trace of single layers: the reference does it with the same weights.
void CudaNetwork::activations(const Batch& batch, std::vector<std::vector<float>>& out) {
  const auto reference = createBackend("reference", 1);
  const auto twin = reference->compile(m_request);
  twin->setWeights(weights());
  twin->activations(batch, out);
}

NonFinite CudaNetwork::findNonFinite(const Batch& batch, std::uint64_t step) {
  const auto reference = createBackend("reference", 1);
  const auto twin = reference->compile(m_request);
  twin->setWeights(weights());
  return twin->findNonFinite(batch, step);
}

std::string CudaNetwork::explain() const {
  std::string text = m_device->name() + ", " + precisionName(m_shared.precision);
  if (m_request.precision.value_or(m_shared.precision) != m_shared.precision)
    text += " instead of " + std::string(precisionName(*m_request.precision)) +
            ", which needs compute capability 8.0; this device has " + std::to_string(m_device->capability() / 10) +
            "." + std::to_string(m_device->capability() % 10);
  if (std::ranges::any_of(m_stages, [](const auto& stage) { return stage->onHost; }))
    text += ", launch by launch, for some layers run on the host";
  text += "\n";
  for (const auto& stage : m_stages) text += stage->layers + "  " + stage->note + "\n";
  if (m_request.optimizer.updatesMatrices())
    text += "update  " + m_request.optimizer.type +
            " takes each layer's weights as a matrix, on the host: they are copied there and back, launch by launch\n";
  if (!m_lossKernel)
    text += "loss  " + m_scorer.loss().type + " runs on the host: the output is copied there and its gradient back\n";
  return text;
}

}  // namespace strata::cuda
