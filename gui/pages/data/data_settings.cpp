// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/data/data_settings.h"

#include <QVBoxLayout>

#include "engine/run/settings.h"
#include "gui/widgets/number_text.h"
#include "gui/widgets/section_title.h"

namespace strata::gui {
namespace {

std::vector<Field> plainFields() {
  std::vector<Field> fields;
  for (const auto& setting : dataSettings()) fields.push_back(setting.field);
  return fields;
}

Fields plainValues(const DataSpec& data) {
  Fields values;
  for (const auto& setting : dataSettings()) values.set(setting.field.id, setting.get(data));
  return values;
}

QString validationText(const DataSpec& data, bool tested) {
  if (!tested)
    return DataSettings::tr("There is no test set: the best epoch is chosen on training images that the net never "
                            "learns from.");
  return data.validation == ValidationSource::Split
             ? DataSettings::tr("The best epoch is chosen on training images that the net never learns from. The test "
                                "set stays untouched.")
             : DataSettings::tr("The best epoch is chosen on the test set, as the three reference systems did. Its "
                                "figure flatters a little.");
}

QString valueText(const Preprocessing& prep) {
  if (prep.offset == 0 && prep.scale == 1.0 / 255) return DataSettings::tr("Value = pixel ÷ 255, from 0 to 1");
  return DataSettings::tr("Value = pixel × %1 + %2").arg(shortest(prep.scale), shortest(prep.offset));
}

/// How pictures from outside are made like the data.
QString looksText(const Preprocessing& prep) {
  const QString ink = prep.ink == Ink::Light  ? DataSettings::tr("Light on dark")
                      : prep.ink == Ink::Dark ? DataSettings::tr("Dark on light")
                                              : DataSettings::tr("No plain ground");
  return DataSettings::tr("%1; %2").arg(ink, prep.framing == Framing::Mnist
                                                 ? DataSettings::tr("drawings are framed as MNIST frames digits")
                                                 : DataSettings::tr("pictures go in whole, scaled"));
}

}  // namespace

DataSettings::DataSettings(const Theme& theme, Document& document, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_document(document), m_session(session) {
  m_column = new QVBoxLayout(this);
  m_column->setContentsMargins(0, 0, 0, 0);
  m_column->setSpacing(0);
  m_validation = addSection("validation", tr("Validation"), plainFields(), plainValues,
                            [](DataSpec& data, const std::string& id, const Value& value) {
                              findSetting(dataSettings(), id)->put(data, value);
                            });
  m_validation->setObjectName("validationText");
  for (const DataGroup& group : dataGroups()) {
    QLabel* words = addSection(group.id, QString::fromStdString(group.title), group.fields(), group.get,
                               [&group](DataSpec& data, const std::string& id, const Value& value) {
                                 Fields values = group.get(data);
                                 values.set(id, value);
                                 group.put(data, values);
                               });
    if (group.id == "preprocessing") m_preprocessing = words;
  }
  connect(&m_document, &Document::changed, this, &DataSettings::refresh);
  refresh();
}

QLabel* DataSettings::addSection(const std::string& id, const QString& title, const std::vector<Field>& fields, Get get,
                                 Put put) {
  auto* form = new FieldForm(m_theme, this);
  form->setObjectName("settings_" + QString::fromStdString(id));
  form->setFields(fields);
  QLabel* words = makeLabel(m_theme, {}, Theme::Text::Caption, "text2", this);
  words->setWordWrap(true);
  auto* section = new QVBoxLayout;
  section->setContentsMargins(12, 10, 12, 10);
  section->setSpacing(6);
  section->addWidget(makeSectionTitle(m_theme, title, this));
  section->addWidget(form);
  section->addWidget(words);
  m_column->addWidget(makeLine(this));
  m_column->addLayout(section);
  m_sections.push_back({form, std::move(get)});
  connect(form, &FieldForm::edited, this,
          [this, id, put = std::move(put), step = tr("Change %1").arg(title.toLower())](const QString& fieldId,
                                                                                        const Value& value) {
            m_document.edit(
                step, [&](Project& project) { put(project.data, fieldId.toStdString(), value); },
                QString::fromStdString(id) + '.' + fieldId);
          });
  connect(form, &FieldForm::editingFinished, &m_document, &Document::endMerge);
  return words;
}

bool DataSettings::tested() const { return !m_session.dataset() || m_session.dataset()->test.count > 0; }

void DataSettings::refresh() {
  const DataSpec& data = m_document.project().data;
  for (const Section& section : m_sections) section.form->setValues(section.get(data));
  for (const auto& setting : dataSettings()) {
    const std::string idle = setting.idle && tested() ? setting.idle(data) : std::string();
    m_sections.front().form->setLocked(QString::fromStdString(setting.field.id), QString::fromStdString(idle));
  }
  m_validation->setText(validationText(data, tested()));
  QString prep = valueText(data.preprocessing);
  if (const auto& dataset = m_session.dataset()) prep += "\n" + looksText(resolved(data.preprocessing, *dataset));
  m_preprocessing->setText(prep);
}

}  // namespace strata::gui
