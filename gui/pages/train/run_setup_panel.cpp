// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/train/run_setup_panel.h"

#include <QGridLayout>
#include <QPainter>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>

#include "gui/models/runs_model.h"
#include "gui/widgets/elided_text.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"

namespace strata::gui {
namespace {

/// A field of the optimizer or the schedule, under an id of its own on the form.
constexpr char kOptimizer[] = "optimizer.", kSchedule[] = "schedule.";

template <class Def>
std::vector<Choice> choicesOf(const std::vector<Def>& defs) {
  std::vector<Choice> choices;
  for (const auto& def : defs) choices.push_back({def.type, def.title, def.help});
  return choices;
}

template <class Def>
const Def& defOf(const std::vector<Def>& defs, const std::string& type) {
  const Def* found = findChoice(defs, type);
  return found ? *found : defs.front();
}

void append(std::vector<Field>& fields, const ChoiceDef& def, const char* prefix, bool rate) {
  for (auto f : def.fields) {
    if ((f.id == "learning_rate") != rate) continue;
    f.id = prefix + f.id;
    f.advanced = false;
    fields.push_back(f);
  }
}

using Panel = RunSetupPanel;
std::string words(const QString& text) { return text.toStdString(); }

/// `firstEpoch`: the least that the run can be given, as it cannot end before the epoch it is in.
std::vector<Field> liveFields(const TrainingSpec& spec, int firstEpoch) {
  std::vector<Field> fields;
  append(fields, defOf(allOptimizers(), spec.optimizer.type), kOptimizer, true);
  fields.push_back(intField("epochs", words(Panel::tr("Epochs")), 30, firstEpoch, kMaxEpochs,
                            words(Panel::tr("How often the net sees every training sample. A run goes on at least to "
                                            "the end of the epoch it is in; Stop ends it at once."))));
  return fields;
}

std::vector<Field> fixedFields(const TrainingSpec& spec) {
  const auto optimizers = choicesOf(allOptimizers()), schedules = choicesOf(allSchedules());
  std::vector<Field> fields{choiceField("optimizer", words(Panel::tr("Optimizer")), optimizers, optimizers.front().id,
                                        words(Panel::tr("The rule by which gradients move the weights.")))};
  append(fields, defOf(allOptimizers(), spec.optimizer.type), kOptimizer, false);
  fields.push_back(choiceField("schedule", words(Panel::tr("Rate falls")), schedules, schedules.front().id,
                               words(Panel::tr("How the learning rate changes over the run."))));
  append(fields, defOf(allSchedules(), spec.schedule.type), kSchedule, false);
  fields.push_back(intField("batch_size", words(Panel::tr("Batch size")), 128, 1, kMaxBatchSize,
                            words(Panel::tr("Samples per step."))));
  fields.push_back(boolField("shuffle", words(Panel::tr("Shuffle")), true,
                             words(Panel::tr("A new order of the samples every epoch; else as in the file."))));
  fields.push_back(
      seedField("seed", words(Panel::tr("Seed")), 1,
                words(Panel::tr("The same seed, device and thread count give the same run, to the bit."))));
  fields.push_back(realField("label_smoothing", words(Panel::tr("Smooth labels")), 0, 0, kMaxLabelSmoothing,
                             words(Panel::tr("The share of each label that is spread over all classes, so that the net "
                                             "is not pressed to be certain. 0 takes labels as they are."))));
  fields.push_back(choiceField(
      "validation", words(Panel::tr("Validate on")),
      {{"split", words(Panel::tr("Split")), words(Panel::tr("A held-out part of the training samples."))},
       {"test_set", words(Panel::tr("Test set")), {}}},
      "split",
      words(Panel::tr("Split holds out a part of the training samples; its size is set on the Data page. The test set "
                      "makes figures comparable with the references, but the best epoch is then chosen on it."))));
  fields.push_back(intField("keep_epochs", words(Panel::tr("Keep epochs")), 30, 0, kMaxEpochs,
                            words(Panel::tr("The weights of so many epochs are kept on disk, the newest first. The "
                                            "best and the last are always kept."))));
  return fields;
}

Fields valuesOf(const Project& project, const std::vector<Field>& described) {
  const auto& t = project.training;
  Fields values;
  for (const auto& f : described) {
    if (f.id.starts_with(kOptimizer)) values.set(f.id, t.optimizer.fields.at(f.id.substr(sizeof kOptimizer - 1)));
    else if (f.id.starts_with(kSchedule)) values.set(f.id, t.schedule.fields.at(f.id.substr(sizeof kSchedule - 1)));
    else if (f.id == "optimizer") values.set(f.id, t.optimizer.type);
    else if (f.id == "schedule") values.set(f.id, t.schedule.type);
    else if (f.id == "epochs") values.set(f.id, std::int64_t{t.epochs});
    else if (f.id == "batch_size") values.set(f.id, std::int64_t{t.batchSize});
    else if (f.id == "shuffle") values.set(f.id, t.shuffle);
    else if (f.id == "seed") values.set(f.id, t.seed);
    else if (f.id == "label_smoothing") values.set(f.id, t.labelSmoothing);
    else if (f.id == "keep_epochs") values.set(f.id, std::int64_t{t.keepEpochs});
    else values.set(f.id, std::string(project.data.validation == ValidationSource::TestSet ? "test_set" : "split"));
  }
  return values;
}

void put(Project& project, const std::string& id, const Value& value) {
  auto& t = project.training;
  const auto integer = [&] { return int(std::get<std::int64_t>(value)); };
  if (id.starts_with(kOptimizer)) t.optimizer.fields.set(id.substr(sizeof kOptimizer - 1), value);
  else if (id.starts_with(kSchedule)) t.schedule.fields.set(id.substr(sizeof kSchedule - 1), value);
  else if (id == "optimizer")
    t.optimizer = {std::get<std::string>(value), Fields(defOf(allOptimizers(), std::get<std::string>(value)).fields)};
  else if (id == "schedule")
    t.schedule = {std::get<std::string>(value), Fields(defOf(allSchedules(), std::get<std::string>(value)).fields)};
  else if (id == "epochs") t.epochs = integer();
  else if (id == "batch_size") t.batchSize = integer();
  else if (id == "shuffle") t.shuffle = std::get<bool>(value);
  else if (id == "seed") t.seed = std::get<std::uint64_t>(value);
  else if (id == "label_smoothing") t.labelSmoothing = std::get<double>(value);
  else if (id == "keep_epochs") t.keepEpochs = integer();
  else if (id == "validation")
    project.data.validation =
        std::get<std::string>(value) == "split" ? ValidationSource::Split : ValidationSource::TestSet;
}

/// The look of one curve, for the legend.
class Swatch : public QWidget {
 public:
  Swatch(const Theme& theme, const char* token, bool band, bool rings, QWidget* parent)
      : QWidget(parent), m_theme(theme), m_token(token), m_band(band), m_rings(rings) {
    setFixedSize(22, 14);
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    auto color = m_theme.color(m_token);
    if (m_band) {
      auto faint = color;
      faint.setAlphaF(0.2f);
      p.fillRect(QRectF(0, 2, 22, 10), faint);
    }
    p.setPen(QPen(color, 1.75, m_token == "ref" ? Qt::DashLine : Qt::SolidLine));
    p.drawLine(0, 7, 22, 7);
    if (!m_rings) return;
    p.setBrush(m_theme.color("surface"));
    p.drawEllipse(QPointF(11, 7), 3.5, 3.5);
  }

