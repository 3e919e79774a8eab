// SPDX-License-Identifier: GPL-3.0-or-later
// The document's stack as a list: row 0 is the input, the last row the output, the layers between them. Every change
// goes through the document, as one undoable step; the rows follow the document with the smallest signals that tell the
// change, so that selections and scroll positions stay.
#pragma once
#include <QAbstractListModel>
#include <QStringList>
#include <QUuid>
#include <vector>

#include "gui/document.h"

namespace strata::gui {

/// A dragged card; its bytes are the model's own id, for a card of another window is no layer here, and the layer's
/// index.
inline constexpr char kCardMime[] = "application/x-strata-card";

/// All that a card shows.
struct LayerCard {
  enum class Kind { Input, Layer, Output } kind = Kind::Layer;
  QString title, name, summary, icon, category, help;
  Shape out;                  ///< unknown from the first broken layer on
  qint64 parameters = -1;     ///< -1: unknown
  double share = -1;          ///< of the net's multiply-adds; -1: unknown, as the net is broken somewhere
  double relativeCost = 0;    ///< to the dearest layer
  std::vector<Issue> issues;  ///< of this layer
  QString blamed;             ///< the part of the summary that an issue blames
  int largestSide = 1;        ///< of all maps in the net, for the drawing's scale
  bool hasError() const;
};

class LayerStackModel : public QAbstractListModel {
  Q_OBJECT
 public:
  enum Role { CardRole = Qt::UserRole };

  explicit LayerStackModel(Document& document, QObject* parent = nullptr);

  int rowCount(const QModelIndex& parent = {}) const override;
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

  int layerCount() const { return static_cast<int>(m_cards.size()) - 2; }
  static int rowOf(int layer) { return layer + 1; }
  /// The layer of a row; -1 for input and output.
  int layerAt(int row) const { return row >= 1 && row <= layerCount() ? row - 1 : -1; }

  /// Each returns the index of the layer to select afterwards, or -1 when nothing was done.
  int insertLayer(const QString& type, int before);
  int duplicateLayer(int layer);
  int copyLayer(int layer, int before);
  int moveLayer(int layer, int before);  ///< `before` counted in the stack as it is now
  int removeLayer(int layer);
  /// Merges with the edit before when it is the same field.
  void setField(int layer, const QString& field, const Value& value);
  /// Carries out a fix of an issue of the present analysis, as one undoable step.
  void applyFix(const Issue& issue, const Fix& fix);

 signals:
  /// A layer came in by a drop or a key: it wants to be selected.
  void layerPlaced(int layer);

 private:
  void followDocument();
  void followRows(const std::vector<LayerCard>& cards);
  std::vector<LayerCard> makeCards() const;
  LayerCard inputCard() const;
  LayerCard outputCard() const;
  LayerCard layerCard(std::size_t layer) const;
  QString nameOf(int layer) const { return m_cards[static_cast<std::size_t>(rowOf(layer))].name; }
  QString spoken(const LayerCard& card) const;
  Document& m_document;
  const QByteArray m_id = QUuid::createUuid().toByteArray();
  QString m_dataTitle;
  /// What the rows show; the document may be one step ahead while a change is being told.
  std::vector<LayerCard> m_cards;
};

}  // namespace strata::gui

Q_DECLARE_METATYPE(strata::gui::LayerCard)
