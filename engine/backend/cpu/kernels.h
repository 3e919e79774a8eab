// SPDX-License-Identifier: Apache-2.0
// The kernels: one body (kernels_conv.h, kernels_dense.h), compiled once for each instruction set, called through a
// table.
//
// One idea carries them all: a list of (value, row) pairs times the rows of a panel, out[0..width) += sum of value *
// panel[row]. Zeros are not on the list and cost nothing. Convolution forward: the list is a stretch of an input row's
// live values, the panel the weights. Its input gradient: the list is one position's live output gradients, the panel
// the transposed weights. Its weight gradient: the list is one output channel's live gradients, the panel the input
// image. Dense layers: the same three times.
//
// Where nearly nothing is zero, a register block of several outputs at once (P x NB vectors) is used for the forward
// pass instead.
#pragma once
#include <cstdint>

#include "engine/backend/cpu/isa.h"
#include "engine/layers/activation.h"
#include "engine/learn/update_rule.h"

namespace strata {

/// Live values and the offsets of their panel rows. Writers may write one vector past the end.
struct ListView {
  float* values = nullptr;
  std::int32_t* offsets = nullptr;
};

/// A convolution with what is fused into it. Images are channels last and lie in a frame of zeros as wide as the
/// padding.
struct ConvShape {
  int c = 1, k = 1;                  ///< channels in and out
  int r = 1, s = 1, sy = 1, sx = 1;  ///< kernel and stride
  int rows = 1, cols = 1;            ///< of the framed input
  int poolH = 1, poolW = 1;          ///< max pooling that follows, 1 x 1 for none
  int outH = 1, outW = 1;            ///< pooled
  /// Kernels apply ReLU; convForwardPlanes() applies all, others leave the rest to activate().
  Activation activation = Activation::Linear;
  bool relu() const { return activation == Activation::Relu; }
  bool curved() const { return !relu() && activation != Activation::Linear; }
  int panels = 1, panelVecs = 1;  ///< forward weights are [panels][r][s*c][panelVecs * lanes]
  int rowVecs = 1;                ///< vectors in s*c floats: transposed weights are [r][k][rowVecs * lanes]
  /// Vectors in r*s*c floats, and output rows whose patches are held at a time (PatchScratch); 0 where rows are used.
  int patchVecs = 0, patchRows = 0;
  int widePixels = 0;  ///< pixels of a row at a time by ConvMethod::Wide and Windows; 0 where they are not used
  int kWidth(int lanes) const { return (k + lanes - 1) / lanes * lanes; }
  int tapsBefore() const { return widePixels > 0 ? widePixels - 1 : 0; }
  int wideTaps() const {
    return s + 2 * tapsBefore();
  }  ///< a kernel row with zeros on both sides, by ConvMethod::Wide and Windows
  int bandCols() const { return s + widePixels - 1; }  ///< input columns that widePixels outputs meet
  int bands() const { return (outW * poolW + widePixels - 1) / widePixels; }
  std::int64_t bandInputs() const { return std::int64_t{bands()} * rows * bandCols() * c; }
  // Planes (kernels_planes.h): rows and columns that a pooled pixel's window meets, and how they are laid out.
  int planeRows() const { return (poolH - 1) * sy + r; }
  int planeCols() const { return (poolW - 1) * sx + s; }
  int planeStep() const { return sx * poolW * c; }  ///< floats from a pooled pixel's input to the next one's
  int phaseStride(int lanes) const {
    return planeStep() == 1 ? cols : ((cols * c + planeStep() - 1) / planeStep() + lanes - 1) / lanes * lanes;
  }
  int planeStride(int lanes) const {
    return (outH * outW + 2 * lanes - 1) / lanes * lanes;
  }  ///< with room for a vector
  bool rowsArePlanes() const {
    return planeStep() == 1 && sy == 1 && poolH * poolW == 1;
  }  ///< then pixels are those of the frame
  int framePixels() const { return (outH - 1) * cols + outW; }
  std::int64_t planeFloats(int lanes) const { return std::int64_t{planeRows()} * planeCols() * c * planeStride(lanes); }
  bool columns = false;  ///< ConvMethod::Columns is used instead of Lists
  bool planes = false;   ///< ConvMethod::Planes is used instead of the others
  /// Pooled rows and kernel rows worked on at a time, so that both stay in the first cache.
  int bandRows = 1, groupRows = 1;
  int columnRows = 1;  ///< the latter by ConvMethod::Columns, from listColumns() where they are several
  /// Pooled rows whose gradients are worked on at a time from lists: what they reach of the input fits the first cache.
  int backRows = 1;
  /// Taps of a kernel row at a time by ConvMethod::Lists: all, or one where a row is too large for the first cache.
  int groupTaps = 1;
};

/// How a convolution's forward pass is done: by lists, one output pixel at a time; by lists, several pixels at a time,
/// column by column of the input, for kernels 3 or 5 wide; by lists, several pixels at a time, for few input channels;
/// by lists, a pooling window at a time, for one input channel; by register blocks that multiply everything; by
/// register blocks with pixels as lanes, for few input channels.
enum class ConvMethod { Lists, Columns, Wide, Windows, Dense, Planes };

/// Up to a vector of neighbouring pooled pixels: where they lie after a plane's first, which of them are put into the
/// plane, and where.
struct PlanePiece {
  std::int32_t from, to;
  std::uint32_t mask;
};

/// What convForwardPlanes() works in.
struct PlaneScratch {
  float *phases = nullptr, *planes = nullptr, *tile = nullptr;
  PlanePiece* pieces = nullptr;  ///< outH * outW of them are enough, or as many as vectors of frame pixels
  /// Where the input's rows serve as planes: each frame pixel's number, -1 between rows and after the last.
  const std::int32_t* framePixels = nullptr;
};

/// A sample's pooled pixels as convForwardPlanes() takes them: those that meet a value other than zero, and the others.
/// Where the input's rows serve as planes, whole vectors are live or dead, and -1 stands for what lies between two rows
/// of the frame.
struct PixelLists {
  std::int32_t *live = nullptr, *dead = nullptr;
  int liveCount = 0, deadCount = 0;
};

/// Where each pooled pixel lies: its number in the output's frame, and its window's first value in the input.
struct PixelPlace {
  std::int32_t out, in;
};

/// The output channels that a batch's forward pass works on; ReLU is known to let nothing through of the others.
struct OutputChannels {
  const std::int32_t* numbers = nullptr;
  const std::uint32_t* live = nullptr;  ///< the same as bits: of channel i bit i % lanes of word i / lanes
  int count = 0;
};

/// What convForwardWindows() works in: a vector of pixels each, [lanes][panels * panelVecs * lanes].
struct WindowScratch {
  float* values = nullptr;
  std::uint8_t* codes = nullptr;
};

/// What convForwardPlanes() writes for a channel that ReLU let nothing through of, instead of a place in the window of
/// 2 x 2.
inline constexpr std::uint8_t kNoPlace = 4;

/// What convWeightGradientPatches() works in: the inputs that each output of some rows meets, [patchRows *
/// outW][patchVecs * lanes], the gradients of these outputs, [patchRows * outW][k], and the sums over all samples so
/// far, [k][patchVecs * lanes], of which r*s*c values count.
struct PatchScratch {
  float *patches = nullptr, *gradients = nullptr, *sums = nullptr;
};

/// A tensor of one sample, [h][w][c] inside a larger frame.
struct Frame {
  float* data = nullptr;  ///< of the first pixel inside
  int rowStride = 0;      ///< floats; pixels lie side by side
};

/// Live values of a framed image, row by row. starts[row * (cols + 1) + x] is where pixel x of the row begins.
struct RowLists {
  ListView list;
  std::int32_t* starts = nullptr;
};

/// Live gradients by position: starts[(pooled pixel) * poolH * poolW + place in window]; offsets are channel * rowVecs
/// * lanes.
using PositionLists = RowLists;

/// Live gradients by output channel: channel k holds counts[k] entries from k * capacity on; offsets are into the input
/// tile.
struct ChannelLists {
  ListView list;
  std::int32_t* counts = nullptr;
  int capacity = 0;
};

/// Live values of a batch of vectors, cut into chunks of features: sample s holds [from, past) of the list in chunk c.
/// A part's samples lie side by side in each chunk, in the order in which they are read.
struct ChunkLists {
  struct Stretch {
    std::int32_t from, past;
  };
  ListView list;
  Stretch* stretches = nullptr;  ///< [chunk][sample]
  int samples = 0;
  Stretch& of(int c, int s) const { return stretches[std::int64_t{c} * samples + s]; }
};

/// A matrix [n][width] cut into panels: value (i, j) lies at data[(j / panel) * panelStride + i * rowStride + j %
/// panel].
struct Panels {
  float* data = nullptr;
  std::int64_t panelStride = 0, rowStride = 0;
  int panel = 0, width = 0;
};

/// Weights that lists read again and again: longer stretches are worth a little more than a first cache.
inline constexpr std::int64_t kListFloats = 9216;
inline constexpr int kPanelVecs = 8;   ///< vectors in the widest panel of outputs
inline constexpr int kWindowVecs = 3;  ///< vectors of channels that convForwardWindows() works on together
/// The same where several pixels are worked on together: ConvMethod::Columns and Wide.
inline constexpr int kWideVecs = 4;

/// Register blocks take a row of vectors in pieces of so many. What they read often is kept in pieces,
/// [piece][rows][vecs * lanes]: cut out of wider rows, a piece would meet itself in the first cache.
constexpr int pieceVecs(int left) { return left == 4 ? 2 : left < 3 ? left : 3; }

/// Average pooling of one sample, without frames. Windows that reach over the edge count only what is inside.
struct PoolShape {
  int c = 1, inH = 1, inW = 1, outH = 1, outW = 1;
  int kernelH = 1, kernelW = 1, strideH = 1, strideW = 1, top = 0, left = 0;
  /// Whether windows lie side by side and cover the image, so that each input belongs to one of them.
  bool tiles() const {
    return strideH == kernelH && strideW == kernelW && top == 0 && left == 0 && outH * kernelH == inH &&
           outW * kernelW == inW;
  }
};

/// What an input's gradient is made of, each [c]: dx = dz ofGradient + x ofInput + fixed.
struct ChannelSlopes {
  const float *ofGradient, *ofInput, *fixed;
};

/// The largest kernel that depthwise passes take, in pixels.
inline constexpr int kDepthwiseTaps = 49;
/// A depthwise convolution with one kernel a channel, over a framed image of `cols` columns. A tap lies so many floats
/// after the one above it, and after the one on its left.
struct DepthwiseShape {
  int c = 1, cols = 1, outH = 1, outW = 1;
  int kernelH = 1, kernelW = 1, strideH = 1, strideW = 1, dilationH = 1, dilationW = 1;
  std::int64_t tapDown() const { return std::int64_t{dilationH} * cols * c; }
  std::int64_t tapAcross() const { return std::int64_t{dilationW} * c; }
  Activation activation = Activation::Linear;
};

/// out [rows][cols] = start + a · b. Row i and step t of a lie at a[i * aRow + t * aStep], row t of b at b + t * bRow;
/// of b whole vectors are read.
struct Product {
  const float* a = nullptr;
  std::int64_t aRow = 0, aStep = 1;
  const float* b = nullptr;
  std::int64_t bRow = 0;
  int rows = 0, depth = 0, cols = 0;
  float* out = nullptr;
  std::int64_t outRow = 0;
  const float* start = nullptr;  ///< null: zeros; with a row of 0 a bias, with `out` what is there is added to
  std::int64_t startRow = 0;
};

enum class RecurrentCell { Simple, Gru, Lstm };
/// A recurrent layer. Units are worked on a vector at a time: weights and what is kept of a step lie block by block, a
/// block being a vector of units, and in it gate by gate: of an LSTM i f g o; of a GRU g z r for what the input gives
/// and z r g for what the last output gives, together g z r g.
struct RecurrentShape {
  RecurrentCell cell = RecurrentCell::Simple;
  Activation activation = Activation::Tanh;
  int inputs = 1, units = 1;
  int gates() const { return cell == RecurrentCell::Lstm ? 4 : cell == RecurrentCell::Gru ? 3 : 1; }
  int kept() const { return cell == RecurrentCell::Simple ? 1 : 4; }  ///< vectors of a block
  int blocks(int lanes) const { return (units + lanes - 1) / lanes; }
  int width(int lanes) const { return blocks(lanes) * lanes; }  ///< of a row of outputs
};
/// One step of a batch.
struct RecurrentStep {
  const float* x = nullptr;  ///< [batch][inputs]
  std::int64_t xRow = 0;
  const float* before = nullptr;       ///< [batch][width], the outputs of the step before; null at the first
  const float* cellsBefore = nullptr;  ///< of an LSTM, likewise
  const float *kernel = nullptr, *recurrent = nullptr;  ///< [blocks][inputs or units][gates * lanes]
  const float* bias = nullptr;                          ///< [blocks][kept * lanes]
  /// [batch][kept * lanes] of each block, `keptBlock` floats from one to the next: what backward needs; after that the
  /// gradients of the same numbers before their activations.
  float* kept = nullptr;
  std::int64_t keptBlock = 0;
  float *cells = nullptr, *out = nullptr;  ///< [batch][width]
};

/// The activations whose gradient needs their input, but softmax.
enum class Curve { Gelu, Swish, Softplus };

struct LayerNormShape {
  int c = 1;
  float epsilon = 1e-3f;
  Activation activation = Activation::Linear;
};

/// Numbers `first` and those after it of an Rng's stream (streamNumber() in rng.h).
struct RandomPlace {
  std::uint64_t seed = 0, stream = 0, first = 0;
};

/// Of a row of a wider image: pixel o is (1 - share[o]) of pixel first[o] and share[o] of second[o]. Without shares it
/// is first[o].
struct WidenTaps {
  int count = 0;
  const std::int32_t *first = nullptr, *second = nullptr;
  const float* share = nullptr;
};

struct Kernels {
  Isa isa;
  int lanes;
  // Shares of live values below which lists beat register blocks, as measured.
  double (*listsBelow)(int panelVecs);  ///< dense layers, forward and for the input's gradient
  double featureListsBelow;             ///< the weight gradient of dense layers
  double gradientListsBelow;            ///< both gradients of convolutions
  double convListsBelow;                ///< ConvMethod::Lists and Wide
  double columnsBelow;                  ///< ConvMethod::Columns
  double windowsBelow;  ///< ConvMethod::Windows, if no product were by a weight of zero; 0 where planes are faster

