// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/add_pass.h"
#include "engine/backend/cpu/attention_pass.h"
#include "engine/backend/cpu/batch_norm_pass.h"
#include "engine/backend/cpu/conv_pass.h"
#include "engine/backend/cpu/curve_pass.h"
#include "engine/backend/cpu/dense_pass.h"
#include "engine/backend/cpu/depthwise_pass.h"
#include "engine/backend/cpu/image_pass.h"
#include "engine/backend/cpu/layer_norm_pass.h"
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/pool_pass.h"
#include "engine/backend/cpu/positional_pass.h"
#include "engine/backend/cpu/recurrent_pass.h"
#include "engine/backend/cpu/random_pass.h"
#include "engine/backend/cpu/split_conv_pass.h"
#include "engine/backend/cpu/transposed_pass.h"

namespace strata {

const std::vector<PassKind>& allPasses() {
  // clang-format off
  static const std::vector<PassKind> passes{
      convPassKind(),
      pointwisePassKind(),
      depthwisePassKind(),
      singleChannelGroupsPassKind(),
      splitConvPassKind(),
      transposedPassKind(),
      densePassKind(),
      averagePoolPassKind(),
      globalAveragePassKind(),
      maxPoolPassKind(),
      globalMaxPassKind(),
      batchNormPassKind(),
      layerNormPassKind(),
      addPassKind(),
      simpleRnnPassKind(),
      gruPassKind(),
      lstmPassKind(),
      attentionPassKind(),
      positionalPassKind(),
      activationPassKind(),
      geluPassKind(),
      swishPassKind(),
      softplusPassKind(),
      softmaxPassKind(),
      dropoutPassKind(),
      spatialDropoutPassKind(),
      gaussianNoisePassKind(),
      upsamplePassKind(),
      zeroPadPassKind(),
  };
  // clang-format on
  return passes;
}

}  // namespace strata
