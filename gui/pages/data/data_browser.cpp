// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/data/data_browser.h"

#include <QListView>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>

#include "engine/run/suitability.h"
#include "gui/widgets/data_delegates.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/segment.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kFewestClasses = 2;  ///< that a net can tell apart, though data may have one alone

}  // namespace

DataBrowser::DataBrowser(const Theme& theme, Document& document, TrainingSession& session, DataLoader& loader,
                         QWidget* parent)
    : QWidget(parent), m_document(document), m_session(session), m_loader(loader) {
  setProperty("ground", "bg");
  setAttribute(Qt::WA_StyledBackground);
  m_header = new PanelHeader(theme, {}, this);
  m_part = new Segment({tr("Training"), tr("Test")}, m_header);
  m_part->setObjectName("part");
  m_header->addWidget(m_part);
  makeGrid(theme);
  auto* inset = new QHBoxLayout;
  inset->setContentsMargins(10, 6, 2, 0);
  inset->addWidget(m_grid);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(m_header);
  column->addWidget(makeLine(this));
  column->addWidget(makeNotice(theme));
  column->addLayout(inset, 1);
  connect(m_part, &Segment::currentChanged, this, &DataBrowser::partChanged);
  connect(&m_loader, &DataLoader::changed, this, &DataBrowser::refreshNotice);
  connect(&m_document, &Document::changed, this, &DataBrowser::refreshNotice);
}

void DataBrowser::makeGrid(const Theme& theme) {
  m_grid = new QListView(this);
  m_grid->setObjectName("thumbnails");
  m_grid->setAccessibleName(tr("Images"));
  auto* delegate = new ThumbnailDelegate(theme, m_grid);
  m_grid->setItemDelegate(delegate);
  m_grid->setModel(&m_model);
  // List mode with wrapping lays out 60,000 cells in milliseconds; icon mode takes a second.
  m_grid->setViewMode(QListView::ListMode);
  m_grid->setFlow(QListView::LeftToRight);
  m_grid->setWrapping(true);
  m_grid->setResizeMode(QListView::Adjust);
  m_grid->setUniformItemSizes(true);
  m_grid->setGridSize(delegate->cellSize());
  m_grid->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
  m_grid->setProperty("ground", "bg");
  m_grid->viewport()->setProperty("ground", "bg");
}

QWidget* DataBrowser::makeNotice(const Theme& theme) {
  m_notice = new QWidget(this);
  m_notice->setProperty("ground", "warn");
  m_notice->setAttribute(Qt::WA_StyledBackground);
  m_noticeText = makeLabel(theme, {}, Theme::Text::Body, "warn", m_notice);
  m_noticeText->setObjectName("dataNotice");
  m_noticeText->setWordWrap(true);
  m_noticeText->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_fit = new QPushButton(tr("Fit the net’s input"), m_notice);
  m_fit->setObjectName("fitNet");
  auto* row = new QHBoxLayout(m_notice);
  row->setContentsMargins(16, 6, 16, 6);
  row->addWidget(m_noticeText, 1);
  row->addWidget(m_fit);
  connect(m_fit, &QPushButton::clicked, this, &DataBrowser::fitNet);
  return m_notice;
}

DatasetModel::Part DataBrowser::part() const { return static_cast<DatasetModel::Part>(m_part->current()); }

void DataBrowser::refresh() {
  const auto& dataset = m_session.dataset();
  m_part->setEnabled(dataset != nullptr);
  m_header->setTitle(dataset ? QString::fromStdString(dataset->title) : sourceTitle(m_loader.source()));
  if (dataset) {
    const int count = (part() == DatasetModel::Part::Training ? dataset->train : dataset->test).count;
    m_header->setHint(
        tr("%1 of %2")
            .arg(counted(count, tr("1 image"), tr("%1 images")), QString::fromStdString(dataset->shape.text())));
  } else {
    m_header->setHint({});
  }
  refreshNotice();
}

void DataBrowser::refreshNotice() {
  const auto& dataset = m_session.dataset();
  const NetworkSpec& network = m_document.project().network;
  const bool misfit = dataset && !m_loader.loading() &&
                      (dataset->shape != network.input || static_cast<int>(dataset->classes.size()) != network.classes);
  const bool missing = !m_loader.loading() && !m_loader.missingReason().isEmpty();
  QString text;
  if (m_loader.loading()) m_header->setHint(m_loader.facts());
  if (missing && !m_loader.standsIn()) text = m_loader.problem();
  else if (missing)
    text = tr("%1: these are synthetic digits, drawn by the program. %2")
               .arg(m_loader.missingReason(), m_loader.problem());
  else if (misfit)
    text = tr("The net reads %1 and tells %2 classes apart; %3 has images of %4 in %5.")
               .arg(QString::fromStdString(network.input.text()))
               .arg(network.classes)
               .arg(QString::fromStdString(dataset->title), QString::fromStdString(dataset->shape.text()),
                    counted(qint64(dataset->classes.size()), tr("1 class"), tr("%1 classes")));
  if (dataset) {
    std::vector<std::string> told = remarks(*dataset);
    told.push_back(polarityWarning(resolved(m_document.project().data.preprocessing, *dataset)));
    for (const std::string& remark : told)
      text += (text.isEmpty() ? QString() : QStringLiteral(" ")) + QString::fromStdString(remark);
  }
  m_noticeText->setText(text);
  m_fit->setVisible(misfit);
  m_notice->setVisible(!text.isEmpty());
}

void DataBrowser::showClass(int label) { m_model.show(m_session.dataset(), part(), label); }

void DataBrowser::fitNet() {
  const auto dataset = m_session.dataset();
  m_document.edit(tr("Fit the net to the data"), [&](Project& project) {
    project.network.input = dataset->shape;
    project.network.classes = std::max(kFewestClasses, static_cast<int>(dataset->classes.size()));
  });
}

}  // namespace strata::gui
