// SPDX-License-Identifier: GPL-3.0-or-later
// The Build page: palette, stack of cards, inspector, and the net's totals below.
#pragma once
#include <QAction>
#include <QSplitter>
#include <QWidget>
#include <functional>
#include <vector>

#include "gui/models/layer_stack_model.h"
#include "gui/theme.h"
#include "gui/training_session.h"

class QLabel;

namespace strata::gui {

class ElidedText;
class InspectorPanel;
class PalettePanel;
class StackView;

class BuildPage : public QWidget {
  Q_OBJECT
 public:
  BuildPage(Theme& theme, Document& document, TrainingSession& session, QWidget* parent = nullptr);

  /// Duplicate, move, delete, wrap, freeze and the like: for the Layer menu. Their keys work while the stack has the
  /// focus.
  QList<QAction*> layerActions() const;
  /// Compact cards: for the View menu.
  QAction* compactAction() const { return m_compact; }
  QSplitter& splitter() { return *m_splitter; }
  StackView& stack() { return *m_stack; }
  LayerStackModel& model() { return m_model; }

  void selectLayer(int layer);
  /// The layer that costs most: where a look at a net just opened is best spent.
  void selectDearest();
  void insertLayer(const QString& type);
  void findLayer();
  /// Says how the net stands, and goes to the first problem.
  void checkNet();

 signals:
  void message(const QString& text);  ///< a line for the status bar

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* makeCentre();
  void makeActions();
  void addAction(const char* name, const QString& text, const char* key, const std::function<int(int)>& act,
                 const std::function<QString(int)>& blocked = {});
  void addSeparator();
  void makeBlockActions();
  void makeCompactAction();
  void connectParts();
  void followSelection();
  StackPlace placeAfterSelection() const;
  int branchOf(int layer) const;
  void updateActions();
  void goToIssue(int layer, const QString& fieldId);
  void useTemplate(const Project& project);

  Theme& m_theme;
  Document& m_document;
  TrainingSession& m_session;
  LayerStackModel m_model;
  QSplitter* m_splitter;
  bool m_narrow = false;
  PalettePanel* m_palette;
  StackView* m_stack;
  InspectorPanel* m_inspector;
  ElidedText* m_title;
  QLabel* m_hint;
  QAction* m_compact;
  struct LayerAction {
    QAction* action;
    std::function<QString(int)> blocked;  ///< why it cannot be done to that layer; empty: it can
  };
  std::vector<LayerAction> m_layerActions;
};

}  // namespace strata::gui
