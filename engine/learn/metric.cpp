// SPDX-License-Identifier: Apache-2.0
// The metrics that can be chosen.
#include "engine/learn/metric.h"

#include <algorithm>

namespace strata {
namespace {

constexpr std::string_view kVal = "val_";

double countWithinTop(const MetricDef& def, const LossIo& io) {
  int count = 0;
  for (int i = 0; i < io.count; ++i) count += rankOf(io.outputs + i * io.size, io.size, io.labels[i]) < def.withinTop;
  return count;
}

MetricDef withinTopDef(const std::string& id, const std::string& title, int top, const std::string& help) {
  MetricDef def;
  def.id = id;
  def.title = title;
  def.help = help;
  def.sum = countWithinTop;
  def.withinTop = top;
  return def;
}

}  // namespace

const std::vector<MetricDef>& allMetrics() {
  static const std::vector<MetricDef> metrics{
      withinTopDef("accuracy", "Accuracy", 1, "The share of samples that are given their own class."),
      withinTopDef("top_5", "Top 5", 5, "The share of samples whose class is among the five likeliest."),
  };
  return metrics;
}

const MetricDef* findMetric(const std::string& id) {
  const auto& all = allMetrics();
  const auto found = std::find_if(all.begin(), all.end(), [&](const MetricDef& def) { return def.id == id; });
  return found == all.end() ? nullptr : &*found;
}

MetricIds fittingMetrics(const MetricIds& chosen, const LossSpec& loss) {
  MetricIds fitting;
  for (const std::string& id : chosen) {
    const MetricDef* def = findMetric(id);
    const bool taken = std::find(fitting.begin(), fitting.end(), id) != fitting.end();
    if (def && def->target == loss.def().target && !taken && fitting.size() < kMostMetrics) fitting.push_back(id);
  }
  return fitting;
}

std::string withoutVal(const std::string& key) { return key.starts_with(kVal) ? key.substr(kVal.size()) : key; }
std::string withVal(const std::string& id) { return std::string(kVal) + id; }

bool higherIsBetter(const std::string& key) {
  const MetricDef* def = findMetric(withoutVal(key));
  return def && def->higherIsBetter;
}

int rankOf(const float* outputs, std::int64_t classes, std::int32_t label) {
  const float own = outputs[label];
  int before = 0;
  for (std::int32_t j = 0; j < label; ++j) before += !(outputs[j] < own);
  for (std::int64_t j = label + 1; j < classes; ++j) before += !(outputs[j] <= own);
  return before;
}

}  // namespace strata
