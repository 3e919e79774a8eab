// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/stack_accessible.h"

#include <QAccessible>
#include <QAccessibleWidget>
#include <QPointer>
#include <algorithm>
#include <map>

#include "gui/widgets/stack_view.h"

namespace strata::gui {
namespace {

/// One card. It outlives its layer as an invalid interface.
class CardAccessible : public QAccessibleInterface, public QAccessibleActionInterface {
 public:
  CardAccessible(StackView& view, const QModelIndex& index) : m_view(&view), m_index(index) {}

  bool isValid() const override { return m_view && m_index.isValid(); }
  QObject* object() const override { return nullptr; }
  QAccessibleInterface* parent() const override { return QAccessible::queryAccessibleInterface(m_view.data()); }
  QAccessibleInterface* child(int) const override { return nullptr; }
  QAccessibleInterface* childAt(int, int) const override { return nullptr; }
  int childCount() const override { return 0; }
  int indexOfChild(const QAccessibleInterface*) const override { return -1; }
  QAccessible::Role role() const override { return QAccessible::TreeItem; }

  QRect rect() const override {
    if (!isValid()) return {};
    const QRect at = m_view->visualRect(m_index);
    return at.isNull() ? at : QRect(m_view->viewport()->mapToGlobal(at.topLeft()), at.size());
  }

  QString text(QAccessible::Text which) const override {
    if (!isValid()) return {};
    if (which == QAccessible::Description) return m_index.data(Qt::AccessibleDescriptionRole).toString();
    if (which != QAccessible::Name) return {};
    QString name = m_index.data(Qt::AccessibleTextRole).toString();
    if (isContainer()) name += isOpen() ? StackView::tr(", open") : StackView::tr(", closed");
    return name;
  }
  void setText(QAccessible::Text, const QString&) override {}

  QAccessible::State state() const override {
    QAccessible::State state;
    if (!isValid()) {
      state.invalid = true;
      return state;
    }
    state.selectable = state.focusable = true;
    state.selected = state.active = m_view->currentIndex() == m_index;
    state.focused = state.selected && m_view->hasFocus();
    state.expandable = isContainer();
    state.expanded = isContainer() && isOpen();
    state.collapsed = isContainer() && !isOpen();
    return state;
  }

  void* interface_cast(QAccessible::InterfaceType type) override {
    return type == QAccessible::ActionInterface ? static_cast<QAccessibleActionInterface*>(this) : nullptr;
  }
  QStringList actionNames() const override {
    QStringList names{setFocusAction()};
    if (isContainer()) names << toggleAction();
    return names;
  }
  void doAction(const QString& action) override {
    if (!isValid()) return;
    if (action == setFocusAction()) m_view->setCurrentIndex(m_index);
    if (action == toggleAction()) m_view->setOpen(layer(), !isOpen());
  }
  QStringList keyBindingsForAction(const QString&) const override { return {}; }

 private:
  int layer() const { return static_cast<const LayerStackModel*>(m_view->model())->layerAt(m_index); }
  bool isContainer() const { return m_index.data(LayerStackModel::CardRole).value<LayerCard>().isContainer; }
  bool isOpen() const { return m_view->isOpen(layer()); }

  QPointer<StackView> m_view;
  QPersistentModelIndex m_index;
};

class StackAccessible : public QAccessibleWidget {
 public:
  explicit StackAccessible(StackView& view) : QAccessibleWidget(&view, QAccessible::Tree), m_view(view) {}
  ~StackAccessible() override {
    for (const auto& [id, known] : m_known) QAccessible::deleteAccessibleInterface(known);
  }

  int childCount() const override { return static_cast<int>(m_view.walk().size()); }
  QAccessibleInterface* child(int at) const override {
    const auto seen = m_view.walk();
    return at < 0 || at >= static_cast<int>(seen.size()) ? nullptr : of(seen[static_cast<std::size_t>(at)]);
  }
  QAccessibleInterface* childAt(int x, int y) const override {
    const QModelIndex index = m_view.indexAt(m_view.viewport()->mapFromGlobal(QPoint(x, y)));
    return index.isValid() ? of(index) : nullptr;
  }
  QAccessibleInterface* focusChild() const override {
    return m_view.currentIndex().isValid() ? of(m_view.currentIndex()) : nullptr;
  }
  int indexOfChild(const QAccessibleInterface* wanted) const override {
    for (int i = 0; i < childCount(); ++i)
      if (child(i) == wanted) return i;
    return -1;
  }

 private:
  QAccessibleInterface* of(const QModelIndex& index) const {
    const auto known = m_known.find(index.internalId());
    if (known != m_known.end())
      if (auto* found = QAccessible::accessibleInterface(known->second); found && found->isValid()) return found;
    auto* made = new CardAccessible(m_view, index);
    m_known[index.internalId()] = QAccessible::registerAccessibleInterface(made);
    return made;
  }

  StackView& m_view;
  mutable std::map<quintptr, QAccessible::Id> m_known;  ///< by the model's ids
};

QAccessibleInterface* makeAccessible(const QString& className, QObject* object) {
  auto* view = className == QLatin1String("strata::gui::StackView") ? qobject_cast<StackView*>(object) : nullptr;
  return view ? new StackAccessible(*view) : nullptr;
}

int placeOfCard(const StackView& view, const QModelIndex& index) {
  const auto seen = view.walk();
  const auto found = std::find(seen.begin(), seen.end(), index);
  return found == seen.end() ? -1 : static_cast<int>(found - seen.begin());
}

}  // namespace

void installStackAccessible() {
  static const bool once = [] {
    QAccessible::installFactory(makeAccessible);
    return true;
  }();
  Q_UNUSED(once)
}

void tellFocus(StackView& view, const QModelIndex& index) {
  if (!QAccessible::isActive() || !view.hasFocus()) return;
  const int at = placeOfCard(view, index);
  if (at < 0) return;
  QAccessibleEvent event(&view, QAccessible::Focus);
  event.setChild(at);
  QAccessible::updateAccessibility(&event);
}

void tellOpen(StackView& view, const QModelIndex& index) {
  if (!QAccessible::isActive()) return;
  const int at = placeOfCard(view, index);
  if (at < 0) return;
  QAccessible::State changed;
  changed.expanded = changed.collapsed = true;
  QAccessibleStateChangeEvent event(&view, changed);
  event.setChild(at);
  QAccessible::updateAccessibility(&event);
}

}  // namespace strata::gui
