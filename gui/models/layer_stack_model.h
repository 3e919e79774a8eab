// SPDX-License-Identifier: GPL-3.0-or-later
// The document's stack as a tree: row 0 is the input, the last row the output, the net's own layers between them. Under
// a container stand its lanes, one a stack, which cannot be chosen, and in them its layers. Every index carries an id
// that stays the same node's while others are edited, moved, undone. Every change goes through the document, as one
// undoable step; the rows follow the document with the smallest signals that tell the change, so that selections and
// scroll positions stay. Layers go by their number in reading order (engine/net/network_spec.h).
#pragma once
#include <QAbstractItemModel>
#include <QStringList>
#include <QUuid>
#include <functional>
#include <set>
#include <vector>

#include "gui/document.h"
#include "gui/models/stack_edits.h"
#include "gui/models/stack_tree.h"

namespace strata::gui {

/// A dragged card; its bytes are the model's own id, for a card of another window is no layer here, and the layer's
/// number.
inline constexpr char kCardMime[] = "application/x-strata-card";

class LayerStackModel : public QAbstractItemModel {
  Q_OBJECT
 public:
  enum Role { CardRole = Qt::UserRole };

  explicit LayerStackModel(Document& document, QObject* parent = nullptr);

  QModelIndex index(int row, int column = 0, const QModelIndex& parent = {}) const override;
  QModelIndex parent(const QModelIndex& child) const override;
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& = {}) const override { return 1; }
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;
  Qt::DropActions supportedDragActions() const override { return Qt::MoveAction | Qt::CopyAction; }
  Qt::DropActions supportedDropActions() const override { return Qt::MoveAction | Qt::CopyAction; }
  QStringList mimeTypes() const override;
  QMimeData* mimeData(const QModelIndexList& indexes) const override;
  bool canDropMimeData(const QMimeData* data, Qt::DropAction action, int row, int column,
                       const QModelIndex& parent) const override;
  bool dropMimeData(const QMimeData* data, Qt::DropAction action, int row, int column,
                    const QModelIndex& parent) override;

  /// What the input card calls the data: the data set in use, which may stand in for the one the document names.
  void setDataTitle(const QString& title);

  int layerCount() const { return static_cast<int>(m_byNumber.size()); }
  /// The layer that an index stands for; -1 for input, output and lanes.
  int layerAt(const QModelIndex& index) const;
  QModelIndex indexOf(int layer) const;  ///< invalid when there is no such layer
  QModelIndex inputIndex() const { return index(0); }
  QModelIndex outputIndex() const { return index(rowCount() - 1); }
  /// The card of a layer, of the output for kOutputCard, else of the input.
  static constexpr int kOutputCard = -2;
  const LayerCard& cardOf(int layer) const;
  /// Stable; 0 when there is no such layer.
  int idOf(int layer) const;
  int layerOfId(int id) const;
  /// While signals tell a change, the document is ahead of the rows.
  bool isFollowing() const { return m_following; }
  const Document& document() const { return m_document; }

  /// The gap that a row under a parent is, and back.
  StackPlace placeAt(int row, const QModelIndex& parent) const;
  QModelIndex parentOf(const StackPlace& place) const;
  static int rowOf(const StackPlace& place) { return place.container < 0 ? place.at + 1 : place.at; }
  /// "into res2, after bn1", "before conv2".
  QString placeText(const StackPlace& place) const;
  /// The layer that a drag carries; -1: none of this stack's. And what it is called: "Dropout".
  int draggedLayer(const QMimeData* data) const;
  QString draggedTitle(const QMimeData* data) const;

  /// Each returns the number of the layer to select afterwards, or -1 when nothing was done.
  int insertLayer(const QString& type, const StackPlace& place);
  int duplicateLayer(int layer);
  int copyLayer(int layer, const StackPlace& place);
  int moveLayer(int layer, const StackPlace& place);  ///< `place` counted in the net as it is now
  int moveAlong(int layer, int step, const std::function<bool(int)>& isOpen);
  int removeLayer(int layer);
  int wrapLayer(int layer, const QString& containerType);
  int takeApart(int layer);
  int addStack(int container);
  int removeStack(int container, int stack);
  int emptyStack(int container, int stack);
  int setTrainable(int layer, bool trainable);
  /// Merges with the edit before when it is the same field.
  void setField(int layer, const QString& field, const Value& value);
  void renameLayer(int layer, const QString& name);
  /// Carries out a fix of an issue of the present analysis, as one undoable step.
  void applyFix(const Issue& issue, const Fix& fix);

 signals:
  /// A layer came in by a drop or a key: it wants to be selected.
  void layerPlaced(int layer);

 private:
  using Edit = std::function<int(NetworkSpec&)>;
  int edit(const QString& text, const Edit& change);
  bool has(int layer) const { return layer >= 0 && layer < layerCount(); }
  QString nameOf(int layer) const { return cardOf(layer).name; }
  const StackNode& nodeOf(const QModelIndex& index) const;
  QModelIndex indexOf(const StackNode& node) const;
  void followDocument();
  void prune(StackNode& here, const std::set<int>& wanted);
  void arrange(StackNode& here, const StackNode& wanted);
  void insertRun(StackNode& here, int row, const StackNode& wanted, std::size_t first, std::size_t behind);
  void moveTo(StackNode& node, StackNode& here, int row);
  void takeOver(StackNode& here, const StackNode& wanted);
  void tellCards(const StackNode& here);
  void collectNumbers(StackNode& here);

  Document& m_document;
  const QByteArray m_id = QUuid::createUuid().toByteArray();
  QString m_dataTitle;
  /// What the rows show; the document may be one step ahead while a change is being told.
  StackNode m_root;
  std::unordered_map<int, StackNode*> m_byId;
  std::vector<StackNode*> m_byNumber;
  int m_nextId = 1;
  bool m_following = false;
};

}  // namespace strata::gui
