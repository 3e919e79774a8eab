// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/train/run_setup_panel.h"

#include <QGridLayout>
#include <QPainter>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>

#include "engine/run/settings.h"
#include "gui/models/runs_model.h"
#include "gui/widgets/elided_text.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/section_title.h"

namespace strata::gui {
namespace {

/// A metric among the fields, a box to tick.
constexpr std::string_view kMetric = "metric.";

std::vector<Choice> choicesOf(const ChoiceRows& rows) {
  std::vector<Choice> choices;
  for (const auto* row : rows) choices.push_back({row->type, row->title, row->help});
  return choices;
}

/// A field of a chosen row, under an id of its own on the form: "optimizer.momentum". The learning rate stands apart:
/// it can change while a run goes on.
std::string idOf(const ChoiceSetting& choice, const Field& field) { return choice.id + "." + field.id; }
bool isLive(const Field& field) { return field.id == "learning_rate" || field.id == "epochs"; }

Field onForm(Field field, const std::string& id) {
  field.id = id;
  field.advanced = false;
  return field;
}

void appendRow(std::vector<Field>& fields, const ChoiceSetting& choice, const TrainingSpec& spec, bool live) {
  if (!live)
    fields.push_back(
        choiceField(choice.id, choice.title, choicesOf(choice.rows), choice.rows.front()->type, choice.help));
  for (const auto& field : choice.defOf(spec).fields)
    if (isLive(field) == live) fields.push_back(onForm(field, idOf(choice, field)));
}

void appendMetrics(std::vector<Field>& fields, const TrainingSpec& spec) {
  for (const auto& metric : allMetrics())
    if (metric.target == spec.loss.def().target)
      fields.push_back(boolField(std::string(kMetric) + metric.id, metric.title, false, metric.help));
  fields.push_back(monitorField(spec.loss));
}

/// `firstEpoch`: the least that the run can be given, as it cannot end before the epoch it is in.
std::vector<Field> liveFields(const TrainingSpec& spec, int firstEpoch) {
  std::vector<Field> fields;
  for (const auto& choice : trainingChoices()) appendRow(fields, choice, spec, true);
  for (const auto& setting : trainingSettings())
    if (isLive(setting.field)) {
      fields.push_back(setting.field);
      fields.back().low = firstEpoch;
    }
  return fields;
}

std::vector<Field> fixedFields(const TrainingSpec& spec) {
  std::vector<Field> fields;
  for (const auto& choice : trainingChoices()) appendRow(fields, choice, spec, false);
  for (const auto& setting : trainingSettings())
    if (!isLive(setting.field)) fields.push_back(setting.field);
  appendMetrics(fields, spec);
  fields.push_back(findSetting(dataSettings(), "validation")->field);
  return fields;
}

/// The value that stands for the form's field in the project.
Value valueOf(const Project& project, const std::string& id) {
  const auto& t = project.training;
  if (const auto* setting = findSetting(trainingSettings(), id)) return setting->get(t);
  if (const auto* setting = findSetting(dataSettings(), id)) return setting->get(project.data);
  if (id == "monitor") return withVal(withoutVal(monitorOf(t)));
  if (id.starts_with(kMetric)) return std::ranges::find(t.metrics, id.substr(kMetric.size())) != t.metrics.end();
  const auto dot = id.find('.');
  const auto* choice = findTrainingChoice(id.substr(0, dot));
  return dot == id.npos ? Value(choice->typeOf(t)) : choice->fieldsOf(t).at(id.substr(dot + 1));
}

Fields valuesOf(const Project& project, const std::vector<Field>& described) {
  Fields values;
  for (const auto& field : described) values.set(field.id, valueOf(project, field.id));
  return values;
}

/// In the order of the table, however they are ticked.
void tick(MetricIds& metrics, const std::string& id, bool on) {
  MetricIds ticked;
  for (const auto& metric : allMetrics()) {
    const bool was = std::ranges::find(metrics, metric.id) != metrics.end();
    if (metric.id == id ? on : was) ticked.push_back(metric.id);
  }
  metrics = std::move(ticked);
}

void put(Project& project, const std::string& id, const Value& value) {
  auto& t = project.training;
  if (const auto* setting = findSetting(trainingSettings(), id)) return setting->put(t, value);
  if (const auto* setting = findSetting(dataSettings(), id)) return setting->put(project.data, value);
  if (id == "monitor") {
    t.monitor = std::get<std::string>(value);
    return;
  }
  if (id.starts_with(kMetric)) return tick(t.metrics, id.substr(kMetric.size()), std::get<bool>(value));
  const auto dot = id.find('.');
  const auto* choice = findTrainingChoice(id.substr(0, dot));
  if (dot == id.npos) choice->choose(t, std::get<std::string>(value));
  else choice->fields(t).set(id.substr(dot + 1), value);
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
  column->addWidget(makeSectionTitle(theme, tr("Can change while running"), inside));
  column->addWidget(m_live);
  column->addSpacing(6);
  column->addWidget(makeSectionTitle(theme, tr("Fixed for a run"), inside));
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
  grid->addWidget(makeSectionTitle(theme, tr("Curves"), box), 0, 0, 1, 2);
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
