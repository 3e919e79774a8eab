// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/transport_bar.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStandardItemModel>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <thread>

#include "engine/backend/backend.h"
#include "gui/widgets/elided_text.h"
#include "gui/widgets/label.h"

namespace strata::gui {
namespace {

using Action = TrainingSession::Action;

struct PrimaryFace {
  QString text;
  const char* icon;
};

PrimaryFace faceOf(Action action) {
  switch (action) {
    case Action::Pause:
      return {TransportBar::tr("Pause"), "pause"};
    case Action::Resume:
      return {TransportBar::tr("Resume"), "play"};
    case Action::Continue:
      return {TransportBar::tr("Continue"), "play"};
    default:
      return {TransportBar::tr("Start"), "play"};
  }
}

QString deviceTitle(const BackendDef& backend, int threads) {
  const QString title = QString::fromStdString(backend.title);
  if (backend.id != "cpu") return title;
  const int used = threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return used == 1 ? TransportBar::tr("%1 · 1 thread").arg(title)
                   : TransportBar::tr("%1 · %2 threads").arg(title).arg(used);
}

const char* dotTone(Trainer::State state, const QString& word) {
  if (state == Trainer::State::Failed || word == QObject::tr("Cannot start")) return "bad";
  return state == Trainer::State::Idle ? "text2" : "accent";
}

}  // namespace

TransportBar::TransportBar(Theme& theme, TrainingSession& session, DataLoader& loader, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_session(session), m_loader(loader) {
  m_primary = makeAction("runPrimary", {}, QKeySequence("F5"), Action::Start);
  m_stepBatch = makeAction("stepBatch", tr("Train one batch"), QKeySequence("F10"), Action::StepBatch);
  m_stepEpoch = makeAction("stepEpoch", tr("Train to the end of the epoch"), {}, Action::StepEpoch);
  m_stop = makeAction("runStop", tr("Stop"), QKeySequence("Shift+F5"), Action::Stop);
  m_newRun = makeAction("runNew", tr("Start a new run"), {}, Action::Start);

  m_primaryButton = new QPushButton(this);
  m_primaryButton->setObjectName("primaryButton");
  m_primaryButton->setProperty("primary", true);
  m_primaryButton->setFont(theme.font(Theme::Text::BodyStrong));
  m_primaryButton->setFixedWidth(QFontMetrics(m_primaryButton->font()).horizontalAdvance(tr("Continue")) + 56);
  connect(m_primaryButton, &QPushButton::clicked, m_primary, &QAction::trigger);
  connect(m_primaryButton, &QPushButton::released, this, &TransportBar::refresh, Qt::QueuedConnection);
  const auto button = [&](QAction* action, const QString& icon) {
    auto* made = new QToolButton(this);
    made->setIcon(m_theme.icon(icon, "text"));
    made->setProperty("button", true);
    made->setAccessibleName(action->text());
    connect(made, &QToolButton::clicked, action, &QAction::trigger);
    connect(made, &QToolButton::released, this, &TransportBar::refresh, Qt::QueuedConnection);
    return made;
  };
  m_stepButton = button(m_stepBatch, "step");
  m_stopButton = button(m_stop, "stop");
  m_device = new QComboBox(this);
  m_device->setObjectName("device");
  m_device->setAccessibleName(tr("Device"));
  m_device->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  fillDevices();
  setNarrow(false);

  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(8, 0, 4, 0);
  row->setSpacing(6);
  row->addWidget(m_primaryButton);
  row->addWidget(m_stepButton);
  row->addWidget(m_stopButton);
  row->addSpacing(8);
  row->addWidget(makeState(), 1);
  row->addSpacing(8);
  row->addWidget(m_device);

  m_textTimer.setSingleShot(true);
  m_textTimer.setInterval(100);
  connect(&m_textTimer, &QTimer::timeout, this, &TransportBar::refreshText);
  connect(&m_session, &TrainingSession::progressed, this, [this] {
    if (!m_textTimer.isActive()) m_textTimer.start();
  });
  for (const auto signal : {&TrainingSession::stateChanged, &TrainingSession::datasetChanged,
                            &TrainingSession::runStarted, &TrainingSession::finished, &TrainingSession::backendChanged})
    connect(&m_session, signal, this, &TransportBar::refresh);
  connect(&m_loader, &DataLoader::changed, this, &TransportBar::refresh);
  connect(m_device, &QComboBox::activated, this, &TransportBar::chooseDevice);
  connect(m_get, &QPushButton::clicked, this, [this] { m_loader.fetch(m_loader.source()); });
  connect(m_choose, &QPushButton::clicked, this, &TransportBar::dataFolderWanted);
  refresh();
}

void TransportBar::setNarrow(bool narrow) {
  m_narrow = narrow;
  for (int i = 0; i < m_device->count(); ++i)
    m_device->setItemIcon(i, narrow ? QIcon() : m_theme.icon("chip", "text"));  // its words need the room
  m_device->setFixedWidth(QFontMetrics(font()).horizontalAdvance("CPU · 16 threads") + (narrow ? 48 : 72));
  if (m_state) refreshText();
}

QAction* TransportBar::makeAction(const QString& name, const QString& text, const QKeySequence& key, Action action) {
  auto* made = new QAction(text, this);
  made->setObjectName(name);
  made->setShortcut(key);
  made->setData(static_cast<int>(action));
  made->setAutoRepeat(action == Action::StepBatch);  // a key held down must not start, pause and resume in turn
  connect(made, &QAction::triggered, this, [this, made] {
    m_session.perform(static_cast<Action>(made->data().toInt()), m_phase);  // what it said, not what it would say now
    refresh();
  });
  return made;
}

void TransportBar::fillMenu(QMenu* menu) {
  m_menu = menu;
  menu->addActions(actions());
  // Hidden first, triggered next: what was chosen is carried out before it may say something else.
  connect(menu, &QMenu::aboutToHide, this, &TransportBar::refresh, Qt::QueuedConnection);
}

bool TransportBar::held() const {
  return m_primaryButton->isDown() || m_stepButton->isDown() || m_stopButton->isDown() ||
         (m_menu && m_menu->isVisible());
}

QWidget* TransportBar::makeState() {
  auto* box = new QWidget(this);
  m_dot = makeLabel(m_theme, QStringLiteral("●"), Theme::Text::Caption, "text2", box);
  m_dot->setAccessibleName(tr("State"));
  m_state = makeLabel(m_theme, {}, Theme::Text::BodyStrong, "text", box);
  m_state->setObjectName("stateWord");
  m_facts = new ElidedText(m_theme, "text2", box);
  m_facts->setObjectName("stateFacts");
  m_time = new ElidedText(m_theme, "text2", box);
  m_time->setAlignment(Qt::AlignRight);
  m_get = new QPushButton(tr("Get"), box);
  m_get->setObjectName("getData");
  m_choose = new QPushButton(tr("Choose folder…"), box);
  m_progress = new QProgressBar(box);
  m_progress->setRange(0, 1000);
  m_progress->setTextVisible(false);
  m_progress->setAccessibleName(tr("Progress of the run"));
  auto* words = new QHBoxLayout;
  words->setContentsMargins(0, 0, 0, 0);
  words->setSpacing(6);
  words->addWidget(m_dot);
  words->addWidget(m_state);
  words->addSpacing(4);
  words->addWidget(m_facts, 3);
  words->addWidget(m_get);
  words->addWidget(m_choose);
  words->addWidget(m_time, 2);
  auto* column = new QVBoxLayout(box);
  column->setContentsMargins(0, 4, 0, 4);
  column->setSpacing(4);
  column->addStretch(1);
  column->addLayout(words);
  column->addWidget(m_progress);
  column->addStretch(1);
  return box;
}

void TransportBar::fillDevices() {
  auto* items = qobject_cast<QStandardItemModel*>(m_device->model());
  for (const BackendDef& backend : allBackends()) {
    m_device->addItem(deviceTitle(backend, m_session.threads()), QString::fromStdString(backend.id));
    const QString reason = QString::fromStdString(backend.unavailableReason());
    QStandardItem* item = items->item(m_device->count() - 1);
    item->setEnabled(reason.isEmpty());
    item->setToolTip(reason);
    item->setAccessibleDescription(reason);
  }
}

void TransportBar::chooseDevice(int index) {
  m_session.setBackend(m_device->itemData(index).toString(), m_session.threads());
}

void TransportBar::refreshButton(QWidget* button, const QAction* action) {
  button->setEnabled(action->isEnabled());
  button->setToolTip(action->toolTip());
}

void TransportBar::refresh() {
  if (!held()) refreshActions();
  const QSignalBlocker quiet(m_device);
  m_device->setCurrentIndex(m_device->findData(m_session.backend()));
  m_device->setEnabled(!m_session.active());
  m_device->setToolTip(m_session.active() ? tr("Finish or stop the run to change the device")
                                          : tr("The device that trains"));
  refreshText();
}

void TransportBar::refreshActions() {
  m_phase = m_session.phase();
  const Action primary = m_session.primaryAction();
  const PrimaryFace face = faceOf(primary);
  m_primary->setText(face.text);
  m_primaryButton->setText(face.text);
  m_primaryButton->setIcon(m_theme.icon(face.icon, "onaccent"));
  m_primary->setData(static_cast<int>(primary));
  for (QAction* action : actions()) {
    const QString reason = m_session.blockedReason(static_cast<Action>(action->data().toInt()));
    const QString key = action->shortcut().toString(QKeySequence::NativeText);
    action->setEnabled(reason.isEmpty());
    action->setStatusTip(reason);
    action->setToolTip(!reason.isEmpty() ? reason
                       : key.isEmpty()   ? action->text()
                                         : QString("%1 (%2)").arg(action->text(), key));
  }
  refreshButton(m_primaryButton, m_primary);
  refreshButton(m_stepButton, m_stepBatch);
  refreshButton(m_stopButton, m_stop);
}

void TransportBar::refreshText() {
  const bool idle = !m_session.active() && !m_session.hasRun();
  const bool loading = idle && m_loader.loading(), missing = idle && !loading && !m_loader.missingReason().isEmpty();
  const QString word = loading ? tr("Getting ready") : m_session.stateWord();  // what only takes a moment is no fault
  m_state->setText(word);
  setTone(m_dot, dotTone(m_session.state(), word));
  QString facts = m_session.stateFacts();
  if (loading) facts = m_loader.facts();
  if (missing)
    facts =
        (m_loader.standsIn() ? tr("synthetic digits; %1") : tr("%1; choose a folder")).arg(m_loader.missingReason());
  if (!m_loader.fetching().empty()) facts = tr("getting %1").arg(sourceTitle(m_loader.fetching()));
  m_facts->setText(facts);
  m_time->setText(m_session.timeFacts());
  m_time->setVisible(!missing && !m_narrow);
  setStatusTip(m_narrow ? m_session.timeFacts() : QString());
  m_get->setVisible(missing && m_loader.canFetch() && m_loader.fetching().empty());
  m_choose->setVisible(missing && m_loader.fetching().empty());
  m_progress->setValue(static_cast<int>(1000 * std::clamp(m_session.progress(), 0.0, 1.0)));
}

}  // namespace strata::gui
