// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/run_data.h"

namespace strata::gui {
namespace {

constexpr char kSyntheticSource[] = "synthetic-digits";  ///< the digits that stand in for missing data as well

}  // namespace

RunData::RunData(TrainingSession& session, DataLoader& loader, QObject* parent)
    : QObject(parent), m_session(session), m_loader(loader) {
  connect(&session, &TrainingSession::datasetChanged, this, &RunData::look);
}

void RunData::choose(const RunRecord& run) {
  const bool same = run.folder == m_run.folder && run.datasetTitle == m_run.datasetTitle;
  if (same) return;
  m_run = run;
  m_run.epochs.clear();
  look();
}

bool RunData::trainedOn(const Dataset& dataset) const {
  return dataset.title == m_run.datasetTitle && dataset.synthetic == m_run.synthetic;
}

void RunData::look() {
  ++m_request;
  if (m_run.datasetTitle.empty()) return set(m_session.dataset());
  if (m_run.folder == m_session.run().folder) return set(m_session.runDataset());
  const std::string source = m_run.synthetic ? kSyntheticSource : m_run.project.data.source;
  const auto& present = m_session.dataset();
  if (present && trainedOn(*present) && (m_run.synthetic || source == m_loader.source())) return set(present);
  if (m_loaded && source == m_loadedSource && trainedOn(*m_loaded)) return set(m_loaded);
  set(nullptr);
  m_loader.load(source, this, [this, source, request = m_request](const DataLoader::Loaded& loaded) {
    if (request == m_request) take(loaded, source);
  });
}

void RunData::take(const DataLoader::Loaded& loaded, const std::string& source) {
  if (loaded.dataset && trainedOn(*loaded.dataset)) {
    m_loaded = loaded.dataset;
    m_loadedSource = source;
    return set(m_loaded);
  }
  const QString title = QString::fromStdString(m_run.datasetTitle);
  const QString reason = loaded.missing.isEmpty() ? tr("other data are in its place now") : loaded.missing;
  const auto& other = m_session.dataset();
  set(other, other ? tr("The run trained on %1 (%2): these figures are of %3.")
                         .arg(title, reason, QString::fromStdString(other->title))
                   : tr("The run trained on %1 (%2).").arg(title, reason));
}

void RunData::set(std::shared_ptr<const Dataset> dataset, const QString& remark) {
  m_dataset = std::move(dataset);
  m_remark = remark;
  emit changed();
}

}  // namespace strata::gui
