// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/build/net_footer.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QStyle>
#include <QVBoxLayout>
#include <algorithm>

#include "gui/widgets/elided_text.h"
#include "gui/widgets/label.h"
#include "gui/widgets/quantity.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kMostOfName = 24;  ///< letters of a layer's name that the badge has room for

}  // namespace

NetFooter::NetFooter(const Theme& theme, Document& document, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_document(document), m_session(session) {
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  setMinimumWidth(320);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(16, 10, 16, 10);
  row->setSpacing(16);
  m_layers = addTile(*row, tr("Layers"));
  row->addWidget(makeLine(this, Qt::Vertical));
  m_parameters = addTile(*row, tr("Parameters"));
  row->addWidget(makeLine(this, Qt::Vertical));
  m_macs = addTile(*row, tr("Multiply-adds"));
  row->addWidget(m_trainedLine = makeLine(this, Qt::Vertical));
  m_trained = addTile(*row, tr("Trained"));
  row->addWidget(m_memoryLine = makeLine(this, Qt::Vertical));
  m_memory = addTile(*row, tr("Training memory"));
  row->addWidget(m_timeLine = makeLine(this, Qt::Vertical));
  m_time = addTile(*row, tr("Time per epoch"));
  row->addStretch(1);
  m_badge = makeLabel(theme, {}, Theme::Text::Caption, "accent", this);
  m_badge->setObjectName("netBadge");
  QFont bold = m_badge->font();
  bold.setWeight(QFont::DemiBold);
  m_badge->setFont(bold);
  m_show = new QPushButton(tr("Show"), this);
  m_show->setObjectName("showIssue");
  row->addWidget(m_badge, 0, Qt::AlignVCenter);
  row->addWidget(m_show, 0, Qt::AlignVCenter);
  connect(m_show, &QPushButton::clicked, this, [this] {
    for (const Issue& issue : m_document.analysis().issues)
      if (issue.level == Issue::Level::Error) return emit showIssue(issue.layer, QString::fromStdString(issue.field));
  });
  connect(&m_document, &Document::changed, this, &NetFooter::refresh);
  connect(&m_session, &TrainingSession::epochDone, this, &NetFooter::refresh);
  refresh();
}

NetFooter::Tile NetFooter::addTile(QHBoxLayout& row, const QString& title) {
  Tile tile{new QWidget(this), makeLabel(m_theme, {}, Theme::Text::Title),
            makeLabel(m_theme, {}, Theme::Text::Caption, "text2")};
  auto* column = new QVBoxLayout(tile.box);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(1);
  column->addWidget(makeLabel(m_theme, title, Theme::Text::Caption, "text2"));
  auto* values = new QHBoxLayout;
  values->setSpacing(6);
  values->addWidget(tile.value);
  values->addWidget(tile.hint, 0, Qt::AlignBottom);
  values->addStretch(1);
  column->addLayout(values);
  row.addWidget(tile.box);
  return tile;
}

void NetFooter::refresh() {
  const Project& project = m_document.project();
  const Analysis& analysis = m_document.analysis();
  const bool ok = analysis.ok();
  const auto put = [ok](const Tile& tile, const QString& value, const QString& hint) {
    tile.value->setText(ok ? value : QStringLiteral("—"));
    tile.hint->setText(ok ? hint : QString());
  };
  refreshLayers();
  refreshTrained();
  put(m_parameters, number(analysis.parameters), byteText(analysis.parameters * 4));
  put(m_macs, countText(analysis.macs), tr("per sample"));
  const int batch = project.training.batchSize;
  put(m_memory, byteText(analysis.trainingBytes(batch, project.training.optimizer.slotsPerWeight())),
      tr("batch of %1").arg(batch));

  // A time is shown only when it was measured: on the last run, if it trained this very net.
  const RunRecord& run = m_session.run();
  const bool timed = m_session.hasRun() && !run.epochs.empty() && run.project.network == project.network;
  m_time.box->setVisible(timed);
  m_timeLine->setVisible(timed);
  if (timed) put(m_time, duration(run.epochs.back().epochSeconds), tr("last run"));
  refreshBadge();
  fitHints();
}

/// Containers are counted by themselves: they compute nothing.
void NetFooter::refreshLayers() {
  qint64 layers = 0, blocks = 0, splits = 0;
  for (const LayerAnalysis& layer : m_document.analysis().layers) {
    if (!layer.def || !layer.def->isContainer()) ++layers;
    else ++(layer.def->anyStacks ? splits : blocks);
  }
  QStringList hint;
  if (blocks > 0) hint << counted(blocks, tr("1 block"), tr("%1 blocks"));
  if (splits > 0) hint << counted(splits, tr("1 split"), tr("%1 splits"));
  m_layers.value->setText(number(layers));
  m_layers.hint->setText(hint.join(", "));
}

/// Shown where not all parameters are trained.
void NetFooter::refreshTrained() {
  qint64 trained = 0, frozen = 0, running = 0;
  for (const Node& node : m_document.analysis().graph.nodes)
    for (const ParamInfo& param : node.params)
      (param.role == ParamInfo::Role::Running ? running : node.trainable ? trained : frozen) += param.size();
  const bool told = m_document.analysis().ok() && frozen + running > 0;
  m_trained.box->setVisible(told);
  m_trainedLine->setVisible(told);
  QStringList hint;
  if (frozen > 0) hint << tr("%1 frozen").arg(number(frozen));
  if (running > 0) hint << tr("%1 running").arg(number(running));
  m_trained.value->setText(number(trained));
  m_trained.hint->setText(hint.join(", "));
}

/// Where there is little room the hints go first, then the air between the figures, then the memory.
void NetFooter::fitHints() {
  const auto fits = [this](bool hints, int spacing, bool memory) {
    layout()->setSpacing(spacing);
    m_memory.box->setVisible(memory);
    m_memoryLine->setVisible(memory);
    for (const Tile& tile : {m_layers, m_parameters, m_macs, m_trained, m_memory, m_time}) {
      tile.hint->setVisible(hints && !tile.hint->text().isEmpty());
      tile.box->layout()->activate();  // new words count at once
    }
    layout()->activate();
    return layout()->sizeHint().width() <= width();
  };
  const bool trained = !m_trained.box->isHidden();  // matters more than the memory
  (trained ? fits(true, 16, true) || fits(true, 16, false) : fits(true, 16, true)) || fits(false, 16, true) ||
      fits(false, 8, true) || fits(false, 8, false);
}

void NetFooter::resizeEvent(QResizeEvent*) { fitHints(); }

void NetFooter::refreshBadge() {
  const auto& issues = m_document.analysis().issues;
  const auto isError = [](const Issue& issue) { return issue.level == Issue::Level::Error; };
  const auto errors = std::count_if(issues.begin(), issues.end(), isError);
  const auto first = std::find_if(issues.begin(), issues.end(), isError);
  m_show->setVisible(errors > 0);
  QString text = QStringLiteral("✓ ") + tr("Ready to train");
  if (errors > 0) {
    text = counted(errors, tr("1 error"), tr("%1 errors"));
    if (errors == 1 && first->layer >= 0)
      text = tr("1 error in %1").arg(titleText(pathOf(m_document.project().network, first->layer)).left(kMostOfName));
    m_show->setToolTip(QString::fromStdString(first->text));
  }
  m_badge->setText(text);
  m_badge->setToolTip(errors > 0 ? QString::fromStdString(first->text) : QString());
  setTone(m_badge, errors > 0 ? "bad" : "accent");
  m_badge->setProperty("badge", errors > 0 ? "bad" : "good");
  m_badge->style()->unpolish(m_badge);
  m_badge->style()->polish(m_badge);
}

}  // namespace strata::gui
