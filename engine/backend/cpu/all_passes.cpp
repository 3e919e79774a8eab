// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/add_pass.h"
#include "engine/backend/cpu/attention_pass.h"
#include "engine/backend/cpu/batch_norm_pass.h"
#include "engine/backend/cpu/conv_pass.h"
#include "engine/backend/cpu/dense_pass.h"
#include "engine/backend/cpu/depthwise_pass.h"
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/pool_pass.h"
#include "engine/backend/cpu/positional_pass.h"
#include "engine/backend/cpu/recurrent_pass.h"

namespace strata {

const std::vector<PassKind>& allPasses() {
  static const std::vector<PassKind> passes{
      convPassKind(),          pointwisePassKind(), depthwisePassKind(), densePassKind(),     averagePoolPassKind(),
      globalAveragePassKind(), batchNormPassKind(), addPassKind(),       simpleRnnPassKind(), gruPassKind(),
      lstmPassKind(),          attentionPassKind(), positionalPassKind()};
  return passes;
}

}  // namespace strata
