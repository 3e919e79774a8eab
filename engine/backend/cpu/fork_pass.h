// SPDX-License-Identifier: Apache-2.0
// A value that several passes read, or one of them in two ways: the first reads it where it was written, each other a
// copy of its own, whose gradient is added to the first's in their order.
#pragma once
#include "engine/backend/cpu/pass.h"

namespace strata {

class ForkPass : public Pass {
 public:
  ForkPass(std::string name, Buffer& from, std::vector<Buffer*> copies);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override { return {m_name, "copies", "sums", 0, false, false, 1, 1, 1}; }

 private:
  const std::string m_name;
  Buffer& m_from;
  const std::vector<Buffer*> m_copies;
};

}  // namespace strata
