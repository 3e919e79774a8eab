// SPDX-License-Identifier: GPL-3.0-or-later
// All that a card of the stack shows, made from the project and its analysis.
#pragma once
#include <QMetaType>
#include <QString>
#include <vector>

#include "engine/net/analysis.h"
#include "engine/run/project.h"

namespace strata::gui {

struct LayerCard {
  enum class Kind { Input, Layer, Output } kind = Kind::Layer;
  /// The mark at which a container's stacks meet.
  enum class Sign { None, Plus, Bars, Times, Mean, Max };
  QString title, name, summary, icon, category, help, type;
  QString brief;              ///< the summary of a compact card: without what goes without saying
  Shape in, out;              ///< unknown from the first broken layer on
  qint64 parameters = -1;     ///< -1: unknown
  double share = -1;          ///< of the net's multiply-adds; -1: unknown, as the net is broken somewhere
  double relativeCost = 0;    ///< to the dearest layer of the net's own stack
  std::vector<Issue> issues;  ///< of this layer
  QString blamed;             ///< the part of the summary that an issue blames
  int largestSide = 1;        ///< of all maps in the net, for the drawing's scale
  bool frozen = false;        ///< itself, or what it stands in
  QString container;          ///< name of what it stands in; empty at the top
  int place = 1, places = 1;  ///< "1 of 2" in its stack

  bool isContainer = false;
  bool columns = false;  ///< its stacks stand side by side; else the second is the shortcut
  int inside = 0;        ///< layers in it
  int errorsInside = 0, warningsInside = 0;
  Sign sign = Sign::None;
  QString foot;       ///< "adds the shortcut, then ReLU"
  QString footBrief;  ///< "32 + 32 = 64"

  bool hasError() const;
};

/// The cards of a project: the input's, the layers' by number, the output's. `dataTitle` is what the input's calls the
/// data; empty: by their source.
std::vector<LayerCard> makeCards(const Project& project, const Analysis& analysis, const QString& dataTitle);
/// "Conv 2D conv1, in res2, 1 of 2, 4,608 parameters, frozen".
QString spokenName(const LayerCard& card);

}  // namespace strata::gui

Q_DECLARE_METATYPE(strata::gui::LayerCard)
