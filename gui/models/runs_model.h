// SPDX-License-Identifier: GPL-3.0-or-later
// Every run there is: those on disk, the one in progress, and the three reference systems, which are locked. A checkbox
// says what the plot shows; two runs at most are compared as A and B.
#pragma once
#include <QAbstractTableModel>
#include <QMap>
#include <QSet>
#include <vector>

#include "engine/run/run_record.h"

namespace strata::gui {

/// How a run's line looks wherever it is drawn: a colour token and a dash, never colour alone.
struct LineStyle {
  QString token;
  Qt::PenStyle dash = Qt::SolidLine;
};

QString runTitle(const RunRecord& run);        ///< as renamed, or the project's name
QString netText(const NetworkSpec& network);   ///< "C24 P C48 P D512 D10"
QString validationText(const RunRecord& run);  ///< "test set" or "held-out 10 %": what best was chosen on
QString startedText(const RunRecord& run);     ///< "today 14:40", in local time
/// Whether the run's epochs hold that history key, if not as a number.
bool records(const RunRecord& run, const std::string& key);
/// The best value of what the run monitors, and its epoch; -1 and 0 without epochs.
std::pair<double, int> bestOf(const RunRecord& run);

class RunsModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column {
    Show,
    Name,
    Data,
    Net,
    Parameters,
    Best,
    BestEpoch,
    Monitored,
    Epochs,
    EpochSeconds,
    Device,
    Started,
    Validated,
    State,
    ColumnCount
  };
  /// ProblemsRole: how many of the run's files could not be read.
  enum Role {
    SortRole = Qt::UserRole,
    TokenRole,
    DashRole,
    CurveRole,
    LetterRole,
    ReferenceRole,
    ProgressRole,
    ProblemsRole
  };

  using QAbstractTableModel::QAbstractTableModel;

  void setRuns(std::vector<RunRecord> runs);
  /// Puts in the run in progress, or the newer state of one that is there.
  void update(const RunRecord& run);
  const std::vector<RunRecord>& runs() const { return m_runs; }
  const RunRecord& run(int row) const { return m_runs[std::size_t(row)]; }
  int rowOf(const Path& folder) const;  ///< -1: none

  bool shown(int row) const { return m_shown.contains(key(m_runs[std::size_t(row)])); }
  int shownCount() const;
  LineStyle style(int row) const;
  /// Takes the row in as A, then B; a row that is in leaves.
  void toggleCompared(int row);
  void swapCompared();
  int rowA() const { return rowOfKey(m_a); }
  int rowB() const { return rowOfKey(m_b); }

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  bool setData(const QModelIndex& index, const QVariant& value, int role) override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;

  /// The history keys of what the runs shown record of their validation: their metrics in the order of the table, then
  /// the loss.
  std::vector<std::string> figures() const;
  /// What the newest of the runs shown that is not a reference monitors; of none, what a new run would.
  std::string newestMonitor() const;

 signals:
  void shownChanged();
  void comparedChanged();
  void renamed(int row, const QString& name);  ///< the name is already in the row

 private:
  static QString key(const RunRecord& run);
  int rowOfKey(const QString& key) const;
  QString text(const RunRecord& run, int column) const;
  QVariant sortValue(const RunRecord& run, int column) const;
  QString tip(const RunRecord& run, int column) const;
  void giveStyles();
  void findMonitor();
  void rowChanged(int row);

  std::vector<RunRecord> m_runs;
  QSet<QString> m_shown, m_known;  ///< keys; known: its checkbox was decided once
  QMap<QString, LineStyle> m_styles;
  int m_nextStyle = 0;
  std::string m_monitor;  ///< what all runs monitor; empty when it is not the same for all
  QString m_a, m_b;
};

}  // namespace strata::gui
