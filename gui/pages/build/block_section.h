// SPDX-License-Identifier: GPL-3.0-or-later
// The part of the inspector that only a container has: its shortcut or its branches with what is in them, the block
// drawn, and what can be done with the whole of it. Edits go through the model.
#pragma once
#include <QWidget>

#include "gui/models/layer_stack_model.h"
#include "gui/theme.h"

class QGridLayout;
class QLabel;
class QPushButton;
class QVBoxLayout;

namespace strata::gui {

class BlockPicture;
class Segment;

class BlockSection : public QWidget {
  Q_OBJECT
 public:
  BlockSection(const Theme& theme, Document& document, LayerStackModel& model, QWidget* parent = nullptr);

  /// `layer` is a container.
  void show(int layer, bool open);

 signals:
  void layerWanted(int layer);   ///< it is to be selected
  void toggleWanted(int layer);  ///< open it, or close it

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* makeButtons();
  void placeButtons();
  void indentRows();
  int rowIndent() const;
  void showShortcut(const LayerSpec& spec, const LayerCard& card);
  void showBranches(const LayerSpec& spec);
  void chooseShortcut(int which);
  void addRow(const QString& title, int layer, int branch, bool removable);
  int numberIn(int stack, int at) const;

  const Theme& m_theme;
  Document& m_document;
  LayerStackModel& m_model;
  int m_layer = -1;
  QWidget *m_shortcutRow, *m_rowsBox;
  Segment* m_shortcut;
  QVBoxLayout* m_rows;
  QGridLayout* m_buttons;
  QLabel *m_shortcutLabel, *m_reason, *m_pictureTitle;
  BlockPicture* m_picture;
  QPushButton *m_add, *m_apart, *m_freeze, *m_toggle;
};

}  // namespace strata::gui