  int (*widePixels)(int panelVecs);  ///< for ConvShape; 0 when the panel is too wide

  // Convolution, one sample at a time. A result called probe is not 0 when a value was not finite.
  void (*bytesToFloats)(const std::uint8_t* from, float scale, float offset, int rows, int rowSize, Frame to);
  /// How many of n values are not zero: whether lists are worth making is known before they are made.
  int (*countLive)(const float* x, int n);
  /// Sets the bits of the channels that hold a value other than zero: of channel i bit i % lanes of live[i / lanes].
  void (*markChannels)(const float* x, int pixels, int c, std::uint32_t* live);
  /// [pixels][c] without the channels that are not marked, and back, zeros in their place.
  void (*packChannels)(const float* from, int pixels, int c, const std::uint32_t* live, float* to);
  void (*unpackChannels)(const float* from, int pixels, int c, const std::uint32_t* live, float* to);
  /// Offsets are column * colScale + channel * scale.
  void (*listRows)(const float* x, int rows, int cols, int c, int scale, int colScale, RowLists lists);
  /// The same column by column: starts[col * (rows + 1) + row], so that some rows of a column are one stretch of the
  /// list. Offsets are (row * c + channel) * scale. Values are what is more or less than background [c].
  void (*listColumns)(const float* x, int rows, int cols, int c, int scale, const float* background, RowLists lists);
  /// windowOffsets: of each float of a band's row of inputs, to its weights in a kernel row. starts[band * (rows + 1) +
  /// row].
  void (*listBands)(const ConvShape& shape, const float* x, const std::int32_t* windowOffsets, RowLists lists);
  /// codes [pooled pixel][panels * panelVecs * lanes]: place of the largest in its window. Returns a probe.
  float (*convForward)(const ConvShape& shape, ConvMethod method, const float* x, const RowLists& lists,
                       const float* weights, const float* bias, float* scratch, Frame y, std::uint8_t* codes);
  /// For each column of pooling windows, the live inputs that they meet, for ConvMethod::Windows: starts[column * (rows
  /// + 1) + row].
  void (*listWindows)(const ConvShape& shape, const float* x, RowLists lists);
  /// weights [r][s*c][channels.count]. Pixels that meet zeros
  /// alone are passed over: with `pack` one by one, else by vectors, and only where rows serve as planes. codes [live
  /// pixels / lanes][k][lanes], channels that ReLU let nothing through of marked by kNoPlace.
  float (*convForwardPlanes)(const ConvShape& shape, bool pack, const float* x, const float* weights,
                             const OutputChannels& channels, const float* bias, const PlaneScratch& scratch,
                             const PixelPlace* places, PixelLists& pixels, Frame y, std::uint8_t* codes);
  /// The same by ConvMethod::Windows, from listWindows(). shape.panels and panelVecs are those of the given channels.
  /// weights of each panel [r + 2][s + 2][panelVecs * lanes], zeros around the kernel, and after them the bias,
  /// [panelVecs * lanes]; bias [k] is that of all channels.
  float (*convForwardWindows)(const ConvShape& shape, const RowLists& lists, const float* weights,
                              const OutputChannels& channels, const float* bias, const WindowScratch& scratch,
                              const PixelPlace* places, PixelLists& pixels, Frame y, std::uint8_t* codes);
  /// channelLists() of what convForwardPlanes() has pooled; dy holds the given channels. Dead pixels meet zeros and are
  /// not listed. biasSums [k][lanes] are of the live pixels, biasGradient [k] of the others.
  int (*planeChannelLists)(const ConvShape& shape, Frame dy, const std::int32_t* channels, int channelCount, Frame y,
                           const PixelPlace* places, const PixelLists& pixels, const std::uint8_t* codes,
                           std::int32_t base, float* biasSums, float* biasGradient, ChannelLists lists);
  int (*positionLists)(const ConvShape& shape, Frame dy, Frame y, const std::uint8_t* codes, PositionLists lists);
  /// Of pooled rows [firstRow, pastRow).
  int (*channelLists)(const ConvShape& shape, int firstRow, int pastRow, Frame dy, Frame y, const std::uint8_t* codes,
                      std::int32_t base, float* biasGradient, ChannelLists lists);
  /// Adds to dx. order [positions][2]: a position's first pixel in dx and its place in lists.starts, in the order of
  /// work; visits: room for 3 a position.
  void (*convInputGradient)(const ConvShape& shape, const PositionLists& lists, const std::int32_t* order,
                            int positions, std::int32_t* visits, const float* transposed, float* dx);
  void (*convWeightGradient)(const ConvShape& shape, const ChannelLists& lists, const float* x, float* gradient);
  /// The gradient before the activation, of one sample: from dy, the gradient of y (the activation's output) or, of a
  /// net without max pooling, of its average over `pool`, tiles or single pixels. It goes to `to`, which may be dy;
  /// pixels lie `pixel` floats apart there, and what follows the k channels becomes zero. sums [kWidth] are those over
  /// all pixels. Returns how many values are live.
  int (*outputGradient)(const ConvShape& shape, const PoolShape& pool, Frame dy, Frame y, Frame to, int pixel,
                        float* sums);
  /// By register blocks, which multiply everything, for nets without max pooling. The gradient must lie before the
  /// activation.
  void (*convInputGradientDense)(const ConvShape& shape, Frame dy, const float* transposed, float* dx);
  void (*convWeightGradientDense)(const ConvShape& shape, Frame dy, const float* x, float* gradient);
  /// The same into scratch.sums, from whole patches instead of row by row, for kernels whose rows leave much of a
  /// vector empty. Patches of zeros are passed over; returns how many were not.
  int (*convWeightGradientPatches)(const ConvShape& shape, Frame dy, const float* x, const PatchScratch& scratch);
  /// The weight gradient from live inputs instead of live gradients, for one input channel, stride 1, no max pooling.
  /// The gradient before the activation lies in a frame of zeros, [outH + 2 (r - 1)][outW + 2 (s - 1)][kWidth]. sums [r
  /// * s][kWidth], the kernel turned by half a turn; the list's offsets are (y * (cols + s - 1) + x) * kWidth.
  void (*convWeightGradientByInputs)(const ConvShape& shape, const ListView& list, int n, const float* frame,
                                     float* sums);