 private:
  const Theme& m_theme;
  QString m_token;
  bool m_band, m_rings;
};

QLabel* section(const Theme& theme, const QString& text, QWidget* parent) {
  auto* label = makeLabel(theme, text, Theme::Text::Caption, "text2", parent);
  QFont font = label->font();
  font.setWeight(QFont::DemiBold);
  label->setFont(font);
  return label;
}

}  // namespace

RunSetupPanel::RunSetupPanel(const Theme& theme, Document& document, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_document(document), m_session(session) {
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  auto* header = new PanelHeader(theme, tr("Run setup"), this);
  m_title = new ElidedText(theme, "text2", this);
  m_title->setFont(theme.font(Theme::Text::Caption));
  header->addWidget(m_title);
  m_live = new FieldForm(theme, this);
  m_fixed = new FieldForm(theme, this);
  m_branch = new QPushButton(theme.icon("branch"), {}, this);
  m_branch->setObjectName("branch");
  for (auto* form : {m_live, m_fixed}) {
    form->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    connect(form, &FieldForm::edited, this, &RunSetupPanel::edit);
    connect(form, &FieldForm::editingFinished, &m_document, &Document::endMerge);
  }
  auto* inside = new QWidget(this);
  inside->setProperty("ground", "surface");
  auto* column = new QVBoxLayout(inside);
  column->setContentsMargins(12, 8, 12, 12);
  column->setSpacing(8);
  column->addWidget(section(theme, tr("Can change while running"), inside));
  column->addWidget(m_live);
  column->addSpacing(6);
  column->addWidget(section(theme, tr("Fixed for a run"), inside));
  column->addWidget(m_fixed);
  column->addSpacing(4);
  column->addWidget(m_branch);
  column->addSpacing(6);
  column->addWidget(makeLine(inside));
  column->addWidget(makeLegend(theme));
  column->addStretch(1);
  auto* scroll = new QScrollArea(this);
  scroll->setWidget(inside);
  scroll->setWidgetResizable(true);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setFrameShape(QFrame::NoFrame);
  auto* page = new QVBoxLayout(this);
  page->setContentsMargins(0, 0, 0, 0);
  page->setSpacing(0);
  page->addWidget(header);
  page->addWidget(makeLine(this));
  page->addWidget(scroll, 1);
  connect(m_branch, &QPushButton::clicked, this, &RunSetupPanel::branch);
  connect(&document, &Document::changed, this, &RunSetupPanel::refresh);
  connect(&session, &TrainingSession::stateChanged, this, &RunSetupPanel::refresh);
  connect(&session, &TrainingSession::epochDone, this, &RunSetupPanel::refresh);
  refresh();
}

QWidget* RunSetupPanel::makeLegend(const Theme& theme) {
  auto* box = new QWidget(this);
  auto* grid = new QGridLayout(box);
  grid->setContentsMargins(0, 2, 0, 0);
  grid->setHorizontalSpacing(10);
  grid->setVerticalSpacing(6);
  grid->addWidget(section(theme, tr("Curves"), box), 0, 0, 1, 2);
  const struct {
    const char* token;
    bool band, rings;
    QString text;
  } lines[] = {{"train", true, false, tr("Training, smooth over raw")},
               {"val", false, true, tr("Validation, each epoch")},
               {"ref", false, false, tr("References, test set")}};
  int row = 1;
  for (const auto& line : lines) {
    grid->addWidget(new Swatch(theme, line.token, line.band, line.rings, box), row, 0);
    grid->addWidget(makeLabel(theme, line.text, Theme::Text::Caption, "text", box), row++, 1);
  }
  grid->setColumnStretch(1, 1);
  return box;
}

void RunSetupPanel::refresh() {
  m_refreshing = true;
  const bool active = m_ofRun = m_session.active();
  const auto& project = active ? m_session.run().project : m_document.project();
  m_title->setText(active ? runTitle(m_session.run()) : titleText(project.name));
  m_live->setFields(liveFields(project.training, active ? int(m_session.run().epochs.size()) + 1 : 1));
  m_fixed->setFields(fixedFields(project.training));
  m_live->setValues(valuesOf(project, m_live->fields()));
  m_fixed->setValues(valuesOf(project, m_fixed->fields()));
  for (const auto& f : m_fixed->fields()) {
    const auto title = QString::fromStdString(f.title).toLower();
    m_fixed->setLocked(QString::fromStdString(f.id),
                       active ? tr("Finish or stop the run to change the %1").arg(title) : QString());
  }
  const int best = m_branchEpoch = m_session.run().bestEpoch;
  m_branch->setVisible(m_session.hasRun() && best > 0);
  m_branch->setText(tr("Branch from epoch %1").arg(best));
  const auto blocked = m_session.branchBlockedReason(m_session.run(), best);
  m_branch->setEnabled(blocked.isEmpty());
  m_branch->setToolTip(blocked.isEmpty() ? tr("Start a new run with these settings from the weights of the best epoch")
                                         : blocked);
  m_refreshing = false;
}

void RunSetupPanel::edit(const QString& fieldId, const Value& value) {
  if (m_refreshing) return;
  const auto id = fieldId.toStdString();
  if (m_ofRun) {  // it may have ended since: what was meant for it does not go to the document
    if (id == "epochs") m_session.setEpochs(int(std::get<std::int64_t>(value)));
    else if (id.ends_with("learning_rate")) m_session.setLearningRate(std::get<double>(value));
    return;
  }
  m_document.edit(
      tr("Change training"), [&](Project& project) { put(project, id, value); }, "training." + fieldId);
}

void RunSetupPanel::branch() { m_session.branchFrom(m_session.run().folder, m_branchEpoch); }

}  // namespace strata::gui
