// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/data/data_facts.h"

#include <QGridLayout>
#include <algorithm>

#include "datasets/datasets.h"
#include "gui/widgets/label.h"
#include "gui/words.h"

namespace strata::gui {

DataFacts::DataFacts(const Theme& theme, QWidget* parent) : QWidget(parent) {
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setHorizontalSpacing(12);
  grid->setVerticalSpacing(4);
  grid->setColumnStretch(1, 1);
  const auto add = [&](const QString& title) {
    const int row = grid->rowCount();
    QLabel* value = makeLabel(theme, {}, Theme::Text::Body);
    value->setWordWrap(true);
    value->setTextInteractionFlags(Qt::TextSelectableByMouse);
    value->setMinimumWidth(40);
    grid->addWidget(makeLabel(theme, title, Theme::Text::Body, "text2"), row, 0, Qt::AlignTop);
    grid->addWidget(value, row, 1);
    return value;
  };
  m_images = add(tr("Images"));
  m_shape = add(tr("One image"));
  m_source = add(tr("Made by"));
  m_licence = add(tr("Licence"));
  m_origin = add(tr("Read from"));
}

void DataFacts::refresh(const Dataset* dataset) {
  if (!dataset) {
    for (QLabel* fact : {m_images, m_shape, m_origin, m_source, m_licence}) fact->setText(QStringLiteral("—"));
    return;
  }
  m_images->setText(tr("%1 training, %2 test").arg(number(dataset->train.count), number(dataset->test.count)));
  m_shape->setText(tr("%1 values, 0 to 255").arg(QString::fromStdString(dataset->shape.text())));
  m_origin->setText(QString::fromStdString(dataset->origin));
  const auto& entries = catalogue();
  const auto entry =
      std::find_if(entries.begin(), entries.end(), [&](const CatalogueEntry& each) { return each.id == dataset->id; });
  m_source->setText(entry == entries.end() ? QStringLiteral("—") : QString::fromStdString(entry->source));
  m_licence->setText(entry == entries.end() ? QStringLiteral("—") : QString::fromStdString(entry->licence));
}

}  // namespace strata::gui
