// SPDX-License-Identifier: Apache-2.0
// Where and with what a run was made, for environment.json: enough to repeat it, nothing about the person.
#pragma once
#include "engine/run/run_record.h"
#include "engine/run/trainer.h"

namespace strata {

Json describeEnvironment(const TrainJob& job, const RunRecord& record);
std::string utcNow();  ///< ISO 8601: "2026-11-23T14:15:00Z"

}  // namespace strata
