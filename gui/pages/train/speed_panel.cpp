// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/train/speed_panel.h"

#include <unistd.h>

#include <QFile>
#include <QGridLayout>
#include <QVBoxLayout>
#include <cmath>

#include "engine/backend/backend.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"

namespace strata::gui {
namespace {

QString backendTitle(const std::string& id) {
  for (const auto& def : allBackends()) {
    if (def.id == id) return QString::fromStdString(def.title);
  }
  return QString::fromStdString(id);
}

/// Why the GPU cannot be used; empty when it can.
QString gpuReason() {
  for (const auto& def : allBackends()) {
    if (def.id == "cuda") return QString::fromStdString(def.unavailableReason());
  }
  return {};
}

/// Bytes of this process in memory, as the system counts them.
double residentBytes() {
  QFile file("/proc/self/statm");
  if (!file.open(QIODevice::ReadOnly)) return 0;
  return file.readAll().split(' ').value(1).toDouble() * double(sysconf(_SC_PAGESIZE));
}

double totalBytes() { return double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE)); }

}  // namespace

SpeedPanel::SpeedPanel(const Theme& theme, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_session(session) {
  auto* header = new PanelHeader(theme, tr("Device and speed"), this);
  m_speed = makeLabel(theme, "—", Theme::Text::Live, "text", this);
  m_speed->setObjectName("samplesPerSecond");
  m_step = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  m_device = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  m_memory = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  m_line = new SpeedLine(theme, this);
  auto* unit = makeLabel(theme, tr("samples/s"), Theme::Text::Caption, "text2", this);
  unit->setContentsMargins(0, 0, 0, 4);
  const auto noGpu = gpuReason();
  auto* gpu = makeLabel(theme, noGpu.isEmpty() ? tr("A GPU is ready") : tr("No GPU can be used here"),
                        Theme::Text::Caption, "text3", this);
  gpu->setToolTip(noGpu);
  auto* grid = new QGridLayout;
  grid->setContentsMargins(12, 0, 12, 10);
  grid->setVerticalSpacing(4);
  grid->setHorizontalSpacing(6);
  auto* speed = new QHBoxLayout;
  speed->setSpacing(6);
  speed->addWidget(m_speed);
  speed->addWidget(unit, 1, Qt::AlignBottom);
  grid->addLayout(speed, 0, 0, 1, 3);
  grid->addWidget(m_line, 1, 0, 1, 3);
  grid->addWidget(m_device, 2, 0, 1, 2);
  grid->addWidget(m_memory, 2, 2, Qt::AlignRight);
  grid->addWidget(gpu, 3, 0, 1, 2);
  grid->addWidget(m_step, 3, 2, Qt::AlignRight);
  grid->setColumnStretch(2, 1);
  grid->setRowStretch(1, 1);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(header);
  column->addLayout(grid, 1);
  m_timer.setInterval(1000);
  connect(&m_timer, &QTimer::timeout, this, &SpeedPanel::tick);
  connect(&session, &TrainingSession::runStarted, this, [this] {
    m_line->clear();
    m_timer.start();
  });
  connect(&session, &TrainingSession::finished, this, [this] {
    tick();
    m_timer.stop();
  });
}

void SpeedPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  tick();
}

void SpeedPanel::tick() {
  const auto& progress = m_session.lastProgress();
  const bool running = m_session.state() == Trainer::State::Running;
  if (m_session.active()) m_line->add(running ? progress.samplesPerSecond : 0);
  if (!isVisible()) return;
  m_speed->setText(progress.samplesPerSecond > 0 ? number(std::llround(progress.samplesPerSecond)) : QString("—"));
  m_step->setText(progress.secondsPerStep > 0 ? tr("%1 ms per step").arg(progress.secondsPerStep * 1000, 0, 'f', 1)
                                              : QString());
  const auto id = m_session.hasRun() ? m_session.run().backend : m_session.backend().toStdString();
  const int threads = m_session.hasRun() ? m_session.run().threads : m_session.threads();
  m_device->setText(threads > 1    ? tr("%1, %2 threads").arg(backendTitle(id)).arg(threads)
                    : threads == 1 ? tr("%1, 1 thread").arg(backendTitle(id))
                                   : backendTitle(id));
  m_memory->setText(tr("%1 MB of %2 GB").arg(residentBytes() / 1e6, 0, 'f', 0).arg(totalBytes() / 1e9, 0, 'f', 0));
}

}  // namespace strata::gui
