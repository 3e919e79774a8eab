// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/test/test_set_panel.h"

#include <QVBoxLayout>
#include <algorithm>

#include "gui/widgets/empty_state.h"
#include "gui/widgets/label.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr std::size_t kMostTiles = 200, kMostConfused = 6;
constexpr int kOneRow = 64;  ///< of tiles, in the narrowest panel

}  // namespace

TestSetPanel::TestSetPanel(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  m_header = new PanelHeader(theme, tr("Test set"), this);
  m_mode = new Segment({tr("Count"), tr("% of true"), tr("% of answers")}, this);
  m_mode->setObjectName("matrixMode");
  m_header->addWidget(m_mode);
  auto* content = new QWidget(this);
  auto* inside = new QVBoxLayout(content);
  inside->setContentsMargins(0, 0, 0, 0);
  inside->setSpacing(0);
  inside->addWidget(makeMatrix(theme), 5);
  inside->addWidget(makeLine(content));
  inside->addWidget(makeCell(theme), 3);
  m_stack = new QStackedWidget(this);
  m_empty = new EmptyState(theme, {}, {}, this);
  m_stack->addWidget(m_empty);
  m_stack->addWidget(content);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(m_header);
  column->addWidget(makeLine(this));
  column->addWidget(m_stack, 1);
  connect(m_mode, &Segment::currentChanged, this, [this](int mode) { m_matrix.setMode(ConfusionModel::Mode(mode)); });
  connect(m_order, &Segment::currentChanged, this, &TestSetPanel::showCell);
  connect(m_view->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& cell) {
    if (cell.isValid() && cell.flags() & Qt::ItemIsSelectable) choose(cell.row(), cell.column());
  });
}

QWidget* TestSetPanel::makeMatrix(const Theme& theme) {
  auto* box = new QWidget(this);
  m_view = new ConfusionView(theme, box);
  m_view->setModel(&m_matrix);
  m_legend = makeLabel(theme, {}, Theme::Text::Caption, "text2", box);
  auto* column = new QVBoxLayout(box);
  column->setContentsMargins(12, 6, 12, 6);
  column->setSpacing(2);
  m_facts = makeLabel(theme, {}, Theme::Text::Caption, "text2", box);
  m_facts->setObjectName("testSetFacts");
  auto* facts = new QHBoxLayout;
  facts->addWidget(m_facts);
  facts->addStretch(1);
  facts->addWidget(makeLabel(theme, tr("down: true, across: predicted"), Theme::Text::Caption, "text2", box));
  m_of = makeLabel(theme, {}, Theme::Text::Caption, "text2", box);
  m_of->setObjectName("testSetOf");
  m_of->setWordWrap(true);
  m_remark = makeLabel(theme, {}, Theme::Text::Caption, "warn", box);
  m_remark->setObjectName("testSetRemark");
  m_remark->setWordWrap(true);
  column->addLayout(facts);
  column->addWidget(m_of);
  column->addWidget(m_remark);
  column->addWidget(m_view, 1);
  column->addWidget(m_legend);
  return box;
}

QWidget* TestSetPanel::makeCell(const Theme& theme) {
  auto* box = new QWidget(this);
  m_cellHeader = new PanelHeader(theme, {}, box);
  m_cellCount = makeLabel(theme, {}, Theme::Text::Caption, "text2", box);
  m_cellCount->setProperty("badge", "plain");
  m_cellCount->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
  m_cellHeader->addWidget(m_cellCount);
  m_order = new Segment({tr("Surest"), tr("File order")}, box);
  m_cellHeader->addWidget(m_order);
  m_tiles = new TileView(theme, 8, 0, box);
  m_tiles->setObjectName("cellTiles");
  m_tiles->showSureness();
  m_tiles->setMinimumHeight(kOneRow);
  m_tiles->setAccessibleName(tr("Images of the chosen cell"));
  m_tiles->setModel(&m_samples);
  m_put = new QPushButton(tr("Put on the canvas"), box);
  m_put->setObjectName("putOnCanvas");
  const auto offerPut = [this] {
    m_put->setEnabled(m_tiles->selectionModel()->hasSelection());
    m_put->setToolTip(m_put->isEnabled() ? tr("Copy the chosen image into the drawing") : tr("Choose an image first"));
  };
  const auto put = [this] {
    const auto index = m_tiles->currentIndex();
    if (index.isValid()) emit putOnCanvas(index.data(SamplesModel::VerdictRole).value<Verdict>().index);
  };
  connect(m_put, &QPushButton::clicked, this, put);
  connect(m_tiles, &QListView::activated, this, put);
  connect(m_tiles->selectionModel(), &QItemSelectionModel::selectionChanged, this, offerPut);
  connect(&m_samples, &QAbstractItemModel::modelReset, this, offerPut);
  offerPut();
  m_confusedBox = new QWidget(box);
  auto* confusedRow = new QHBoxLayout(m_confusedBox);
  confusedRow->addWidget(makeLabel(theme, tr("Most confused"), Theme::Text::Caption, "text2", box));
  m_confused = new QHBoxLayout;
  m_confused->setSpacing(6);
  confusedRow->addLayout(m_confused);
  confusedRow->addStretch(1);
  auto* row = new QHBoxLayout;
  row->setContentsMargins(12, 4, 12, 4);
  row->addWidget(m_put);
  row->addStretch(1);
  auto* column = new QVBoxLayout(box);
  column->setContentsMargins(0, 0, 0, 8);
  column->setSpacing(2);
  column->addWidget(m_cellHeader);
  auto* tiles = new QHBoxLayout;
  tiles->setContentsMargins(12, 0, 10, 0);
  tiles->addWidget(m_tiles);
  column->addLayout(tiles, 1);
  column->addLayout(row);
  confusedRow->setContentsMargins(12, 2, 12, 0);
  column->addWidget(m_confusedBox);
  return box;
}

