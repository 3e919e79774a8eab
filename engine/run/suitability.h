// SPDX-License-Identifier: Apache-2.0
// Whether a net can be trained on a data set, and what ought to be known first: the same words for both programs.
#pragma once
#include "engine/data/dataset.h"
#include "engine/learn/loss.h"

namespace strata {

/// Why the net cannot be trained on these data, without a full stop; empty when it can. A net may tell more classes
/// apart than the data have, as one does that is to learn the others later, but not fewer. Classes count only where the
/// loss compares with them.
std::string misfit(const NetworkSpec& network, const Dataset& dataset, TargetKind target = TargetKind::ClassIndex);

/// What hinders nothing but ought to be known of the data, a sentence each: what was met while they were read, no test
/// set, one class alone, labels that do not count from 0.
std::vector<std::string> remarks(const Dataset& dataset);
/// The same with what the net adds: classes that the data do not have.
std::vector<std::string> remarks(const NetworkSpec& network, const Dataset& dataset,
                                 TargetKind target = TargetKind::ClassIndex);

/// What is validated on: as wanted, but a part of the training set where there is no test set.
ValidationSource validationSource(ValidationSource wanted, const Dataset& dataset);

}  // namespace strata
