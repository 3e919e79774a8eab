// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/dataset_model.h"

#include "gui/theme.h"

namespace strata::gui {

void DatasetModel::show(std::shared_ptr<const Dataset> dataset, Part part, int label) {
  beginResetModel();
  m_dataset = std::move(dataset);
  m_part = part;
  m_rows.clear();
  if (m_dataset) {
    const Samples& all = samples();
    for (int i = 0; i < all.count; ++i)
      if (label < 0 || all.labels[static_cast<std::size_t>(i)] == label) m_rows.push_back(i);
  }
  endResetModel();
}

QString DatasetModel::className(int label) const {
  const auto& classes = m_dataset->classes;
  return static_cast<std::size_t>(label) < classes.size()
             ? QString::fromStdString(classes[static_cast<std::size_t>(label)])
             : QString::number(label);
}

QVariant DatasetModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= rowCount()) return {};
  const int sample = m_rows[static_cast<std::size_t>(index.row())];
  const int label = samples().labels[static_cast<std::size_t>(sample)];
  switch (role) {
    case Qt::DisplayRole:
      return className(label);
    case Qt::ToolTipRole:
    case Qt::AccessibleTextRole:
      return (m_part == Part::Training ? tr("%1, training image %2") : tr("%1, test image %2"))
          .arg(className(label), number(sample + 1));
    case ImageRole:
      return sampleImage(*m_dataset, samples(), sample);
    case IndexRole:
      return sample;
    case LabelRole:
      return label;
    default:
      return {};
  }
}

std::vector<int> DatasetModel::classCounts(const Dataset& dataset, Part part) {
  std::vector<int> counts(dataset.classes.size(), 0);
  for (const std::int32_t label : (part == Part::Training ? dataset.train : dataset.test).labels)
    if (label >= 0 && static_cast<std::size_t>(label) < counts.size()) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

QImage sampleImage(const Dataset& dataset, const Samples& samples, int index) {
  if (samples.areFloats()) return {};
  const Shape& shape = dataset.shape;
  const std::uint8_t* pixels = samples.pixels.data() + static_cast<std::int64_t>(index) * shape.size();
  return QImage(pixels, shape.w, shape.h, shape.w * shape.c,
                shape.c == 3 ? QImage::Format_RGB888 : QImage::Format_Grayscale8);
}

}  // namespace strata::gui
