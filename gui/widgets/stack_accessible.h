// SPDX-License-Identifier: GPL-3.0-or-later
// The stack as screen readers see it: a tree whose items are the cards that can be seen, by the names the model gives
// them, containers with "open" or "closed" behind.
#pragma once
#include <QModelIndex>

namespace strata::gui {

class StackView;

/// Once is enough; more do no harm.
void installStackAccessible();
/// The current card is another; a container was opened or closed.
void tellFocus(StackView& view, const QModelIndex& index);
void tellOpen(StackView& view, const QModelIndex& index);

}  // namespace strata::gui
