// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/data/sources_panel.h"

#include <QListWidget>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "gui/widgets/data_delegates.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"

namespace strata::gui {

SourcesPanel::SourcesPanel(const Theme& theme, Document& document, DataLoader& loader, QWidget* parent)
    : QWidget(parent), m_document(document), m_loader(loader) {
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  setMinimumWidth(190);
  m_sources = new QListWidget(this);
  m_sources->setObjectName("sources");
  m_sources->setAccessibleName(tr("Data sets"));
  m_sources->setItemDelegate(new SourceDelegate(theme, m_sources));
  m_sources->setMouseTracking(true);
  m_sources->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* folder = new QPushButton(tr("Choose folder…"), this);
  folder->setToolTip(tr("A folder that holds data sets, or the files of one"));
  m_get = new QPushButton(this);
  m_get->setObjectName("getSelected");
  auto* foot = new QVBoxLayout;
  foot->setContentsMargins(12, 8, 12, 12);
  foot->setSpacing(8);
  foot->addWidget(makeFetchBox(theme));
  foot->addWidget(m_get);
  foot->addWidget(folder);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(new PanelHeader(theme, tr("Data sets"), this));
  column->addWidget(makeLine(this));
  column->addSpacing(6);
  column->addWidget(m_sources, 1);
  column->addLayout(foot);
  connect(m_sources, &QListWidget::currentRowChanged, this, &SourcesPanel::choose);
  connect(folder, &QPushButton::clicked, this, &SourcesPanel::folderWanted);
  connect(m_get, &QPushButton::clicked, this, [this] { m_loader.fetch(m_loader.source()); });
  connect(&m_loader, &DataLoader::changed, this, &SourcesPanel::refresh);
  list();
}

QWidget* SourcesPanel::makeFetchBox(const Theme& theme) {
  m_fetchBox = new QWidget(this);
  m_fetchText = makeLabel(theme, {}, Theme::Text::Caption, "text2", m_fetchBox);
  m_fetchText->setObjectName("fetchText");
  m_fetchText->setWordWrap(true);
  m_fetchText->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_progress = new QProgressBar(m_fetchBox);
  m_progress->setTextVisible(false);
  m_cancel = new QPushButton(tr("Cancel"), m_fetchBox);
  m_cancel->setObjectName("cancelFetch");
  auto* column = new QVBoxLayout(m_fetchBox);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(6);
  column->addWidget(m_fetchText);
  column->addWidget(m_progress);
  column->addWidget(m_cancel);
  connect(m_cancel, &QPushButton::clicked, &m_loader, &DataLoader::cancelFetch);
  connect(&m_loader, &DataLoader::fetchProgress, this, [this](const QString& what, double fraction) {
    m_fetchText->setText(what);
    m_progress->setRange(0, fraction < 0 ? 0 : 1000);
    if (fraction >= 0) m_progress->setValue(static_cast<int>(fraction * 1000));
  });
  connect(&m_loader, &DataLoader::fetchFailed, this, [this](const QString& id, const QString& sentence) {
    m_fetchFailed = id.toStdString();
    m_fetchText->setText(sentence.isEmpty() ? tr("Cancelled. Nothing was changed.") : sentence);
  });
  return m_fetchBox;
}

void SourcesPanel::refresh() {
  refreshFetch();
  list();
}

/// What is said of a fetch goes with it: while it runs, and after a failure as long as its data set is the chosen one.
void SourcesPanel::refreshFetch() {
  if (!m_loader.fetching().empty() && m_fetching != m_loader.fetching())
    m_fetchText->setText(tr("Getting %1").arg(sourceTitle(m_loader.fetching())));
  m_fetching = m_loader.fetching();
  if (!m_fetching.empty() || m_fetchFailed != m_loader.source()) m_fetchFailed.clear();
  if (m_fetching.empty() && m_fetchFailed.empty()) m_fetchText->clear();
}

void SourcesPanel::list() {
  const QSignalBlocker quiet(m_sources);
  m_sources->clear();
  const auto add = [this](const std::string& id, const QString& title, const QString& state, const char* tone) {
    auto* item = new QListWidgetItem(title, m_sources);
    item->setData(SourceDelegate::IdRole, QString::fromStdString(id));
    item->setData(SourceDelegate::StateRole, state);
    item->setData(SourceDelegate::ToneRole, tone);
    item->setData(Qt::AccessibleTextRole, title + ", " + state);
    item->setToolTip(title + "\n" + state);
    if (id == m_loader.source()) m_sources->setCurrentItem(item);
  };
  bool named = false;
  for (const CatalogueEntry& entry : catalogue()) {
    const auto found = entry.generated ? std::nullopt : findDataset(entry.id, m_loader.dataFolder());
    const QString state = m_loader.fetching() == entry.id ? tr("Getting it")
                          : entry.generated               ? tr("Drawn by Strata, on the spot")
                          : found                         ? tr("On this machine")
                                                          : tr("Not on this machine");
    add(entry.id, QString::fromStdString(entry.title).section(" (", 0, 0), state,
        found || entry.generated ? "text2" : "warn");
    named |= entry.id == m_loader.source();
  }
  if (!named)
    add(m_loader.source(), sourceTitle(m_loader.source()), QString::fromStdString(m_loader.source()), "text2");
  const bool fetching = !m_loader.fetching().empty(),
             missing = !m_loader.loading() && !m_loader.missingReason().isEmpty();
  m_progress->setVisible(fetching);
  m_cancel->setVisible(fetching);
  m_fetchBox->setVisible(fetching || (missing && !m_fetchText->text().isEmpty()));
  m_get->setVisible(!fetching && missing && m_loader.canFetch());
  m_get->setText(
      (m_fetchText->text().isEmpty() ? tr("Get %1") : tr("Try again to get %1")).arg(sourceTitle(m_loader.source())));
}

void SourcesPanel::choose() {
  const QListWidgetItem* item = m_sources->currentItem();
  if (!item) return;
  const std::string id = item->data(SourceDelegate::IdRole).toString().toStdString();
  m_document.edit(tr("Choose the data"), [&](Project& project) { project.data.source = id; });
}

}  // namespace strata::gui
