// SPDX-License-Identifier: GPL-3.0-or-later
// The samples of one part of a data set, of all classes or of one, as a list of images. Holds indices; pixels are not
// copied.
#pragma once
#include <QAbstractListModel>
#include <QImage>
#include <memory>
#include <vector>

#include "engine/data/dataset.h"

namespace strata::gui {

class DatasetModel : public QAbstractListModel {
  Q_OBJECT
 public:
  enum class Part { Training, Test };
  enum Role { ImageRole = Qt::UserRole, IndexRole, LabelRole };

  explicit DatasetModel(QObject* parent = nullptr) : QAbstractListModel(parent) {}

  /// `label` -1: every class.
  void show(std::shared_ptr<const Dataset> dataset, Part part, int label);

  int rowCount(const QModelIndex& parent = {}) const override {
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
  }
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;

  const std::shared_ptr<const Dataset>& dataset() const { return m_dataset; }
  Part part() const { return m_part; }
  /// How many samples each class has in a part.
  static std::vector<int> classCounts(const Dataset& dataset, Part part);

 private:
  const Samples& samples() const { return m_part == Part::Training ? m_dataset->train : m_dataset->test; }
  QString className(int label) const;
  std::shared_ptr<const Dataset> m_dataset;
  Part m_part = Part::Training;
  std::vector<int> m_rows;
};

/// Sample `index` as a picture that reads the data set's own bytes: it must not outlive the data set. Grey or RGB.
QImage sampleImage(const Dataset& dataset, const Samples& samples, int index);

}  // namespace strata::gui
