// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/data/data_page.h"

#include <QScrollArea>
#include <QSplitter>
#include <QVBoxLayout>

#include "gui/pages/data/class_list.h"
#include "gui/pages/data/data_browser.h"
#include "gui/pages/data/data_facts.h"
#include "gui/pages/data/data_settings.h"
#include "gui/pages/data/sources_panel.h"
#include "gui/widgets/section_title.h"

namespace strata::gui {

DataPage::DataPage(Theme& theme, Document& document, TrainingSession& session, DataLoader& loader, QWidget* parent)
    : QWidget(parent), m_session(session) {
  auto* sources = new SourcesPanel(theme, document, loader, this);
  m_browser = new DataBrowser(theme, document, session, loader, this);
  auto* splitter = new QSplitter(this);
  splitter->setObjectName("dataSplitter");
  splitter->addWidget(sources);
  splitter->addWidget(m_browser);
  splitter->addWidget(makeDetails(theme, document));
  splitter->setStretchFactor(1, 1);
  splitter->setCollapsible(1, false);
  splitter->setHandleWidth(1);
  splitter->setSizes({240, 880, 320});
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(splitter);
  connect(sources, &SourcesPanel::folderWanted, this, &DataPage::folderWanted);
  connect(m_browser, &DataBrowser::partChanged, this, &DataPage::refresh);
  connect(m_classes, &ClassList::chosen, m_browser, &DataBrowser::showClass);
  connect(&session, &TrainingSession::datasetChanged, this, &DataPage::refresh);
  refresh();
}

QWidget* DataPage::makeDetails(const Theme& theme, Document& document) {
  auto* panel = new QWidget(this);
  panel->setProperty("ground", "surface");
  panel->setAttribute(Qt::WA_StyledBackground);
  m_classes = new ClassList(theme, panel);
  m_settings = new DataSettings(theme, document, m_session, panel);
  m_facts = new DataFacts(theme, panel);
  auto* column = new QVBoxLayout(panel);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  const auto addTitle = [&](const QString& text) {
    QLabel* title = makeSectionTitle(theme, text, panel);
    title->setContentsMargins(12, 10, 12, 4);
    column->addWidget(title);
  };
  addTitle(tr("Classes"));
  column->addWidget(m_classes);
  column->addWidget(m_settings);
  column->addWidget(makeLine(panel));
  addTitle(tr("About this data set"));
  auto* facts = new QHBoxLayout;
  facts->setContentsMargins(12, 0, 12, 12);
  facts->addWidget(m_facts);
  column->addLayout(facts);
  column->addStretch(1);
  auto* scroll = new QScrollArea(this);
  scroll->setWidgetResizable(true);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setFocusPolicy(Qt::NoFocus);
  scroll->setWidget(panel);
  scroll->setMinimumWidth(270);
  return scroll;
}

void DataPage::refresh() {
  m_browser->refresh();
  m_classes->refresh(m_session.dataset().get(), m_browser->part());
  m_facts->refresh(m_session.dataset().get());
  m_settings->refresh();
  m_browser->showClass(m_classes->label());
}

}  // namespace strata::gui
