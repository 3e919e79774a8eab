// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/fork_pass.h"

#include <algorithm>

namespace strata {

ForkPass::ForkPass(std::string name, Buffer& from, std::vector<Buffer*> copies)
    : m_name(std::move(name)), m_from(from), m_copies(std::move(copies)) {
  for (Buffer* copy : m_copies) copy->hasZeros |= from.hasZeros;
}

void ForkPass::forward(const Step& step) {
  step.pool.run(step.batch, [&](int n, int) {
    for (Buffer* copy : m_copies)
      eachRow(n, {&m_from, copy}, {&m_from.values, &copy->values}, [](int, int count, int pixels, float*(&rows)[2]) {
        std::copy_n(rows[0], std::int64_t{pixels} * count, rows[1]);
      });
  });
}

void ForkPass::backward(const Step& step) {
  step.pool.run(step.batch, [&](int n, int) {
    for (Buffer* copy : m_copies)
      eachRow(n, {copy, &m_from}, {&copy->gradients, &m_from.gradients},
              [&](int, int count, int pixels, float*(&rows)[2]) {
                step.kernels.addInPlace(rows[1], rows[0], std::int64_t{pixels} * count);
              });
  });
}

}  // namespace strata