void TestSetPanel::setDataset(std::shared_ptr<const Dataset> dataset) {
  m_dataset = std::move(dataset);
  m_samples.setSamples(m_dataset, true);
}

void TestSetPanel::clear(const QString& why) {
  m_verdicts.clear();
  m_truth = m_predicted = -1;
  m_matrix.setMatrix({}, {});
  m_samples.setVerdicts({});
  m_facts->clear();
  m_empty->setSentence(why);
  m_stack->setCurrentIndex(0);
}

void TestSetPanel::setPending(const QString& what) {
  m_empty->setSentence(what);
  m_of->setText(tr("%1 · %2").arg(m_ofText, what));
}

void TestSetPanel::setVerdicts(std::vector<Verdict> answers, const QStringList& classes, const QString& of,
                               const QString& remark) {
  m_verdicts = std::move(answers);
  m_classes = classes;
  m_ofText = of;
  const auto n = std::size_t(classes.size());
  std::vector<std::vector<int>> matrix(n, std::vector<int>(n, 0));
  for (const auto& v : m_verdicts) ++matrix[std::size_t(v.label)][std::size_t(v.predicted)];
  m_matrix.setMatrix(std::move(matrix), classes);
  m_facts->setText(
      tr("%1, %2 wrong")
          .arg(counted(qint64(m_verdicts.size()), tr("1 image"), tr("%1 images")), number(m_matrix.wrong())));
  m_of->setText(of);
  m_remark->setText(remark);
  m_remark->setVisible(!remark.isEmpty());
  m_legend->setText(m_matrix.largestError() > 0
                        ? tr("Tinted: wrong, 1 to %1. Click a cell to see its images.").arg(m_matrix.largestError())
                        : tr("Nothing is wrong."));
  m_stack->setCurrentIndex(1);
  m_view->fit();
  showConfused();
  if (m_truth < 0) {
    const auto worst = m_matrix.mostConfused(1);
    if (!worst.empty()) choose(worst.front().truth, worst.front().predicted);
  } else {
    choose(m_truth, m_predicted);
  }
}

void TestSetPanel::choose(int truth, int predicted) {
  m_truth = truth;
  m_predicted = predicted;
  const auto index = m_matrix.index(truth, predicted);
  if (m_view->currentIndex() != index) m_view->setCurrentIndex(index);
  for (auto* button : findChildren<QPushButton*>("confusedPair"))
    button->setChecked(button->property("pair").toPoint() == QPoint(truth, predicted));
  showCell();
}

void TestSetPanel::showCell() {
  if (m_truth < 0) return;
  std::vector<Verdict> rows;
  for (const auto& v : m_verdicts) {
    if (v.label == m_truth && v.predicted == m_predicted) rows.push_back(v);
  }
  const auto count = rows.size();
  if (m_order->current() == 0)
    std::stable_sort(rows.begin(), rows.end(), [](const Verdict& a, const Verdict& b) { return a.sure > b.sure; });
  if (rows.size() > kMostTiles) rows.resize(kMostTiles);
  m_cellHeader->setTitle(m_truth == m_predicted
                             ? tr("%1, right").arg(m_classes.value(m_truth))
                             : tr("True %1, predicted %2").arg(m_classes.value(m_truth), m_classes.value(m_predicted)));
  m_cellCount->setText(counted(qint64(count), tr("1 image"), tr("%1 images")));
  m_samples.setVerdicts(std::move(rows));
}

void TestSetPanel::showConfused() {
  while (auto* item = m_confused->takeAt(0)) {
    item->widget()->deleteLater();
    item->widget()->setObjectName({});  // it is looked up by name until it is gone
    delete item;
  }
  for (const auto& pair : m_matrix.mostConfused(kMostConfused)) {
    auto* button = new QPushButton(
        tr("%1 → %2 · %3").arg(m_classes.value(pair.truth), m_classes.value(pair.predicted)).arg(pair.count), this);
    button->setObjectName("confusedPair");
    button->setCheckable(true);
    button->setFont(m_theme.font(Theme::Text::Caption));
    button->setProperty("chip", true);
    button->setProperty("pair", QPoint(pair.truth, pair.predicted));
    connect(button, &QPushButton::clicked, this, [this, pair] { choose(pair.truth, pair.predicted); });
    m_confused->addWidget(button);
  }
  fitConfused();
}

/// As many as there is room for, the most frequent first.
void TestSetPanel::fitConfused() {
  int room = width() - 24 - fontMetrics().horizontalAdvance(tr("Most confused"));
  for (int i = 0; i < m_confused->count(); ++i) {
    auto* button = m_confused->itemAt(i)->widget();
    button->ensurePolished();  // a new one does not know its padding yet
    room -= button->sizeHint().width() + m_confused->spacing();
    button->setVisible(room >= 0);
  }
}

int TestSetPanel::asidesHeight() const { return m_confusedBox->sizeHint().height() + m_legend->sizeHint().height(); }

QSize TestSetPanel::minimumSizeHint() const {
  const QSize all = QWidget::minimumSizeHint();
  return m_confusedBox->isHidden() ? all : all - QSize(0, asidesHeight());
}

void TestSetPanel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  const bool low = height() < minimumSizeHint().height() + asidesHeight();
  for (QWidget* aside : {m_confusedBox, static_cast<QWidget*>(m_legend)}) aside->setVisible(!low);
  fitConfused();
}

}  // namespace strata::gui
