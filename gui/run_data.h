// SPDX-License-Identifier: GPL-3.0-or-later
// The data set that a run's weights are judged on: the run's own, loaded beside the session's where the two differ.
// Where it cannot be had, the session's stands in, and remark() says so.
#pragma once
#include <QObject>

#include "gui/data_loader.h"

namespace strata::gui {

class RunData : public QObject {
  Q_OBJECT
 public:
  RunData(TrainingSession& session, DataLoader& loader, QObject* parent = nullptr);

  /// What is the run's is looked for anew. changed() follows at once, and again when something had to be loaded.
  void choose(const RunRecord& run);
  /// Null while it is being loaded, and where neither it nor any other can be had.
  const std::shared_ptr<const Dataset>& dataset() const { return m_dataset; }
  /// "The run trained on MNIST, which is not found: these figures are of Fashion-MNIST." Empty for the run's own data.
  const QString& remark() const { return m_remark; }
  bool own() const { return m_dataset && m_remark.isEmpty(); }

 signals:
  void changed();

 private:
  bool trainedOn(const Dataset& dataset) const;
  void look();
  void take(const DataLoader::Loaded& loaded, const std::string& source);
  void set(std::shared_ptr<const Dataset> dataset, const QString& remark = {});

  TrainingSession& m_session;
  DataLoader& m_loader;
  RunRecord m_run;  ///< without its epochs
  std::shared_ptr<const Dataset> m_dataset, m_loaded;
  std::string m_loadedSource;  ///< of m_loaded
  QString m_remark;
  int m_request = 0;  ///< an answer to an older request is dropped
};

}  // namespace strata::gui
