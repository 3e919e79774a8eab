// SPDX-License-Identifier: GPL-3.0-or-later
// The right of the Build page: the selected layer's settings, its kernel drawn, and what it costs. Edits go through the
// model.
#pragma once
#include <QPersistentModelIndex>
#include <QWidget>
#include <functional>

#include "gui/models/layer_stack_model.h"
#include "gui/theme.h"

class QCheckBox;
class QGridLayout;
class QLabel;
class QLineEdit;
class QScrollArea;
class QToolButton;

namespace strata::gui {

class BlockSection;
class FieldForm;
class KernelPicture;
class PanelHeader;
class TypingWatch;

class InspectorPanel : public QWidget {
  Q_OBJECT
 public:
  InspectorPanel(const Theme& theme, Document& document, LayerStackModel& model, QWidget* parent = nullptr);

  void showIndex(const QModelIndex& index);
  /// Whether the view has the container open: its button says so.
  void setOpenTest(std::function<bool(int)> isOpen) { m_isOpen = std::move(isOpen); }
  void refresh();
  /// Focus on a field; the first one when empty.
  void focusField(const QString& fieldId);
  FieldForm& form() const { return *m_form; }

 signals:
  void duplicateWanted(int layer);
  void removeWanted(int layer);
  void leftByEscape();
  void layerWanted(int layer);   ///< of what a container holds
  void toggleWanted(int layer);  ///< a container is to be opened or closed

 protected:
  void keyPressEvent(QKeyEvent* event) override;

 private:
  QWidget* makeBody();
  QWidget* makeFacts(QWidget* body);
  void showHead(const LayerSpec& spec, const LayerAnalysis& found);
  void showTrainable(const LayerSpec& spec, const LayerAnalysis& found);
  void showNothing();
  void showProblems();
  void showPicture();
  void showFacts();
  void addFact(QGridLayout& grid, const QString& title);
  QString nameInDocument() const;
  void renameLayer();
  std::int64_t runningIn(int layer) const;
  QString parameterText(int layer) const;

  const Theme& m_theme;
  Document& m_document;
  LayerStackModel& m_model;
  QPersistentModelIndex m_shown;  ///< the card shown, wherever edits and undo move it
  int m_layer = -1;               ///< of that row; -1: none
  PanelHeader* m_header;
  QToolButton *m_copy, *m_remove;
  QScrollArea* m_scroll;
  QLabel *m_empty, *m_pictureTitle, *m_issue;
  QLineEdit* m_name;
  TypingWatch* m_nameWatch;
  FieldForm* m_form;
  KernelPicture* m_picture;
  BlockSection* m_block;
  QCheckBox* m_trainable;
  QLabel* m_factsTitle;
  std::function<bool(int)> m_isOpen;
  QWidget* m_pictureBox;
  struct Fact {
    QLabel *title, *value;
    class ElidedText* hint;  ///< a long one does not push the form out of the panel
  };
  std::vector<Fact> m_facts;
};

}  // namespace strata::gui
