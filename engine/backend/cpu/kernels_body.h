// SPDX-License-Identifier: Apache-2.0
// All kernels for one instruction set, and the table of them. kernels_<isa>.cpp is compiled with that set's flags;
// nothing but plain types may be included here, or the linker could pick a copy of a library function that needs those
// instructions.
#pragma once
#include "engine/backend/cpu/kernels_channels.h"
#include "engine/backend/cpu/kernels_curves.h"
#include "engine/backend/cpu/kernels_dense.h"
#include "engine/backend/cpu/kernels_images.h"
#include "engine/backend/cpu/kernels_math.h"
#include "engine/backend/cpu/kernels_planes.h"
#include "engine/backend/cpu/kernels_sequences.h"
#include "engine/backend/cpu/kernels_random.h"
#include "engine/backend/cpu/kernels_windows.h"

namespace strata::STRATA_ISA_NAMESPACE {

/// More registers make larger blocks, and those are what lists compete with.
inline constexpr bool kManyRegisters = kRegisters >= 32;
/// An entry of a list is two loads and one for each vector of its row, of which there are two a cycle; with more
/// registers blocks load far less.
constexpr double listsBelow(int vecs) { return kManyRegisters ? 0.8 * vecs / (vecs + 2) : 0.7; }
inline constexpr double kFeatureListsBelow = kManyRegisters ? 0.45 : 0.7,
                        kGradientListsBelow = kManyRegisters ? 0.6 : 0.7;
inline constexpr double kConvListsBelow = kManyRegisters ? 0.45 : 0.6, kColumnsBelow = kManyRegisters ? 0.55 : 0.65,
                        kWindowsBelow = kManyRegisters ? 0 : 0.5;

constexpr Kernels table(Isa isa) {
  return {isa,
          kLanes,
          listsBelow,
          kFeatureListsBelow,
          kGradientListsBelow,
          kConvListsBelow,
          kColumnsBelow,
          kWindowsBelow,
          [](int vecs) { return vecs <= kWideVecs ? widePixels(vecs) : 0; },
          bytesToFloats,
          countLive,
          markChannels,
          packChannels,
          unpackChannels,
          listRows,
          listColumns,
          listBands,
          convForward,
          listWindows,
          convForwardPlanes,
          convForwardWindows,
          planeChannelLists,
          positionLists,
          channelLists,
          convInputGradient,
          convWeightGradient,
          outputGradient,
          convInputGradientDense,
          convWeightGradientDense,
          convWeightGradientPatches,
          convWeightGradientByInputs,
          listSamples,
          denseForward,
          denseInputGradient,
          denseForwardDense,
          cutIntoPieces,
          denseInputGradientDense,
          denseWeightGradientDense,
          listFeatures,
          denseWeightGradient,
          averagePool,
          averagePoolGradient,
          maxPool,
          maxPoolGradient,
          globalMax,
          widenRow,
          widenRowGradient,
          channelSums,
          channelAffine,
          channelGradientSums,
          channelGradient,
          repeatChannels,
          sumChannels,
          depthwiseForward,
          depthwiseInputGradient,
          depthwiseWeightGradient,
          product,
          softmaxColumns,
          softmaxColumnsGradient,
          recurrentForward,
          recurrentBackward,
          softmaxRows,
          softmaxGradientRows,
          layerNormRows,
          layerNormGradientRows,
          drawWords,
          dropValues,
          addNoise,
          curve,
          curveGradient,
          blend,
          addScaled,
          activate,
          activationGradient,
          addInPlace,
          probe,
          update,
          transpose,
          transposeSome,
          multiplyAdd};
}

}  // namespace strata::STRATA_ISA_NAMESPACE