  // Dense. Rows are samples [begin, end); a list chunk is `chunk` features. Lists are written from `at` on.
  void (*listSamples)(const Panels& x, int begin, int end, int chunk, int scale, const ChunkLists& lists, int at);
  float (*denseForward)(const ChunkLists& lists, int chunks, int chunk, int begin, int end, const float* weights,
                        const float* bias, int vecs, bool relu, float* y, std::int64_t rowStride);
  /// Adds what chunk `c` of the outputs contributes to one panel of input gradients; transposed [chunk][vecs * lanes]
  /// are that chunk's weights.
  void (*denseInputGradient)(const ChunkLists& lists, int c, int begin, int end, const float* transposed, int vecs,
                             float* dx, std::int64_t rowStride, int width);
  float (*denseForwardDense)(const Panels& x, int begin, int end, const float* weights, const float* bias, int vecs,
                             bool relu, float* y, std::int64_t rowStride);
  /// Rows [begin, end) of a matrix [rows][vecs * lanes] into its pieces.
  void (*cutIntoPieces)(const float* from, int begin, int end, int vecs, int rows, float* pieces);
  /// transposed is in pieces of past - first rows.
  void (*denseInputGradientDense)(const Panels& dz, int first, int past, int begin, int end, const float* transposed,
                                  const float* ahead, int vecs, float* dx, std::int64_t rowStride, int width);
  /// dz is in pieces of `rows` rows.
  void (*denseWeightGradientDense)(const Panels& x, int samples, const float* dz, int rows, const float* ahead,
                                   int vecs, float* gradient);
  int (*listFeatures)(const Panels& x, int samples, int begin, int end, int scale, ChannelLists lists);
  void (*denseWeightGradient)(const ChannelLists& lists, int features, const float* dz, int vecs, float* gradient);

