// SPDX-License-Identifier: GPL-3.0-or-later
// Spin boxes for what layers and optimizers are set by: a pair "5 × 5", and a real number that may be 0.5 or 1e-6.
#pragma once
#include <QAbstractSpinBox>
#include <QDoubleSpinBox>
#include <optional>

#include "engine/field.h"

namespace strata::gui {

/// Height and width in one field. Stepping changes both; "5", "5 x 3" and "5 × 3" can be typed.
class PairBox : public QAbstractSpinBox {
  Q_OBJECT
 public:
  explicit PairBox(QWidget* parent = nullptr);

  void setRange(int low, int high);
  Pair value() const { return m_value; }
  void setValue(Pair value);

  QValidator::State validate(QString& text, int& position) const override;
  void stepBy(int steps) override;
  QSize sizeHint() const override;

 signals:
  void valueChanged(strata::Pair value);

 protected:
  StepEnabled stepEnabled() const override;

 private:
  std::optional<Pair> parse(const QString& text) const;
  Pair m_value;
  int m_low = 1, m_high = 99;
};

/// Shows a number in as few digits as tell it apart, steps by a tenth of its size, never by locale.
class RealBox : public QDoubleSpinBox {
  Q_OBJECT
 public:
  explicit RealBox(QWidget* parent = nullptr);

  QString textFromValue(double value) const override;
  double valueFromText(const QString& text) const override;
  QValidator::State validate(QString& text, int& position) const override;
};

/// A number in as few digits as tell it apart: "0.5", "1e-06".
QString shortest(double value);

}  // namespace strata::gui
