// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the session's data set equal to what the document names, loading and fetching on threads of its own. Where a
// known data set is not on this machine yet, synthetic digits stand in, and every place that shows data says so; a
// folder that is not there or cannot be read leaves the session without data.
#pragma once
#include <QObject>
#include <QString>
#include <QThreadPool>
#include <atomic>
#include <functional>

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
  /// Why the named data are not in use: "MNIST not found". Empty when they are, and while it is not known yet.
  const QString& missingReason() const { return m_missing; }
  /// The whole sentence behind it, for whoever wants to know more.
  const QString& problem() const { return m_problem; }
  bool standsIn() const { return !m_missing.isEmpty() && m_session.dataset(); }  ///< with synthetic digits
  const std::string& source() const { return m_source; }                         ///< resolved, see datasets/source.h
  bool canFetch() const;  ///< the source is one of the catalogue that can be fetched
  /// "MNIST: 60,000 training, 10,000 test images".
  QString facts() const;

  const Path& dataFolder() const { return m_dataFolder; }
  /// A data set, or why it cannot be had and what stands in for it, if anything does.
  struct Loaded {
    std::shared_ptr<const Dataset> dataset;
    QString missing, problem;  ///< as missingReason() and problem()
  };
  /// Loads another data set than the document's; `take` is called in the GUI thread, if `receiver` is still there.
  void load(const std::string& source, QObject* receiver, std::function<void(const Loaded&)> take);

  /// A folder chosen by hand: one that holds data sets by name is searched from now on; one that holds files becomes
  /// the document's data set once they have been read. `file` is the one among them that was handed over, if any: it
  /// has to be sound too. Says folderChosen() or folderRefused(); then nothing has changed.
  void chooseFolder(const Path& folder, const Path& file = {});
  void reload();

  /// Brings a data set of the catalogue; one at a time.
  void fetch(const std::string& id);
  void cancelFetch();  ///< fetchFailed() follows, unless all of it was there already
  const std::string& fetching() const { return m_fetching; }

 signals:
  void changed();  ///< loading began or ended, a fetch began or ended
  void folderChosen();
  void folderRefused(const QString& sentence);
  void fetchProgress(const QString& what, double fraction);      ///< fraction < 0: unknown
  void fetchFailed(const QString& id, const QString& sentence);  ///< the sentence is empty when it was cancelled

 private:
  static Loaded loadNow(const std::string& source, const Path& dataFolder);
  static Loaded loadOwn(const std::string& source, const Path& file);
  void followDocument();
  void refuse(const Loaded& loaded);
  void take(const Loaded& loaded);
  /// Runs `work` on a thread of the pool, then `deliver` here, unless something newer has been asked for.
  void start(const std::function<Loaded()>& work, const std::function<void(const Loaded&)>& deliver);

  Document& m_document;
  TrainingSession& m_session;
  Path m_dataFolder;
  std::string m_source, m_fetching;
  QString m_missing, m_problem;
  bool m_loading = false;
  int m_request = 0;  ///< an answer to an older request is dropped
  std::atomic<bool> m_cancel{false};
  QThreadPool m_pool;
};

/// "mnist" -> "MNIST"; a folder -> its last part.
QString sourceTitle(const std::string& source);

}  // namespace strata::gui