  void (*averagePool)(const PoolShape& shape, Frame x, Frame y);
  void (*averagePoolGradient)(const PoolShape& shape, Frame dy, Frame dx);

  /// codes [outH * outW][c, rounded up to whole vectors]: place of the largest in its window, of 255 places at most.
  void (*maxPool)(const PoolShape& shape, Frame x, Frame y, std::uint8_t* codes);
  void (*maxPoolGradient)(const PoolShape& shape, Frame dy, const std::uint8_t* codes, Frame dx);
  /// x [pixels][c]; winners [c]: numbers of the pixels that were largest.
  void (*globalMax)(const float* x, int pixels, int c, float* y, std::int32_t* winners);
  void (*widenRow)(const WidenTaps& taps, const float* from, int c, float* to);
  void (*widenRowGradient)(const WidenTaps& taps, const float* dy, int c, float* dx);  ///< adds to dx

  // Each channel by itself. Pixels [pixels][c] lie one behind the other; what is summed is added to what is there.
  /// sums [2][c]: of x - center, and of its square.
  void (*channelSums)(const float* x, int pixels, int c, const float* center, float* sums);
  /// y = act(x gain + shift). Returns a probe.
  float (*channelAffine)(Activation activation, const float* x, int pixels, int c, const float* gain,
                         const float* shift, float* y);
  /// sums [2][c]: of dz, the gradient before the activation, and of dz (x - center).
  void (*channelGradientSums)(Activation activation, const float* y, const float* dy, const float* x, int pixels, int c,
                              const float* center, float* sums);
  void (*channelGradient)(Activation activation, const float* y, const float* dy, const float* x, int pixels, int c,
                          const ChannelSlopes& slopes, float* dx);
  /// Each channel `each` times, [pixels][c * each] of [pixels][c], and back: the sum of those that belong together.
  void (*repeatChannels)(const float* from, std::int64_t pixels, int c, int each, float* to);
  void (*sumChannels)(const float* from, std::int64_t pixels, int c, int each, float* to);
  /// One sample; x in its frame, weights [kernelH * kernelW][c], bias [c] or null. Returns a probe.
  float (*depthwiseForward)(const DepthwiseShape& shape, const float* x, const float* weights, const float* bias,
                            Frame y);
  /// Adds to dx, in its frame. dz is the gradient before the activation.
  void (*depthwiseInputGradient)(const DepthwiseShape& shape, Frame dz, const float* weights, float* dx);
  /// Adds to gradient [kernelH * kernelW + 1][c], the bias's last.
  void (*depthwiseWeightGradient)(const DepthwiseShape& shape, Frame dz, const float* x, float* gradient);

