// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers.h"

#include <algorithm>

namespace strata {

const std::vector<const ReaderDef*>& allReaders() {
  // A folder may hold a table or a text beside its pictures or arrays, so tables come last.
  static const std::vector<const ReaderDef*> readers{&idxReader(), &cifarReader(), &numpyReader(), &imageFolderReader(),
                                                     &tableReader()};
  return readers;
}

const ReaderDef* readerFor(const Path& path) {
  const auto& all = allReaders();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const ReaderDef* each) { return each->recognises(path); });
  return found == all.end() ? nullptr : *found;
}

}  // namespace strata
