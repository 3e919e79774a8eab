// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/data/class_list.h"

#include <QSignalBlocker>
#include <algorithm>

#include "gui/widgets/data_delegates.h"
#include "gui/words.h"

namespace strata::gui {

ClassList::ClassList(const Theme& theme, QWidget* parent) : QListWidget(parent) {
  setObjectName("classes");
  setAccessibleName(tr("Classes"));
  setItemDelegate(new ClassBarDelegate(theme, this));
  setMouseTracking(true);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  connect(this, &QListWidget::currentRowChanged, this, [this] { emit chosen(label()); });
}

void ClassList::refresh(const Dataset* dataset, DatasetModel::Part part) {
  const QSignalBlocker quiet(this);
  const int row = std::max(0, currentRow());
  clear();
  if (!dataset) return;
  const std::vector<int> counts = DatasetModel::classCounts(*dataset, part);
  const int largest = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  const auto add = [this](const QString& name, int count, int of) {
    auto* item = new QListWidgetItem(name, this);
    item->setData(ClassBarDelegate::CountRole, count);
    item->setData(ClassBarDelegate::LargestRole, of);
    item->setData(Qt::AccessibleTextRole, tr("%1, %2").arg(name, counted(count, tr("1 image"), tr("%1 images"))));
  };
  add(tr("All classes"), (part == DatasetModel::Part::Training ? dataset->train : dataset->test).count, 0);
  for (std::size_t i = 0; i < counts.size(); ++i) add(QString::fromStdString(dataset->classes[i]), counts[i], largest);
  setCurrentRow(std::min(row, count() - 1));
  setFixedHeight(std::min(14, count()) * sizeHintForRow(0) + 4);
}

}  // namespace strata::gui
