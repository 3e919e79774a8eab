// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the session's data set equal to what the document names, loading and fetching on threads of its own. When the
// named one cannot be had, synthetic digits stand in, and every place that shows data says so.
#pragma once
#include <QObject>
#include <QString>
#include <QThreadPool>
#include <atomic>

#include "datasets/datasets.h"
#include "gui/training_session.h"

namespace strata::gui {

class DataLoader : public QObject {
  Q_OBJECT
 public:
  /// `dataFolder` is searched first; empty: only the usual places.
  DataLoader(Document& document, TrainingSession& session, const Path& dataFolder = {}, QObject* parent = nullptr);
  ~DataLoader() override;  ///< cancels and joins

  bool loading() const { return m_loading; }
  /// Why synthetic digits stand in: "MNIST not found". Empty when the data are the named ones.
  const QString& standInReason() const { return m_standIn; }
  /// The whole sentence behind it, for whoever wants to know more.
  const QString& problem() const { return m_problem; }
  const std::string& source() const { return m_source; }
  bool canFetch() const;  ///< the source is one of the catalogue that can be fetched
  /// "MNIST: 60,000 training, 10,000 test images".
  QString facts() const;

  const Path& dataFolder() const { return m_dataFolder; }
  /// A folder chosen by hand: one that holds data sets by name is searched from now on; one that holds files is the
  /// data set.
  void chooseFolder(const Path& folder);
  void reload();

  /// Brings a data set of the catalogue; one at a time.
  void fetch(const std::string& id);
  void cancelFetch();
  const std::string& fetching() const { return m_fetching; }

 signals:
  void changed();                                                ///< loading began or ended, a fetch began or ended
  void fetchProgress(const QString& what, double fraction);      ///< fraction < 0: unknown
  void fetchFailed(const QString& id, const QString& sentence);  ///< the sentence is empty when it was cancelled

 private:
  struct Loaded {
    std::shared_ptr<const Dataset> dataset;
    QString standIn, problem;
  };
  static Loaded load(const std::string& source, const Path& dataFolder);
  void followDocument();
  void take(const Loaded& loaded);

  Document& m_document;
  TrainingSession& m_session;
  Path m_dataFolder;
  std::string m_source, m_fetching;
  QString m_standIn, m_problem;
  bool m_loading = false;
  int m_request = 0;  ///< an answer to an older request is dropped
  std::atomic<bool> m_cancel{false};
  QThreadPool m_pool;
};

/// "mnist" -> "MNIST"; a folder -> its last part.
QString sourceTitle(const std::string& source);

}  // namespace strata::gui
