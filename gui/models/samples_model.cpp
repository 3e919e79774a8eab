// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/samples_model.h"

#include <algorithm>

namespace strata::gui {

QImage sampleImage(const Samples& samples, Shape shape, int index) {
  if (samples.areFloats()) return {};
  const auto size = std::size_t(shape.size());
  const auto* pixels = samples.pixels.data() + std::size_t(index) * size;
  QImage image(shape.w, shape.h, shape.c == 3 ? QImage::Format_RGB888 : QImage::Format_Grayscale8);
  for (int y = 0; y < shape.h; ++y) {
    auto* line = image.scanLine(y);
    if (shape.c == 3 || shape.c == 1) {
      std::copy_n(pixels + std::size_t(y) * shape.w * shape.c, std::size_t(shape.w) * shape.c, line);
    } else {
      for (int x = 0; x < shape.w; ++x) line[x] = pixels[(std::size_t(y) * shape.w + x) * shape.c];
    }
  }
  return image;
}

void SamplesModel::setSamples(std::shared_ptr<const Dataset> dataset, bool testSet) {
  beginResetModel();
  m_dataset = std::move(dataset);
  m_testSet = testSet;
  m_verdicts.clear();
  endResetModel();
}

void SamplesModel::setVerdicts(std::vector<Verdict> verdicts) {
  const auto sameIndex = [](const Verdict& a, const Verdict& b) { return a.index == b.index; };
  if (std::equal(verdicts.begin(), verdicts.end(), m_verdicts.begin(), m_verdicts.end(), sameIndex)) {
    const auto percent = [](const Verdict& v) { return int(v.sure * 100); };
    for (int row = 0; row < int(verdicts.size()); ++row) {
      auto& old = m_verdicts[std::size_t(row)];
      const auto& now = verdicts[std::size_t(row)];
      const bool looksTheSame = old.predicted == now.predicted && percent(old) == percent(now);
      old = now;
      if (!looksTheSame) emit dataChanged(index(row), index(row), {VerdictRole});
    }
    return;
  }
  beginResetModel();
  m_verdicts = std::move(verdicts);
  endResetModel();
}

int SamplesModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(m_verdicts.size()); }

QString SamplesModel::className(int label) const {
  const auto& names = m_dataset->classes;
  return label >= 0 && label < int(names.size()) ? QString::fromStdString(names[std::size_t(label)])
                                                 : QString::number(label);
}

QVariant SamplesModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || !m_dataset) return {};
  const auto& verdict = m_verdicts[std::size_t(index.row())];
  switch (role) {
    case VerdictRole:
      return QVariant::fromValue(verdict);
    case ImageRole:
      return sampleImage(m_testSet ? m_dataset->test : m_dataset->train, m_dataset->shape, verdict.index);
    case Qt::ToolTipRole:
    case Qt::AccessibleTextRole: {
      const auto which = (m_testSet ? tr("Test image %1") : tr("Training image %1")).arg(verdict.index);
      if (verdict.predicted < 0) return tr("%1: %2").arg(which, className(verdict.label));
      const auto sure = QString::number(double(verdict.sure) * 100, 'f', 0);
      if (verdict.right()) return tr("%1: right, %2, %3 % sure").arg(which, className(verdict.label), sure);
      return tr("%1: wrong, says %2, is %3, %4 % sure")
          .arg(which, className(verdict.predicted), className(verdict.label), sure);
    }
    default:
      return {};
  }
}

}  // namespace strata::gui