  void (*product)(const Product& product);
  /// Columns of x [rows][stride] become shares that add up to 1: softmax of scale * x. Returns a probe of x.
  float (*softmaxColumns)(float* x, int rows, int cols, std::int64_t stride, float scale);
  /// dy, the gradient of those shares y, becomes that of x.
  void (*softmaxColumnsGradient)(const float* y, float* dy, int rows, int cols, std::int64_t stride, float scale);
  /// Samples [begin, end) of a step. Returns a probe.
  float (*recurrentForward)(const RecurrentShape& shape, const RecurrentStep& step, int begin, int end);
  /// The same samples: dOut [batch][width] becomes what of it reaches the outputs before without the weights, dCells
  /// [batch][width] the gradient of the cells before.
  void (*recurrentBackward)(const RecurrentShape& shape, const RecurrentStep& step, int begin, int end, float* dOut,
                            float* dCells);
  // The channels of one place together: [rows][c].
  void (*softmaxRows)(const float* x, int rows, int c, float* y);
  void (*softmaxGradientRows)(const float* y, const float* dy, int rows, int c, float* dx);
  /// moments [rows][2]: mean, and 1 / sqrt(variance + epsilon). Returns a probe.
  float (*layerNormRows)(const LayerNormShape& shape, const float* x, int rows, const float* gamma, const float* beta,
                         float* y, float* moments);
  /// Adds to sums [2][c]: of dz times the normalized x, and of dz. dx may be null.
  void (*layerNormGradientRows)(const LayerNormShape& shape, const float* y, const float* dy, const float* x, int rows,
                                const float* gamma, const float* moments, float* sums, float* dx);

