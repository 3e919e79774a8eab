// SPDX-License-Identifier: Apache-2.0
// Max pooling by itself, global max pooling, upsampling and zero padding.
#pragma once
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

PassKind maxPoolPassKind();
PassKind globalMaxPassKind();
PassKind upsamplePassKind();
PassKind zeroPadPassKind();

}  // namespace strata
