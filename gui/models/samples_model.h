// SPDX-License-Identifier: GPL-3.0-or-later
// Tiles of the sample grid: pictures of a data set with what the net says of them.
#pragma once
#include <QAbstractListModel>
#include <QImage>
#include <memory>
#include <vector>

#include "engine/data/dataset.h"

namespace strata::gui {

/// What the net says of one sample.
struct Verdict {
  int index = 0;  ///< into the samples
  int label = 0;
  int predicted = -1;  ///< -1: not asked yet
  float sure = 0;      ///< probability of `predicted`
  bool right() const { return predicted == label; }
};

/// One sample as a picture: grey for one channel, colour for three.
QImage sampleImage(const Samples& samples, Shape shape, int index);

class SamplesModel : public QAbstractListModel {
  Q_OBJECT
 public:
  enum Role { VerdictRole = Qt::UserRole, ImageRole };

  using QAbstractListModel::QAbstractListModel;

  /// The set the tiles come from: its test samples, or the training samples a split holds out.
  void setSamples(std::shared_ptr<const Dataset> dataset, bool testSet);
  /// What is shown, in this order. Keeps the rows when only the answers changed.
  void setVerdicts(std::vector<Verdict> verdicts);
  const std::vector<Verdict>& verdicts() const { return m_verdicts; }

  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;

 private:
  QString className(int label) const;
  std::shared_ptr<const Dataset> m_dataset;
  bool m_testSet = true;
  std::vector<Verdict> m_verdicts;
};

}  // namespace strata::gui

Q_DECLARE_METATYPE(strata::gui::Verdict)