  // Random numbers.
  void (*drawWords)(const RandomPlace& place, std::int64_t n, std::uint32_t* words);
  /// to = from * scale where the drawn number is at least `threshold`, else 0.
  void (*dropValues)(const RandomPlace& place, std::uint32_t threshold, float scale, const float* from, float* to,
                     std::int64_t n);
  /// to = from + deviation * normal numbers, of which value i of the stream is made of numbers i and its neighbour.
  void (*addNoise)(const RandomPlace& place, float deviation, const float* from, float* to, std::int64_t n);

  // Element-wise.
  void (*curve)(Curve curve, const float* x, float* y, std::int64_t n);
  void (*curveGradient)(Curve curve, const float* x, const float* dy, float* dx, std::int64_t n);
  void (*blend)(const float* a, const float* b, float share, float* to, std::int64_t n);  ///< to = a + (b - a) share
  void (*addScaled)(float* to, const float* from, float factor, std::int64_t n);
  void (*activate)(Activation activation, float* x, std::int64_t n);
  /// g becomes the gradient before the activation, whose output is y. Returns a probe.
  float (*activationGradient)(Activation activation, const float* y, float* g, std::int64_t n);
  void (*addInPlace)(float* to, const float* from, std::int64_t n);
  float (*probe)(const float* x, std::int64_t n);  ///< 0, or not when a value is not finite
  /// Returns a probe of the new weights.
  float (*update)(const UpdateRule& rule, float* w, const float* g, const SlotPointers& state, std::int64_t n);
  void (*transpose)(const float* from, std::int64_t fromStride, int rows, int cols, float* to, std::int64_t toStride);
  /// The same of the rows with the given numbers.
  void (*transposeSome)(const float* from, std::int64_t fromStride, const std::int32_t* numbers, int rows, int cols,
                        float* to, std::int64_t toStride);
  /// `rounds` rounds of independent multiply-adds in registers; returns how many floating-point operations that was.
  double (*multiplyAdd)(std::int64_t rounds, float* sink);
};

/// The kernels compiled for `isa`, which must run here.
const Kernels& kernelsFor(Isa isa);

}  // namespace strata
