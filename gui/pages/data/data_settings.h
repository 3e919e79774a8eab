// SPDX-License-Identifier: GPL-3.0-or-later
// Every data setting of the project, in sections with a form each, made from the tables of engine/run/settings.h: a new
// setting there is a new row here.
#pragma once
#include <QWidget>
#include <functional>

#include "gui/document.h"
#include "gui/training_session.h"
#include "gui/widgets/field_form.h"

class QVBoxLayout;

namespace strata::gui {

class DataSettings : public QWidget {
  Q_OBJECT
 public:
  DataSettings(const Theme& theme, Document& document, TrainingSession& session, QWidget* parent = nullptr);
  void refresh();  ///< from the document and the data set

 private:
  using Get = std::function<Fields(const DataSpec& data)>;
  using Put = std::function<void(DataSpec& data, const std::string& fieldId, const Value& value)>;
  struct Section {
    FieldForm* form;
    Get get;
  };
  /// Returns the line under the form.
  QLabel* addSection(const std::string& id, const QString& title, const std::vector<Field>& fields, Get get, Put put);
  bool tested() const;  ///< there is a test set to validate on, or no data yet

  const Theme& m_theme;
  Document& m_document;
  TrainingSession& m_session;
  QVBoxLayout* m_column;
  std::vector<Section> m_sections;
  QLabel *m_validation, *m_preprocessing = nullptr;  ///< what the settings come to, in words
};

}  // namespace strata::gui
