// SPDX-License-Identifier: GPL-3.0-or-later
// A form made from Fields: one row a field, the problem of a field directly under it, the advanced ones behind a fold.
// The form holds no value of its own that matters: it shows what it is given and tells what was finished.
#pragma once
#include <QHash>
#include <QWidget>
#include <functional>
#include <vector>

#include "engine/net/field.h"
#include "gui/theme.h"

class QFormLayout;
class QLabel;
class QToolButton;

namespace strata::gui {

class FieldForm : public QWidget {
  Q_OBJECT
 public:
  explicit FieldForm(const Theme& theme, QWidget* parent = nullptr);

  /// A row above the fields, for a name. Kept when the fields change.
  void addHeadRow(const QString& title, QWidget* editor);
  /// Shows rows for these fields, which are copied. Rows stay, with what is being typed into them, while the fields
  /// are the same but for limits, unit and words.
  void setFields(const std::vector<Field>& fields);
  /// Puts the values into the editors without telling edited(); a field being typed into keeps its text.
  void setValues(const Fields& values);
  /// The line under a field; empty takes it away.
  void setProblem(const QString& fieldId, const QString& text);
  void clearProblems();
  /// Locked fields are shown sunken with the reason as their tooltip; empty unlocks.
  void setLocked(const QString& fieldId, const QString& reason);

  const std::vector<Field>& fields() const { return m_fields; }
  QWidget* editor(const QString& fieldId) const { return m_rows.value(fieldId).editor; }
  /// Forgets what is being typed, as its field is about to stand for something else.
  void restore();
  /// Puts the focus on a field, opening the fold when it lies there.
  void focusField(const QString& fieldId);

 signals:
  void edited(const QString& fieldId, const strata::Value& value);
  void editingFinished();  ///< the focus left a field: the next edit is a new undo step

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  struct Row {
    QWidget* editor = nullptr;
    QLabel *label = nullptr, *problem = nullptr;
    QString help, issue, refusal;  ///< what is wrong with the document's value, and with what was typed
    std::function<void(const Value&)> show;
  };
  void clearRows();
  void addRow(const Field& field, QFormLayout* layout);
  void describe(Row& row, const Field& field);
  void showProblem(const Row& row);
  Row makeEditor(const Field& field);
  Row makeNumber(const Field& field);
  Row makeChoice(const Field& field);
  Row makeInitializer(const Field& field);
  Row makeSizes(const Field& field);
  class NumberBox* makeBox(const Field& field, const QString& rowId);
  void watch(QWidget* editor);

  const Theme& m_theme;
  std::vector<Field> m_fields;
  QHash<QString, Row> m_rows;
  QFormLayout *m_head, *m_plain, *m_advanced;
  QToolButton* m_fold;
  QWidget *m_plainBox, *m_advancedBox;
};

}  // namespace strata::gui
